import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import {
  centerCrop,
  compose,
  normalize,
  pad,
  randomCrop,
  randomHorizontalFlip,
  resize,
  type Transform,
  toFloat,
} from './index.ts';

/** Made by testdata/generate.py with PyTorch 2.13. */
const numbers: {
  readonly resizes: readonly {
    readonly mode: 'nearest' | 'bilinear';
    readonly antialias: boolean;
    readonly from: [number, number];
    readonly to: [number, number];
    readonly out: number[];
  }[];
  readonly normalized: number[];
  readonly crops: readonly { readonly top: number; readonly left: number; readonly flip: boolean }[];
} = JSON.parse(readFileSync(new URL('testdata/numbers.json', import.meta.url), 'utf8'));

/** The image of testdata/generate.py. */
const image = (...shape: number[]): Tensor =>
  Tensor.of(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => ((7 * i) % 11) / 10),
    shape,
  );
const random = (): Generator => new Generator(0);
const apply = (transform: Transform, input: Tensor): Tensor => transform(input, random());

describe('toFloat', () => {
  const bytes = Uint8Array.of(0, 51, 102, 153, 204, 255);
  const unit = (...values: number[]): number[] => values.map((value) => Math.fround(value / 255));

  it('moves the channels of what a decoder gives to the front', () => {
    const out = apply(toFloat(), Tensor.of(bytes, [1, 2, 3]));
    expect(out.shape).toEqual([3, 1, 2]);
    expect([...out.float32]).toEqual(unit(0, 153, 51, 204, 102, 255));
  });

  it('leaves channels where they are in the layout chw, and gives grey images one', () => {
    const planes = apply(toFloat({ layout: 'chw' }), Tensor.of(bytes, [3, 1, 2]));
    expect(planes.shape).toEqual([3, 1, 2]);
    expect([...planes.float32]).toEqual(unit(0, 51, 102, 153, 204, 255));
    expect(apply(toFloat(), Tensor.of(bytes, [2, 3])).shape).toEqual([1, 2, 3]);
  });

  it('takes bytes only, and layouts that there are', () => {
    expect(() => apply(toFloat(), image(1, 2, 3))).toThrow(ShapeError);
    expect(() => apply(toFloat(), image(1, 2, 3))).toThrow(
      'toFloat: expected uint8[H, W], uint8[H, W, C] or a batch of those, got float32[1, 2, 3]',
    );
    expect(() => toFloat({ layout: 'nhwc' as 'hwc' })).toThrow(
      new ArgumentError("toFloat: expected the layout 'hwc' or 'chw', got 'nhwc'"),
    );
  });
});

describe('normalize', () => {
  it("gives PyTorch's numbers to the bit", () => {
    const out = apply(normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), image(3, 2, 3));
    expect([...out.float32]).toEqual(numbers.normalized);
  });

  it('takes one number for all channels', () => {
    expect([...apply(normalize(0.5, 0.25), Tensor.full([2, 1, 1], 1)).float32]).toEqual([2, 2]);
    expect([...apply(normalize([0, 1], 2), Tensor.full([2, 1, 1], 1)).float32]).toEqual([0.5, 0]);
  });

  it('refuses means and deviations that do not fit', () => {
    expect(() => normalize([0, 0], [1, 1, 1])).toThrow(
      new ArgumentError('normalize: expected a mean and a std per channel, got 2 and 3'),
    );
    expect(() => normalize(0, 0)).toThrow(
      new ArgumentError('normalize: expected finite means and stds above 0, got mean [0] and std [0]'),
    );
    expect(() => normalize(Number.NaN, 1)).toThrow(ArgumentError);
    expect(() => apply(normalize([0, 0], [1, 1]), image(3, 2, 2))).toThrow(
      new ShapeError('normalize: float32[3, 2, 2] has 3 channels, mean and std have 2'),
    );
  });
});

describe('resize', () => {
  it.each(
    numbers.resizes.map(
      (entry) =>
        [
          `${entry.mode}${entry.antialias ? ', antialias' : ''}: ${entry.from} to ${entry.to}`,
          entry,
        ] as const,
    ),
  )('equals F.interpolate, %s', (_, { mode, antialias, from, to, out }) => {
    const resized = apply(resize(to, { mode, antialias }), image(2, ...from));
    expect(resized.shape).toEqual([2, ...to]);
    const most = Math.max(...out.map((expected, i) => Math.abs(resized.float32[i]! - expected)));
    expect(most).toBeLessThanOrEqual(mode === 'nearest' ? 0 : 2.5e-7);
  });

  it('leaves an image of the size as it is', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        (h, w, antialias) => {
          const input = image(2, h, w);
          expect([...apply(resize([h, w], { antialias }), input).float32]).toEqual([...input.float32]);
        },
      ),
    );
  });

  it('refuses sizes, modes and tensors that it cannot take', () => {
    expect(() => resize([0, 4])).toThrow(
      new ArgumentError('resize: expected a size of whole numbers above 0, height first; got [0, 4]'),
    );
    expect(() => resize(4, { mode: 'cubic' as 'nearest' })).toThrow(
      new ArgumentError("resize: expected the mode 'bilinear' or 'nearest', got 'cubic'"),
    );
    expect(() => resize(4, { mode: 'nearest', antialias: true })).toThrow(
      new ArgumentError("resize: antialias goes with the mode 'bilinear', not 'nearest'"),
    );
    expect(() => apply(resize(4), Tensor.zeros('uint8', [3, 2, 2]))).toThrow(
      new ShapeError(
        'resize: expected float32[C, H, W] or float32[N, C, H, W], got uint8[3, 2, 2]; put toFloat first',
      ),
    );
  });
});

