import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import {
  type Box,
  boxIou,
  clipBox,
  type IouKind,
  iouMatrix,
  normalized,
  unnormalized,
  xywhToXyxy,
  xyxyToXywh,
} from './index.ts';

const side = fc.integer({ min: 0, max: 400 });
const box = fc
  .tuple(side, side, fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 200 }))
  .map(([x, y, width, height]): Box => [x, y, x + width, y + height]);

describe('boxes', () => {
  it('change between corners and centres', () => {
    expect(xywhToXyxy([50, 40, 20, 10])).toEqual([40, 35, 60, 45]);
    expect(xyxyToXywh([40, 35, 60, 45])).toEqual([50, 40, 20, 10]);
    fc.assert(
      fc.property(box, (corners) => {
        expect(xywhToXyxy(xyxyToXywh(corners))).toEqual(corners);
      }),
    );
  });

  it('change between pixels and shares of an image', () => {
    const image = { height: 100, width: 200 };
    expect(unnormalized([0.5, 0.5, 0.5, 0.2], image)).toEqual([50, 40, 150, 60]);
    expect(normalized([50, 40, 150, 60], image)).toEqual([0.5, 0.5, 0.5, 0.2]);
  });

  it('are cut off at the edges of an image', () => {
    expect(clipBox([-5, 10, 30, 900], { height: 50, width: 20 })).toEqual([0, 10, 20, 50]);
  });
});

describe('boxIou', () => {
  it('is the share of the union that two boxes have in common', () => {
    expect(boxIou([0, 0, 10, 10], [5, 0, 15, 10])).toBeCloseTo(1 / 3, 6);
    expect(boxIou([0, 0, 10, 10], [10, 10, 20, 20])).toBe(0);
  });

  it('takes off what lies between boxes that are apart', () => {
    const [a, b]: [Box, Box] = [
      [0, 0, 10, 10],
      [20, 0, 30, 10],
    ];
    // A third of the enclosing box is empty; centres are 20 apart, its diagonal is the root of 1000.
    expect(boxIou(a, b, 'giou')).toBeCloseTo(-1 / 3, 6);
    expect(boxIou(a, b, 'diou')).toBeCloseTo(-0.4, 6);
    expect(boxIou(a, b, 'ciou')).toBeCloseTo(-0.4, 6);
  });

  it('is symmetric, largest for equal boxes, and smaller with each penalty', () => {
    fc.assert(
      fc.property(box, box, (a, b) => {
        const [iou, giou, diou, ciou] = (['iou', 'giou', 'diou', 'ciou'] as const).map((kind) => {
          const value = boxIou(a, b, kind);
          expect(value).toBeCloseTo(boxIou(b, a, kind), 6);
          expect(boxIou(a, a, kind)).toBeCloseTo(1, 5);
          return value;
        }) as [number, number, number, number];
        expect(iou).toBeGreaterThanOrEqual(0);
        expect(iou).toBeLessThanOrEqual(1 + 1e-6);
        for (const [less, more] of [
          [giou, iou],
          [diou, iou],
          [ciou, diou],
        ] as const)
          expect(less).toBeLessThanOrEqual(more + 1e-6);
        expect(giou).toBeGreaterThan(-1);
      }),
    );
  });

  it('refuses another kind', () => {
    expect(() => boxIou([0, 0, 1, 1], [0, 0, 1, 1], 'eiou' as IouKind)).toThrow(
      new ArgumentError("boxIou: expected the kind 'iou', 'giou', 'diou' or 'ciou', got 'eiou'"),
    );
  });
});

describe('iouMatrix', () => {
  it('has a row for each of the first boxes', () => {
    const matrix = iouMatrix(
      [
        [0, 0, 10, 10],
        [100, 100, 110, 110],
      ],
      [
        [0, 0, 10, 10],
        [5, 0, 15, 10],
        [100, 100, 110, 120],
      ],
    );
    [1, 1 / 3, 0, 0, 0, 0.5].forEach((value, at) => {
      expect(matrix[at]).toBeCloseTo(value, 6);
    });
    expect(iouMatrix([], [[0, 0, 1, 1]]).length).toBe(0);
  });

  it('agrees with boxIou in float32', () => {
    fc.assert(
      fc.property(box, box, (a, b) => {
        expect(iouMatrix([a], [b])[0]).toBeCloseTo(boxIou(a, b), 5);
      }),
    );
  });
});
