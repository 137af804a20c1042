import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArgumentError, FileError, FormatError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import {
  type BrokenImage,
  detectionsSvg,
  drawDetections,
  labelPath,
  parseYoloLabels,
  readImage,
  readYoloData,
  yoloDataset,
} from './index.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-yolo-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const at = (...names: string[]): string => {
  const path = join(folder, ...names);
  mkdirSync(dirname(path), { recursive: true });
  return path;
};

const write = (text: string, ...names: string[]): string => {
  const path = at(...names);
  writeFileSync(path, text);
  return path;
};

const image = (width: number, height: number, ...names: string[]): Promise<unknown> =>
  sharp({ create: { width, height, channels: 3, background: '#405060' } }).toFile(at(...names));

const NAMES = 'names: [a, b]\n';

describe('readYoloData', () => {
  it('reads names and parts, relative to the root', () => {
    const path = write(
      'path: data\ntrain: [images/one, images/two.txt]\nval: images/val\ntest:\nnames:\n  1: b\n  0: yes\nnc: 2\n',
      'set.yaml',
    );
    expect(readYoloData(path)).toEqual({
      path,
      names: ['yes', 'b'],
      splits: {
        train: [at('data', 'images', 'one'), at('data', 'images', 'two.txt')],
        val: [at('data', 'images', 'val')],
      },
    });
  });

  it('takes the folder of the yaml for the root, and tries paths from a sibling inside of it', async () => {
    await image(20, 20, 'valid', 'images', '0.png');
    const path = write(`train: images\nval: ../valid/images\n${NAMES}`, 'set.yaml');
    expect(readYoloData(path).splits).toEqual({ train: [at('images')], val: [at('valid', 'images')] });
  });

  it('says what is wrong with a file', () => {
    const cases: [string, RegExp][] = [
      ['names: [a', /set\.yaml: is no yaml: /],
      ['just text', /expected the keys 'names', 'train' and 'val'/],
      ['train: x', /'names' is missing; expected the names of the classes/],
      ['names: {a: b}', /'names' has a: "b"; expected a number and a name/],
      ['names: [[a]]', /'names' has 0: \["a"\]; expected a number and a name/],
      ['names: {0: a, 2: b}', /'names' has 2 classes, and one of number 2; expected the numbers 0 to 1/],
      [`${NAMES}nc: 3`, /'nc' says 3 classes, 'names' names 2/],
      [`${NAMES}train: 7`, /'train' is no path, nor a list of paths/],
      [`${NAMES}path: [x]`, /'path' is no text; expected a folder/],
    ];
    for (const [text, message] of cases) {
      const path = write(text, 'set.yaml');
      expect(() => readYoloData(path), text).toThrow(FormatError);
      expect(() => readYoloData(path), text).toThrow(message);
    }
    expect(() => readYoloData(at('ghost.yaml'))).toThrow(FileError);
  });
});

describe('labelPath', () => {
  it('changes the last folder of images', () => {
    expect(labelPath(join('images', 'x', 'images', 'val', 'a.b.jpg'))).toBe(
      join('images', 'x', 'labels', 'val', 'a.b.txt'),
    );
    expect(labelPath(join('pictures', 'a.jpg'))).toBe(join('pictures', 'a.txt'));
  });
});

describe('parseYoloLabels', () => {
  const size = { height: 100, width: 200 };

  it('reads boxes in pixels, each once', () => {
    expect(parseYoloLabels('1 0.5 0.5 0.5 0.2\r\n\n 0 .1 .1 .2 .2 \n1 0.50 0.5 0.5 0.2', size, 2)).toEqual([
      { label: 1, box: [50, 40, 150, 60] },
      { label: 0, box: [0, 0, 40, 20] },
    ]);
    expect(parseYoloLabels('', size, 2)).toEqual([]);
    expect(parseYoloLabels('0 0.5 0.5 1.00000001 1', size, 2)).toHaveLength(1);
  });

  it('takes the boxes around outlines', () => {
    expect(parseYoloLabels('0 0.25 0.5 0.5 0.25 0.75 0.5 0.5 0.75', size, 1)).toEqual([
      { label: 0, box: [50, 25, 150, 75] },
    ]);
  });

  it.each([
    ['0 0.5 0.5 0.5', 'line 1: expected a class and four numbers, got 4 numbers'],
    ['0', 'line 1: expected a class and four numbers, got 1 number'],
    ['0 0.5 0.5 0.5 0.5 0.9', 'line 1: expected a class and four numbers, got 6 numbers'],
    ['0 0 0 1 1 0 1\n0 0 0 1 1 0', 'line 2: expected a class and pairs of numbers, got 6 numbers'],
    ['0 0.5 0.5 0.5 0.5\n0 x 0.5 0.5 0.5', "line 2: 'x' is no number"],
    ['2 0.5 0.5 0.5 0.5', 'line 1: there is no class 2; the classes are 0 to 1'],
    ['0.5 0.5 0.5 0.5 0.5', 'line 1: there is no class 0.5; the classes are 0 to 1'],
    ['-1 0.5 0.5 0.5 0.5', 'line 1: there is no class -1; the classes are 0 to 1'],
    ['0 0.5 0.5 1.5 0.5', 'line 1: 1.5 is outside of the image; expected shares from 0 to 1'],
    ['0 -0.5 0.5 0.5 0.5', 'line 1: -0.5 is outside of the image; expected shares from 0 to 1'],
  ])('tells what is wrong with %j', (text, reason) => {
    expect(parseYoloLabels(text, size, 2)).toEqual({ reason });
  });
});

