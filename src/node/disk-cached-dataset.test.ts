import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArgumentError, FileError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import { DetectionTrainingData, scaledDataset } from '../detect/index.ts';
import {
  type DiskCachedDataset,
  diskCachedDataset,
  readYoloData,
  type YoloDataset,
  yoloDataset,
} from './index.ts';

let folder = '';
let path = '';
let opened: DiskCachedDataset[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-cache-'));
  path = join(folder, 'train.images');
  opened = [];
  mkdirSync(join(folder, 'images'));
  mkdirSync(join(folder, 'labels'));
  writeFileSync(join(folder, 'set.yaml'), 'train: images\nnames: [a, b]\n');
  writeFileSync(join(folder, 'labels', '1.txt'), '1 0.5 0.5 0.5 0.5');
  for (const index of [0, 1, 2]) await paint(index);
});
afterEach(() => {
  for (const cache of opened) cache.close();
  rmSync(folder, { recursive: true });
});

/** An image of noise, 40 x 20, another for each seed. */
async function paint(index: number, seed = index): Promise<void> {
  const noise = Uint8Array.from(new Generator(seed).randint(40 * 20 * 3, 0, 256));
  await sharp(noise, { raw: { width: 40, height: 20, channels: 3 } })
    .png()
    .toFile(join(folder, 'images', `${index}.png`));
}

/** The data set, and which images were asked of it. */
async function source(): Promise<{ dataset: YoloDataset; asked: number[] }> {
  const dataset = await yoloDataset(readYoloData(join(folder, 'set.yaml')), 'train');
  const asked: number[] = [];
  const counted: YoloDataset = {
    ...dataset,
    get: (index) => {
      asked.push(index);
      return dataset.get(index);
    },
  };
  return { dataset: counted, asked };
}

async function open(dataset: YoloDataset, longest = 16): Promise<DiskCachedDataset> {
  const cache = await diskCachedDataset(dataset, { path, longest });
  opened.push(cache);
  return cache;
}

/** All images equal those that are scaled anew. */
async function expectRight(cache: DiskCachedDataset, longest = 16): Promise<void> {
  const { dataset } = await source();
  const fresh = scaledDataset(dataset, { longest });
  for (let index = 0; index < cache.length; index++)
    expect(await cache.get(index), `image ${index}`).toEqual(await fresh.get(index));
}

