import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from './errors.ts';
import { kthSmallest, maskSmallest, topk } from './selection.ts';

interface TopkCase {
  readonly x: readonly (number | 'nan')[];
  readonly k: number;
  readonly mode: 'abs' | 'small' | 'large';
  readonly picked: readonly number[];
}

/** Made by testdata/topk.py with PyTorch 2.13: few distinct values, so that nearly every case splits a tie. */
const cases: readonly TopkCase[] = JSON.parse(
  readFileSync(new URL('testdata/topk.json', import.meta.url), 'utf8'),
);

const positionsOfZeros = (mask: Float32Array): number[] =>
  Array.from(mask.entries()).flatMap(([index, value]) => (value === 0 ? [index] : []));

const floats = fc.array(fc.oneof(fc.integer({ min: -4, max: 4 }), fc.float()), {
  minLength: 1,
  maxLength: 300,
});

describe('maskSmallest', () => {
  it('picks what torch.topk picks, ties included', () => {
    for (const { x, k, mode, picked } of cases) {
      if (mode === 'large') continue;
      const values = Float32Array.from(x, Number);
      const [mask] = maskSmallest([values], k, { absolute: mode === 'abs' });
      expect(positionsOfZeros(mask!), JSON.stringify({ x, k, mode })).toEqual(picked);
    }
  });

  it('gives the same for chunks as for one array', () => {
    fc.assert(
      fc.property(floats, fc.nat(), fc.nat(), fc.boolean(), (numbers, cutAt, kAt, absolute) => {
        const values = Float32Array.from(numbers);
        const cut = cutAt % (values.length + 1);
        const k = kAt % (values.length + 1);
        const [whole] = maskSmallest([values], k, { absolute });
        const parts = maskSmallest([values.subarray(0, cut), values.subarray(cut)], k, { absolute });
        expect([...parts[0]!, ...parts[1]!]).toEqual([...whole!]);
        expect(positionsOfZeros(whole!)).toHaveLength(k);
      }),
    );
  });

  it('never keeps a number smaller than one it drops', () => {
    fc.assert(
      fc.property(floats, fc.nat(), (numbers, kAt) => {
        const values = Float32Array.from(numbers);
        const k = kAt % (values.length + 1);
        const [mask] = maskSmallest([values], k, { absolute: true });
        const rank = (x: number): number => (Number.isNaN(x) ? Number.POSITIVE_INFINITY : Math.abs(x));
        const dropped = numbers.filter((_, i) => mask![i] === 0).map((x) => rank(Math.fround(x)));
        const kept = numbers.filter((_, i) => mask![i] === 1).map((x) => rank(Math.fround(x)));
        expect(Math.max(-1, ...dropped)).toBeLessThanOrEqual(Math.min(Number.POSITIVE_INFINITY, ...kept));
      }),
    );
  });

  it('follows the heap where few are wanted of very many equal numbers', () => {
    const values = new Float32Array(1000).fill(1);
    expect(positionsOfZeros(maskSmallest([values], 3)[0]!)).toEqual([0, 1, 2]);
  });

  it('refuses a k that cannot be', () => {
    for (const k of [-1, 1.5, 4, Number.NaN]) {
      expect(() => maskSmallest([new Float32Array(3)], k)).toThrow(ArgumentError);
    }
    expect(() => maskSmallest([new Float32Array(3)], 4)).toThrow(
      'maskSmallest: expected a whole number k from 0 to 3, got 4',
    );
  });
});

describe('topk', () => {
  it('picks what torch.topk picks, ties included', () => {
    for (const { x, k, mode, picked } of cases) {
      if (mode === 'abs') continue;
      const got = topk(Float32Array.from(x, Number), k, { largest: mode === 'large' });
      expect([...got], JSON.stringify({ x, k, mode })).toEqual(picked);
    }
  });

  it('gives nothing for k = 0', () => {
    expect([...topk(Float32Array.of(1, 2), 0)]).toEqual([]);
  });
});

describe('kthSmallest', () => {
  it('equals sorting', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true }), { minLength: 1 }),
        fc.nat(),
        fc.boolean(),
        (numbers, kAt, absolute) => {
          const values = Float32Array.from(numbers, (x) => x + 0);
          const k = (kAt % values.length) + 1;
          const sorted = (absolute ? values.map(Math.abs) : values).slice().sort();
          expect(kthSmallest([values], k, { absolute }) + 0).toBe(sorted[k - 1]! + 0);
        },
      ),
    );
  });

  it('puts NaN last', () => {
    expect(kthSmallest([Float32Array.of(Number.NaN, 1, -2)], 3)).toBeNaN();
    expect(kthSmallest([Float32Array.of(Number.NaN, 1, -2)], 2)).toBe(1);
  });

  it('counts from 1', () => {
    expect(() => kthSmallest([Float32Array.of(1)], 0)).toThrow(
      'kthSmallest: expected a whole number k from 1 to 1, got 0',
    );
  });
});
