import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { boxIou, type NmsOptions, nonMaxSuppression } from './index.ts';

/** Rows of x, y, width, height, objectness, probabilities. */
const prediction = (...rows: readonly (readonly number[])[]): Tensor =>
  new Tensor('float32', [1, rows.length, rows[0]!.length], Float32Array.from(rows.flat()));

const found = (input: Tensor, options?: NmsOptions) =>
  nonMaxSuppression(input, options)[0]!.map(({ confidence, label }) => [
    Number(confidence.toFixed(3)),
    label,
  ]);

const NEAR = [
  [50, 50, 20, 20, 0.9, 0.8, 0.5],
  [51, 50, 20, 20, 0.9, 0.9, 0.1],
  [52, 50, 20, 20, 0.9, 0.1, 0.7],
  [150, 150, 20, 20, 0.4, 0.9, 0.9],
] as const;

describe('nonMaxSuppression', () => {
  it('keeps the most confident of boxes that overlap, class by class, in that order', () => {
    const [detections] = nonMaxSuppression(prediction(...NEAR));
    expect(detections!.map(({ label }) => label)).toEqual([0, 1, 0]);
    expect(detections![0]!.box).toEqual([41, 40, 61, 60]);
    expect(detections![0]!.confidence).toBeCloseTo(0.81, 6);
  });

  it('compares overlaps with the threshold as it is, not rounded to float32', () => {
    // 30 of 50 pixels are shared: 0.6 in float32 is above 0.6. 9 of 20: 0.45 is below.
    const threeFifths = prediction([20, 5, 40, 1, 0.9, 1], [30, 5, 40, 1, 0.8, 1]);
    expect(found(threeFifths, { iouThres: 0.6 })).toEqual([[0.9, 0]]);
    const nineTwentieths = prediction([10, 5, 20, 1, 0.9, 1], [4.5, 5, 9, 1, 0.8, 1]);
    expect(found(nineTwentieths, { iouThres: 0.45 })).toHaveLength(2);
  });

  it('lets classes suppress each other where it is agnostic', () => {
    expect(found(prediction(...NEAR), { agnostic: true })).toEqual([
      [0.81, 0],
      [0.36, 0],
    ]);
  });

  it('makes a detection of every class with multiLabel', () => {
    expect(found(prediction(NEAR[0]!, NEAR[3]!), { multiLabel: true })).toEqual([
      [0.72, 0],
      [0.45, 1],
      [0.36, 0],
      [0.36, 1],
    ]);
  });

  it('asks objectness as well as confidence to be above the threshold', () => {
    expect(
      found(prediction([5, 5, 2, 2, 0.25, 1], [15, 15, 2, 2, 0.5, 0.5], [25, 5, 2, 2, 0.26, 1])),
    ).toEqual([[0.26, 0]]);
  });

  it('keeps only the classes that are asked for, and as many as are', () => {
    expect(found(prediction(...NEAR), { classes: [1] })).toEqual([[0.63, 1]]);
    expect(found(prediction(...NEAR), { maxDet: 1 })).toEqual([[0.81, 0]]);
    expect(found(prediction(...NEAR), { maxNms: 2 })).toEqual([[0.81, 0]]);
  });

  it('leaves out what is not finite', () => {
    expect(
      found(
        prediction(
          [Number.NaN, 5, 2, 2, 1, 1],
          [5, 5, Number.POSITIVE_INFINITY, 2, 1, 1],
          [5, 5, 2, 2, Number.NaN, 1],
          [5, 5, 2, 2, 1, Number.NaN],
          [5, 5, 2, 2, 0.9, 1],
        ),
      ),
    ).toEqual([[0.9, 0]]);
  });

  it('treats images of a batch apart', () => {
    const two = new Tensor('float32', [2, 1, 6], Float32Array.of(5, 5, 2, 2, 1, 0.5, 5, 5, 2, 2, 1, 0.1));
    expect(nonMaxSuppression(two).map(({ length }) => length)).toEqual([1, 0]);
  });

  it('leaves no two boxes of a class that overlap more than allowed, and drops none without a reason', () => {
    const place = fc.integer({ min: 20, max: 80 });
    const side = fc.integer({ min: 4, max: 40 });
    const share = fc.integer({ min: 1, max: 100 }).map((value) => value / 100);
    const row = fc.tuple(place, place, side, side, share, share, share);
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 30 }), (rows) => {
        const input = prediction(...rows);
        const options = { confThres: 0.1, iouThres: 0.5 };
        const all = nonMaxSuppression(input, { ...options, iouThres: 1 })[0]!;
        const kept = nonMaxSuppression(input, options)[0]!;
        const overlap = (a: (typeof kept)[number], b: (typeof kept)[number]): number =>
          a.label === b.label ? boxIou(a.box, b.box) : 0;
        kept.forEach((one, index) => {
          if (index > 0) expect(one.confidence).toBeLessThanOrEqual(kept[index - 1]!.confidence);
          for (const other of kept.slice(index + 1)) expect(overlap(one, other)).toBeLessThanOrEqual(0.501);
        });
        for (const one of all) {
          const stays = kept.some(({ box, label }) => label === one.label && `${box}` === `${one.box}`);
          const covered = kept.some(
            (other) => other.confidence >= one.confidence && overlap(one, other) > 0.499,
          );
          expect(stays || covered).toBe(true);
        }
      }),
    );
  });

  it('says what does not fit', () => {
    const input = prediction(...NEAR);
    const cases: [NmsOptions, string][] = [
      [{ confThres: 1.1 }, 'confThres expects a number from 0 to 1, got 1.1'],
      [{ iouThres: Number.NaN }, 'iouThres expects a number from 0 to 1, got NaN'],
      [{ maxDet: 0 }, 'maxDet expects a number of at least 1, got 0'],
      [{ maxNms: 0 }, 'maxNms expects a number of at least 1, got 0'],
      [{ classOffset: -1 }, 'classOffset expects pixels from 0 on, got -1'],
      [{ classes: [2] }, 'there is no class 2; the boxes have 2 classes, from 0 on'],
    ];
    for (const [options, message] of cases) {
      expect(() => nonMaxSuppression(input, options)).toThrow(
        new ArgumentError(`nonMaxSuppression: ${message}`),
      );
    }
    expect(() => nonMaxSuppression(Tensor.zeros('float32', [1, 3, 5]))).toThrow(
      new ShapeError(
        'nonMaxSuppression: expected decoded boxes float32[N, boxes, 5 + classes], got float32[1, 3, 5]',
      ),
    );
  });
});