describe('diskCachedDataset', () => {
  it('decodes images once, and finds them again the next time', async () => {
    const { dataset, asked } = await source();
    const done: number[] = [];
    const first = await diskCachedDataset(dataset, {
      path,
      longest: 16,
      onProgress: (count) => done.push(count),
    });
    opened.push(first);
    expect([first.reused, first.isCached, first.longest, done]).toEqual([0, true, 16, [3]]);
    await expectRight(first);
    await expectRight(first);
    expect(asked).toEqual([0, 1, 2]);
    expect(readdirSync(folder).sort()).toEqual([
      'images',
      'labels',
      'set.yaml',
      'train.images',
      'train.images.json',
    ]);
    const second = await open(dataset);
    expect(second.reused).toBe(3);
    await expectRight(second);
    expect(asked).toHaveLength(3);
    expect((await second.get(1))!.labels).toEqual([{ label: 1, box: [4, 2, 12, 6] }]);
  });

  it('decodes anew what has changed, and keeps the rest', async () => {
    await open((await source()).dataset);
    await paint(1, 77);
    await paint(3);
    const { dataset, asked } = await source();
    const cache = await open(dataset);
    expect([cache.reused, [...new Set(asked)].sort()]).toEqual([2, [1, 3]]);
    await expectRight(cache);
    utimesSync(join(folder, 'images', '2.png'), 5, 5);
    const { dataset: touched } = await source();
    expect((await open(touched)).reused).toBe(3);
  });

  it('takes new labels without decoding', async () => {
    await open((await source()).dataset);
    writeFileSync(join(folder, 'labels', '0.txt'), '0 0.5 0.5 1 1');
    const { dataset, asked } = await source();
    const cache = await open(dataset);
    expect((await cache.get(0))!.labels).toEqual([{ label: 0, box: [0, 0, 16, 8] }]);
    expect([cache.reused, asked]).toEqual([3, []]);
  });

  it('is made anew for another size', async () => {
    await open((await source()).dataset);
    const cache = await open((await source()).dataset, 20);
    expect(cache.reused).toBe(0);
    await expectRight(cache, 20);
  });

  const damages: readonly [string, () => void][] = [
    ['an index that is no JSON', () => writeFileSync(`${path}.json`, '{"format":')],
    ['an index of something else', () => writeFileSync(`${path}.json`, '{"images":[1]}')],
    [
      'an index with numbers that are none',
      () =>
        writeFileSync(
          `${path}.json`,
          readFileSync(`${path}.json`, 'utf8').replaceAll('"height":8', '"height":"8"'),
        ),
    ],
    [
      'an index that points beyond the file',
      () =>
        writeFileSync(
          `${path}.json`,
          readFileSync(`${path}.json`, 'utf8').replaceAll('"offset":', '"offset":9'),
        ),
    ],
    [
      'an index of another cache',
      () => writeFileSync(`${path}.json`, readFileSync(`${path}.json`, 'utf8').replace(/"id":"./, '"id":"-')),
    ],
    ['no index', () => rmSync(`${path}.json`)],
    ['an index without images', () => rmSync(path)],
    ['a file cut off', () => truncateSync(path, 100)],
    ['an empty file', () => truncateSync(path, 0)],
  ];
  it.each(damages)('is made anew where there is %s', async (_, damage) => {
    (await open((await source()).dataset)).close();
    damage();
    const cache = await open((await source()).dataset);
    expect(cache.reused).toBe(0);
    await expectRight(cache);
    expect((await open((await source()).dataset)).reused).toBe(3);
  });

  it('decodes an image whose bytes in the file are damaged, and is made anew the next time', async () => {
    await open((await source()).dataset);
    const bytes = readFileSync(path);
    // The last image.
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    const { dataset, asked } = await source();
    const cache = await open(dataset);
    expect(cache.reused).toBe(3);
    await expectRight(cache);
    await expectRight(cache);
    expect(asked).toEqual([2, 2]);
    expect((await open((await source()).dataset)).reused).toBe(0);
  });

  it('does not copy damaged bytes into a new file', async () => {
    await open((await source()).dataset);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    await paint(0, 77);
    const cache = await open((await source()).dataset);
    await expectRight(cache);
  });

  it('leaves out what cannot be read, and is not made anew for it', async () => {
    const whole = readFileSync(join(folder, 'images', '1.png'));
    writeFileSync(join(folder, 'images', '1.png'), whole.subarray(0, whole.length / 2));
    const cache = await open((await source()).dataset);
    expect(await cache.get(1)).toBeNull();
    const id = readFileSync(path, 'latin1').slice(0, 52);
    const dataset = await yoloDataset(readYoloData(join(folder, 'set.yaml')), 'train');
    const again = await open(dataset);
    expect([again.reused, await again.get(1), dataset.broken.length]).toEqual([2, null, 1]);
    expect(readFileSync(path, 'latin1').slice(0, 52)).toBe(id);
  });

  it('decodes images once it is closed', async () => {
    const cache = await open((await source()).dataset);
    cache.close();
    cache.close();
    await expectRight(cache);
  });

  it('gives the same samples to train with as no cache', async () => {
    const { dataset } = await source();
    const cached = new DetectionTrainingData(await open(dataset, 32), { size: 32 });
    const plain = new DetectionTrainingData(dataset, { size: 32, cache: false });
    for (const index of [0, 1, 2])
      expect(await cached.get(index, new Generator(index))).toEqual(
        await plain.get(index, new Generator(index)),
      );
  });

  it('does not write over other files, nor where it cannot', async () => {
    const { dataset } = await source();
    writeFileSync(path, 'my thesis');
    await expect(open(dataset)).rejects.toThrow(
      new FileError(path, 'is no cache of images and is not written over; name another file'),
    );
    expect(readFileSync(path, 'utf8')).toBe('my thesis');
    const nowhere = join(folder, 'ghost', 'train.images');
    await expect(diskCachedDataset(dataset, { path: nowhere, longest: 16 })).rejects.toThrow(
      /ghost.train\.images: cannot be written: there is no such file or folder/,
    );
    await expect(diskCachedDataset(dataset, { path: nowhere, longest: 0 })).rejects.toThrow(ArgumentError);
  });
});
