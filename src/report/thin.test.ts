import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { thinLine } from './thin.ts';

describe('thinLine', () => {
  it('leaves short lines as they are', () => {
    const points = [
      [0, 1],
      [0, 2],
      [0, 3],
      [0, 4],
      [0, 5],
      [0, 6],
    ] as const;
    expect(thinLine(points, () => 0)).toBe(points);
  });

  it('keeps of every pixel the ends and the extremes, in order', () => {
    const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1001, maxLength: 1500 });
    fc.assert(
      fc.property(values, (ys) => {
        const points = ys.map((y, x) => [x, y] as const);
        const pixel = (x: number): number => Math.floor(x / 100);
        const kept = thinLine(points, pixel);
        expect(kept.length).toBeLessThanOrEqual(4 * Math.ceil(ys.length / 100));
        expect(kept.map(([x]) => x)).toEqual([...kept.map(([x]) => x)].sort((a, b) => a - b));
        for (let start = 0; start < ys.length; start += 100) {
          const bucket = points.slice(start, start + 100);
          const left = kept.filter(([x]) => pixel(x) === start / 100);
          expect(left[0]).toEqual(bucket[0]);
          expect(left.at(-1)).toEqual(bucket.at(-1));
          const ysOf = (part: readonly (readonly [number, number])[]) => part.map(([, y]) => y);
          expect(Math.min(...ysOf(left))).toBe(Math.min(...ysOf(bucket)));
          expect(Math.max(...ysOf(left))).toBe(Math.max(...ysOf(bucket)));
        }
      }),
      { numRuns: 20 },
    );
  });
});
