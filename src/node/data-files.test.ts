import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync, zipSync } from 'fflate';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sharedFolder } from '../../test/model-files.ts';
import { ArgumentError, FileError, FormatError, ShapeError, UnsupportedError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import { DataLoader, type Dataset, IMAGENET_NORMALIZATION } from '../data/index.ts';
import { loadCifar10, loadDataset, loadMnist, readCifar10Png } from './index.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-data-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(path: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), bytes);
}

const bytes = (count: number, value: (index: number) => number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => value(i));

/** An idx file of bytes. */
function idx(shape: readonly number[], value: (index: number) => number): Uint8Array {
  const head = Uint8Array.from([
    0,
    0,
    8,
    shape.length,
    ...shape.flatMap((dim) => [0, 0, dim >> 8, dim & 255]),
  ]);
  return Buffer.concat([
    head,
    bytes(
      shape.reduce((size, dim) => size * dim, 1),
      value,
    ),
  ]);
}

/** One half of MNIST: `count` images, image i of value i everywhere and of class i % 10. */
function writeMnist(place: string, half: 'train' | 't10k', count: number): void {
  write(
    `${place}${half}-images-idx3-ubyte`,
    idx([count, 28, 28], (i) => Math.floor(i / 784)),
  );
  write(
    `${place}${half}-labels-idx1-ubyte`,
    idx([count], (i) => i % 10),
  );
}

