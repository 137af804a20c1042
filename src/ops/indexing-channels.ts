import { normalizeAxis, Tensor } from '../core/tensor.ts';
import type { Value } from '../ir/index.ts';
import { bundleAt, onAxis, renamed } from './channels.ts';
import type { Channels, ChannelsContext, ChannelsRule, CutContext, Unsupported } from './operator.ts';
import { unsupported } from './operator.ts';
import { PAD_CHANNELS } from './pad-channels.ts';
import { aliveAlong, type Labelled, pickedChannels, withFrozenAxes } from './picking-channels.ts';
import { SLICING_CHANNELS } from './slicing-channels.ts';

const written = 'writes to places along it';

const byIndex = 'takes its channels by indices that are not known without running';

/** Axes from `first` up to but without `last`. */
const axesBetween = (first: number, last: number): number[] =>
  Array.from({ length: Math.max(last - first, 0) }, (_, index) => first + index);

/** True for an input of the graph, also under another dtype or shape: words. Indices that are computed look up biases by position, whose columns are no layer's own. */
function isGiven(value: Value | null | undefined): boolean {
  if (!value?.producer) return value?.initializer === null;
  return (
    ['Cast', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze'].includes(value.producer.opType) &&
    isGiven(value.producer.inputs[0])
  );
}

/**
 * Labels at constant indices; of an axis that other indices choose from, nothing goes. A table that words choose from (an embedding) makes channels of its last axis. Indices are counted anew among those that stay.
 */
const gather: ChannelsRule = (ctx) => {
  const own: Labelled = { channels: ctx.channels(0), shape: ctx.shape(0) };
  const indexShape = ctx.shape(1);
  const axis = normalizeAxis(ctx.node.int('axis', 0), own.shape.length);
  const size = own.shape[axis]!;
  const places = ctx.numbers(1)?.map((place) => (place < 0 ? place + size : place));
  if (axis === 0 && own.shape.length === 2 && isGiven(ctx.node.inputs[1])) ctx.source(0, 1);
  /** An axis of the table, in the output. */
  const moved = (other: number): number => (other < axis ? other : other + indexShape.length - 1);
  const bundle = bundleAt(own.channels, axis);
  if (!places || !bundle) {
    const around = withFrozenAxes(ctx, 0, [axis], byIndex);
    const chosen = renamed(ctx.channels(1), (other) => other + axis);
    return { outputs: [[...renamed(around, moved), ...chosen]] };
  }
  // Indices name the same columns in every row.
  ctx.axisOf([bundle], axis, own.shape);
  const inner = indexShape.map((_, index) => axis + index);
  const taken = pickedChannels(ctx, own, axis, places).map(({ axes, labels }) => ({
    axes: axes.flatMap((other) => (other === axis ? inner : [moved(other)])),
    labels,
  }));
  return {
    outputs: [taken.filter(({ axes }) => axes.length > 0)],
    cut: (cut) => cutGather(cut, own, axis, places, indexShape.length),
  };
};

function cutGather(
  cut: CutContext,
  own: Labelled,
  axis: number,
  places: readonly number[],
  rank: number,
): void {
  const alive = aliveAlong(cut, own, axis);
  if (!alive || alive.every(Boolean)) return;
  let count = 0;
  const renumbered = alive.map((stays) => (stays ? count++ : -1));
  const kept = places.flatMap((place) => (alive[place] ? [renumbered[place]!] : []));
  const shape = cut.outputShape(0).slice(axis, axis + rank);
  cut.setConstant(1, new Tensor('int64', shape, BigInt64Array.from(kept, BigInt)));
}

/** Ties an axis of several inputs that have the same size there; where sizes differ, only the first indices of the larger are used, which then all stay. */
function tiedAxis(ctx: ChannelsContext, inputs: readonly number[], axis: number): Channels {
  const own = inputs.map((index) => ctx.axis(index, axis));
  const size = ctx.shape(inputs[0]!)[axis];
  const labels = own.find((vector) => vector !== null);
  if (!labels) return [];
  const same = inputs.every((index) => ctx.shape(index)[axis] === size);
  for (const vector of own) {
    if (same) ctx.tie(labels, vector, 'takes elements from what cannot be cut');
    else ctx.freeze(vector, 'takes only some of its channels');
  }
  return same ? onAxis(axis, labels) : [];
}

/** Along its own axis the output is as the indices are; on the others all go together. */
const gatherElements: ChannelsRule = (ctx) => {
  const rank = ctx.shape(0).length;
  const axis = normalizeAxis(ctx.node.int('axis', 0), rank);
  ctx.freeze(ctx.axis(0, axis), byIndex);
  const others = axesBetween(0, rank).filter((other) => other !== axis);
  const around = others.flatMap((other) => tiedAxis(ctx, [0, 1], other));
  return { outputs: [[...around, ...ctx.moved(1, axis, axis)]] };
};

const scatterElements: ChannelsRule = (ctx) => {
  const rank = ctx.shape(0).length;
  const axis = normalizeAxis(ctx.node.int('axis', 0), rank);
  ctx.freeze(ctx.axis(0, axis), written);
  const others = axesBetween(0, rank).filter((other) => other !== axis);
  const around = others.flatMap((other) => tiedAxis(ctx, [0, 1, 2], other));
  for (const index of [1, 2]) ctx.freeze(ctx.axis(index, axis), written);
  return { outputs: [around] };
};

/** Axes named by the tuples stay; those behind them are as they were. */
const gatherND: ChannelsRule = (ctx) => {
  const [shape, indices] = [ctx.shape(0), ctx.shape(1)];
  const batch = ctx.opset >= 12 ? ctx.node.int('batch_dims', 0) : 0;
  const last = indices.length - 1;
  const first = batch + indices[last]!;
  const named = axesBetween(batch, first);
  const data: Labelled = { channels: withFrozenAxes(ctx, 0, named, byIndex), shape };
  const tuples: Labelled = {
    channels: withFrozenAxes(ctx, 1, [last], 'takes indices from it'),
    shape: indices,
  };
  const labels = ({ channels, shape: sizes }: Labelled, axis: number) => ctx.axisOf(channels, axis, sizes);
  const channels: Channels[] = [];
  for (let axis = 0; axis < last; axis++) {
    const chosen = labels(tuples, axis);
    if (axis >= batch) channels.push(onAxis(axis, chosen));
    else {
      const own = labels(data, axis);
      ctx.tie(own, chosen, byIndex);
      channels.push(onAxis(axis, own ?? chosen));
    }
  }
  for (let axis = first; axis < shape.length; axis++) {
    channels.push(onAxis(axis - first + last, labels(data, axis)));
  }
  return { outputs: [channels.flat()] };
};

/** Axes named by the tuples stay, and all tuples; axes behind them are tied to those of the updates. */
const scatterND: ChannelsRule = (ctx) => {
  const [shape, indices] = [ctx.shape(0), ctx.shape(1)];
  const last = indices.length - 1;
  const depth = indices[last]!;
  const data: Labelled = { channels: withFrozenAxes(ctx, 0, axesBetween(0, depth), written), shape };
  ctx.freeze(ctx.channels(1), written);
  for (let axis = 0; axis < last; axis++) ctx.freeze(ctx.axis(2, axis), written);
  const channels = axesBetween(depth, shape.length).flatMap((axis) => {
    const own = ctx.axisOf(data.channels, axis, shape);
    const updates = ctx.axis(2, axis - depth + last);
    ctx.tie(own, updates, 'is written over by what cannot be cut');
    return onAxis(axis, own ?? updates);
  });
  return { outputs: [channels] };
};

/** Classes are a new axis; that of the indices keep theirs. */
const oneHot: ChannelsRule = (ctx) => {
  const rank = ctx.shape(0).length + 1;
  const axis = normalizeAxis(ctx.node.int('axis', -1), rank);
  return { outputs: [renamed(ctx.channels(0), (own) => (own < axis ? own : own + 1))] };
};

/** Which slices stay depends on a condition along the axis. */
const compress: ChannelsRule = (ctx) => {
  const rank = ctx.shape(0).length;
  const axis = ctx.node.int('axis');
  ctx.freeze(ctx.channels(1), 'takes a condition from it');
  const gone = axis === undefined ? axesBetween(0, rank) : [normalizeAxis(axis, rank)];
  return { outputs: [withFrozenAxes(ctx, 0, gone, 'takes channels where a condition holds')] };
};

/** Rows and columns are compared by their place. */
const trilu: ChannelsRule = (ctx) => {
  const rank = ctx.shape(0).length;
  return { outputs: [withFrozenAxes(ctx, 0, [rank - 2, rank - 1], 'takes a triangle of it')] };
};

const topK: ChannelsRule = (ctx) => {
  const axis = normalizeAxis(ctx.node.int('axis', -1), ctx.shape(0).length);
  const channels = withFrozenAxes(ctx, 0, [axis], 'ranks its channels');
  return { outputs: [channels, channels] };
};

const eyeLike: ChannelsRule = (ctx) => {
  ctx.freeze(ctx.channels(0), 'makes a unit matrix of its size');
  return { outputs: [] };
};

/** Channels of the image stay; its pixels and the coordinates are read by place. Axes of the grid but the last are the output's. */
const gridSample: ChannelsRule = (ctx) => {
  const rank = ctx.shape(0).length;
  const image: Labelled = {
    channels: withFrozenAxes(ctx, 0, axesBetween(2, rank), 'samples pixels along it'),
    shape: ctx.shape(0),
  };
  const grid: Labelled = {
    channels: withFrozenAxes(ctx, 1, [rank - 1], 'takes coordinates from it'),
    shape: ctx.shape(1),
  };
  const [batch, other] = [image, grid].map(({ channels, shape }) => ctx.axisOf(channels, 0, shape));
  ctx.tie(batch!, other!, 'samples what cannot be cut');
  return {
    outputs: [
      [
        ...onAxis(0, batch ?? other ?? null),
        ...onAxis(1, ctx.axisOf(image.channels, 1, image.shape)),
        ...axesBetween(1, rank - 1).flatMap((axis) =>
          onAxis(axis + 1, ctx.axisOf(grid.channels, axis, grid.shape)),
        ),
      ],
    ],
  };
};

/** How channels pass through operators that choose elements by position. */
export const INDEXING_CHANNELS: Readonly<Record<string, ChannelsRule | Unsupported>> = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  Slice: SLICING_CHANNELS.Slice,
  ...PAD_CHANNELS,
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  OneHot: oneHot,
  NonZero: unsupported('how many elements are not 0 depends on the data'),
  Compress: compress,
  Trilu: trilu,
  TopK: topK,
  Unique: unsupported('how many elements are distinct depends on the data'),
  EyeLike: eyeLike,
  NonMaxSuppression: unsupported('which boxes stay depends on the data'),
  GridSample: gridSample,
};
