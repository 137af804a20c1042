import { stridesOf } from '../core/tensor.ts';
import { type Dim, type Shape, staticShape } from '../ir/index.ts';
import { axesOf, inferredWith, pick, stridedOffsets } from './broadcast.ts';
import type { InferContext, InferRule, Known } from './operator.ts';
import {
  addDims,
  ceilDivideDims,
  compareDims,
  divideDims,
  maxDims,
  minDims,
  subtractDims,
} from './symbolic.ts';

/** Exporters write the end of an axis as INT32_MAX or INT64_MAX. */
const ENDLESS = 2 ** 31 - 1;

/** Which elements of an axis a slice takes: the first, the distance, and how many. */
export interface SliceRange {
  readonly start: Dim;
  readonly step: number;
  readonly length: Dim;
}

/** A negative index counts from the end; the result lies between `least` and `most`. */
function limited(index: Known, size: Dim, least: Dim, most: Dim): Dim {
  if (typeof index === 'number' && index >= ENDLESS) return most;
  if (typeof index === 'number' && index <= -ENDLESS) return least;
  const order = compareDims(index, 0);
  if (order === null || order === '<=') return null;
  return order === -1 ? maxDims(addDims(size, index), least) : minDims(index, most);
}

/** The elements of an axis of `size` that Slice takes from `start` to `end`; negative ones count from its end. A number each where all of them are; `step` is not 0. */
export function sliceRange(size: Dim, start: Known, end: Known, step: Known): SliceRange {
  if (typeof step !== 'number') return { start: null, step: 1, length: null };
  if (step > 0) {
    const from = limited(start, size, 0, size);
    const to = limited(end, size, 0, size);
    return { start: from, step, length: maxDims(ceilDivideDims(subtractDims(to, from), step), 0) };
  }
  const last = subtractDims(size, 1);
  const from = limited(start, size, 0, last);
  const to = limited(end, size, -1, last);
  return { start: from, step, length: maxDims(ceilDivideDims(subtractDims(from, to), -step), 0) };
}

/** Starts, ends, axes and steps are attributes before opset 10 (without steps), inputs after. */
export const slice: InferRule = (ctx) => {
  const { dtype, shape, known } = ctx.input(0);
  const args = ctx.opset < 10 ? sliceAttributes(ctx) : sliceInputs(ctx);
  if (!args) return [{ dtype, shape: shape.map(() => null) }];
  const axes = axesOf(ctx, args.axes, shape.length);
  const cuts: SliceRange[] = shape.map((dim) => ({ start: 0, step: 1, length: dim }));
  axes.forEach((axis, index) => {
    const step = args.steps[index] ?? null;
    if (step === 0) throw ctx.error('a step of a slice is 0');
    cuts[axis] = sliceRange(shape[axis]!, args.starts[index] ?? null, args.ends[index] ?? null, step);
  });
  const sliced = cuts.map((cut) => cut.length);
  return [inferredWith(dtype, sliced, known && taken(shape, cuts, known))];
};

function taken(shape: Shape, cuts: readonly SliceRange[], known: readonly Known[]): Known[] | undefined {
  const sizes = staticShape(shape);
  const lengths = staticShape(cuts.map((cut) => cut.length));
  const starts = staticShape(cuts.map((cut) => cut.start));
  if (!sizes || !lengths || !starts) return undefined;
  const strides = stridesOf(sizes);
  const first = starts.reduce((sum, start, axis) => sum + start * strides[axis]!, 0);
  return pick(
    known,
    stridedOffsets(
      lengths,
      cuts.map((cut, axis) => cut.step * strides[axis]!),
      first,
    ),
  );
}

interface SliceArguments {
  readonly starts: readonly Known[];
  readonly ends: readonly Known[];
  readonly axes: readonly number[];
  readonly steps: readonly Known[];
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, axis) => axis);