describe('yoloDataset', () => {
  it('gives images with their boxes, in the order of the paths', async () => {
    await image(40, 20, 'images', 'val', 'b.png');
    await image(20, 40, 'images', 'val', 'a.png');
    write('1 0.5 0.5 0.5 1', 'labels', 'val', 'b.txt');
    const path = write(`val: images/val\n${NAMES}`, 'set.yaml');
    const dataset = await yoloDataset(readYoloData(path), 'val');
    expect([dataset.length, dataset.names, dataset.broken]).toEqual([2, ['a', 'b'], []]);
    expect(dataset.sizes.map(({ height, width }) => [height, width])).toEqual([
      [40, 20],
      [20, 40],
    ]);
    const [first, second] = [await dataset.get(0), await dataset.get(1)];
    expect([String(first!.image), first!.labels]).toEqual(['uint8[40, 20, 3]', []]);
    expect([...(second!.image.data as Uint8Array).subarray(0, 3)]).toEqual([0x40, 0x50, 0x60]);
    expect(second!.labels).toEqual([{ label: 1, box: [10, 0, 30, 20] }]);
    await expect(dataset.get(2)).rejects.toThrow(
      new ArgumentError('yoloDataset: there is no image 2, there are 2'),
    );
    expect((await yoloDataset(readYoloData(path), 'val', { limit: 1 })).length).toBe(1);
  });

  it('reads lists of images, relative to the list, and each image once', async () => {
    await image(20, 20, 'images', 'a.png');
    await image(20, 20, 'images', 'b.png');
    write(`./images/a.png\n${at('images', 'b.png')}\nimages/a.png\nimages/notes.md\n`, 'some.txt');
    const data = readYoloData(write(`train: some.txt\n${NAMES}`, 'set.yaml'));
    const dataset = await yoloDataset(data, 'train');
    expect(dataset.images.map(({ path }) => path)).toEqual([at('images', 'a.png'), at('images', 'b.png')]);
  });

  it('tells of what is broken and goes on without it', async () => {
    await image(20, 20, 'images', '0.png');
    await image(20, 20, 'images', '1.png');
    await image(20, 9, 'images', '2.png');
    write('no image', 'images', '3.png');
    write('0 2 2 2 2', 'labels', '1.txt');
    const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 256);
    const whole = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .jpeg()
      .toBuffer();
    writeFileSync(at('images', '4.jpg'), whole.subarray(0, whole.length / 3));
    write('BM', 'images', '5.bmp');
    write('images/missing.png\nimages/6.dng\n', 'list.txt');
    const told: BrokenImage[] = [];
    const data = readYoloData(write(`val: [images, list.txt]\n${NAMES}`, 'set.yaml'));
    const dataset = await yoloDataset(data, 'val', { onBroken: (broken) => told.push(broken) });
    expect(dataset.images.map(({ path }) => path)).toEqual([at('images', '0.png'), at('images', '4.jpg')]);
    expect(told.map(({ path }) => path).sort()).toEqual([
      at('images', '2.png'),
      at('images', '3.png'),
      at('images', '5.bmp'),
      at('images', '6.dng'),
      at('images', 'missing.png'),
      at('labels', '1.txt'),
    ]);
    expect(told.find(({ path }) => path.endsWith('2.png'))!.reason).toBe(
      '20 x 9 pixels; expected at least 10 on a side',
    );
    expect(dataset.summary).toEqual({ found: 1, missing: 2, empty: 0, objects: 0, corrupt: 6 });
    // Its header is whole, its pixels are not.
    expect([await dataset.get(1), await dataset.get(1)]).toEqual([null, null]);
    expect([told.length, dataset.broken.length, dataset.summary.corrupt]).toEqual([7, 7, 7]);
  });

  it('counts what it found, as train.py does', async () => {
    for (const name of ['0', '1', '2', '3']) await image(20, 20, 'images', `${name}.png`);
    write('0 0.5 0.5 0.5 0.5\n1 0.5 0.5 0.5 0.5', 'labels', '0.txt');
    write('\n', 'labels', '1.txt');
    write('0 1', 'labels', '2.txt');
    const dataset = await yoloDataset(readYoloData(write(`val: images\n${NAMES}`, 'set.yaml')), 'val');
    expect(dataset.summary).toEqual({ found: 3, missing: 1, empty: 1, objects: 2, corrupt: 1 });
    expect(dataset.length).toBe(3);
  });

  it('says what is missing', async () => {
    const data = readYoloData(write(`val: images\ntrain: empty\ntest: bad\n${NAMES}`, 'set.yaml'));
    await expect(yoloDataset(data, 'val')).rejects.toThrow(
      /images: cannot be read: there is no such file or folder/,
    );
    mkdirSync(at('empty'));
    await expect(yoloDataset(data, 'train')).rejects.toThrow(
      /empty: no images; expected files that end in \.jpg/,
    );
    write('no image', 'bad', '0.png');
    await expect(yoloDataset(data, 'test')).rejects.toThrow(/none of the 1 images can be used: .*0\.png: /);
    const one = readYoloData(write(`val: images\n${NAMES}`, 'set.yaml'));
    await expect(yoloDataset(one, 'test')).rejects.toThrow(
      new FormatError(at('set.yaml'), "names no images for 'test'; it has val"),
    );
  });
});

