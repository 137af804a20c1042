import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArgumentError, EngineError, FileError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import type { Tensor } from '../core/tensor.ts';
import { DataLoader } from '../data/index.ts';
import { loadSharp } from './image-folder-decode.ts';
import { type BrokenImage, imageFolder } from './index.ts';

const random = new Generator(0);

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-images-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const at = (...names: string[]): string => {
  const path = join(folder, ...names);
  mkdirSync(dirname(path), { recursive: true });
  return path;
};

/** Writes an image of one colour, [r, g, b]. */
async function colour(path: string, [r, g, b]: readonly [number, number, number], size = 4): Promise<void> {
  await sharp({ create: { width: size, height: size, channels: 3, background: { r, g, b } } }).toFile(path);
}

/** Writes pixels, [height][width] of grey. */
async function grey(path: string, rows: readonly (readonly number[])[], orientation?: number): Promise<void> {
  const [height, width] = [rows.length, rows[0]!.length];
  const image = sharp(Uint8Array.from(rows.flat()), { raw: { width, height, channels: 1 } });
  if (orientation !== undefined) image.withMetadata({ orientation });
  await image.toColourspace('b-w').toFile(path);
}

const bytesOf = (input: Tensor): number[] => Array.from(input.float32, (value) => Math.round(value * 255));
const names = (paths: readonly string[]): string[] =>
  paths.map((path) => path.slice(folder.length + 1).replaceAll('\\', '/'));

