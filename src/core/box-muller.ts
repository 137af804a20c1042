import { fma32 } from './numeric.ts';

/**
 * The Box-Muller transform in the float32 arithmetic of PyTorch's x86 builds, step by step.
 *
 * PyTorch's `normal_fill` for float32 runs eight lanes wide on AVX2 with polynomial approximations of log, sin
 * and cos (Cephes' single precision ones). The compiler fuses a multiplication that is only added to something
 * into one instruction, so which steps round once and which twice is part of the result: `fma32` below marks the
 * fused ones. All of it was checked against PyTorch 2.13's bytes; PyTorch 1.13 gives the same.
 */

const f = Math.fround;
const bits = new Int32Array(1);
const float = new Float32Array(bits.buffer);

const SQRT_HALF = f(Math.SQRT1_2);
const LN2_LOW = f(-2.1219444e-4);
const LN2_HIGH = f(0.693359375);
const LOG = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(f) as [number, number, number, number, number, number, number, number, number];
const [L0, L1, L2, L3, L4, L5, L6, L7, L8] = LOG;

/**
 * Natural logarithm of a normal float32 x > 0, as Cephes' `logf` with fused steps: x = 2^e (1 + t) with
 * sqrt(1/2) <= 1 + t < sqrt(2), then log x = t - t^2/2 + t^3 P(t) + e ln 2, ln 2 in two parts.
 */
function log32(x: number): number {
  float[0] = x;
  const word = bits[0]!;
  bits[0] = (word & 0x007fffff) | 0x3f000000; // the mantissa, as a number in [1/2, 1)
  const m = float[0]!;
  const low = m < SQRT_HALF;
  const e = (word >>> 23) - 126 - (low ? 1 : 0);
  const t = low ? f(f(m - 1) + m) : f(m - 1);
  const t2 = f(t * t);
  let y = fma32(L0, t, L1);
  y = fma32(y, t, L2);
  y = fma32(y, t, L3);
  y = fma32(y, t, L4);
  y = fma32(y, t, L5);
  y = fma32(y, t, L6);
  y = fma32(y, t, L7);
  y = f(fma32(y, t, L8) * t);
  y = fma32(y, t2, f(e * LN2_LOW));
  y = f(y - f(t2 * 0.5));
  return fma32(e, LN2_HIGH, f(t + y));
}

const TWO_PI = f(2 * Math.PI);
const FOUR_OVER_PI = f(4 / Math.PI);
// pi/4 in three parts, so that subtracting a multiple of it loses nothing.
const MINUS_PI_4_A = -0.78515625;
const MINUS_PI_4_B = -2.4187564849853516e-4;
const MINUS_PI_4_C = f(-3.774894977445941e-8);
const S0 = f(-1.9515295891e-4);
const S1 = f(8.3321608736e-3);
const S2 = f(-1.6666654611e-1);
const C0 = f(2.443315711809948e-5);
const C1 = f(-1.388731625493765e-3);
const C2 = f(4.166664568298827e-2);

/**
 * Turns `data[offset ... offset + 15]`, 16 uniform numbers in [0, 1), into 16 normal ones in place: the first
 * eight with the second eight give radius * cos and radius * sin. `mean` and `std` are float32 values.
 */
export function boxMuller16(data: Float32Array, offset: number, mean: number, std: number): void {
  for (let i = offset; i < offset + 8; i++) {
    const radius = f(Math.sqrt(f(-2 * log32(f(1 - data[i]!)))));
    const theta = f(TWO_PI * data[i + 8]!);

    // theta = octant * pi/4 + r with an even octant and |r| <= pi/4.
    const octant = (f(theta * FOUR_OVER_PI) + 1) & ~1;
    let r = fma32(octant, MINUS_PI_4_A, theta);
    r = fma32(octant, MINUS_PI_4_B, r);
    r = fma32(octant, MINUS_PI_4_C, r);
    const z = f(r * r);
    let cos = f(fma32(fma32(C0, z, C1), z, C2) * z);
    cos = f(fma32(cos, z, -f(z * 0.5)) + 1);
    let sin = f(fma32(fma32(S0, z, S1), z, S2) * z);
    sin = fma32(sin, r, r);

    const swapped = (octant & 2) !== 0;
    const sinTheta = swapped ? cos : sin;
    const cosTheta = swapped ? sin : cos;
    const sinNegative = (octant & 4) !== 0;
    const cosNegative = sinNegative !== swapped;
    data[i] = fma32(f(radius * (cosNegative ? -cosTheta : cosTheta)), std, mean);
    data[i + 8] = fma32(f(radius * (sinNegative ? -sinTheta : sinTheta)), std, mean);
  }
}
