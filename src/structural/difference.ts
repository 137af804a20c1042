import { type DType, dtypeInfo } from '../core/dtype.ts';
import { toFloat32 } from '../core/float16.ts';
import type { Tensor } from '../core/tensor.ts';

/** How far a tensor is from a reference. */
export interface Difference {
  /** Largest magnitude of a difference between two elements; for text 1 where one differs. */
  readonly maxError: number;
  /** Largest magnitude in the reference. */
  readonly scale: number;
  /**
   * For floats `maxError / scale`. For integers, booleans and text the share of elements that differ: rounding may turn a comparison, and an error of one is as wrong as one of a hundred.
   * Infinity where the tensors cannot be compared.
   */
  readonly relativeError: number;
  /** Why they cannot be compared: other shapes, nothing finite. Null where they can. */
  readonly why: string | null;
}

/**
 * Share of the scale up to which a difference counts as rounding. Measured on a dozen networks (convolutional ones of up to 60 layers, a vision transformer, YOLOv5s), the same sums in another order differ by up to 1e-6 of the
 * largest magnitude in float32 and 2e-3 in float16. A single wrong channel of a thousand makes a difference of about 1e-2.
 */
export const TOLERANCES: Readonly<Partial<Record<DType, number>>> = {
  float16: 2e-2,
  bfloat16: 1e-1,
};

/** Tolerance of dtypes that are not in `TOLERANCES`. */
export const DEFAULT_TOLERANCE = 1e-4;

/** How far `found` is from `reference`. NaN equals NaN, and infinity the infinity of its sign. */
export function differenceOf(reference: Tensor, found: Tensor): Difference {
  if (`${reference}` !== `${found}`) return notCompared(`is ${found} in the cut model, ${reference} before`);
  if (reference.dtype === 'string') return differenceOfText(reference.strings, found.strings);
  const isFloat = dtypeInfo(reference.dtype).kind === 'float';
  // Integers of 64 bits are compared as they are.
  const [a, b] = isFloat ? [floats(reference), floats(found)] : [reference.data, found.data];
  let maxError = 0;
  let scale = 0;
  let different = 0;
  let finite = 0;
  for (let index = 0; index < a.length; index++) {
    const [was, is] = [a[index]!, b[index]!];
    const magnitude = Math.abs(Number(was));
    if (magnitude < Number.POSITIVE_INFINITY) {
      finite++;
      if (magnitude > scale) scale = magnitude;
    }
    if (was === is || (Number.isNaN(was) && Number.isNaN(is))) continue;
    different++;
    const error = Math.abs(Number(was) - Number(is));
    if (!(error <= maxError)) maxError = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  if (finite === 0 && a.length > 0)
    return notCompared('is NaN or infinite everywhere on this input; give data');
  const relativeError = isFloat ? share(maxError, scale) : different / Math.max(1, a.length);
  return { maxError, scale, relativeError, why: null };
}

/** The larger of two differences; the scales' larger one. */
export function worseOf(a: Difference, b: Difference): Difference {
  const worse = b.relativeError > a.relativeError ? b : a;
  return { ...worse, maxError: Math.max(a.maxError, b.maxError), scale: Math.max(a.scale, b.scale) };
}

const floats = (tensor: Tensor): Tensor['data'] =>
  tensor.dtype === 'float64' ? tensor.data : toFloat32(tensor).data;

const share = (error: number, scale: number): number => (error === 0 ? 0 : error / scale);

const notCompared = (why: string): Difference => ({
  maxError: Number.POSITIVE_INFINITY,
  scale: 0,
  relativeError: Number.POSITIVE_INFINITY,
  why,
});

function differenceOfText(a: readonly string[], b: readonly string[]): Difference {
  const different = a.filter((text, index) => text !== b[index]).length;
  return {
    maxError: different > 0 ? 1 : 0,
    scale: 1,
    relativeError: different / Math.max(1, a.length),
    why: null,
  };
}
