import { dtypeInfo } from '../core/dtype.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Inferred } from './operator.ts';

/** Tensors with more elements are not followed as known values. */
export const MOST_KNOWN = 4096;

/** What is known of a constant: small integer, boolean and float tensors with their elements. */
export function inferredOf(tensor: Tensor): Inferred {
  const { kind, bits } = dtypeInfo(tensor.dtype);
  const readable = kind !== 'string' && kind !== 'complex' && bits >= 8 && (kind !== 'float' || bits >= 32);
  const base = { dtype: tensor.dtype, shape: tensor.shape };
  return readable && tensor.size <= MOST_KNOWN ? { ...base, known: tensor.toNumbers() } : base;
}
