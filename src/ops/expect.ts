import { dtypeInfo } from '../core/dtype.ts';
import type { Dim } from '../ir/index.ts';
import type { InferContext, Inferred } from './operator.ts';

/** Input `index`, called `name` in messages. Throws ShapeError unless it has `rank` dimensions. */
export function expectRank(
  ctx: InferContext,
  index: number,
  name: string,
  ...ranks: readonly number[]
): Inferred {
  const input = ctx.input(index);
  if (ranks.includes(input.shape.length)) return input;
  throw ctx.error(`${name} expects ${ranks.join(' or ')} dimensions, got ${input.shape.length}`);
}

/** Input `index`, called `name` in messages. Throws ShapeError unless it has at least `rank` dimensions. */
export function expectRankFrom(ctx: InferContext, index: number, name: string, rank: number): Inferred {
  const input = ctx.input(index);
  if (input.shape.length >= rank) return input;
  throw ctx.error(`${name} expects at least ${rank} dimensions, got ${input.shape.length}`);
}

/** Input `index` where it is given. Throws ShapeError unless its shape can be `shape`, whose unknown dimensions fit any. */
export function expectShape(
  ctx: InferContext,
  index: number,
  name: string,
  shape: readonly (Dim | undefined)[],
): void {
  const input = ctx.inputs[index];
  if (!input) return;
  const fits =
    input.shape.length === shape.length && input.shape.every((dim, axis) => !differ(dim, shape[axis]));
  if (fits) return;
  const show = (dims: readonly (Dim | undefined)[]): string =>
    `[${dims.map((dim) => dim ?? '?').join(', ')}]`;
  throw ctx.error(`${name} expects shape ${show(shape)}, got ${show(input.shape)}`);
}

/** True where two dimensions are known to differ. */
export const differ = (a: Dim | undefined, b: Dim | undefined): boolean =>
  typeof a === 'number' && typeof b === 'number' && a !== b;

/** What is known of two dimensions that must be equal: a size before a symbol before nothing. */
export function sameDim(a: Dim | undefined, b: Dim | undefined): Dim {
  if (typeof a === 'number') return a;
  if (typeof b === 'number') return b;
  return a ?? b ?? null;
}

/** Throws ShapeError unless the inputs of these indices that are given are floating-point. */
export function expectFloat(ctx: InferContext, ...indices: readonly number[]): void {
  for (const index of indices) {
    const input = ctx.inputs[index];
    if (input && dtypeInfo(input.dtype).kind !== 'float') {
      throw ctx.error(
        `input ${index} expects floating-point elements, got ${input.dtype}; put a Cast before it`,
      );
    }
  }
}

/** Throws ShapeError unless the inputs of these indices that are given are of one dtype. */
export function expectSameDtype(ctx: InferContext, first: number, ...others: readonly number[]): void {
  const { dtype } = ctx.input(first);
  for (const index of others) {
    const input = ctx.inputs[index];
    if (input && input.dtype !== dtype) {
      throw ctx.error(
        `input ${index} expects ${dtype} as input ${first}, got ${input.dtype}; put a Cast before it`,
      );
    }
  }
}

/** Throws ShapeError unless the inputs of these indices that are given hold 8-bit integers. */
export function expectInt8(ctx: InferContext, ...indices: readonly number[]): void {
  for (const index of indices) {
    const dtype = ctx.inputs[index]?.dtype;
    if (dtype !== undefined && dtype !== 'int8' && dtype !== 'uint8') {
      throw ctx.error(`input ${index} expects int8 or uint8, got ${dtype}; quantize it first`);
    }
  }
}