describe('readImage', () => {
  it('gives RGB, turned as EXIF says, without transparency', async () => {
    const pixels = Uint8Array.from([200, 0, 0, 255, 0, 100, 0, 0]);
    await sharp(pixels, { raw: { width: 2, height: 1, channels: 4 } })
      .withMetadata({ orientation: 6 })
      .png()
      .toFile(at('a.png'));
    const turned = await readImage(at('a.png'));
    expect([String(turned), [...turned.bytes]]).toEqual(['uint8[2, 1, 3]', [200, 0, 0, 0, 100, 0]]);
    await sharp(Uint8Array.of(7, 9), { raw: { width: 2, height: 1, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toFile(at('grey.png'));
    expect([...(await readImage(at('grey.png'))).bytes]).toEqual([7, 7, 7, 9, 9, 9]);
  });

  it('refuses drawings', async () => {
    const path = write('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>', 'a.png');
    await expect(readImage(path)).rejects.toThrow(FormatError);
  });
});

describe('drawDetections', () => {
  const grey = new Tensor('uint8', [60, 80, 3], new Uint8Array(60 * 80 * 3).fill(128));
  const found = [{ label: 1, confidence: 0.5, box: [20, 20, 60, 50] as const }];

  it.each(['a.png', 'a.jpg', 'a.webp'])('draws boxes into %s', async (name) => {
    await drawDetections(grey, found, at(name));
    const drawn = await readImage(at(name));
    expect(drawn.shape).toEqual([60, 80, 3]);
    const pixel = (x: number, y: number): number[] => [
      ...(drawn.data as Uint8Array).subarray((y * 80 + x) * 3, (y * 80 + x) * 3 + 3),
    ];
    // The lower edge of the box is coloured, what is inside is not.
    const spread = (levels: number[]): number => Math.max(...levels) - Math.min(...levels);
    expect(spread(pixel(40, 50)) + spread(pixel(40, 49))).toBeGreaterThan(60);
    expect(spread(pixel(40, 45))).toBeLessThan(12);
  });

  it('writes names and confidences as text that is no markup', () => {
    const svg = detectionsSvg(found, { height: 60, width: 80 }, (label) => `<${label} & "x"\u0001>`);
    expect(svg).toContain('&#60;1 &#38; &#34;x&#34; &#62; 0.50');
    expect(detectionsSvg(found, { height: 60, width: 80 })).toContain('>1 0.50<');
  });

  it('draws the most confident last', () => {
    const two = [{ ...found[0]!, confidence: 0.9 }, found[0]!];
    const svg = detectionsSvg(two, { height: 60, width: 80 });
    expect(svg.indexOf('1 0.90')).toBeGreaterThan(svg.indexOf('1 0.50'));
  });

  it('refuses other files and images', async () => {
    await expect(drawDetections(grey, [], at('a.gif'))).rejects.toThrow(
      /expected a file that ends in \.jpg, \.jpeg, \.png, \.webp, got '.*a\.gif'/,
    );
    await expect(drawDetections(Tensor.zeros('uint8', [4, 4, 1]), [], at('a.png'))).rejects.toThrow(
      new ArgumentError('drawDetections: expected an image uint8[height, width, 3], got uint8[4, 4, 1]'),
    );
    write('', 'a.png');
    await expect(drawDetections(grey, [], at('a.png'))).rejects.toThrow(FileError);
    await drawDetections(grey, [], at('a.png'), { force: true });
    expect((await readImage(at('a.png'))).shape).toEqual([60, 80, 3]);
  });
});
