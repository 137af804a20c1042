import { sizeOf, stridesOf } from '../core/tensor.ts';
import { type Dim, type Shape, staticShape } from '../ir/index.ts';
import { axisOf, followedSizes, inferredWith } from './broadcast.ts';
import { dtypeAttribute } from './cast.ts';
import { entry } from './entry.ts';
import { differ, expectRankFrom, expectSameDtype, expectShape, sameDim } from './expect.ts';
import { INDEXING_CHANNELS } from './indexing-channels.ts';
import { INDEXING_GRADS } from './indexing-grad.ts';
import { INDEXING_UPGRADES } from './indexing-upgrade.ts';
import { inferredOf } from './infer-constant.ts';
import { notDifferentiable } from './later.ts';
import type { InferContext, InferRule, Known, Operator } from './operator.ts';
import { centerCropPad, pad, slice } from './slicing.ts';
import { compareDims, productOfDims } from './symbolic.ts';
import { withRules } from './with-rules.ts';

const expectIndices = (ctx: InferContext, index: number): Shape => {
  const { dtype, shape } = ctx.input(index);
  if (dtype === 'int64' || dtype === 'int32') return shape;
  throw ctx.error(`indices expect int64 or int32, got ${dtype}; put a Cast before it`);
};

const gather: InferRule = (ctx) => {
  const { dtype, shape, known } = ctx.input(0);
  const indices = expectIndices(ctx, 1);
  const axis = axisOf(ctx, ctx.node.int('axis', 0), shape.length);
  const before = shape.slice(0, axis);
  const behind = shape.slice(axis + 1);
  const picked = [...before, ...indices, ...behind];
  const places = ctx.numbers(1);
  const size = shape[axis]!;
  if (places && typeof size === 'number') {
    const wrong = places.find((place) => place < -size || place >= size);
    if (wrong !== undefined)
      throw ctx.error(`index ${wrong} is out of range for axis ${axis} of size ${size}`);
  }
  const sizes = staticShape(shape);
  if (!known || !sizes || !places || !followedSizes(picked)) return [{ dtype, shape: picked }];
  const outer = sizeOf(sizes.slice(0, axis));
  const inner = sizeOf(sizes.slice(axis + 1));
  const along = sizes[axis]!;
  const elements: Known[] = [];
  for (let row = 0; row < outer; row++) {
    for (const place of places) {
      const start = (row * along + (place < 0 ? place + along : place)) * inner;
      for (let column = 0; column < inner; column++) elements.push(known[start + column] ?? null);
    }
  }
  return [inferredWith(dtype, picked, elements)];
};

const gatherElements: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  const indices = expectIndices(ctx, 1);
  axisOf(ctx, ctx.node.int('axis', 0), shape.length);
  if (indices.length !== shape.length) {
    throw ctx.error(`indices expect ${shape.length} dimensions, got ${indices.length}`);
  }
  return [{ dtype, shape: indices }];
};

const gatherND: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  const indices = expectIndices(ctx, 1);
  const batch = ctx.opset >= 12 ? ctx.node.int('batch_dims', 0) : 0;
  const depth = indices.at(-1);
  if (depth === undefined) throw ctx.error('indices expect at least 1 dimension, got a scalar');
  if (typeof depth !== 'number') return [null];
  if (batch + depth > shape.length) {
    throw ctx.error(`indices name ${depth} axes after ${batch} batch axes, but the data has ${shape.length}`);
  }
  return [{ dtype, shape: [...indices.slice(0, -1), ...shape.slice(batch + depth)] }];
};

/** Scatter operators give the data's own type and shape. */
const likeData: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  expectIndices(ctx, 1);
  expectSameDtype(ctx, 0, 2);
  return [{ dtype, shape }];
};

const scatterElements: InferRule = (ctx) => {
  const { shape } = ctx.input(0);
  axisOf(ctx, ctx.node.int('axis', 0), shape.length);
  expectShape(ctx, 2, 'updates', ctx.input(1).shape);
  return likeData(ctx);
};

/** `depth` classes on a new axis. */
const oneHot: InferRule = (ctx) => {
  const { shape } = ctx.input(0);
  const { dtype } = ctx.input(2);
  const axis = axisOf(ctx, ctx.node.int('axis', -1), shape.length + 1);
  const depth = ctx.known(1)?.[0] ?? null;
  return [{ dtype, shape: [...shape.slice(0, axis), depth, ...shape.slice(axis)] }];
};

/** Exporters count from 0 to a symbolic size by NonZero of a ConstantOfShape: there all elements are chosen, or none. */
function countOfFilled(ctx: InferContext): Dim {
  const producer = ctx.node.input(0).producer;
  if (producer?.opType !== 'ConstantOfShape') return null;
  const value = producer.tensor('value');
  const element = value ? inferredOf(value).known?.[0] : 0;
  return element === undefined ? null : element === 0 ? 0 : productOfDims(ctx.input(0).shape);
}

/** Indices of elements other than 0, a column each; how many is known only where the elements are. */
const nonZero: InferRule = (ctx) => {
  const { shape } = ctx.input(0);
  const numbers = ctx.numbers(0);
  const sizes = staticShape(shape);
  // The index of a scalar counts as one axis.
  const rank = Math.max(shape.length, 1);
  if (!numbers || !sizes) return [{ dtype: 'int64', shape: [rank, countOfFilled(ctx)] }];
  const strides = shape.length === 0 ? [1] : stridesOf(sizes);
  const extents = shape.length === 0 ? [1] : sizes;
  const places = [...numbers.keys()].filter((offset) => numbers[offset] !== 0);
  const known = extents.flatMap((size, axis) =>
    places.map((offset) => Math.floor(offset / strides[axis]!) % size),
  );
  return [inferredWith('int64', [rank, places.length], known)];
};