describe('imageFolder', () => {
  it('names classes by their folders, sorted, and finds images below them', async () => {
    await colour(at('dog', '2.PNG'), [255, 0, 0]);
    await colour(at('dog', '1.webp'), [0, 255, 0]);
    await colour(at('cat', 'inner', '0.jpg'), [0, 0, 255]);
    await colour(at('.cache', 'x.png'), [0, 0, 0]);
    writeFileSync(at('dog', 'notes.txt'), 'not an image');
    const dataset = await imageFolder(folder, { size: 2 });
    expect(dataset.classes).toEqual(['cat', 'dog']);
    expect(names(dataset.files.map(({ path }) => path))).toEqual([
      'cat/inner/0.jpg',
      'dog/1.webp',
      'dog/2.PNG',
    ]);
    expect(dataset.files.map(({ label }) => label)).toEqual([0, 1, 1]);
    expect([dataset.length, dataset.inputShape]).toEqual([3, [3, 2, 2]]);
    const { input, target } = await dataset.get(2, random);
    expect([String(input), String(target), target.toNumbers()]).toEqual(['float32[3, 2, 2]', 'int64[]', [1]]);
    expect([...input.float32]).toEqual([1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('makes grey images RGB, and colours grey where one channel is asked for', async () => {
    await grey(at('a', 'grey.png'), [[0, 100]]);
    await colour(at('a', 'white.png'), [255, 255, 255]);
    const rgb = await imageFolder(folder, { size: [1, 2] });
    expect(bytesOf((await rgb.get(0, random)).input)).toEqual([0, 100, 0, 100, 0, 100]);
    const one = await imageFolder(folder, { size: [1, 2], channels: 1 });
    expect(bytesOf((await one.get(0, random)).input)).toEqual([0, 100]);
    expect([String((await one.get(1, random)).input), ...bytesOf((await one.get(1, random)).input)]).toEqual([
      'float32[1, 1, 2]',
      255,
      255,
    ]);
  });

  it('turns images as their EXIF orientation says', async () => {
    // Orientation 6: to be turned a quarter clockwise, so that the left column becomes the top row.
    await grey(at('a', '0.png'), [[0, 200]], 6);
    const { input } = await (await imageFolder(folder, { size: [2, 1], channels: 1 })).get(0, random);
    expect(bytesOf(input)).toEqual([0, 200]);
  });

  it('covers the size, fits into it or stretches', async () => {
    await grey(at('a', '0.png'), [[20, 20, 220, 220, 20, 20]]);
    const shown = async (fit: 'cover' | 'contain' | 'fill'): Promise<number[]> => {
      const dataset = await imageFolder(folder, { size: [2, 6], channels: 1, fit });
      return bytesOf((await dataset.get(0, random)).input);
    };
    const [cover, contain, fill] = [await shown('cover'), await shown('contain'), await shown('fill')];
    // Twice as large, of which the middle six columns are kept, symmetric as the image is.
    expect(cover.slice(0, 6)).toEqual([70, 170, 220, 220, 170, 70]);
    expect(cover.slice(6)).toEqual(cover.slice(0, 6));
    // One row of the image, one of the black edge.
    expect([contain.slice(0, 6), contain.slice(6)].map((row) => row.join()).sort()).toEqual([
      '0,0,0,0,0,0',
      '20,20,220,220,20,20',
    ]);
    expect(fill).toEqual([20, 20, 220, 220, 20, 20, 20, 20, 220, 220, 20, 20]);
  });

  it('shrinks by averaging', async () => {
    await grey(at('a', '0.png'), [[10, 10, 200, 200, 10, 10]]);
    const dataset = await imageFolder(folder, { size: [1, 3], channels: 1, fit: 'fill' });
    // PyTorch's antialias: 37.1, 152.5, 37.1.
    const shrunk = bytesOf((await dataset.get(0, random)).input);
    [37, 153, 37].forEach((value, i) => {
      expect(Math.abs(shrunk[i]! - value)).toBeLessThanOrEqual(4);
    });
  });

  it('normalizes by figures per channel', async () => {
    await colour(at('a', '0.png'), [255, 0, 255]);
    const normalize = { mean: [0.5, 0, 0], std: [0.5, 1, 2] };
    const dataset = await imageFolder(folder, { size: 1, normalize });
    expect([...(await dataset.get(0, random)).input.float32]).toEqual([1, 0, 0.5]);
  });

  it('leaves out at first what is no image, and tells', async () => {
    await colour(at('a', '1.png'), [9, 9, 9]);
    writeFileSync(at('a', '0.png'), 'plain text');
    writeFileSync(at('a', '2.png'), '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>');
    const told: BrokenImage[] = [];
    const dataset = await imageFolder(folder, { size: 2, onBroken: (image) => told.push(image) });
    expect(names(dataset.files.map(({ path }) => path))).toEqual(['a/1.png']);
    expect(names(told.map(({ path }) => path))).toEqual(['a/0.png', 'a/2.png']);
    expect(told[0]!.reason).toMatch(/unsupported image format/);
    expect(told[1]!.reason).toBe(
      'image: the format is svg; expected one of jpeg, png, webp, gif, tiff, heif',
    );
    expect(dataset.broken).toEqual(told);
  });

  it('puts the next image of the class in the place of one whose pixels are damaged', async () => {
    for (const [index, value] of [10, 20, 30].entries()) {
      await colour(at('b', `${index}.png`), [value, value, value], 64);
    }
    await colour(at('a', '0.png'), [0, 0, 0]);
    const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 256);
    const whole = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .jpeg()
      .toBuffer();
    writeFileSync(at('b', '3.jpg'), whole.subarray(0, whole.length / 3));
    writeFileSync(at('b', '1.png'), readFileSync(at('b', '1.png')).subarray(0, -40));
    const told: BrokenImage[] = [];
    const dataset = await imageFolder(folder, { size: 2, onBroken: (image) => told.push(image) });
    expect([dataset.length, told]).toEqual([5, []]);
    const read = async (): Promise<(number | undefined)[][]> => {
      const rows: (number | undefined)[][] = [];
      for await (const { input, target } of new DataLoader(dataset, { batchSize: 5 })) {
        const labels = target.toNumbers();
        rows.push(
          labels,
          labels.map((_, row) => bytesOf(input)[row * 12]),
        );
      }
      return rows;
    };
    const first = await read();
    // The last has the first of its class for a neighbour.
    expect(first).toEqual([
      [0, 1, 1, 1, 1],
      [0, 10, 30, 30, 10],
    ]);
    expect(await read()).toEqual(first);
    expect(names(told.map(({ path }) => path)).sort()).toEqual(['b/1.png', 'b/3.jpg']);
    expect(dataset.broken.length).toBe(2);
  });

  it('reads no headers where that is not wanted, and fails only where a class has nothing to show', async () => {
    writeFileSync(at('a', '0.png'), 'text');
    writeFileSync(at('a', '1.png'), 'text');
    await colour(at('b', '0.png'), [1, 2, 3]);
    const dataset = await imageFolder(folder, { size: 2, verify: false });
    expect([dataset.length, dataset.broken.length]).toEqual([3, 0]);
    await expect(dataset.get(1, random)).rejects.toThrow(FileError);
    await expect(dataset.get(1, random)).rejects.toThrow(
      /1\.png: cannot be read, nor can any other image of the class 'a': .*unsupported image format/,
    );
    expect((await dataset.get(2, random)).target.toNumbers()).toEqual([1]);
    await expect(dataset.get(3, random)).rejects.toThrow(
      new ArgumentError('imageFolder: there is no image 3, there are 3'),
    );
  });

  it.skipIf(process.platform === 'win32')('takes links to files, and no others', async () => {
    await colour(at('a', '0.png'), [1, 2, 3]);
    symlinkSync(at('a', '0.png'), at('a', '1.png'));
    symlinkSync(at('a', 'nowhere'), at('a', '2.png'));
    symlinkSync(folder, at('a', 'circle'));
    symlinkSync(at('nowhere'), at('b'));
    const dataset = await imageFolder(folder, { size: 1 });
    expect(names(dataset.files.map(({ path }) => path))).toEqual(['a/0.png', 'a/1.png']);
  });

  it('says what is missing', async () => {
    const fails = (path: string): Promise<unknown> => imageFolder(path, { size: 1 });
    await expect(fails(join(folder, 'ghost'))).rejects.toThrow(
      /ghost: cannot be read: there is no such file or folder/,
    );
    await expect(fails(folder)).rejects.toThrow(
      new FileError(folder, 'holds no class folders; expected <class>/<image>'),
    );
    writeFileSync(at('b', 'x.txt'), '');
    writeFileSync(at('a', 'x.png'), '');
    await expect(fails(folder)).rejects.toThrow(
      `${folder}: no images in the class folders b; expected files that end in .jpg, .jpeg, .png`,
    );
    rmSync(at('b'), { recursive: true });
    await expect(fails(folder)).rejects.toThrow(/none of its 1 images can be read: /);
  });

  it('refuses options that do not fit', async () => {
    const cases: [Parameters<typeof imageFolder>[1], string][] = [
      [{ size: 0 }, 'expected a size of whole numbers above 0, height first; got [0, 0]'],
      [{ size: 1, fit: 'crop' as 'cover' }, "expected fit 'cover', 'contain' or 'fill', got 'crop'"],
      [{ size: 1, channels: 4 as 3 }, 'expected 1 or 3 channels, got 4'],
      [
        { size: 1, channels: 1, normalize: { mean: [0, 0, 0], std: [1, 1, 1] } },
        'the images have 1 channels, the mean to normalize by has 3',
      ],
    ];
    for (const [options, message] of cases) {
      await expect(imageFolder(folder, options)).rejects.toThrow(
        new ArgumentError(`imageFolder: ${message}`),
      );
    }
  });
});

describe('loadSharp', () => {
  it('says what to install where the package is missing', async () => {
    const missing = loadSharp('imageFolder', () => Promise.reject(new Error('Cannot find package')));
    await expect(missing).rejects.toThrow(
      new EngineError(
        "imageFolder: images are decoded by the package 'sharp', which cannot be loaded; run `npm install sharp` (0.34 or newer)",
      ),
    );
    await expect(missing).rejects.toMatchObject({ cause: new Error('Cannot find package') });
  });
});
