import type { DType } from '../core/dtype.ts';
import { sizeOf, stridesOf } from '../core/tensor.ts';
import { type Dim, type Shape, staticShape } from '../ir/index.ts';
import { MOST_KNOWN } from './infer-constant.ts';
import type { InferContext, Inferred, Known } from './operator.ts';
import { compareDims } from './symbolic.ts';

/**
 * The shape two or more shapes broadcast to, aligned at the last axis. A size above 1 wins over a symbol (they can only be equal, or
 * the symbol 1); of two symbolic ones the larger wins where that is known, else the dimension is unknown.
 */
export function broadcastShapes(ctx: InferContext, shapes: readonly Shape[]): Shape {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let result: Dim = 1;
    for (const shape of shapes) {
      const own = axis - (rank - shape.length);
      if (own >= 0) result = broadcastDim(ctx, result, shape[own] ?? null, axis, shapes);
    }
    return result;
  });
}

function broadcastDim(ctx: InferContext, a: Dim, b: Dim, axis: number, shapes: readonly Shape[]): Dim {
  if (a === b) return a;
  if (a === 1) return b;
  if (b === 1) return a;
  if (typeof a === 'number' && typeof b === 'number') {
    const printed = shapes.map((shape) => `[${shape.map((dim) => dim ?? '?').join(', ')}]`).join(' and ');
    throw ctx.error(`${printed} do not broadcast: axis ${axis} is ${a} and ${b}`);
  }
  if (typeof a === 'number') return a;
  if (typeof b === 'number') return b;
  // The larger one is right whether they are equal or the smaller is 1: `positions[:, :seq]` has min(512, seq) rows.
  if (isAtLeast(a, b)) return a;
  return isAtLeast(b, a) ? b : null;
}

function isAtLeast(a: Dim, b: Dim): boolean {
  const order = compareDims(a, b);
  return order === 1 || order === 0 || order === '>=';
}

/** For each element of a tensor of shape `to`, in order, the offset of the element of shape `from` that broadcasts to it. */
export function broadcastOffsets(from: readonly number[], to: readonly number[]): number[] {
  const strides = stridesOf(from);
  const missing = to.length - from.length;
  const steps = to.map((_, axis) => {
    const own = axis - missing;
    return own < 0 || from[own] === 1 ? 0 : strides[own]!;
  });
  return stridedOffsets(to, steps);
}

/** Offsets `start + Σ index * step` of every index of a shape, in row-major order. */
export function stridedOffsets(shape: readonly number[], steps: readonly number[], start = 0): number[] {
  const offsets: number[] = [];
  const index = new Array<number>(shape.length).fill(0);
  const count = sizeOf(shape);
  let offset = start;
  for (let done = 0; done < count; done++) {
    offsets.push(offset);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += steps[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      offset -= steps[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return offsets;
}

/** Axis counted from the front. Throws ShapeError where it is out of range. */
export function axisOf(ctx: InferContext, axis: number, rank: number, name = 'axis'): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw ctx.error(`${name} ${axis} is out of range for ${rank} dimensions`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** Axes counted from the front, in the order given. Throws ShapeError where one is out of range or given twice. */
export function axesOf(ctx: InferContext, axes: readonly number[], rank: number): number[] {
  const normal = axes.map((axis) => axisOf(ctx, axis, rank, 'axes:'));
  if (new Set(normal).size !== normal.length) throw ctx.error(`axes [${axes.join(', ')}] name an axis twice`);
  return normal;
}

/** The sizes of a tensor whose elements may be followed: static, and few enough elements; else null. */
export function followedSizes(shape: Shape): readonly number[] | null {
  const sizes = staticShape(shape);
  return sizes && sizeOf(sizes) <= MOST_KNOWN ? sizes : null;
}

/** Rearranges known elements: element `i` of the result is element `offsets[i]` of `known`. */
export const pick = (known: readonly Known[], offsets: readonly number[]): Known[] =>
  offsets.map((offset) => known[offset] ?? null);

/** A tensor type whose known elements are kept where the shape is static and their number is right. */
export function inferredWith(dtype: DType, shape: Shape, known: readonly Known[] | undefined): Inferred {
  const sizes = staticShape(shape);
  return known && sizes && sizeOf(sizes) === known.length ? { dtype, shape, known } : { dtype, shape };
}