const compress: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  const axis = ctx.node.int('axis');
  const count = ctx.numbers(1)?.filter((element) => element !== 0).length ?? null;
  if (axis === undefined) return [{ dtype, shape: [count] }];
  const along = axisOf(ctx, axis, shape.length);
  return [{ dtype, shape: shape.map((dim, own) => (own === along ? count : dim)) }];
};

const trilu: InferRule = (ctx) => {
  const { dtype, shape } = expectRankFrom(ctx, 0, 'input', 2);
  return [{ dtype, shape }];
};

/** `k` is an attribute before opset 10, an input after. */
const topK: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  const axis = axisOf(ctx, ctx.node.int('axis', -1), shape.length);
  const k: Dim = ctx.opset < 10 ? (ctx.node.int('k') ?? null) : (ctx.known(1)?.[0] ?? null);
  const size = shape[axis]!;
  if (compareDims(k, size) === 1) throw ctx.error(`k is ${k}, but axis ${axis} has ${size} elements`);
  const best = shape.map((dim, own) => (own === axis ? k : dim));
  return [
    { dtype, shape: best },
    { dtype: 'int64', shape: best },
  ];
};

const unique: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  const axis = ctx.node.int('axis');
  const values: Shape =
    axis === undefined
      ? [null]
      : shape.map((dim, own) => (own === axisOf(ctx, axis, shape.length) ? null : dim));
  const places = { dtype: 'int64', shape: [null] } as const;
  const size = axis === undefined ? null : shape[axisOf(ctx, axis, shape.length)]!;
  const sizes = staticShape(shape);
  const inverse = { dtype: 'int64', shape: [axis === undefined && sizes ? sizeOf(sizes) : size] } as const;
  return [{ dtype, shape: values }, places, inverse, places];
};

const eyeLike: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  if (shape.length !== 2) throw ctx.error(`input expects 2 dimensions, got ${shape.length}`);
  return [{ dtype: dtypeAttribute(ctx, 'dtype', dtype), shape }];
};

const nonMaxSuppression: InferRule = (ctx) => {
  expectShape(ctx, 0, 'boxes', [null, null, 4]);
  expectRankFrom(ctx, 1, 'scores', 3);
  return [{ dtype: 'int64', shape: [null, 3] }];
};

/** `[N, C, …]` sampled at a grid `[N, …, rank - 2]`. */
const gridSample: InferRule = (ctx) => {
  const { dtype, shape } = expectRankFrom(ctx, 0, 'input', 3);
  const grid = ctx.input(1).shape;
  if (grid.length !== shape.length) {
    throw ctx.error(`grid expects ${shape.length} dimensions, got ${grid.length}`);
  }
  if (differ(grid.at(-1), shape.length - 2)) {
    throw ctx.error(`grid expects ${shape.length - 2} coordinates on its last axis, got ${grid.at(-1)}`);
  }
  if (differ(grid[0], shape[0])) throw ctx.error(`grid expects batch ${shape[0]}, got ${grid[0]}`);
  return [{ dtype, shape: [sameDim(shape[0], grid[0]), shape[1]!, ...grid.slice(1, -1)] }];
};

const chooses = { grad: notDifferentiable, steering: [1, 2, 3, 4] };

/** Operators that choose elements by position, or write to positions. */
export const INDEXING: readonly Operator[] = withRules(
  [
    entry('Gather', 1, 'Slices of an axis chosen by index.', gather, { steering: [1], picks: true }),
    entry('GatherElements', 11, 'Elements chosen by an index of their own along an axis.', gatherElements, {
      steering: [1],
      picks: true,
    }),
    entry('GatherND', 11, 'Slices chosen by index tuples.', gatherND, { steering: [1], picks: true }),
    entry('Slice', 1, 'A range of each axis, with steps.', slice, {
      steering: [1, 2, 3, 4],
      picks: true,
    }),
    entry('Pad', 2, 'Elements added at the ends of axes.', pad, { steering: [1, 2, 3] }),
    entry('Scatter', 9, 'The old name of ScatterElements.', scatterElements, {
      opsets: [9, 10],
      steering: [1],
    }),
    entry(
      'ScatterElements',
      11,
      'Elements written to an index of their own along an axis.',
      scatterElements,
      {
        steering: [1],
      },
    ),
    entry('ScatterND', 11, 'Slices written to index tuples.', likeData, { steering: [1] }),
    entry('OneHot', 9, 'Classes as vectors with one entry on.', oneHot, chooses),
    entry('NonZero', 9, 'Indices of the elements that are not 0.', nonZero, chooses),
    entry('Compress', 9, 'Slices of an axis where a condition holds.', compress, { steering: [1] }),
    entry('Trilu', 14, 'The upper or lower triangle of matrices.', trilu, { steering: [1] }),
    entry('TopK', 1, 'The k largest or smallest elements of an axis, and their indices.', topK, {
      steering: [1],
    }),
    entry('Unique', 11, 'Distinct elements or slices.', unique, chooses),
    entry('EyeLike', 9, 'A unit matrix of the shape of the input.', eyeLike, chooses),
    entry('NonMaxSuppression', 10, 'Boxes that overlap no better box.', nonMaxSuppression, chooses),
    entry('GridSample', 16, 'An image sampled at given positions.', gridSample),
    entry('CenterCropPad', 18, 'Axes cut or padded to sizes around their middle.', centerCropPad, {
      shapeInput: 1,
    }),
  ],
  { grad: INDEXING_GRADS, upgrade: INDEXING_UPGRADES, channels: INDEXING_CHANNELS },
);
