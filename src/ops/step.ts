import { attr, type Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';

/** The steepest slope that float32 holds as a power of two: it takes every normal number to 1 or beyond. */
const STEEPEST = 2 ** 127;

/**
 * 1 where x > 0, else 0, in the dtype of x. For float32 that is one pass over memory, where comparing and casting take two of which the second is slow: a HardSigmoid
 * as steep as it gets. (Numbers below 2^-127, which are not normal, come out as less than 1.)
 */
export function step(make: Expressions, x: Value): Value {
  const dtype = make.dtype(x);
  if (dtype !== 'float32') return make.cast(make.greater(x, 0), dtype);
  return make.op('HardSigmoid', [x], { alpha: attr.float(STEEPEST), beta: attr.float(0) });
}