function sliceAttributes(ctx: InferContext): SliceArguments {
  const starts = ctx.node.ints('starts', []);
  const ends = ctx.node.ints('ends', []);
  const axes = ctx.node.ints('axes', upTo(starts.length));
  if (ends.length !== starts.length || axes.length !== starts.length) {
    throw ctx.error(
      `starts, ends and axes have ${starts.length}, ${ends.length} and ${axes.length} elements`,
    );
  }
  return { starts, ends, axes, steps: starts.map(() => 1) };
}

/** Where axes are not known, or how many there are, nothing but the rank is. */
function sliceInputs(ctx: InferContext): SliceArguments | undefined {
  const count = [1, 2].map((index) => ctx.input(index).shape[0]).find((dim) => typeof dim === 'number');
  const axes = ctx.inputs[3] ? ctx.numbers(3) : typeof count === 'number' ? upTo(count) : undefined;
  if (!axes) return undefined;
  const elements = (index: number): readonly Known[] => ctx.known(index) ?? axes.map(() => null);
  const args = {
    starts: elements(1),
    ends: elements(2),
    axes,
    steps: ctx.inputs[4] ? elements(4) : axes.map(() => 1),
  };
  for (const [name, list] of Object.entries(args)) {
    if (list.length !== axes.length)
      throw ctx.error(`${name} expects ${axes.length} elements, got ${list.length}`);
  }
  return args;
}

/** Pads are an attribute before opset 11, an input after: first those before each axis, then those behind. */
export const pad: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  const pads =
    ctx.opset < 2 ? ctx.node.ints('paddings') : ctx.opset < 11 ? ctx.node.ints('pads') : ctx.known(1);
  const axes = ctx.opset >= 18 && ctx.inputs[3] ? ctx.numbers(3) : upTo(shape.length);
  if (!axes) return [{ dtype, shape: shape.map(() => null) }];
  const padded = [...shape];
  const normal = axesOf(ctx, axes, shape.length);
  if (pads && pads.length !== 2 * normal.length) {
    throw ctx.error(`pads expects ${2 * normal.length} numbers, got ${pads.length}`);
  }
  normal.forEach((axis, index) => {
    const before = pads?.[index] ?? null;
    const behind = pads?.[index + normal.length] ?? null;
    padded[axis] = addDims(addDims(shape[axis]!, before), behind);
  });
  return [{ dtype, shape: padded }];
};

/** Crops or pads axes to sizes given as data. */
export const centerCropPad: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  const axes = axesOf(ctx, ctx.node.ints('axes', upTo(shape.length)), shape.length);
  const sizes = ctx.known(1);
  if (sizes && sizes.length !== axes.length) {
    throw ctx.error(`shape expects ${axes.length} numbers, got ${sizes.length}`);
  }
  const result = [...shape];
  axes.forEach((axis, index) => {
    result[axis] = sizes?.[index] ?? null;
  });
  return [{ dtype, shape: result }];
};

/** Known elements of a Range, and how many there are. */
export const range: InferRule = (ctx) => {
  const [start, limit, delta] = [0, 1, 2].map((index) => ctx.known(index)?.[0] ?? null);
  const { dtype } = ctx.input(0);
  if (delta === 0) throw ctx.error('delta is 0');
  if (typeof start === 'number' && typeof limit === 'number' && typeof delta === 'number') {
    const count = Math.max(Math.ceil((limit - start) / delta), 0);
    // Float ranges may round otherwise in the engine: their elements are not followed.
    const whole = Number.isInteger(start) && Number.isInteger(delta) && count <= 4096;
    const known = whole ? Array.from({ length: count }, (_, index) => start + index * delta) : undefined;
    return [inferredWith(dtype, [count], known)];
  }
  const distance = subtractDims(limit ?? null, start ?? null);
  const count =
    typeof delta === 'number'
      ? delta > 0
        ? ceilDivideDims(distance, delta)
        : divideDims(distance, delta)
      : null;
  return [{ dtype, shape: [maxDims(count, 0)] }];
};
