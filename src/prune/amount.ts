import { ArgumentError } from '../core/errors.ts';
import { roundHalfEven } from '../core/numeric.ts';

/**
 * How much to prune: a fraction in [0, 1], or a count. JavaScript cannot tell 1 from 1.0, so that a plain number is always a fraction:
 * PyTorch's `amount=25` is `{ count: 25 }` here.
 */
export type Amount = number | { readonly count: number };

/** `0.3`, or `4` for a count: as PyTorch writes it in messages. */
const shown = (amount: Amount): string => String(typeof amount === 'number' ? amount : amount.count);

/** Throws ArgumentError where `amount` is neither a fraction in [0, 1] nor the count of a non-negative integer. */
export function checkAmount(amount: Amount): void {
  if (typeof amount === 'number') {
    if (amount >= 0 && amount <= 1) return;
    const hint =
      Number.isInteger(amount) && amount > 1
        ? `; a plain number is a fraction: write { count: ${amount} }`
        : '';
    throw new ArgumentError(
      `amount=${amount} should either be a fraction in the range [0, 1] or the { count } of a non-negative integer${hint}`,
    );
  }
  // Calls from JavaScript can bring anything.
  if (typeof amount !== 'object' || amount === null || typeof amount.count !== 'number') {
    throw new ArgumentError(
      `Invalid type for amount: ${String(amount)}. Must be a fraction in [0, 1] or { count }.`,
    );
  }
  if (!Number.isSafeInteger(amount.count) || amount.count < 0) {
    throw new ArgumentError(
      `amount=${amount.count} should either be a fraction in the range [0, 1] or the { count } of a non-negative integer`,
    );
  }
}

/**
 * How many of `size` units go: the count itself, or `round(fraction * size)` with halves to even as Python rounds. Throws ArgumentError
 * where a count is larger than `size`.
 */
export function countToPrune(amount: Amount, size: number): number {
  if (typeof amount === 'number') return roundHalfEven(amount * size);
  if (amount.count > size) {
    throw new ArgumentError(
      `amount=${shown(amount)} should be smaller than the number of parameters to prune=${size}`,
    );
  }
  return amount.count;
}
