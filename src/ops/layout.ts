import { sizeOf, stridesOf, type Tensor } from '../core/tensor.ts';
import { type Dim, type Node, type Shape, staticShape } from '../ir/index.ts';
import {
  axesOf,
  axisOf,
  broadcastOffsets,
  broadcastShapes,
  followedSizes,
  inferredWith,
  pick,
  stridedOffsets,
} from './broadcast.ts';
import { entry } from './entry.ts';
import { differ, expectRank, expectSameDtype, sameDim } from './expect.ts';
import { notDifferentiable } from './later.ts';
import { LAYOUT_CHANNELS } from './layout-channels.ts';
import { LAYOUT_GRADS } from './layout-grad.ts';
import { LAYOUT_UPGRADES } from './layout-upgrade.ts';
import type { InferContext, InferRule, Inferred, Known, Operator } from './operator.ts';
import {
  addDims,
  ceilDivideDims,
  divideDims,
  multiplyDims,
  productOfDims,
  subtractDims,
} from './symbolic.ts';
import { withRules } from './with-rules.ts';

/**
 * The elements of input `index`, which holds a shape: those known, or as many unknown ones as it has. Undefined where their number is not
 * known either.
 */
export function shapeElements(ctx: InferContext, index: number): readonly Known[] | undefined {
  const { shape, known } = ctx.input(index);
  if (shape.length > 1) throw ctx.error(`input ${index} expects one dimension, got ${shape.length}`);
  if (known) return known;
  const count = shape.length === 0 ? 1 : shape[0];
  return typeof count === 'number' ? new Array<Known>(count).fill(null) : undefined;
}

const printed = (dims: readonly Dim[]): string => `[${dims.map((dim) => dim ?? '?').join(', ')}]`;

const reshape: InferRule = (ctx) => {
  const input = ctx.input(0);
  const wanted = ctx.opset < 5 ? ctx.node.ints('shape') : shapeElements(ctx, 1);
  if (!wanted) return [null];
  return [inferredWith(input.dtype, reshaped(ctx, input.shape, wanted), input.known)];
};

function reshaped(ctx: InferContext, from: Shape, wanted: readonly Known[]): Shape {
  const copies = ctx.node.int('allowzero', 0) === 0;
  const target = wanted.map((dim, axis): Dim | 'rest' => {
    if (dim === -1) return 'rest';
    if (dim !== 0 || !copies) return dim;
    if (axis < from.length) return from[axis]!;
    throw ctx.error(`shape ${printed(wanted)} copies axis ${axis}, which the input does not have`);
  });
  const copied = (axis: number): boolean => copies && wanted[axis] === 0;
  if (target.filter((dim) => dim === 'rest').length > 1) {
    throw ctx.error(`shape ${printed(wanted)} leaves more than one dimension open`);
  }
  // Copied axes stand on both sides; what they are need not be known.
  const elements = productOfDims(from.filter((_, axis) => !copied(axis)));
  // An unknown element is as good as -1 where it is the only one.
  const open = target.findIndex((dim, axis) => (dim === 'rest' || dim === null) && !copied(axis));
  const others = productOfDims(
    target.map((dim, axis) => (axis === open || copied(axis) ? 1 : dim === 'rest' ? null : dim)),
  );
  if (open >= 0) {
    if (
      typeof elements === 'number' &&
      typeof others === 'number' &&
      (others === 0 || elements % others !== 0)
    ) {
      throw ctx.error(`${elements} elements do not fit into shape ${printed(wanted)}`);
    }
    const rest = divideDims(elements, others);
    return target.map((dim, axis) => (axis === open ? rest : dim === 'rest' ? null : dim));
  }
  if (typeof elements === 'number' && typeof others === 'number' && elements !== others) {
    throw ctx.error(`${elements} elements do not fit into shape ${printed(wanted)}`);
  }
  return target.map((dim) => (dim === 'rest' ? null : dim));
}

const transpose: InferRule = (ctx) => {
  const { dtype, shape, known } = ctx.input(0);
  const order = ctx.node.ints('perm') ?? shape.map((_, axis) => shape.length - 1 - axis);
  if (order.length !== shape.length)
    throw ctx.error(`perm [${order.join(', ')}] expects ${shape.length} axes`);
  const axes = axesOf(ctx, order, shape.length);
  const turned = axes.map((axis) => shape[axis]!);
  const sizes = staticShape(shape);
  if (!known || !sizes) return [{ dtype, shape: turned }];
  const strides = stridesOf(sizes);
  const offsets = stridedOffsets(
    axes.map((axis) => sizes[axis]!),
    axes.map((axis) => strides[axis]!),
  );
  return [inferredWith(dtype, turned, pick(known, offsets))];
};

