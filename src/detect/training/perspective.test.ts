import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../core/errors.ts';
import { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import type { Box } from '../box.ts';
import {
  applyPerspective,
  drawPerspective,
  isCandidate,
  type PerspectiveRanges,
  randomPerspective,
} from './perspective.ts';
import { apart, painted, whiteBox } from './testdata/painted.ts';
import { type Matrix, warpPixels } from './warp.ts';

const STILL: PerspectiveRanges = { degrees: 0, translate: 0, scale: 0, shear: 0, perspective: 0 };
const SAME: Matrix = [1, 0, 0, 0, 1, 0, 0, 0, 1];

const grey = (levels: readonly number[], height: number, width: number): Tensor =>
  new Tensor('uint8', [height, width, 3], Uint8Array.from(levels.flatMap((level) => [level, level, level])));
const levels = ({ data }: Tensor): number[] => [...(data as Uint8Array)].filter((_, at) => at % 3 === 0);

describe('warpPixels', () => {
  it('leaves an image alone that stays where it is', () => {
    const image = new Tensor(
      'uint8',
      [5, 4, 3],
      Uint8Array.from({ length: 60 }, (_, i) => (i * 37) % 256),
    );
    expect(warpPixels(image, SAME, { height: 5, width: 4 }).bytes).toEqual(image.bytes);
  });

  it('moves by whole pixels, with grey around', () => {
    const out = warpPixels(grey([1, 2, 3, 4], 2, 2), [1, 0, 1, 0, 1, -1, 0, 0, 1], { height: 2, width: 3 });
    expect(levels(out)).toEqual([114, 3, 4, 114, 114, 114]);
  });

  it('takes means between pixels, and between the edge and grey', () => {
    const out = warpPixels(grey([100, 200], 1, 2), [1, 0, 0.5, 0, 1, 0, 0, 0, 1], { height: 1, width: 3 });
    expect(levels(out)).toEqual([107, 150, 157]);
  });

  it('keeps edges of pixels where they belong when it enlarges', () => {
    // Each pixel becomes two by two; with centres at whole numbers the image would move by half a pixel.
    const out = warpPixels(grey([0, 200], 1, 2), [2, 0, 0, 0, 2, 0, 0, 0, 1], { height: 2, width: 4 });
    expect(levels(out).slice(1, 3)).toEqual([66, 141]);
  });

  it('is grey behind the horizon', () => {
    const out = warpPixels(grey(Array(16).fill(9), 4, 4), [1, 0, 0, 0, 1, 0, 1, 0, 1], {
      height: 4,
      width: 4,
    });
    // x / (x + 1) stays below 1: the right of the image is what lies behind.
    expect(levels(out).filter((_, at) => at % 4 > 0)).toEqual(Array(12).fill(114));
    expect(levels(out)[0]).toBe(9);
  });

  it('refuses a matrix without an inverse', () => {
    expect(() => warpPixels(grey([1], 1, 1), [1, 0, 0, 1, 0, 0, 0, 0, 1], { height: 1, width: 1 })).toThrow(
      new ShapeError('warpPixels: expected a matrix that has an inverse, got [1, 0, 0, 1, 0, 0, 0, 0, 1]'),
    );
  });
});

describe('randomPerspective', () => {
  const cases: readonly [string, PerspectiveRanges][] = [
    ['moves', { ...STILL, translate: 0.2 }],
    ['scales', { ...STILL, scale: 0.5 }],
    ['turns', { ...STILL, degrees: 180 }],
    ['shears', { ...STILL, shear: 20 }],
    ['tilts', { ...STILL, perspective: 0.001 }],
    ['does all of it', { degrees: 30, translate: 0.1, scale: 0.3, shear: 10, perspective: 0.0005 }],
  ];

  it.each(cases)('%s boxes with their pixels', (_, ranges) => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 20, max: 40 }),
        fc.integer({ min: 20, max: 40 }),
        (seed, x, y) => {
          const sample = painted(100, 120, [x, y, x + 45, y + 30]);
          const { image, labels } = randomPerspective(sample, ranges, new Generator(seed), {
            height: 110,
            width: 100,
          });
          expect(labels).toHaveLength(1);
          expect(apart(labels[0]!.box, whiteBox(image)!)).toBeLessThanOrEqual(2);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('leaves alone what is not to be moved', () => {
    const sample = painted(40, 60, [10, 10, 30, 20]);
    const { image, labels } = randomPerspective(sample, STILL, new Generator(0));
    expect(image.bytes).toEqual(sample.image.bytes);
    expect(labels).toEqual(sample.labels);
  });

  it('draws the same number of times, whatever the ranges', () => {
    const drawnAfter = (ranges: PerspectiveRanges): number => {
      const random = new Generator(1);
      drawPerspective({ height: 2, width: 2 }, { height: 2, width: 2 }, ranges, random);
      return random.random32();
    };
    expect(drawnAfter({ degrees: 1, translate: 1, scale: 0.1, shear: 1, perspective: 0.001 })).toBe(
      drawnAfter(STILL),
    );
  });

  it('puts the middle of a large image into a small one', () => {
    const { labels } = randomPerspective(painted(80, 80, [30, 35, 50, 45], 7), STILL, new Generator(0), {
      height: 40,
      width: 40,
    });
    expect(labels).toEqual([{ label: 7, box: [10, 15, 30, 25] }]);
  });
});

describe('applyPerspective', () => {
  const size = { height: 100, width: 100 };
  const black = painted(100, 100, [0, 0, 0, 0]).image;
  const moved = (box: Box, matrix: Matrix, scale = 1): unknown[] => [
    ...applyPerspective({ image: black, labels: [{ box, label: 0 }] }, { matrix, scale }, size).labels,
  ];

  it('cuts boxes off at the edges, and drops those of which a tenth or less is left', () => {
    const right = (pixels: number): Matrix => [1, 0, pixels, 0, 1, 0, 0, 0, 1];
    expect(moved([40, 10, 60, 30], right(50))).toEqual([{ label: 0, box: [90, 10, 100, 30] }]);
    expect(moved([40, 10, 70, 30], right(56))).toEqual([{ label: 0, box: [96, 10, 100, 30] }]);
    expect(moved([40, 10, 70, 30], right(57))).toEqual([]);
  });

  it('judges what is left by the area that it would have, were it not cut off', () => {
    const half: Matrix = [0.5, 0, 0, 0, 0.5, 0, 0, 0, 1];
    expect(moved([0, 0, 20, 20], half, 0.5)).toEqual([{ label: 0, box: [0, 0, 10, 10] }]);
    const tiny: Matrix = [0.25, 0, 0, 0, 0.25, 0, 0, 0, 1];
    expect(moved([0, 0, 20, 20], tiny, 0.25)).toHaveLength(1);
    expect(moved([0, 0, 20, 20], tiny)).toHaveLength(0);
  });

  it('drops boxes with a corner behind the horizon', () => {
    expect(moved([10, 10, 40, 40], [1, 0, 0, 0, 1, 0, -0.03, 0, 1])).toEqual([]);
  });
});

describe('isCandidate', () => {
  it.each([
    ['more than two pixels on each side', [0, 0, 2.01, 2.01], true],
    ['two pixels wide', [0, 0, 2, 50], false],
    ['two pixels high', [0, 0, 50, 2], false],
    ['99 times as wide as high', [0, 0, 297, 3], true],
    ['100 times as wide as high', [0, 0, 300, 3], false],
    ['100 times as high as wide', [0, 0, 3, 300], false],
  ] as const)('%s', (_, box, isOne) => {
    expect(isCandidate(box, box)).toBe(isOne);
  });
});
