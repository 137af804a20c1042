import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../core/errors.ts';
import { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import type { DetectionSample } from '../dataset.ts';
import { flipLeftRight, flipUpDown } from './flip.ts';
import { drawMixupShare, mixup } from './mixup.ts';
import { mosaic } from './mosaic.ts';
import { apart, painted, whiteBox } from './testdata/painted.ts';

const plain = (height: number, width: number, level: number): DetectionSample => ({
  image: new Tensor('uint8', [height, width, 3], new Uint8Array(height * width * 3).fill(level)),
  labels: [],
});

const rows = ({ shape, data }: Tensor): number[][] =>
  Array.from({ length: shape[0]! }, (_, y) =>
    Array.from({ length: shape[1]! }, (_, x) => (data as Uint8Array)[(y * shape[1]! + x) * 3]!),
  );

describe('mosaic', () => {
  it('puts four images around a point, cut off at the edges, with grey around', () => {
    const four = [plain(1, 2, 1), plain(3, 5, 2), plain(2, 1, 3), plain(1, 1, 4)];
    expect(rows(mosaic(four, [2, 2], 4).image)).toEqual([
      [114, 114, 2, 2],
      [1, 1, 2, 2],
      [114, 3, 4, 114],
      [114, 3, 114, 114],
    ]);
  });

  it('cuts images off at the middle and at the edges in the same place as their boxes', () => {
    const size = fc.integer({ min: 4, max: 40 });
    fc.assert(
      fc.property(fc.nat(3), size, size, fc.nat(40), fc.nat(40), (place, height, width, x, y) => {
        const others = [0, 1, 2, 3].map(() => plain(30, 30, 9));
        others[place] = painted(height, width, [1, 1, width - 1, height - 1], 5);
        const { image, labels } = mosaic(others, [x, y], 40);
        const seen = whiteBox(image);
        const [{ box, label }] = labels as [{ box: [number, number, number, number]; label: number }];
        expect(label).toBe(5);
        if (seen === null) expect((box[2] - box[0]) * (box[3] - box[1])).toBe(0);
        else expect(apart(seen, box)).toBe(0);
      }),
    );
  });

  it('uses memory that it is given, whatever is in it', () => {
    const canvas = new Uint8Array(4 * 4 * 3).fill(77);
    const four = [1, 2, 3, 4].map((level) => plain(1, 1, level));
    const { image } = mosaic(four, [2, 2], 4, canvas);
    expect(image.data).toBe(canvas);
    expect(image.bytes).toEqual(mosaic(four, [2, 2], 4).image.bytes);
  });

  it('refuses other numbers of images and memory of another size', () => {
    expect(() => mosaic([plain(1, 1, 1)], [1, 1], 2)).toThrow(
      new ArgumentError('mosaic: expected 4 samples, got 1'),
    );
    const four = [1, 2, 3, 4].map((level) => plain(1, 1, level));
    expect(() => mosaic(four, [1, 1], 2, new Uint8Array(2))).toThrow(
      new ArgumentError('mosaic: expected 12 bytes for the image, got 2'),
    );
  });
});

describe('flips', () => {
  it.each([
    [
      'left to right',
      flipLeftRight,
      [
        [3, 2, 1],
        [6, 5, 4],
      ],
    ],
    [
      'upside down',
      flipUpDown,
      [
        [4, 5, 6],
        [1, 2, 3],
      ],
    ],
  ] as const)('mirror %s', (_, flip, expected) => {
    const data = Uint8Array.from([1, 2, 3, 4, 5, 6].flatMap((level) => [level, level, level]));
    const image = new Tensor('uint8', [2, 3, 3], data);
    expect(rows(flip({ image, labels: [] }).image)).toEqual(expected);
  });

  it.each([
    ['left to right', flipLeftRight],
    ['upside down', flipUpDown],
  ] as const)('take boxes along, %s, and back', (_, flip) => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 30 }), fc.integer({ min: 3, max: 30 }), (height, width) => {
        const sample = painted(height, width, [1, 0, width - 1, height - 2]);
        const flipped = flip(sample);
        expect(apart(flipped.labels[0]!.box, whiteBox(flipped.image)!)).toBe(0);
        expect(flip(flipped)).toEqual(sample);
      }),
    );
  });

  it('keep the colours of a pixel in their order', () => {
    const image = new Tensor('uint8', [1, 2, 3], Uint8Array.of(1, 2, 3, 4, 5, 6));
    expect([...flipLeftRight({ image, labels: [] }).image.bytes]).toEqual([4, 5, 6, 1, 2, 3]);
  });
});

describe('mixup', () => {
  it('lays images over each other, cut down to whole levels, with the boxes of both', () => {
    const a = { ...plain(1, 1, 100), labels: [{ label: 1, box: [0, 0, 1, 1] as const }] };
    const b = { ...plain(1, 1, 11), labels: [{ label: 2, box: [0, 0, 1, 1] as const }] };
    const { image, labels } = mixup(a, b, 0.5);
    expect([...image.bytes]).toEqual([55, 55, 55]);
    expect(labels.map(({ label }) => label)).toEqual([1, 2]);
  });

  it('draws shares of the distribution Beta(32, 32)', () => {
    const random = new Generator(0);
    const shares = Array.from({ length: 4000 }, () => drawMixupShare(random));
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length;
    expect(mean).toBeCloseTo(0.5, 2);
    // Of Beta(a, a): 1 / (4 (2 a + 1)), here 1 / 260 = 0.062².
    expect(Math.sqrt(variance)).toBeCloseTo(Math.sqrt(1 / 260), 2);
  });

  it('refuses images of two sizes', () => {
    expect(() => mixup(plain(1, 2, 0), plain(2, 1, 0), 0.5)).toThrow(
      new ShapeError('mixup: expected two images of one size, got uint8[1, 2, 3] and uint8[2, 1, 3]'),
    );
  });
});