const flatten: InferRule = (ctx) => {
  const { dtype, shape, known } = ctx.input(0);
  const axis = ctx.node.int('axis', 1);
  const split = axis === shape.length ? axis : axisOf(ctx, axis, shape.length);
  return [
    inferredWith(dtype, [productOfDims(shape.slice(0, split)), productOfDims(shape.slice(split))], known),
  ];
};

const concat: InferRule = (ctx) => {
  const inputs = ctx.inputs.map((_, index) => ctx.input(index));
  const first = ctx.input(0);
  const rank = first.shape.length;
  expectSameDtype(ctx, 0, ...inputs.keys());
  if (rank === 0) throw ctx.error('scalars cannot be joined; Unsqueeze them first');
  const axis = axisOf(ctx, ctx.node.int('axis', ctx.opset < 4 ? 1 : 0), rank);
  inputs.forEach((input, index) => {
    const fits =
      input.shape.length === rank &&
      input.shape.every((dim, own) => own === axis || !differ(dim, first.shape[own]));
    if (!fits) {
      throw ctx.error(
        `input ${index} ${printed(input.shape)} and input 0 ${printed(first.shape)} may differ only on axis ${axis}`,
      );
    }
  });
  const shape = first.shape.map((_, own) =>
    inputs.map((input) => input.shape[own] ?? null).reduce(own === axis ? addDims : sameDim),
  );
  return [inferredWith(first.dtype, shape, joined(inputs, axis))];
};

/** Known elements of a Concat; those of an input of which none are known are unknown ones. */
function joined(inputs: readonly Inferred[], axis: number): Known[] | undefined {
  if (!inputs.some((input) => input.known)) return undefined;
  const parts = inputs.map((input) => ({ known: input.known, sizes: staticShape(input.shape) }));
  const [first] = parts;
  if (!first?.sizes) return undefined;
  const rows = sizeOf(first.sizes.slice(0, axis));
  const known: Known[] = [];
  for (let row = 0; row < rows; row++) {
    for (const part of parts) {
      if (!part.sizes) return undefined;
      const width = sizeOf(part.sizes.slice(axis));
      for (let column = 0; column < width; column++) known.push(part.known?.[row * width + column] ?? null);
    }
  }
  return known;
}

/** Sizes are an attribute before opset 13, an optional input after; without them the axis is split evenly. */
const split: InferRule = (ctx) => {
  const { dtype, shape, known } = ctx.input(0);
  const axis = axisOf(ctx, ctx.node.int('axis', 0), shape.length);
  const size = shape[axis]!;
  const count = ctx.node.outputs.length;
  const given = ctx.inputs[1] && ctx.opset >= 13 ? shapeElements(ctx, 1) : ctx.node.ints('split');
  if (ctx.inputs[1] && ctx.opset >= 13 && !given) return new Array<null>(count).fill(null);
  const parts = given ?? evenParts(ctx, size, count);
  if (parts.length !== count) throw ctx.error(`split names ${parts.length} sizes for ${count} outputs`);
  const total = parts.reduce(addDims, 0);
  if (differ(total, size)) {
    throw ctx.error(`split sizes ${printed(parts)} add up to ${total}, but axis ${axis} has ${size}`);
  }
  const sizes = staticShape(shape);
  let start: number | null = 0;
  return parts.map((part) => {
    const partShape = shape.map((dim, own) => (own === axis ? part : dim));
    const target = staticShape(partShape);
    const from: number | null = start;
    start = from !== null && typeof part === 'number' ? from + part : null;
    if (!known || !sizes || !target || from === null) return { dtype, shape: partShape };
    const strides = stridesOf(sizes);
    const offsets = stridedOffsets(target, strides, from * strides[axis]!);
    return inferredWith(dtype, partShape, pick(known, offsets));
  });
};

function evenParts(ctx: InferContext, size: Dim, count: number): Dim[] {
  const asked = ctx.opset >= 18 ? ctx.node.int('num_outputs') : undefined;
  if (asked !== undefined && asked !== count) {
    throw ctx.error(`num_outputs is ${asked}, but the node has ${count} outputs`);
  }
  if (asked === undefined) {
    if (typeof size === 'number' && size % count !== 0)
      throw ctx.error(`${size} cannot be split evenly into ${count}`);
    return new Array<Dim>(count).fill(divideDims(size, count));
  }
  // From opset 18 on the last part may be smaller.
  const part = ceilDivideDims(size, count);
  const last = subtractDims(size, multiplyDims(part, count - 1));
  return Array.from({ length: count }, (_, index) => (index === count - 1 ? last : part));
}

