import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { type Box, type Interpolation, letterbox, resizePixels, scaleBoxes } from './index.ts';

const plain = (height: number, width: number, level = 200): Tensor =>
  new Tensor('uint8', [height, width, 3], new Uint8Array(height * width * 3).fill(level));

const green = (image: Tensor): number[] => [...(image.data as Uint8Array)].filter((_, at) => at % 3 === 1);

describe('letterbox', () => {
  it('puts the odd pixel of an edge right and below', () => {
    const { image, ratio, pad } = letterbox(plain(2, 4), { size: [5, 4], auto: false });
    expect(image.shape).toEqual([5, 4, 3]);
    expect([ratio, pad]).toEqual([
      [1, 1],
      [0, 1.5],
    ]);
    const rows = green(image).filter((_, at) => at % 4 === 0);
    expect(rows).toEqual([114, 200, 200, 114, 114]);
  });

  it('fills edges with a colour', () => {
    const { image } = letterbox(plain(1, 1), { size: [1, 3], auto: false, scaleup: false, color: [1, 2, 3] });
    expect([...image.bytes]).toEqual([1, 2, 3, 200, 200, 200, 1, 2, 3]);
  });

  it('stops at the next multiple of the stride', () => {
    expect(letterbox(plain(60, 100), { size: 100, stride: 32 }).image.shape).toEqual([68, 100, 3]);
    expect(letterbox(plain(480, 640)).image.shape).toEqual([480, 640, 3]);
  });

  it('leaves an image as it is that fits', () => {
    const image = plain(32, 32, 7);
    expect(letterbox(image, { size: 32 }).image.bytes).toEqual(image.bytes);
  });

  it('keeps a row of an image of extreme proportions', () => {
    expect(letterbox(plain(1, 3000), { size: 64, auto: false }).image.shape).toEqual([64, 64, 3]);
  });

  it('gives boxes back to the image they came from', () => {
    const size = fc.integer({ min: 20, max: 300 });
    fc.assert(
      fc.property(size, size, fc.boolean(), (height, width, auto) => {
        const made = letterbox(plain(height, width), { size: 128, auto });
        const [toHeight = 0, toWidth = 0] = made.image.shape;
        const box: Box = [width * 0.2, height * 0.1, width * 0.9, height * 0.7];
        const inside = box.map(
          (value, at) => value * made.ratio[at % 2]! + made.pad[at % 2]!,
        ) as unknown as Box;
        const [back] = scaleBoxes(
          [inside],
          { height: toHeight, width: toWidth },
          { height, width },
          made,
        ) as [Box];
        back.forEach((value, at) => {
          expect(value).toBeCloseTo(box[at]!, 6);
        });
        // Without the placement it is known to half a pixel of the edges, which are the same on both sides.
        const [guessed] = scaleBoxes([inside], { height: toHeight, width: toWidth }, { height, width }) as [
          Box,
        ];
        if (!auto) {
          guessed.forEach((value, at) => {
            expect(Math.abs(value - box[at]!)).toBeLessThanOrEqual(0.51 / made.ratio[0]);
          });
        }
      }),
      { numRuns: 40 },
    );
  });

  it('cuts boxes off at the edges of the image', () => {
    const from = { height: 64, width: 64 };
    expect(scaleBoxes([[-10, 0, 64, 64]], from, { height: 16, width: 32 })).toEqual([[0, 0, 32, 16]]);
  });

  it('refuses what is no image and options that do not fit', () => {
    expect(() => letterbox(Tensor.zeros('float32', [4, 4, 3]))).toThrow(
      new ShapeError('letterbox: expected an image uint8[height, width, 3] (RGB), got float32[4, 4, 3]'),
    );
    expect(() => letterbox(Tensor.zeros('uint8', [4, 4, 4]))).toThrow(ShapeError);
    expect(() => letterbox(Tensor.zeros('uint8', [0, 4, 3]))).toThrow(
      'letterbox: the image uint8[0, 4, 3] has no pixels',
    );
    expect(() => letterbox(plain(1, 1), { stride: 0 })).toThrow(
      new ArgumentError('letterbox: expected a stride of at least 1, got 0'),
    );
    expect(() => letterbox(plain(1, 1), { color: [0, 0, 256] })).toThrow(
      'letterbox: expected a colour of three levels 0 to 255, got [0, 0, 256]',
    );
    expect(() => letterbox(plain(1, 1), { size: 0 })).toThrow(ArgumentError);
  });
});

describe('resizePixels', () => {
  const row = (...levels: number[]): Tensor =>
    new Tensor(
      'uint8',
      [1, levels.length, 3],
      Uint8Array.from(levels.flatMap((level) => [level, level, level])),
    );

  it('interpolates between the centres of pixels', () => {
    // Centres of the new pixels at -0.25, 0.25, 0.75 and 1.25 of the old.
    expect(green(resizePixels(row(0, 200), [1, 4]))).toEqual([0, 50, 150, 200]);
  });

  it('shrinks to what lies at the new centres, or to means', () => {
    expect(green(resizePixels(row(0, 90, 30, 60, 120, 240), [1, 2]))).toEqual([90, 120]);
    expect(green(resizePixels(row(0, 90, 30, 60, 120, 240), [1, 2], 'area'))).toEqual([40, 140]);
    expect(green(resizePixels(row(0, 100, 200), [1, 2], 'area'))).toEqual([33, 167]);
  });

  it('averages where a side is halved, as OpenCV does in either way', () => {
    const square = new Tensor(
      'uint8',
      [2, 2, 3],
      Uint8Array.from([0, 0, 0, 10, 10, 10, 20, 20, 20, 12, 12, 12]),
    );
    expect(green(resizePixels(square, 1))).toEqual([11]);
    expect(green(resizePixels(square, 1, 'area'))).toEqual([11]);
  });

  it('leaves images of one colour as they are, and stays between the least and the largest level', () => {
    const size = fc.integer({ min: 1, max: 24 });
    fc.assert(
      fc.property(
        size,
        size,
        size,
        size,
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom<Interpolation>('linear', 'area'),
        (height, width, toHeight, toWidth, level, kind) => {
          const out = resizePixels(plain(height, width, level), [toHeight, toWidth], kind);
          expect(out.shape).toEqual([toHeight, toWidth, 3]);
          expect(new Set(out.bytes)).toEqual(new Set([level]));
        },
      ),
    );
  });

  it('gives a copy where the size is the same', () => {
    const image = plain(2, 2);
    const same = resizePixels(image, 2);
    expect(same).not.toBe(image);
    expect(same.bytes).toEqual(image.bytes);
  });

  it('refuses sizes and interpolations that are none', () => {
    expect(() => resizePixels(plain(2, 2), [0, 1])).toThrow(ArgumentError);
    expect(() => resizePixels(plain(2, 2), 1, 'cubic' as Interpolation)).toThrow(
      new ArgumentError("resizePixels: expected the interpolation 'linear' or 'area', got 'cubic'"),
    );
  });
});