describe('pad and centerCrop', () => {
  it('adds pixels left, top, right and bottom', () => {
    const out = apply(pad([1, 0, 0, 2], { fill: 9 }), Tensor.of(Float32Array.of(1, 2), [1, 1, 2]));
    expect(out.shape).toEqual([1, 3, 3]);
    expect([...out.float32]).toEqual([9, 1, 2, 9, 9, 9, 9, 9, 9]);
    expect(apply(pad([1, 2]), image(1, 2, 3)).shape).toEqual([1, 6, 5]);
    expect(() => pad([1, -1])).toThrow(
      new ArgumentError('pad: expected a padding of one, two or four whole numbers >= 0, got [1, -1]'),
    );
  });

  it.each([
    // As torchvision: int(round((5 - 2) / 2.0)) = 2, int(round((3 - 2) / 2.0)) = 0.
    { there: 5, wanted: 2, first: 2 },
    { there: 3, wanted: 2, first: 0 },
    { there: 4, wanted: 2, first: 1 },
    { there: 2, wanted: 2, first: 0 },
    // Padded by (5 - 2) // 2 = 1 before, 2 behind.
    { there: 2, wanted: 5, first: -1 },
  ])('takes $wanted of $there from $first on', ({ there, wanted, first }) => {
    const row = Float32Array.from({ length: there }, (_, i) => i + 1);
    const expected = Array.from({ length: wanted }, (_, i) => row[first + i] ?? 0);
    const wide = apply(centerCrop([1, wanted]), Tensor.of(row, [1, 1, there]));
    expect([...wide.float32]).toEqual(expected);
    const high = apply(centerCrop([wanted, 1]), Tensor.of(row, [1, there, 1]));
    expect([...high.float32]).toEqual(expected);
  });
});

describe('what is random', () => {
  it("makes torchvision's crops and flips", () => {
    const generator = new Generator(3);
    const input = image(2, 8, 9);
    const at = (c: number, y: number, x: number): number =>
      y < 0 || x < 0 || y >= 8 || x >= 9 ? 0 : input.float32[(c * 8 + y) * 9 + x]!;
    for (const { top, left, flip } of numbers.crops) {
      const out = compose(randomCrop(5, { padding: 2 }), randomHorizontalFlip())(input, generator);
      const expected: number[] = [];
      for (let c = 0; c < 2; c++)
        for (let y = 0; y < 5; y++)
          for (let x = 0; x < 5; x++) expected.push(at(c, top + y, left + (flip ? 4 - x : x)));
      expect([...out.float32]).toEqual(expected);
    }
  });

  it('draws nothing for a crop of the whole image', () => {
    const generator = random();
    const input = image(1, 3, 3);
    expect([...randomCrop(3)(input, generator).float32]).toEqual([...input.float32]);
    expect(generator.random32()).toBe(random().random32());
  });

  it('flips never and always at the ends, and leaves its input alone', () => {
    const input = Tensor.of(Float32Array.of(1, 2, 3, 4), [1, 2, 2]);
    expect([...apply(randomHorizontalFlip(0), input).float32]).toEqual([1, 2, 3, 4]);
    expect([...apply(randomHorizontalFlip(1), input).float32]).toEqual([2, 1, 4, 3]);
    expect([...input.float32]).toEqual([1, 2, 3, 4]);
    expect(() => randomHorizontalFlip(2)).toThrow(
      new ArgumentError('randomHorizontalFlip: expected p in [0, 1], got 2'),
    );
  });

  it('refuses batches, which would all be cut alike, and crops beyond the image', () => {
    expect(() => apply(randomCrop(2), image(2, 1, 3, 3))).toThrow(
      new ShapeError('randomCrop: expected float32[C, H, W], got float32[2, 1, 3, 3]'),
    );
    expect(() => apply(randomCrop(6, { padding: 1 }), image(1, 3, 4))).toThrow(
      new ShapeError(
        'randomCrop: float32[1, 3, 4] is 5x6 with its padding, smaller than the crop of 6x6; resize it first or pad more',
      ),
    );
  });
});

describe('batched transforms', () => {
  const transforms: readonly (readonly [string, Transform])[] = [
    ['normalize', normalize([0.1, 0.2], [0.5, 0.3])],
    ['pad', pad(1, { fill: 2 })],
    ['centerCrop', centerCrop([2, 7])],
    ['resize', resize([3, 2])],
    ['resize, nearest', resize([3, 2], { mode: 'nearest' })],
    ['compose', compose(pad(1), normalize(0, 2))],
  ];
  it.each(transforms)('%s gives a batch what it gives image by image', (_, transform) => {
    expect(transform.batched).toBe(true);
    const batch = image(3, 2, 4, 5);
    const out = apply(transform, batch);
    const single = [0, 1, 2].map((n) =>
      apply(transform, Tensor.of(batch.float32.slice(n * 40, (n + 1) * 40), [2, 4, 5])),
    );
    expect(out.shape).toEqual([3, ...single[0]!.shape]);
    expect([...out.float32]).toEqual(single.flatMap(({ float32 }) => [...float32]));
  });

  it('are not those that draw, nor what is composed of one', () => {
    expect(randomCrop(2).batched).not.toBe(true);
    expect(compose(normalize(0, 1), randomHorizontalFlip()).batched).toBe(false);
  });
});
