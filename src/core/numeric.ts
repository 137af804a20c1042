/** Scalar arithmetic that JavaScript lacks: Python's rounding and a fused multiply-add in float32. */

/**
 * The nearest integer, halves to the even one, as Python's `round(x)` (`roundHalfEven(2.5) === 2`, where
 * `Math.round` gives 3). Infinities and NaN come back as they are.
 */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const fraction = x - floor;
  if (fraction < 0.5) return floor;
  if (fraction > 0.5) return floor + 1;
  if (fraction !== 0.5) return x;
  return floor % 2 === 0 ? floor : floor + 1;
}

const sum = new Float64Array(1);
const sumWords = new Uint32Array(sum.buffer);
// Which of the two words holds a double's low bits depends on the machine.
sum[0] = 1;
const LOW = sumWords[0] === 0 ? 0 : 1;

/**
 * `a * b + c` of float32 values, rounded once to float32: the `vfmadd` instruction of x86 and `fmaf` of C.
 * `Math.fround(a * b + c)` is not it: that rounds to double first and then again to float32.
 */
export function fma32(a: number, b: number, c: number): number {
  // 24 bits times 24 bits fit into a double's 53: the product is exact, and only the sum rounds.
  const product = a * b;
  const rounded = product + c;
  // Knuth's TwoSum: `rounded + error` is the exact sum.
  const shadow = rounded - product;
  const error = product - (rounded - shadow) + (c - shadow);
  // The error is NaN where the sum is not finite; there is nothing to mend then.
  if (error === 0 || Number.isNaN(error)) return Math.fround(rounded);
  // Rounding to odd (Boldo and Melquiond 2008): of the two doubles around the exact sum take the one whose last
  // bit is 1. The second rounding can then not mistake the sum for a tie, since 53 >= 24 + 2.
  sum[0] = rounded;
  const low = sumWords[LOW]!;
  if ((low & 1) === 0) {
    if (error > 0 === rounded > 0) {
      sumWords[LOW] = low + 1;
    } else {
      if (low === 0) sumWords[1 - LOW] = sumWords[1 - LOW]! - 1;
      sumWords[LOW] = low - 1;
    }
  }
  return Math.fround(sum[0]!);
}
