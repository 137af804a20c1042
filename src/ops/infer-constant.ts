import { dtypeInfo } from '../core/dtype.ts';
import { isPlainFloat, toFloat32 } from '../core/float16.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Inferred } from './operator.ts';

/** Tensors with more elements are not followed as known values. */
export const MOST_KNOWN = 4096;

/**
 * Floating-point tensors of more elements are not followed either: what shape arithmetic reads of them are scales of a Resize, bounds of a
 * Range, and the numbers a size is multiplied with, never weights.
 */
const MOST_KNOWN_FLOATS = 64;

/** What is known of a constant: small integer, boolean and float tensors with their elements. */
export function inferredOf(tensor: Tensor): Inferred {
  const { kind, bits } = dtypeInfo(tensor.dtype);
  const readable =
    kind === 'float' ? isPlainFloat(tensor.dtype) : kind !== 'string' && kind !== 'complex' && bits >= 8;
  const base = { dtype: tensor.dtype, shape: tensor.shape };
  const most = kind === 'float' ? MOST_KNOWN_FLOATS : MOST_KNOWN;
  if (!readable || tensor.size > most) return base;
  // Halves are held as bits.
  const plain = kind === 'float' && bits < 32 ? toFloat32(tensor) : tensor;
  return { ...base, known: plain.toNumbers() };
}