/** Axes of Squeeze and Unsqueeze: an attribute before opset 13, an input after. `'unknown'` where they are not known. */
function axesArgument(ctx: InferContext): readonly number[] | 'unknown' | undefined {
  if (ctx.opset < 13) return ctx.node.ints('axes');
  if (!ctx.inputs[1]) return undefined;
  return ctx.numbers(1) ?? 'unknown';
}

const squeeze: InferRule = (ctx) => {
  const { dtype, shape, known } = ctx.input(0);
  const given = axesArgument(ctx);
  if (given === 'unknown') return [null];
  if (given === undefined) {
    // Whether a dimension goes depends on its size.
    return staticShape(shape)
      ? [
          inferredWith(
            dtype,
            shape.filter((dim) => dim !== 1),
            known,
          ),
        ]
      : [null];
  }
  const axes = axesOf(ctx, given, shape.length);
  for (const axis of axes) {
    if (differ(shape[axis], 1))
      throw ctx.error(`axis ${axis} has size ${shape[axis]}; only 1 can be squeezed`);
  }
  return [
    inferredWith(
      dtype,
      shape.filter((_, axis) => !axes.includes(axis)),
      known,
    ),
  ];
};

const unsqueeze: InferRule = (ctx) => {
  const { dtype, shape, known } = ctx.input(0);
  const given = axesArgument(ctx);
  if (given === undefined) throw ctx.error('axes are required and missing');
  if (given === 'unknown') return [null];
  const rank = shape.length + given.length;
  const axes = axesOf(ctx, given, rank);
  const own = [...shape];
  const wider = Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : own.shift()!));
  return [inferredWith(dtype, wider, known)];
};

const expand: InferRule = (ctx) => {
  const { dtype, shape, known } = ctx.input(0);
  const wanted = shapeElements(ctx, 1);
  if (!wanted) return [null];
  const wide = broadcastShapes(ctx, [shape, wanted]);
  const [from, to] = [staticShape(shape), followedSizes(wide)];
  return [
    inferredWith(dtype, wide, known && from && to ? pick(known, broadcastOffsets(from, to)) : undefined),
  ];
};

/** Opset 1 to 5 took one number of tiles and one axis; opset 6 a number for every axis. */
const tile: InferRule = (ctx) => {
  const { dtype, shape, known } = ctx.input(0);
  const repeats = shapeElements(ctx, 1);
  if (!repeats) return [{ dtype, shape: shape.map(() => null) }];
  if (repeats.length !== shape.length) {
    throw ctx.error(`repeats expects ${shape.length} numbers, got ${repeats.length}`);
  }
  const tiled = shape.map((dim, axis) => multiplyDims(dim, repeats[axis] ?? null));
  const [from, to] = [staticShape(shape), followedSizes(tiled)];
  if (!known || !from || !to) return [{ dtype, shape: tiled }];
  const strides = stridesOf(from);
  // Index i of the result is index i modulo the size, axis by axis.
  const offsets = to.reduce<number[]>(
    (outer, size, axis) =>
      outer.flatMap((offset) =>
        Array.from({ length: size }, (_, index) => offset + (index % from[axis]!) * strides[axis]!),
      ),
    [0],
  );
  return [inferredWith(dtype, tiled, pick(known, offsets))];
};

const identity: InferRule = (ctx) => [ctx.input(0)];

const sequenceLike: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  return [{ dtype, shape }];
};

function blockSize(ctx: InferContext): number {
  const block = ctx.node.int('blocksize', 0);
  if (block > 0) return block;
  throw ctx.error(`blocksize expects a whole number above 0, got ${block}`);
}

const spaceToDepth: InferRule = (ctx) => {
  const { dtype, shape } = expectRank(ctx, 0, 'input', 4);
  const block = blockSize(ctx);
  const [n, c, h, w] = shape as [Dim, Dim, Dim, Dim];
  return [{ dtype, shape: [n, multiplyDims(c, block * block), divideDims(h, block), divideDims(w, block)] }];
};

