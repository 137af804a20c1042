import { type DType, dtypeInfo } from '../core/dtype.ts';
import { isPlainFloat, roundedTo } from '../core/float16.ts';
import { staticShape } from '../ir/index.ts';
import { broadcastOffsets, followedSizes, pick } from './broadcast.ts';
import type { Inferred, Known } from './operator.ts';
import {
  addDims,
  divideDims,
  maxDims,
  minDims,
  multiplyDims,
  subtractDims,
  truncateDims,
} from './symbolic.ts';

/** Combines known elements; the dtype is that of the operands. */
export type Fold = (a: Known, b: Known, dtype: DType) => Known;

/** True for dtypes of whole numbers. */
export const isInteger = (dtype: DType): boolean => {
  const { kind } = dtypeInfo(dtype);
  return kind === 'int' || kind === 'uint';
};

/** A number as an element of the dtype; null where the dtype cannot hold it or does not keep numbers plain. */
export function settle(value: number, dtype: DType): Known {
  const { kind, bits } = dtypeInfo(dtype);
  if (kind === 'bool') return value === 0 ? 0 : 1;
  if (kind === 'float') return isPlainFloat(dtype) ? roundedTo(value, dtype) : null;
  if (!isInteger(dtype) || !Number.isFinite(value)) return null;
  const whole = Math.trunc(value) + 0;
  const most = 2 ** (kind === 'int' ? bits - 1 : bits);
  return whole > most || whole < (kind === 'int' ? -most : 0) || (whole === most && bits < 64) ? null : whole;
}

/** Known elements of operands under broadcasting, folded from left to right. */
export function foldAll(
  inputs: readonly Inferred[],
  shape: Inferred['shape'],
  fold: Fold,
): Known[] | undefined {
  const to = followedSizes(shape);
  const [first] = inputs;
  if (!to || !first) return undefined;
  let result: Known[] | undefined;
  for (const input of inputs) {
    const from = staticShape(input.shape);
    if (!input.known || !from) return undefined;
    const elements = pick(input.known, broadcastOffsets(from, to));
    result = result ? result.map((a, index) => fold(a, elements[index] ?? null, first.dtype)) : elements;
  }
  return result;
}

/** Folds two numbers by `onNumbers`, rounded to the dtype, and other pairs by `onDims`. */
export const arithmetic =
  (onNumbers: (a: number, b: number) => number, onDims: Fold): Fold =>
  (a, b, dtype) =>
    typeof a === 'number' && typeof b === 'number' ? settle(onNumbers(a, b), dtype) : onDims(a, b, dtype);

/** How the operators of arithmetic fold. */
export const FOLDS: Readonly<Record<'Add' | 'Sub' | 'Mul' | 'Div' | 'Max' | 'Min', Fold>> = {
  Add: arithmetic((a, b) => a + b, addDims),
  Sub: arithmetic((a, b) => a - b, subtractDims),
  Mul: arithmetic((a, b) => a * b, multiplyDims),
  Div: arithmetic((a, b) => a / b, quotient),
  Max: arithmetic(Math.max, maxDims),
  Min: arithmetic(Math.min, minDims),
};

/** Integer division cuts toward zero; of floats only exact quotients are followed. */
function quotient(a: Known, b: Known, dtype: DType): Known {
  if (isInteger(dtype)) return truncateDims(a, b);
  const result = divideDims(a, b);
  return multiplyDims(result, b) === a ? result : null;
}
