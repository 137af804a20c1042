import { normalizeAxis, sizeOf } from '../core/tensor.ts';
import { bundleSizes, reordered } from './channels.ts';
import type { AxisLabels, Bundle, Channels, ChannelsContext, ChannelsRule } from './operator.ts';
import { type Labelled, tieRows } from './picking-channels.ts';

/** Sets of axes that bundles connect. */
function connectedAxes(bundles: readonly Bundle[]): number[][] {
  const sets: number[][] = [];
  for (const { axes } of bundles) {
    const touching = sets.filter((set) => set.some((axis) => axes.includes(axis)));
    for (const set of touching) sets.splice(sets.indexOf(set), 1);
    sets.push([...new Set([...touching.flat(), ...axes])]);
  }
  return sets;
}

/** The one bundle of each part that is on all these axes, in the order of the first; null where one has none. */
function wholeBundles(
  ctx: ChannelsContext,
  parts: readonly Labelled[],
  axes: readonly number[],
): readonly Bundle[] | null {
  const found = parts.map(({ channels }) =>
    channels.find((bundle) => bundle.axes.length === axes.length && bundle.axes.includes(axes[0]!)),
  );
  const [first] = found;
  if (!first || found.some((bundle) => !bundle)) return null;
  const bundles = found as readonly Bundle[];
  const sameOrder = bundles.every((bundle) => bundle.axes.every((axis, place) => axis === first.axes[place]));
  if (sameOrder) return bundles;
  return bundles.map((bundle, index) => {
    const { shape } = parts[index]!;
    // Rows of the one are columns of the other: both must keep their identity.
    ctx.grid(bundle, shape);
    return reordered(
      bundle,
      first.axes.map((axis) => bundle.axes.indexOf(axis)),
      shape,
    );
  });
}

/** Matrices put side by side along `axis`. */
function joinedBundles(bundles: readonly Bundle[], axis: number, parts: readonly Labelled[]): Bundle {
  const [first] = bundles;
  const place = first!.axes.indexOf(axis);
  const widths = bundles.map((bundle, index) =>
    sizeOf(bundleSizes(bundle, parts[index]!.shape).slice(place)),
  );
  const labels = new Int32Array(bundles.reduce((sum, bundle) => sum + bundle.labels.length, 0));
  const rows = first!.labels.length / widths[0]!;
  let at = 0;
  for (let row = 0; row < rows; row++) {
    bundles.forEach((bundle, index) => {
      const width = widths[index]!;
      labels.set(bundle.labels.subarray(row * width, (row + 1) * width), at);
      at += width;
    });
  }
  return { axes: first!.axes, labels };
}

/** Along the joined axis labels are joined, too: a part without any gets fixed ones. On the others they are tied to those of the other parts. */
const concat: ChannelsRule = (ctx) => {
  const parts: readonly Labelled[] = ctx.node.inputs.map((_, index) => ({
    channels: ctx.channels(index),
    shape: ctx.shape(index),
  }));
  const joined = normalizeAxis(ctx.node.int('axis', ctx.opset < 4 ? 1 : 0), parts[0]!.shape.length);
  const sets = connectedAxes(parts.flatMap(({ channels }) => channels));
  return { outputs: [sets.flatMap((axes) => joinedAxes(ctx, parts, axes, joined))] };
};

function joinedAxes(
  ctx: ChannelsContext,
  parts: readonly Labelled[],
  axes: readonly number[],
  joined: number,
): Channels {
  const bundles = wholeBundles(ctx, parts, axes);
  if (bundles && axes.includes(joined)) {
    const matrices = bundles.map((bundle, index) => ({ bundle, shape: parts[index]!.shape }));
    tieRows(ctx, joined, matrices);
    return [joinedBundles(bundles, joined, parts)];
  }
  if (bundles) {
    for (const bundle of bundles.slice(1)) ctx.tie(bundles[0]!.labels, bundle.labels);
    return [bundles[0]!];
  }
  return axes.flatMap((axis): Channels => {
    const own = parts.map(({ channels, shape }) => ctx.axisOf(channels, axis, shape));
    if (axis === joined) return [{ axes: [axis], labels: joinedLabels(ctx, own, parts, axis) }];
    return tiedLabels(ctx, own, axis);
  });
}

function joinedLabels(
  ctx: ChannelsContext,
  own: readonly AxisLabels[],
  parts: readonly Labelled[],
  axis: number,
): Int32Array {
  const lists = own.map(
    (labels, index) =>
      labels ??
      ctx.fixed(
        parts[index]!.shape[axis]!,
        `joins '${ctx.node.inputs[index]?.name}', whose channels are not followed`,
      ),
  );
  const result = new Int32Array(lists.reduce((sum, labels) => sum + labels.length, 0));
  let at = 0;
  for (const labels of lists) {
    result.set(labels, at);
    at += labels.length;
  }
  return result;
}

function tiedLabels(ctx: ChannelsContext, own: readonly AxisLabels[], axis: number): Channels {
  const labels = own.find((vector) => vector !== null);
  if (!labels) return [];
  for (const other of own) ctx.tie(labels, other, 'joins what cannot be cut');
  return [{ axes: [axis], labels }];
}

/** How channels pass through Concat. */
export const CONCAT_CHANNELS: Readonly<Record<'Concat', ChannelsRule>> = { Concat: concat };