const depthToSpace: InferRule = (ctx) => {
  const { dtype, shape } = expectRank(ctx, 0, 'input', 4);
  const block = blockSize(ctx);
  const [n, c, h, w] = shape as [Dim, Dim, Dim, Dim];
  if (typeof c === 'number' && c % (block * block) !== 0) {
    throw ctx.error(`${c} channels are no multiple of blocksize² = ${block * block}`);
  }
  return [
    { dtype, shape: [n, divideDims(c, block * block), multiplyDims(h, block), multiplyDims(w, block)] },
  ];
};

/** From opset 15 on `start` and `end` cut a part out of the shape; they are limited to its ends. */
const shapeOf: InferRule = (ctx) => {
  const { shape } = ctx.input(0);
  const dims =
    ctx.opset < 15 ? shape : shape.slice(ctx.node.int('start', 0), ctx.node.int('end', shape.length));
  return [{ dtype: 'int64', shape: [dims.length], known: dims }];
};

const sizeOfInput: InferRule = (ctx) => [
  { dtype: 'int64', shape: [], known: [productOfDims(ctx.input(0).shape)] },
];

const sameAxes = (rank: number): number[] => Array.from({ length: rank }, (_, axis) => axis);

const transposed: Operator['alias'] = (node, rank) => {
  const axes = node.ints('perm') ?? sameAxes(rank).reverse();
  return axes.length === rank ? { input: 0, axes } : null;
};

/** Axes of Squeeze and Unsqueeze as the graph states them, counted from the front. */
function statedAxes(node: Node, rank: number, given: Tensor | null): number[] | null {
  const axes = node.inputs[1] ? given?.toNumbers() : node.ints('axes');
  const normal = axes?.map((axis) => (axis < 0 ? axis + rank : axis));
  return normal?.every((axis) => axis >= 0 && axis < rank) ? normal : null;
}

const squeezed: Operator['alias'] = (node, rank, constant) => {
  const gone = statedAxes(node, rank, constant(1));
  return gone && { input: 0, axes: sameAxes(rank).filter((axis) => !gone.includes(axis)) };
};

const unsqueezed: Operator['alias'] = (node, rank, constant) => {
  const given = constant(1);
  const count = given?.size ?? node.ints('axes')?.length;
  const added = count === undefined ? null : statedAxes(node, rank + count, given);
  if (!added) return null;
  let own = 0;
  return {
    input: 0,
    axes: sameAxes(rank + added.length).map((axis) => (added.includes(axis) ? null : own++)),
  };
};

/** Operators that move elements and compute nothing. */
export const LAYOUT: readonly Operator[] = withRules(
  [
    entry('Reshape', 5, 'The same elements under another shape.', reshape, {
      shapeInput: 1,
      reshapes: true,
    }),
    entry('Transpose', 1, 'Axes in another order.', transpose, { alias: transposed }),
    entry('Flatten', 1, 'Two axes: those before `axis` together, and the rest.', flatten, { reshapes: true }),
    entry('Concat', 4, 'Tensors joined along an axis.', concat, { joins: (node) => node.int('axis', 0) }),
    entry('Split', 2, 'A tensor cut into parts along an axis.', split, { shapeInput: 1, picks: true }),
    entry('Squeeze', 1, 'Axes of size 1 dropped.', squeeze, {
      alias: squeezed,
      steering: [1],
      reshapes: true,
    }),
    entry('Unsqueeze', 1, 'Axes of size 1 put in.', unsqueeze, {
      alias: unsqueezed,
      steering: [1],
      reshapes: true,
    }),
    entry('Expand', 8, 'Elements repeated to a shape by broadcasting.', expand, {
      shapeInput: 1,
      picks: true,
      expands: true,
    }),
    entry('Tile', 6, 'The whole tensor repeated along its axes.', tile, { steering: [1], picks: true }),
    entry('Identity', 1, 'The input itself.', identity, {
      alias: (_, rank) => ({ input: 0, axes: sameAxes(rank) }),
      reshapes: true,
    }),
    entry('SpaceToDepth', 1, 'Blocks of the image moved into channels.', spaceToDepth),
    entry('DepthToSpace', 1, 'Channels moved into blocks of the image (pixel shuffle).', depthToSpace),
    entry('ReverseSequence', 10, 'Sequences of given lengths turned round.', sequenceLike, { steering: [1] }),
    entry('Shape', 1, 'The dimensions of the input.', shapeOf, { grad: notDifferentiable }),
    entry('Size', 1, 'The number of elements of the input.', sizeOfInput, { grad: notDifferentiable }),
  ],
  { grad: LAYOUT_GRADS, upgrade: LAYOUT_UPGRADES, channels: LAYOUT_CHANNELS },
);
