import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { drawHistogram, weightHistogram } from './histogram.ts';

describe('weightHistogram', () => {
  it('counts both in the bins of their common range, the upper end in the last', () => {
    const chart = weightHistogram(Float32Array.of(-1, -0.5, 0.5, 1), Float32Array.of(1, 1), { bins: 4 });
    expect(chart).toMatchObject({ kind: 'histogram', title: 'Weights', low: -1, high: 1 });
    expect(chart.before).toEqual({ counts: [1, 1, 0, 2], zeros: 0, notFinite: 0 });
    expect(chart.after).toEqual({ counts: [0, 0, 0, 2], zeros: 0, notFinite: 0 });
  });

  it('counts zeros of either sign, NaN and infinities apart', () => {
    const { low, high, after } = weightHistogram(
      Float32Array.of(2, 4),
      Float32Array.of(0, -0, 3, Number.NaN, Number.NEGATIVE_INFINITY),
      { bins: 2, title: 'fc1.weight' },
    );
    expect([low, high]).toEqual([2, 4]);
    expect(after).toEqual({ counts: [0, 1], zeros: 2, notFinite: 2 });
  });

  it('gives a range also for one value and for none', () => {
    const one = weightHistogram(Float32Array.of(-2), Float32Array.of(-2), { bins: 3 });
    expect([one.low, one.high]).toEqual([-3, -1]);
    expect(one.before.counts).toEqual([0, 1, 0]);
    const none = weightHistogram(new Float32Array(4), new Float32Array(0));
    expect([none.low, none.high, none.before.zeros]).toEqual([0, 1, 4]);
  });

  it('takes as many bins as there are weights for', () => {
    const binsOf = (size: number): number =>
      weightHistogram(new Float32Array(size).fill(1), new Float32Array(1)).before.counts.length;
    expect([binsOf(54), binsOf(1000), binsOf(100_000)]).toEqual([12, 20, 60]);
  });

  it('loses no weight', () => {
    const weights = fc.float32Array({ maxLength: 200 });
    fc.assert(
      fc.property(weights, weights, fc.integer({ min: 1, max: 50 }), (before, after, bins) => {
        const chart = weightHistogram(before, after, { bins });
        for (const [values, { counts, zeros, notFinite }] of [
          [before, chart.before],
          [after, chart.after],
        ] as const) {
          expect(counts).toHaveLength(bins);
          expect(counts.reduce((sum, count) => sum + count, zeros + notFinite)).toBe(values.length);
        }
      }),
    );
  });

  it.each([0, 1.5, 1001, Number.NaN])('refuses %s bins', (bins) => {
    const call = () => weightHistogram(new Float32Array(1), new Float32Array(1), { bins });
    expect(call).toThrow(ArgumentError);
    expect(call).toThrow(`weightHistogram: bins must be a whole number from 1 to 1000, got ${bins}`);
  });
});

describe('drawHistogram', () => {
  it('draws before as an area, after as an outline, and says in words what is not drawn', async () => {
    const before = Float32Array.of(-1, -0.2, 0.1, 1);
    const { body, notes, legend } = await drawHistogram(
      weightHistogram(before, Float32Array.of(-1, 0, 0, Number.NaN), { bins: 4, title: 'fc' }),
    );
    expect(body).toContain('fill="var(--before)"');
    expect(body).toContain('stroke="var(--s1)"');
    expect(body).toMatch(
      /aria-label="Histogram: fc\. 4 weights before and 1 after that are not 0, from −1 to 1 in 4 bins\./,
    );
    expect(notes.join(' ').replaceAll('\u202f', ' ')).toBe(
      'Weights that are exactly 0 are not drawn: 2 of 4 (50.00 %); none were before. NaN or infinite, and not drawn: 1 after, 0 before.',
    );
    expect(legend.match(/<li>/g)).toHaveLength(2);
  });

  it('has no spike of zeros: the axis ends near the tallest bin', async () => {
    const after = new Float32Array(10_000);
    after.set([-1, 1]);
    const { body } = await drawHistogram(weightHistogram(Float32Array.of(-1, 0.5, 1), after, { bins: 4 }));
    const numbers = [...body.matchAll(/<text[^>]*text-anchor="end"[^>]*>([^<]*)</g)].map(([, label]) =>
      Number(label),
    );
    expect(Math.max(...numbers.filter(Number.isFinite))).toBeLessThanOrEqual(2);
  });

  it('says so where everything is zero', async () => {
    const { body, notes } = await drawHistogram(weightHistogram(new Float32Array(3), new Float32Array(3)));
    expect(body).toContain('No values to draw.');
    expect(notes[0]).toContain('3 of 3');
  });
});
