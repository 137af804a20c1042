import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boxMuller16 } from './box-muller.ts';

/** A number that a 24-bit draw can give. */
const uniform = fc.integer({ min: 0, max: 2 ** 24 - 1 }).map((word) => word / 2 ** 24);
const block = fc.array(uniform, { minLength: 16, maxLength: 16 });

describe('boxMuller16', () => {
  it('comes within float32 of the formula', () => {
    fc.assert(
      fc.property(block, (numbers) => {
        const data = Float32Array.from(numbers);
        boxMuller16(data, 0, 0, 1);
        for (let i = 0; i < 8; i++) {
          const radius = Math.sqrt(-2 * Math.log(1 - numbers[i]!));
          const theta = 2 * Math.PI * numbers[i + 8]!;
          // theta is rounded to float32 (2^-22 at most at 2 pi), and the polynomials err by some units in the last place.
          const most = 1e-6 * (1 + radius);
          expect(Math.abs(data[i]! - radius * Math.cos(theta))).toBeLessThan(most);
          expect(Math.abs(data[i + 8]! - radius * Math.sin(theta))).toBeLessThan(most);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('gives finite numbers at both ends of the interval', () => {
    const data = new Float32Array(16);
    data.fill(1 - 2 ** -24, 0, 4);
    boxMuller16(data, 0, 0, 1);
    expect(data[0]).toBeCloseTo(Math.sqrt(2 * 24 * Math.LN2), 5);
    expect(data[4]).toBeCloseTo(0, 12);
    expect(data.every(Number.isFinite)).toBe(true);
  });

  it('changes its own 16 numbers alone, and scales and shifts them', () => {
    fc.assert(
      fc.property(block, fc.nat(5), (numbers, offset) => {
        const standard = Float32Array.from(numbers);
        boxMuller16(standard, 0, 0, 1);
        const data = new Float32Array(offset + 16 + 3).fill(7);
        data.set(numbers, offset);
        boxMuller16(data, offset, 3, 2);
        expect([...data.subarray(0, offset), ...data.subarray(offset + 16)]).toEqual(
          new Array(offset + 3).fill(7),
        );
        // Doubling is exact: a fused step rounds once, as does the sum in double and its rounding to float32 here.
        const expected = standard.map((x) => 2 * x + 3);
        expect([...data.subarray(offset, offset + 16)]).toEqual([...expected]);
      }),
    );
  });
});
