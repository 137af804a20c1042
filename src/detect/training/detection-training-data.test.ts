import { describe, expect, it } from 'vitest';
import { ArgumentError, UnsupportedError } from '../../core/errors.ts';
import { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import { type Batch, DataError, DataLoader, type Sample } from '../../data/index.ts';
import { unnormalized } from '../box.ts';
import { type DetectionDataset, detectionDataset } from '../dataset.ts';
import {
  DetectionTrainingData,
  type DetectionTrainingOptions,
  detectionCollate,
} from './detection-training-data.ts';
import type { DetectorHyperparameters } from './hyperparameters.ts';
import { scaledDataset } from './scaled-dataset.ts';
import { apart, painted, whiteBox } from './testdata/painted.ts';

const images = detectionDataset(
  [
    painted(100, 200, [40, 20, 120, 90], 1),
    painted(120, 80, [10, 30, 60, 100]),
    painted(64, 64, [8, 8, 56, 40], 2),
    { image: painted(50, 64, [0, 0, 0, 0]).image, labels: [] },
  ],
  ['a', 'b', 'c'],
);

const STILL: Partial<DetectorHyperparameters> = {
  hsvH: 0,
  hsvS: 0,
  hsvV: 0,
  degrees: 0,
  translate: 0,
  scale: 0,
  shear: 0,
  perspective: 0,
  fliplr: 0,
  mosaic: 0,
};

const data = (options: Partial<DetectionTrainingOptions> = {}, set: DetectionDataset = images) =>
  new DetectionTrainingData(set, { size: 64, ...options });

/** As bytes again, rows of pixels. */
function pixels({ input }: Sample): Tensor {
  const [, height, width] = input.shape as [number, number, number];
  const out = new Uint8Array(height * width * 3);
  const area = height * width;
  for (let i = 0; i < area; i++)
    for (let channel = 0; channel < 3; channel++)
      out[i * 3 + channel] = Math.round(input.float32[channel * area + i]! * 255);
  return new Tensor('uint8', [height, width, 3], out);
}

const rows = ({ target }: Sample): number[][] =>
  Array.from({ length: target.shape[0]! }, (_, row) => [...target.float32.subarray(row * 5, row * 5 + 5)]);

describe('DetectionTrainingData', () => {
  it('gives images with grey edges and boxes in shares, without changes where none are wanted', async () => {
    const set = data({ augment: false });
    expect([set.length, set.classes]).toEqual([4, ['a', 'b', 'c']]);
    const sample = await set.get(0, new Generator(0));
    expect([String(sample.input), String(sample.target)]).toEqual(['float32[3, 64, 64]', 'float32[1, 5]']);
    // 200 x 100 becomes 64 x 32, sixteen rows below the edge.
    const [row] = rows(sample) as [number[]];
    [1, 80 / 200, 0.25 + 55 / 200, 80 / 200, 70 / 200].forEach((value, at) => {
      expect(row[at]).toBeCloseTo(value, 5);
    });
    expect([...pixels(sample).bytes.subarray(0, 3)]).toEqual([114, 114, 114]);
    expect(
      apart(
        unnormalized(row.slice(1) as [number, number, number, number], { height: 64, width: 64 }),
        whiteBox(pixels(sample))!,
      ),
    ).toBeLessThanOrEqual(1);
  });

  it('has no boxes where there are none', async () => {
    const sample = await data({ augment: false }).get(3, new Generator(0));
    expect(String(sample.target)).toBe('float32[0, 5]');
    expect(String((await data({ hyperparameters: STILL }).get(3, new Generator(0))).target)).toBe(
      'float32[0, 5]',
    );
  });

  it('changes nothing where every range is nothing', async () => {
    const augmented = data({ hyperparameters: STILL });
    const plain = data({ augment: false });
    for (const index of [2, 3]) {
      const [a, b] = [await augmented.get(index, new Generator(5)), await plain.get(index, new Generator(5))];
      expect(a).toEqual(b);
    }
  });

  it('moves boxes with the pixels of all that is done', async () => {
    const one = detectionDataset([painted(80, 96, [24, 20, 70, 60], 1)], ['a', 'b']);
    const hyperparameters = {
      degrees: 10,
      translate: 0.1,
      scale: 0.2,
      shear: 4,
      flipud: 0.5,
      hsvV: 0.2,
      mosaic: 0,
    };
    const set = data({ size: 96, hyperparameters }, one);
    for (let seed = 0; seed < 30; seed++) {
      const sample = await set.get(0, new Generator(seed));
      const [row] = rows(sample) as [number[]];
      const box = unnormalized(row.slice(1) as [number, number, number, number], { height: 96, width: 96 });
      expect(apart(box, whiteBox(pixels(sample))!), `seed ${seed}`).toBeLessThanOrEqual(2.5);
    }
  });

  it('makes mosaics whose boxes hold white', async () => {
    const set = data({ hyperparameters: { ...STILL, translate: 0.1, scale: 0.5, mosaic: 1 } });
    let boxes = 0;
    for (let seed = 0; seed < 20; seed++) {
      const sample = await set.get(seed % 4, new Generator(seed));
      const { data: levels } = pixels(sample) as { data: Uint8Array };
      const inBoxes = rows(sample).map((row) =>
        unnormalized(row.slice(1) as [number, number, number, number], { height: 64, width: 64 }),
      );
      boxes += inBoxes.length;
      for (let y = 0; y < 64; y++)
        for (let x = 0; x < 64; x++) {
          const inside = inBoxes.some(
            ([x1, y1, x2, y2]) => x >= x1 + 1 && x + 1 <= x2 - 1 && y >= y1 + 1 && y + 1 <= y2 - 1,
          );
          if (inside) expect(levels[(y * 64 + x) * 3]).toBeGreaterThan(150);
        }
    }
    expect(boxes).toBeGreaterThan(30);
  });

  it('lays mosaics over each other', async () => {
    const hyperparameters = { ...STILL, mosaic: 1 };
    const [plain, mixed] = [
      data({ hyperparameters }),
      data({ hyperparameters: { ...hyperparameters, mixup: 1 } }),
    ];
    let [one, two] = [0, 0];
    for (let seed = 0; seed < 20; seed++) {
      one += (await plain.get(0, new Generator(seed))).target.shape[0]!;
      two += (await mixed.get(0, new Generator(seed))).target.shape[0]!;
    }
    expect(two).toBeGreaterThan(one * 1.5);
  });

  it('makes no mosaics once they are closed', async () => {
    const hyperparameters = { ...STILL, mosaic: 1 };
    const closed = data({ hyperparameters, mosaicClosed: true });
    const single = data({ hyperparameters: STILL });
    expect(await closed.get(2, new Generator(1))).toEqual(await single.get(2, new Generator(1)));
    closed.mosaicClosed = false;
    expect(await closed.get(2, new Generator(1))).not.toEqual(await single.get(2, new Generator(1)));
  });

  it('is a function of the generator, whatever was asked before and with or without a cache', async () => {
    const hyperparameters = { mosaic: 0.5, mixup: 0.5, degrees: 10, flipud: 0.5 };
    const [kept, fresh] = [data({ hyperparameters }), data({ hyperparameters, cache: false })];
    for (let seed = 0; seed < 12; seed++) {
      const index = seed % 4;
      // Side by side, as a loader does.
      const [a, other] = await Promise.all([
        kept.get(index, new Generator(seed)),
        kept.get(index, new Generator(99)),
      ]);
      expect(await fresh.get(index, new Generator(seed))).toEqual(a);
      expect(other).not.toEqual(a);
    }
  });

  it('leaves the images of the data set as they were', async () => {
    const whole = painted(64, 64, [8, 8, 56, 40]);
    const before = whole.image.bytes.slice();
    const set = data({ hyperparameters: { mosaic: 0.5, flipud: 1 } }, detectionDataset([whole], ['a']));
    for (let seed = 0; seed < 6; seed++) await set.get(0, new Generator(seed));
    expect(whole.image.bytes).toEqual(before);
  });

  it('takes the next image for one that cannot be read', async () => {
    const broken: DetectionDataset = {
      ...images,
      get: async (index) => (index === 1 ? null : images.get(index)),
    };
    const set = data({ augment: false }, broken);
    expect(await set.get(1, new Generator(0))).toEqual(await set.get(2, new Generator(0)));
    const none = data({}, { ...images, get: async () => null });
    await expect(none.get(1, new Generator(0))).rejects.toThrow(
      new DataError('DetectionTrainingData: none of the 4 images can be read', 1),
    );
  });

  it('refuses what it cannot take', async () => {
    const cases: [() => unknown, Error][] = [
      [
        () => data({ size: 63 }),
        new ArgumentError('DetectionTrainingData: size expects an even number above 0, got 63'),
      ],
      [
        () => data({}, detectionDataset([], ['a'])),
        new ArgumentError('DetectionTrainingData: the data set has no images'),
      ],
      [
        () => data({ hyperparameters: { copyPaste: 0.1 } }),
        new UnsupportedError(
          'DetectionTrainingData: copyPaste is 0.1; it needs outlines of objects, and only their boxes are read; set it to 0',
        ),
      ],
      [
        () => data({ hyperparameters: { fliplr: 2 } }),
        new ArgumentError('hyperparameters: fliplr expects a number at least 0 and at most 1, got 2'),
      ],
      [
        () => data({ cache: 'disk' as 'memory' }),
        new ArgumentError(
          "DetectionTrainingData: cache expects 'memory' or false, got 'disk'; for the disk, pass what diskCachedDataset gives",
        ),
      ],
      [
        () => data({}, scaledDataset(images, { longest: 32 })),
        new ArgumentError(
          "DetectionTrainingData: expected images scaled to 64 by 'linear', got 32 by 'linear'",
        ),
      ],
      [
        () => data({ augment: false }, scaledDataset(images, { longest: 64 })),
        new ArgumentError(
          "DetectionTrainingData: expected images scaled to 64 by 'area', got 64 by 'linear'",
        ),
      ],
    ];
    for (const [call, error] of cases) expect(call).toThrow(error);
    await expect(data().get(4, new Generator(0))).rejects.toThrow(
      new ArgumentError('DetectionTrainingData: there is no sample 4, there are 4'),
    );
  });
});

describe('detectionCollate', () => {
  it('stacks images and hands the targets of a batch to be packed', async () => {
    const seen: unknown[] = [];
    const pack = (targets: readonly Tensor[], size: readonly [number, number]): Tensor => {
      seen.push([targets.map(String), size]);
      return Tensor.zeros('float32', [7]);
    };
    const loader = new DataLoader(data({ augment: false }), {
      batchSize: 3,
      collate: detectionCollate(pack),
    });
    const batches: Batch[] = [];
    for await (const batch of loader) batches.push(batch);
    const [first, second] = batches;
    expect([String(first!.input), String(first!.target), first!.indices]).toEqual([
      'float32[3, 3, 64, 64]',
      'float32[7]',
      [0, 1, 2],
    ]);
    expect(String(second!.input)).toBe('float32[1, 3, 64, 64]');
    expect(seen).toEqual([
      [Array(3).fill('float32[1, 5]'), [64, 64]],
      [['float32[0, 5]'], [64, 64]],
    ]);
    expect(first!.sampleTargets!().map(String)).toEqual(Array(3).fill('float32[7]'));
    expect(seen.slice(2)).toEqual(Array(3).fill([['float32[1, 5]'], [64, 64]]));
  });
});