function npy(descr: string, shape: readonly number[], data: ArrayBufferView): Uint8Array {
  const tuple = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }\n`;
  const head = Buffer.concat([
    Buffer.from([0x93]),
    Buffer.from('NUMPY'),
    Buffer.from([1, 0, header.length, 0]),
  ]);
  return Buffer.concat([
    head,
    Buffer.from(header),
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ]);
}

const record = (label: number, value: number): Uint8Array =>
  Buffer.concat([Uint8Array.of(label), bytes(3072, () => value)]);

const first = async (dataset: Dataset): Promise<{ input: number[]; target: number[] }> => {
  const { input, target } = await dataset.get(0, new Generator(0));
  return { input: [...input.float32], target: target.toNumbers() };
};

describe('loadMnist', () => {
  it('reads both halves, plain or packed, under either spelling', () => {
    writeMnist('', 'train', 12);
    write('t10k-images.idx3-ubyte.gz', gzipSync(idx([2, 28, 28], () => 255)));
    write('t10k-labels.idx1-ubyte.gz', gzipSync(idx([2], (i) => 8 + i)));
    expect(loadMnist(folder, { size: 32 }).inputs.shape).toEqual([12, 1, 32, 32]);
    const test = loadMnist(folder, { train: false, normalize: false });
    expect(test.targets.toNumbers()).toEqual([8, 9]);
    expect(test.inputs.float32[0]).toBe(1);
  });

  it('goes by the names and figures of Fashion-MNIST where told', () => {
    writeMnist('', 'train', 10);
    const dataset = loadMnist(folder, { variant: 'fashion' });
    expect(dataset.classes?.[9]).toBe('Ankle boot');
    expect(dataset.inputs.float32[0]).toBeCloseTo(-0.286 / 0.353, 6);
  });

  it('says which file is missing or damaged', () => {
    expect(() => loadMnist(folder, { train: false })).toThrow(
      new FileError(
        folder,
        'holds no test half of MNIST; expected t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, or those with .gz',
      ),
    );
    writeMnist('', 'train', 1);
    write('train-labels-idx1-ubyte', new Uint8Array(3));
    expect(() => loadMnist(folder)).toThrow(FormatError);
    expect(() => loadMnist(folder)).toThrow(
      `${folder}: idx at byte 3: the file is cut off before its header`,
    );
    expect(() => loadMnist(folder, { variant: 'kmnist' as 'mnist' })).toThrow(
      new ArgumentError("loadMnist: expected the variant 'mnist' or 'fashion', got 'kmnist'"),
    );
  });
});

describe('loadCifar10', () => {
  it('joins the training batches, and names a damaged or missing one', async () => {
    for (let batch = 1; batch <= 5; batch++) {
      write(`data_batch_${batch}.bin`, Buffer.concat([record(batch, 51 * batch), record(0, 0)]));
    }
    const dataset = loadCifar10(folder, { normalize: false });
    expect([dataset.length, dataset.classes?.length]).toEqual([10, 10]);
    const { input, target } = dataset.batch!([8, 0, 9]);
    expect(target.toNumbers()).toEqual([5, 1, 0]);
    expect([0, 3072, 6144].map((start) => input.float32[start])).toEqual([1, Math.fround(0.2), 0]);
    expect(() => loadCifar10(folder, { train: false })).toThrow(/test_batch\.bin: cannot be read/);
    write('data_batch_3.bin', new Uint8Array(100));
    expect(() => loadCifar10(folder)).toThrow(
      /data_batch_3\.bin: CIFAR-10 at byte 0: the file has 100 bytes/,
    );
  });
});

describe('readCifar10Png', () => {
  /** Rows of images whose red is `value`, whose green grows along the pixels and whose blue is 0. */
  async function writeBatch(number: number, values: readonly number[], width = 1024): Promise<void> {
    const pixels = bytes(values.length * width * 3, (i) => {
      const place = Math.floor(i / 3) % width;
      return [values[Math.floor(i / 3 / width)]!, place % 256, 0][i % 3]!;
    });
    const image = sharp(pixels, { raw: { width, height: values.length, channels: 3 } });
    write(`cifar10_batch_${number}.png`, await image.png().toBuffer());
  }

  it('reads a row per image and a channel per plane', async () => {
    await writeBatch(10, [255]);
    await writeBatch(2, [51, 0]);
    await writeBatch(50, [102]);
    write('labels.json', JSON.stringify({ 2: [3, 4], 10: [5], 50: [6] }));
    const train = await readCifar10Png(folder, { normalize: false });
    // By number, not by name.
    expect(train.targets.toNumbers()).toEqual([3, 4, 5]);
    expect(String(train.inputs)).toBe('float32[3, 3, 32, 32]');
    const value = (n: number, channel: number, pixel: number): number =>
      Math.round(train.inputs.float32[(n * 3 + channel) * 1024 + pixel]! * 255);
    expect([value(0, 0, 0), value(1, 0, 5), value(2, 0, 1023)]).toEqual([51, 0, 255]);
    expect([value(0, 1, 0), value(0, 1, 200), value(2, 1, 1023)]).toEqual([0, 200, 255]);
    expect(value(2, 2, 77)).toBe(0);
    const test = await readCifar10Png(folder, { train: false });
    expect(test.targets.toNumbers()).toEqual([6]);
  });

  it('refuses labels and pictures that do not fit', async () => {
    await expect(readCifar10Png(folder)).rejects.toThrow(
      new FileError(
        folder,
        'holds no CIFAR-10 in PNG; expected labels.json and cifar10_batch_<number>.png, numbers below 50',
      ),
    );
    await writeBatch(0, [1, 2]);
    write('labels.json', '{"0": [1]}');
    await expect(readCifar10Png(folder)).rejects.toThrow(
      /batch_0\.png: 2 rows of 1024 pixels in 3 channels, and 1 labels; expected 1024 pixels in 3 channels/,
    );
    write('labels.json', '{"1": [1]}');
    await expect(readCifar10Png(folder)).rejects.toThrow(/and no labels; expected/);
    for (const [text, message] of [
      ['{', 'CIFAR-10: labels.json is no JSON: '],
      ['[1]', 'CIFAR-10: labels.json is no object of arrays'],
      ['{"0": [1, 10]}', 'CIFAR-10 at 0: labels.json is no array of the numbers 0 to 9'],
    ] as const) {
      write('labels.json', text);
      await expect(readCifar10Png(folder)).rejects.toThrow(FormatError);
      await expect(readCifar10Png(folder)).rejects.toThrow(message);
    }
    write('labels.json', '{"0": [1, 2]}');
    await writeBatch(0, [1, 2], 1000);
    await expect(readCifar10Png(folder)).rejects.toThrow(/2 rows of 1000 pixels/);
    write('cifar10_batch_0.png', 'text');
    await expect(readCifar10Png(folder)).rejects.toThrow(/batch_0\.png: .*unsupported image format/);
  });

  it('reads the batches of shared data', async ({ skip }) => {
    const shared = sharedFolder('data/cifar10');
    if (shared === null) skip('shared/data/cifar10 is absent');
    const { train, test, kind, split, inputShape, classes } = await loadDataset(shared!, {
      normalize: IMAGENET_NORMALIZATION,
    });
    expect({ kind, split, inputShape, count: [train.length, test.length] }).toEqual({
      kind: 'cifar10-png',
      split: 'files',
      inputShape: [3, 32, 32],
      count: [4000, 1000],
    });
    expect(classes?.[6]).toBe('frog');
    // The first image of CIFAR-10 is a frog, whose first pixel is [59, 62, 63].
    const { input, target } = await first(train);
    expect(target).toEqual([6]);
    const { mean, std } = IMAGENET_NORMALIZATION;
    [59, 62, 63].forEach((value, channel) => {
      expect(input[channel * 1024]).toBeCloseTo((value / 255 - mean[channel]!) / std[channel]!, 5);
    });
  });
});

describe('loadDataset', () => {
  it('finds MNIST, also where downloads put it, and holds out a test half where there is none', async () => {
    writeMnist('MNIST/raw/', 'train', 20);
    const found = await loadDataset(folder, { heldOut: 0.25, seed: 3 });
    expect({ ...found, train: found.train.length, test: found.test.length }).toMatchObject({
      kind: 'mnist',
      split: 'held-out',
      inputShape: [1, 28, 28],
      train: 15,
      test: 5,
    });
    const targets = async (dataset: Dataset): Promise<number[]> => {
      const result: number[] = [];
      for await (const { input } of new DataLoader(dataset, { batchSize: 20 })) {
        for (let row = 0; row < input.shape[0]!; row++) {
          const value = (input.float32[row * 784]! * 0.3081 + 0.1307) * 255;
          result.push(Math.abs(Math.round(value)));
        }
      }
      return result;
    };
    const [train, test] = [await targets(found.train), await targets(found.test)];
    expect([...train, ...test].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    const again = await loadDataset(folder, { heldOut: 0.25, seed: 3 });
    expect(await targets(again.test)).toEqual(test);
    writeMnist('MNIST/raw/', 't10k', 3);
    expect(await loadDataset(folder, { size: 32 })).toMatchObject({
      split: 'files',
      inputShape: [1, 32, 32],
      test: { length: 3 },
    });
    await expect(loadDataset(folder, { size: 64 })).rejects.toThrow(
      /holds MNIST, whose size is 28 or 32; got 64/,
    );
  });

  it('takes idx files below a folder called so for Fashion-MNIST', async () => {
    writeMnist('FashionMNIST/raw/', 'train', 10);
    const { kind, classes } = await loadDataset(folder);
    expect([kind, classes?.[0]]).toEqual(['fashion-mnist', 'T-shirt/top']);
    writeMnist('fashion-mnist/', 'train', 10);
    expect((await loadDataset(join(folder, 'fashion-mnist'))).kind).toBe('fashion-mnist');
  });

  it("finds CIFAR-10's binary batches, and misses none silently", async () => {
    for (let batch = 1; batch <= 5; batch++) {
      write(`cifar-10-batches-bin/data_batch_${batch}.bin`, record(batch, batch));
    }
    write('cifar-10-batches-bin/test_batch.bin', record(9, 0));
    const { kind, split, train, test } = await loadDataset(folder);
    expect([kind, split, train.length, test.length]).toEqual(['cifar10', 'files', 5, 1]);
    rmSync(join(folder, 'cifar-10-batches-bin', 'data_batch_4.bin'));
    await expect(loadDataset(folder)).rejects.toThrow(
      /data_batch_4\.bin: cannot be read: there is no such file/,
    );
  });

  it('finds arrays in files of their names, or in one .npz', async () => {
    const files = {
      'x_train.npy': npy('|u1', [2, 2, 1], Uint8Array.of(0, 255, 51, 0)),
      'y_train.npy': npy('<i8', [2, 1], BigInt64Array.of(0n, 1n)),
      'x_test.npy': npy('|u1', [1, 2, 1], Uint8Array.of(255, 255)),
      'y_test.npy': npy('|u1', [1], Uint8Array.of(4)),
    };
    for (const [name, content] of Object.entries(files)) write(name, content);
    write('all.npz', zipSync(files));
    for (const path of [folder, join(folder, 'all.npz')]) {
      const { kind, split, inputShape, train, test, classes } = await loadDataset(path);
      expect([kind, split, inputShape, train.length, test.length]).toEqual([
        'arrays',
        'files',
        [1, 2, 1],
        2,
        1,
      ]);
      // As many classes in both halves as the higher of them asks for.
      expect(classes).toEqual(['0', '1', '2', '3', '4']);
      expect(await first(train)).toEqual({ input: [0, 1], target: [0] });
      expect(await first(test)).toEqual({ input: [1, 1], target: [4] });
    }
  });

  it.each([
    { shape: [4, 1, 1, 3], layout: undefined, expected: [1, 1, 3], why: 'both may be channels' },
    { shape: [4, 2, 1, 3], layout: undefined, expected: [3, 2, 1], why: 'only the last may' },
    { shape: [4, 3, 1, 2], layout: undefined, expected: [3, 1, 2], why: 'only the second may' },
    { shape: [4, 1, 1, 3], layout: 'hwc', expected: [3, 1, 1], why: 'one is told' },
  ] as const)('tells the layout of bytes of $shape where $why', async ({ shape, layout, expected }) => {
    write(
      'images.npy',
      npy(
        '|u1',
        shape,
        bytes(
          shape.reduce((size: number, dim) => size * dim, 1),
          (i) => i,
        ),
      ),
    );
    write('labels.npy', npy('<i4', [4], Int32Array.of(0, 1, 0, 1)));
    const { inputShape } = await loadDataset(folder, layout === undefined ? {} : { layout });
    expect(inputShape).toEqual(expected);
  });

  it('keeps floats as they are, features of bytes in their shape, and targets that are no classes without names', async () => {
    write(
      'x.npy',
      npy(
        '<f8',
        [4, 3],
        Float64Array.from({ length: 12 }, (_, i) => i / 2),
      ),
    );
    write('y.npy', npy('<f4', [4, 1], Float32Array.of(0.5, 1, 1.5, 2)));
    const { train, inputShape, classes } = await loadDataset(folder, { heldOut: 0.5 });
    expect([inputShape, classes]).toEqual([[3], undefined]);
    const { input, target } = await first(train);
    expect(input[0]).toBe(3 * (target[0]! - 0.5) * 1);
    write(
      'x.npy',
      npy(
        '|u1',
        [4, 2],
        bytes(8, () => 255),
      ),
    );
    expect((await first((await loadDataset(folder)).train)).input).toEqual([1, 1]);
    write('x.npy', npy('<f2', [4], new Uint16Array(4)));
    await expect(loadDataset(folder)).rejects.toThrow(
      new UnsupportedError(
        'loadDataset: the inputs are float16[4]; expected whole numbers, float32 or float64',
      ),
    );
    write('x.npy', npy('|u1', [4, 1, 1, 1, 1], new Uint8Array(4)));
    await expect(loadDataset(folder)).rejects.toThrow(ShapeError);
    await expect(loadDataset(folder)).rejects.toThrow(
      'loadDataset: the inputs are uint8[4, 1, 1, 1, 1]; expected images of bytes as uint8[N, H, W]',
    );
  });

  const image = async (path: string): Promise<void> => {
    const pixels = sharp({ create: { width: 3, height: 3, channels: 3, background: '#ff0000' } });
    write(path, await pixels.png().toBuffer());
  };

  it('finds class folders, in halves or not', async () => {
    for (const half of ['train', 'val', 'test']) {
      for (const name of ['a', 'b']) await image(`${half}/${name}/0.png`);
    }
    await image('val/b/1.png');
    const { kind, split, train, test, inputShape, classes } = await loadDataset(folder, { size: [2, 4] });
    expect([kind, split, train.length, test.length, inputShape, classes]).toEqual([
      'images',
      'files',
      2,
      3,
      [3, 2, 4],
      ['a', 'b'],
    ]);
    const flat = await loadDataset(join(folder, 'val'), { heldOut: 0.4, channels: 1, size: 2 });
    expect([flat.split, flat.train.length, flat.test.length, flat.inputShape]).toEqual([
      'held-out',
      2,
      1,
      [1, 2, 2],
    ]);
    await image('val/c/0.png');
    await expect(loadDataset(folder)).rejects.toThrow(
      'the class folders of train are a, b, those of val a, b, c; expected the same',
    );
  });

  it('tells of broken images, and normalizes where figures are given', async () => {
    for (const name of ['0', '1', '2', '3']) await image(`a/${name}.png`);
    write('a/x.png', 'text');
    const told: string[] = [];
    const { train } = await loadDataset(folder, {
      size: 1,
      normalize: { mean: [0, 0, 1], std: [0.5, 1, 1] },
      onBroken: ({ path }) => told.push(path),
    });
    expect(told).toEqual([join(folder, 'a', 'x.png')]);
    expect((await first(train)).input).toEqual([2, 0, -1]);
  });

  it('says what it looked for where there is nothing', async () => {
    await image('images/train/0.png');
    write('labels/train/0.txt', '0 0.5 0.5 1 1');
    await expect(loadDataset(folder)).rejects.toThrow(FileError);
    await expect(loadDataset(folder)).rejects.toThrow(
      'holds no data set that is known; looked for train-images-idx3-ubyte (MNIST), data_batch_1.bin (CIFAR-10), cifar10_batch_0.png with labels.json, .npy or .npz arrays (x_train and y_train; train_images and train_labels; x and y; X and y; images and labels), and class folders of images',
    );
    await expect(loadDataset(join(folder, 'ghost'))).rejects.toThrow(
      'ghost: cannot be read: there is no such file or folder',
    );
    await expect(loadDataset(join(folder, 'labels', 'train', '0.txt'))).rejects.toThrow(/holds no data set/);
    await expect(loadDataset(folder, { heldOut: 1 })).rejects.toThrow(
      new ArgumentError('loadDataset: expected heldOut between 0 and 1, got 1'),
    );
  });

  it('refuses a split that leaves a half empty', async () => {
    write('x.npy', npy('<f4', [1, 1], Float32Array.of(1)));
    write('y.npy', npy('<f4', [1], Float32Array.of(1)));
    await expect(loadDataset(folder)).rejects.toThrow(
      new FileError(folder, 'has 1 training and 0 test samples; expected some of each'),
    );
  });
});
