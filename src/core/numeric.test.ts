import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fma32, roundHalfEven } from './numeric.ts';

/** A finite double as `mantissa * 2^exponent`, exactly. */
function exactOf(x: number): { mantissa: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const word = view.getBigUint64(0);
  const field = Number((word >> 52n) & 0x7ffn);
  const fraction = word & (2n ** 52n - 1n);
  const magnitude = field === 0 ? fraction : fraction | (2n ** 52n);
  return { mantissa: word >> 63n ? -magnitude : magnitude, exponent: Math.max(field, 1) - 1075 };
}

/** `a * b + c` in whole numbers, rounded once to the nearest float32, ties to even. */
function exactFma(a: number, b: number, c: number): number {
  const [x, y, z] = [exactOf(a), exactOf(b), exactOf(c)];
  const exponent = Math.min(x.exponent + y.exponent, z.exponent);
  const sum =
    ((x.mantissa * y.mantissa) << BigInt(x.exponent + y.exponent - exponent)) +
    (z.mantissa << BigInt(z.exponent - exponent));
  if (sum === 0n) return 0;
  const magnitude = sum < 0n ? -sum : sum;
  const bits = magnitude.toString(2).length;
  // float32 keeps 24 bits, and none below 2^-149.
  const drop = Math.max(bits - 24, -149 - exponent, 0);
  const step = 1n << BigInt(drop);
  let kept = magnitude / step;
  const twice = (magnitude % step) * 2n;
  if (twice > step || (twice === step && kept % 2n === 1n)) kept += 1n;
  const scale = drop + exponent;
  // Two exact steps: 2^scale alone may lie outside of double.
  const value = Number(kept) * 2 ** Math.trunc(scale / 2) * 2 ** (scale - Math.trunc(scale / 2));
  const result = value >= 2 ** 128 ? Number.POSITIVE_INFINITY : value;
  return sum < 0n ? -result : result;
}

const float32 = fc.float({ noNaN: true, noDefaultInfinity: true });
/** Few bits and near exponents, so that sums cancel and tie. */
const short = fc
  .tuple(fc.integer({ min: -(2 ** 13), max: 2 ** 13 }), fc.integer({ min: -20, max: 20 }))
  .map(([mantissa, exponent]) => mantissa * 2 ** exponent);
/** A product's neighbourhood: 24-bit mantissas. */
const full = fc
  .tuple(fc.integer({ min: 2 ** 23, max: 2 ** 24 - 1 }), fc.integer({ min: -26, max: 4 }))
  .map(([mantissa, exponent]) => mantissa * 2 ** exponent);
const signed = fc.tuple(full, fc.boolean()).map(([x, negative]) => (negative ? -x : x));

describe('fma32', () => {
  it.each([
    ['any float32', float32],
    ['short mantissas', short],
    ['full mantissas of like size', signed],
  ])('rounds once, as exact arithmetic does: %s', (_, number) => {
    fc.assert(
      fc.property(number, number, number, (a, b, c) => {
        const expected = exactFma(a, b, c);
        // Signs of zero are the next test's.
        expect(fma32(a, b, c) + 0).toBe(expected + 0);
      }),
      { numRuns: 3000 },
    );
  });

  it('mends sums that two roundings would spoil', () => {
    // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24 lies between two float32 numbers; 2^-60 decides, and double does not hold it.
    const tie = [1 + 2 ** -12, 1 + 2 ** -12, 2 ** -60] as const;
    expect(Math.fround(tie[0] * tie[1] + tie[2])).toBe(1 + 2 ** -11);
    expect(fma32(...tie)).toBe(1 + 2 ** -11 + 2 ** -23);
    expect(exactFma(...tie)).toBe(1 + 2 ** -11 + 2 ** -23);
    const below = [1 + 2 ** -12, 1 + 2 ** -12, -(2 ** -60)] as const;
    expect(fma32(...below)).toBe(exactFma(...below));
    const negative = [-(1 + 2 ** -12), 1 + 2 ** -12, -(2 ** -60)] as const;
    expect(fma32(...negative)).toBe(-(1 + 2 ** -11 + 2 ** -23));
  });

  it('keeps infinities, NaN and the sign of zero as the sum has them', () => {
    const inf = Number.POSITIVE_INFINITY;
    expect(fma32(inf, 1, 0)).toBe(inf);
    expect(fma32(2, 3, -inf)).toBe(-inf);
    expect(fma32(inf, 0, 1)).toBeNaN();
    expect(fma32(inf, 1, -inf)).toBeNaN();
    expect(fma32(2 ** 127, 2, 0)).toBe(inf);
    expect(fma32(-0, 1, -0)).toBe(-0);
    expect(fma32(-0, 1, 0)).toBe(0);
    expect(fma32(1, 1, -1)).toBe(0);
  });
});

describe('roundHalfEven', () => {
  it("gives what Python's round gives", () => {
    const facts: readonly [number, number][] = [
      [0.5, 0],
      [1.5, 2],
      [2.5, 2],
      [3.5, 4],
      [-1.5, -2],
      [-2.5, -2],
      [0.49999999999999994, 0],
      [0.5000000000000001, 1],
      [2.4999999999999996, 2],
      [2.5000000000000004, 3],
      [-2.5000000000000004, -3],
      [4503599627370495.5, 4503599627370496],
      [4503599627370494.5, 4503599627370494],
      [2 ** 53, 2 ** 53],
      [1e300, 1e300],
      [15 * 0.3, 4],
      [25 * 0.3, 8],
      [0.15 * 10, 2],
      [0.35 * 10, 4],
      [0, 0],
    ];
    for (const [x, rounded] of facts) expect(roundHalfEven(x), String(x)).toBe(rounded);
    for (const x of [-0.5, -0.3, -0.49999999999999994, -1e-300]) expect(roundHalfEven(x) + 0).toBe(0);
    for (const x of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]) {
      expect(roundHalfEven(x)).toBe(x);
    }
  });

  it('is a nearest whole number, and the even one of two', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.integer({ min: -1e6, max: 1e6 }),
        (x, k) => {
          const rounded = roundHalfEven(x);
          expect(Number.isInteger(rounded)).toBe(true);
          expect(Math.abs(x - rounded)).toBeLessThanOrEqual(0.5);
          expect(Math.abs(roundHalfEven(k + 0.5) % 2)).toBe(0);
          expect(roundHalfEven(k)).toBe(k);
        },
      ),
    );
  });
});
