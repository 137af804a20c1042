import { ArgumentError } from '../../core/errors.ts';
import { normalizeAxis, type Tensor } from '../../core/tensor.ts';
import type { Parameter } from '../parameter.ts';
import type { Variable } from '../variable.ts';

/** What arithmetic takes beside Variables: parameters, constant tensors, and numbers, which take the other operand's dtype. */
export type Operand = Variable | Parameter | Tensor | number;

/** A parameter, buffer or Variable. */
export type Weight = Variable | Parameter | Tensor;

/** One number for all axes of a window, or one for each. */
export type Sizes = number | readonly number[];

/** One number per axis. Throws ArgumentError where the list has another length or a number is not whole or too small. */
export function perAxis(caller: string, name: string, sizes: Sizes, count: number, least: number): number[] {
  const list = typeof sizes === 'number' ? new Array<number>(count).fill(sizes) : [...sizes];
  if (list.length !== count || list.some((size) => !Number.isSafeInteger(size) || size < least)) {
    const wanted = count === 1 ? 'a whole number' : `a whole number or ${count} of them`;
    throw new ArgumentError(`${caller}: ${name} expects ${wanted} >= ${least}, got ${describe(sizes)}`);
  }
  return list;
}

const describe = (sizes: Sizes): string =>
  typeof sizes === 'number' ? String(sizes) : `[${sizes.join(', ')}]`;

/** An axis counted from the front. Throws ArgumentError where there is no such axis. */
export function axisFor(caller: string, x: Variable, axis: number, extra = 0): number {
  const rank = x.shape.length + extra;
  const normal = Number.isSafeInteger(axis) ? (axis < 0 ? axis + rank : axis) : -1;
  if (normal >= 0 && normal < rank) return normalizeAxis(axis, rank);
  throw new ArgumentError(
    `${caller}: axis ${axis} is not in [${-rank}, ${rank - 1}] of ${x.dtype}[${x.shape.join(', ')}]`,
  );
}

/** Several axes, counted from the front; all of them where none are given. */
export const axesFor = (caller: string, x: Variable, axes: Sizes | undefined): number[] =>
  axes === undefined
    ? [...x.shape.keys()]
    : (typeof axes === 'number' ? [axes] : axes).map((axis) => axisFor(caller, x, axis));

/** Number of spatial axes of a batch of images. Throws ArgumentError where the rank is another. */
export function expectSpatial(caller: string, x: Variable, spatial: number): void {
  if (x.shape.length === spatial + 2) return;
  const axes = ['N', 'C', ...['D', 'H', 'W'].slice(3 - spatial)].join(', ');
  throw new ArgumentError(`${caller}: expects a batch [${axes}], got ${x.dtype}[${x.shape.join(', ')}]`);
}
