import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readYoloData } from '../src/node/index.ts';
import { type Result, secateur } from './run-command.ts';

let folder = '';
const at = (...names: string[]): string => join(folder, ...names);

/** `FOLDER/` in the arguments stands for the folder of this test. */
const typed = (line: string): Promise<Result> =>
  secateur(...line.split(' ').map((text) => text.replace('FOLDER', () => folder)));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-labels-'));
  for (const part of ['train', 'valid']) {
    mkdirSync(at('cells', part), { recursive: true });
    await sharp({ create: { width: 40, height: 20, channels: 3, background: '#456' } }).toFile(
      at('cells', part, '1.png'),
    );
  }
  const box = (name: string, corner: number): string =>
    `<object><name>${name}</name><bndbox><xmin>${corner}</xmin><ymin>1</ymin><xmax>50</xmax><ymax>9</ymax></bndbox></object>`;
  const annotation = (...boxes: string[]): string => `<annotation>${boxes.join('')}</annotation>`;
  writeFileSync(at('cells', 'train', '1.xml'), annotation(box('red', 1), box('white', 0)));
  writeFileSync(at('cells', 'train', '2.xml'), annotation(box('red', 1)));
  writeFileSync(at('cells', 'valid', '1.xml'), annotation(box('red', 2)));
  writeFileSync(at('names.txt'), 'red\n\nblue\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('secateur convert-labels', () => {
  it('says what it wrote and what it left out', async () => {
    const { code, out, err } = await typed('convert-labels FOLDER/cells -o FOLDER/yolo');
    expect(code).toBe(0);
    expect(err).toBe(
      `secateur: 1 file is left out:\n  ${at('cells', 'train', '2.xml')}: there is no image '2'\n`,
    );
    expect(out).toMatch(/train +1 +2 +0\nval +1 +1 +0\n/);
    expect(out).toContain('classes             2: red, white\n');
    expect(out).toContain('cut off at edges    3 boxes\n');
    expect(out).toContain('note                1 box begins at pixel 0, before the first of VOC;');
    expect(out).toContain(`wrote               ${at('yolo', 'data.yaml')}\n`);
    const again = await typed('convert-labels FOLDER/cells -o FOLDER/yolo');
    expect([again.code, again.err]).toEqual([
      1,
      `secateur: ${at('yolo', 'data.yaml')}: exists already and is not written over; pass force (--force) to replace it\n`,
    ]);
  });

  it('prints JSON, with classes of a file', async () => {
    const { code, out } = await typed(
      'convert-labels FOLDER/cells -o FOLDER/some --names FOLDER/names.txt --voc-origin 0 --images copy --json',
    );
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      format: 'voc',
      names: ['red', 'blue'],
      parts: { train: { images: 1, boxes: 1, empty: 0 }, val: { images: 1, boxes: 1, empty: 0 } },
      otherClasses: { white: 1 },
      broken: [{ path: at('cells', 'train', '2.xml'), reason: "there is no image '2'" }],
    });
    expect(readYoloData(at('some', 'data.yaml')).names).toEqual(['red', 'blue']);
    const yaml = await typed(
      'convert-labels FOLDER/cells -o FOLDER/same --names FOLDER/some/data.yaml --json',
    );
    expect(JSON.parse(yaml.out).names).toEqual(['red', 'blue']);
  });

  it.each([
    ['--names FOLDER/cells', 2, /--names: '.*cells' is a file; expected a \.yaml or \.txt file, or names/],
    ['--names ,', 2, /--names: ',' names no classes/],
    ['--val-share 2', 2, /expected a share between 0 and 1/],
    ['--voc-origin 2', 2, /expected 0 or 1/],
    ['--format xml', 2, /Allowed choices are voc, coco/],
    ['--val-share 0.6 --test-share 0.6', 2, /leave nothing to train with/],
    ['--image-folder FOLDER/nowhere', 1, /nowhere: cannot be read: there is no such file or folder/],
  ])('refuses %s', async (options, expected, message) => {
    const { code, err } = await typed(`convert-labels FOLDER/cells -o FOLDER/never ${options}`);
    expect(err).toMatch(message);
    expect(code).toBe(expected);
  });
});
