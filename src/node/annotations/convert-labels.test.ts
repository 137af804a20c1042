import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArgumentError, FileError } from '../../core/errors.ts';
import { readYoloData, yoloDataset } from '../yolo-data.ts';
import { convertLabels } from './convert-labels.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-convert-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const at = (...names: string[]): string => join(folder, ...names);

const write = (text: string, ...names: string[]): string => {
  mkdirSync(dirname(at(...names)), { recursive: true });
  writeFileSync(at(...names), text);
  return at(...names);
};

/** An image of 40 x 20 pixels, unless said otherwise. */
async function image(name: string, width = 40, height = 20): Promise<void> {
  mkdirSync(dirname(at(name)), { recursive: true });
  await sharp({ create: { width, height, channels: 3, background: '#405060' } }).toFile(at(name));
}

type Corners = readonly [number, number, number, number];

const voc = (
  objects: readonly (readonly [name: string, corners: Corners, difficult?: 1])[],
  more = '',
): string =>
  `<annotation>${more}${objects
    .map(
      ([name, [xmin, ymin, xmax, ymax], difficult = 0]) =>
        `<object><name>${name}</name><difficult>${difficult}</difficult><bndbox><xmin>${xmin}</xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox></object>`,
    )
    .join('')}</annotation>`;

const read = (...names: string[]): string => readFileSync(at(...names), 'utf8');

describe('convertLabels, of Pascal VOC', () => {
  it('makes a data set that is read as one, of a VOCdevkit with its lists', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await image(`VOC2007/JPEGImages/${name}.jpg`);
    write(
      voc([
        ['dog', [1, 1, 20, 20]],
        ['cat', [21, 11, 40, 20], 1],
      ]),
      'VOC2007/Annotations/a.xml',
    );
    write(voc([], '<filename>other.jpg</filename>'), 'VOC2007/Annotations/b.xml');
    write(voc([['bird', [1, 1, 40, 10]]]), 'VOC2007/Annotations/c.xml');
    write(voc([['bird', [1, 1, 40, 10]]]), 'VOC2007/Annotations/d.xml');
    write('a\nb\n', 'VOC2007/ImageSets/Main/train.txt');
    write('c\n', 'VOC2007/ImageSets/Main/val.txt');
    write('a\nb\nc\n', 'VOC2007/ImageSets/Main/trainval.txt');
    const converted = await convertLabels(at('VOC2007'), at('out'));
    expect(converted).toEqual({
      format: 'voc',
      yaml: at('out', 'data.yaml'),
      names: ['bird', 'cat', 'dog'],
      parts: { train: { images: 2, boxes: 1, empty: 1 }, val: { images: 1, boxes: 1, empty: 0 } },
      clipped: 0,
      emptyBoxes: 0,
      difficult: 1,
      crowd: 0,
      otherClasses: {},
      beforeFirst: 0,
      unlisted: 1,
      broken: [],
    });
    expect(read('out', 'labels', 'train', 'a.txt')).toBe('2 0.25 0.5 0.5 1\n');
    expect(read('out', 'labels', 'train', 'b.txt')).toBe('');
    expect(read('out', 'train.txt')).toBe('./images/train/a.jpg\n./images/train/b.jpg\n');
    expect(lstatSync(at('out', 'images', 'train', 'a.jpg')).isSymbolicLink()).toBe(true);
    const data = readYoloData(converted.yaml);
    expect(data.names).toEqual(['bird', 'cat', 'dog']);
    const [train, val] = [await yoloDataset(data, 'train'), await yoloDataset(data, 'val')];
    expect(train.images.map(({ labels }) => labels)).toEqual([[{ label: 2, box: [0, 0, 20, 20] }], []]);
    expect((await val.get(0))!.labels).toEqual([{ label: 0, box: [0, 0, 40, 10] }]);
  });

  it('takes parts from folders, numbers images of one name, and keeps what is asked for', async () => {
    await image('cells/train/one/0.png');
    await image('cells/train/two/0.png');
    await image('cells/valid/0.png');
    write(voc([['x', [0, 0, 40, 20], 1]]), 'cells/train/one/0.xml');
    write(voc([['y', [0, 0, 20, 20]]]), 'cells/train/two/0.xml');
    write(
      voc([
        ['x', [-5, 5, 20, 25]],
        ['x', [3, 3, 3, 9]],
      ]),
      'cells/valid/0.xml',
    );
    const converted = await convertLabels(at('cells'), at('out'), {
      images: 'copy',
      difficult: true,
      names: ['x'],
      origin: 0,
    });
    expect(converted).toMatchObject({
      parts: { train: { images: 2, boxes: 1, empty: 1 }, val: { images: 1, boxes: 1, empty: 0 } },
      clipped: 1,
      emptyBoxes: 1,
      otherClasses: { y: 1 },
      beforeFirst: 0,
    });
    expect(read('out', 'labels', 'train', '0.txt')).toBe('0 0.5 0.5 1 1\n');
    expect(read('out', 'labels', 'train', '0-2.txt')).toBe('');
    expect(read('out', 'labels', 'val', '0.txt')).toBe('0 0.25 0.625 0.5 0.75\n');
    expect(lstatSync(at('out', 'images', 'train', '0-2.png')).isFile()).toBe(true);
  });

  it('counts boxes that begin before the first pixel, which files that count from 0 have', async () => {
    await image('a.jpg');
    write(
      voc([
        ['x', [0, 5, 20, 20]],
        ['x', [1, 1, 2, 2]],
      ]),
      'a.xml',
    );
    expect(await convertLabels(folder, at('out'))).toMatchObject({ beforeFirst: 1, clipped: 1 });
    expect(read('out', 'labels', 'train', 'a.txt')).toBe('0 0.25 0.6 0.5 0.8\n0 0.025 0.05 0.05 0.1\n');
  });

  it('tells of what is broken or missing, and goes on without it', async () => {
    for (const name of ['good', 'turned', 'bad']) await image(`${name}.jpg`);
    const size = '<size><width>20</width><height>40</height></size>';
    // Scaled since, to the same proportions.
    write(voc([['x', [1, 1, 40, 40]]], '<size><width>80</width><height>40</height></size>'), 'good.xml');
    write(voc([['x', [1, 1, 5, 5]]], size), 'turned.xml');
    write('<annotation><object>', 'bad.xml');
    write(voc([['x', [1, 1, 5, 5]]], '<filename>gone.jpg</filename>'), 'gone.xml');
    write('no image', 'text.jpg');
    write(voc([['x', [1, 1, 5, 5]]]), 'text.xml');
    write('<html/>', 'page.xml');
    const { broken, parts } = await convertLabels(folder, at('out'));
    expect(parts).toEqual({ train: { images: 1, boxes: 1, empty: 0 } });
    expect(read('out', 'labels', 'train', 'good.txt')).toBe('0 0.25 0.5 0.5 1\n');
    expect(
      Object.fromEntries(broken.map(({ path, reason }) => [path.slice(folder.length + 1), reason])),
    ).toEqual({
      'bad.xml': 'VOC annotation: is no XML: line 1:20: unclosed tag: object',
      'page.xml': 'VOC annotation: expected the element <annotation>, got <html>',
      'gone.xml': "there is no image 'gone.jpg'",
      'text.xml': expect.stringMatching(/text\.jpg: .*unsupported image format/),
      'turned.xml': `boxes were drawn on 20 x 40 pixels, ${at('turned.jpg')} has 40 x 20; is it turned, or cut?`,
    });
  });
});

const coco = (images: readonly (readonly [id: number, name: string])[], boxes: readonly unknown[]): string =>
  JSON.stringify({
    images: images.map(([id, file_name]) => ({ id, file_name, width: 40, height: 20 })),
    categories: [
      { id: 7, name: 'zebra' },
      { id: 3, name: 'no' },
    ],
    annotations: boxes,
  });

const box = (image_id: number, category_id: number, iscrowd = 0): unknown => ({
  image_id,
  category_id,
  iscrowd,
  bbox: [0, 0, 20, 10],
});

describe('convertLabels, of COCO', () => {
  it("takes the instances of COCO's folders, the image of the annotation's part where two have one name", async () => {
    await image('coco/images/train2017/1.jpg');
    await image('coco/images/val2017/1.jpg');
    await image('coco/images/val2017/sub/2.jpg');
    write(coco([[5, '1.jpg']], [box(5, 7)]), 'coco/annotations/instances_train2017.json');
    write(
      coco(
        [
          [5, 'C:\\cam\\val2017\\1.jpg'],
          [6, '../../sub/2.jpg'],
        ],
        [box(5, 3, 1)],
      ),
      'coco/annotations/instances_val2017.json',
    );
    write('{"captions": []}', 'coco/annotations/captions_val2017.json');
    const converted = await convertLabels(at('coco'), at('out'));
    expect(converted).toMatchObject({
      format: 'coco',
      names: ['no', 'zebra'],
      parts: { train: { images: 1, boxes: 1, empty: 0 }, val: { images: 2, boxes: 0, empty: 2 } },
      crowd: 1,
      broken: [],
    });
    expect(read('out', 'labels', 'train', '1.txt')).toBe('1 0.25 0.25 0.5 0.5\n');
    const val = await yoloDataset(readYoloData(converted.yaml), 'val');
    expect(val.names).toEqual(['no', 'zebra']);
    expect(val.length).toBe(2);
  });

  it('finds the images of a single file in its folder or the one above, and keeps crowds where asked', async () => {
    for (let i = 0; i < 5; i++) await image(`set/images/${i}.jpg`);
    const ids = [0, 1, 2, 3, 4];
    write(
      coco(
        ids.map((id) => [id, `${id}.jpg`]),
        ids.map((id) => box(id, 3, 1)),
      ),
      'set/annotations/all.json',
    );
    const converted = await convertLabels(at('set/annotations/all.json'), at('out'), { crowd: true });
    expect(converted.parts).toEqual({
      train: { images: 4, boxes: 4, empty: 0 },
      val: { images: 1, boxes: 1, empty: 0 },
    });
  });

  it('tells of images that several may be, and of those that have annotations twice', async () => {
    await image('a/x.jpg');
    await image('b/x.jpg');
    await image('y.jpg');
    write(
      coco(
        [
          [1, 'x.jpg'],
          [2, 'y.jpg'],
          [3, 'y.jpg'],
        ],
        [],
      ),
      'all.json',
    );
    const { broken } = await convertLabels(folder, at('out'));
    expect(broken.map(({ reason }) => reason)).toEqual([
      `several images may be meant: ${at('a', 'x.jpg')}, ${at('b', 'x.jpg')}`,
      `${at('y.jpg')} has annotations in ${at('all.json')} already`,
    ]);
  });
});

describe('convertLabels, into a folder', () => {
  const make = async (): Promise<void> => {
    await image('set/images/a.jpg');
    write(voc([['x', [1, 1, 20, 20]]]), 'set/annotations/a.xml');
  };

  it('leaves images where they are, if they are in its folder', async () => {
    await make();
    await image('set/images/deep/images/b.jpg');
    write(voc([['x', [1, 1, 20, 20]]]), 'set/annotations/b.xml');
    const { yaml } = await convertLabels(at('set'), at('set'), { images: 'none', valShare: 0 });
    expect(read('set', 'train.txt')).toBe('./images/a.jpg\n./images/deep/images/b.jpg\n');
    const { images } = await yoloDataset(readYoloData(yaml), 'train');
    expect(images.map(({ labels }) => labels.length)).toEqual([1, 1]);
    await expect(convertLabels(at('set'), at('out'), { images: 'none' })).rejects.toThrow(
      /a\.jpg: does not lie in '.*out\/images', and YOLO looks for labels in 'labels' beside 'images'/,
    );
    expect(existsSync(at('out'))).toBe(false);
  });

  it('holds when it is moved with its images', async () => {
    await make();
    await convertLabels(at('set'), at('set', 'yolo'));
    renameSync(at('set'), at('moved'));
    const data = readYoloData(at('moved', 'yolo', 'data.yaml'));
    expect((await yoloDataset(data, 'train')).images[0]!.labels).toHaveLength(1);
  });

  it('writes over a data set only where asked, and leaves other files', async () => {
    await make();
    await convertLabels(at('set'), at('out'));
    write('mine', 'out', 'notes.md');
    await expect(convertLabels(at('set'), at('out'))).rejects.toThrow(
      new FileError(
        at('out', 'data.yaml'),
        'exists already and is not written over; pass force (--force) to replace it',
      ),
    );
    write(voc([['w', [1, 1, 20, 20]]]), 'set/annotations/a.xml');
    await convertLabels(at('set'), at('out'), { force: true });
    expect(readYoloData(at('out', 'data.yaml')).names).toEqual(['w']);
    expect(read('out', 'notes.md')).toBe('mine');
    expect(readdirSync(folder).sort()).toEqual(['out', 'set']);
  });

  it('quotes names that a yaml would take for something else', async () => {
    await make();
    write(
      voc([
        ['12:30', [1, 1, 2, 2]],
        ['no', [1, 1, 2, 2]],
        ["it's: #1", [1, 1, 2, 2]],
      ]),
      'set/annotations/a.xml',
    );
    const { yaml } = await convertLabels(at('set'), at('out'));
    expect(readFileSync(yaml, 'utf8')).toContain('names:\n  - "12:30"\n  - "it\'s: #1"\n  - "no"\n');
    expect(readYoloData(yaml).names).toEqual(['12:30', "it's: #1", 'no']);
  });

  it('says what cannot be, and writes nothing', async () => {
    await make();
    write('{}', 'both/a.json');
    write('<a/>', 'both/a.xml');
    mkdirSync(at('empty'));
    write('', 'file');
    const cases: [string, string, Parameters<typeof convertLabels>[2], RegExp][] = [
      ['ghost', 'out', {}, /ghost: cannot be read: there is no such file or folder/],
      [
        'empty',
        'out',
        {},
        /empty: holds no annotations; expected \.xml files of Pascal VOC or \.json files of COCO/,
      ],
      [
        'both',
        'out',
        {},
        /both: holds both \.xml and \.json files; say which, by format \(--format voc or coco\)/,
      ],
      [
        'both',
        'out',
        { format: 'coco' },
        /none of the annotations can be used: .*a\.json: COCO annotations at categories: /,
      ],
      ['set', 'out', { format: 'coco' }, /set: holds no annotations that end in \.json/],
      ['set', 'out', { imageFolders: [at('empty')] }, /empty: holds no images; say where they are/],
      ['set', 'out', { names: ['a', 'a'] }, /the name 'a' is empty, or in names twice/],
      ['set', 'out', { names: [] }, /names is empty; expected names of classes/],
      ['set', 'out', { valShare: 2 }, /valShare expects a share from 0 to below 1, got 2/],
      ['set', 'out', { lists: { val: at('ghost.txt') } }, /ghost\.txt: cannot be read/],
      [
        'set',
        'out',
        { lists: { val: at('file') } },
        /none of the images can be used: the lists name none of them/,
      ],
      ['set', 'file', {}, /file: cannot be written: it is not a folder/],
      ['set', 'no/out', {}, /cannot be written: there is no folder/],
    ];
    for (const [source, out, options, message] of cases) {
      await expect(convertLabels(at(source), at(out), options), String(message)).rejects.toThrow(message);
    }
    write('{"images": [], "categories": [], "annotations": []}', 'none.json');
    await expect(convertLabels(at('none.json'), at('out'))).rejects.toThrow(/they name no images/);
    await expect(convertLabels(at('set'), at('out'), { names: [''] })).rejects.toThrow(ArgumentError);
    write(voc([]), 'set/annotations/a.xml');
    await expect(convertLabels(at('set'), at('out'))).rejects.toThrow(
      /holds no objects, so there are no classes/,
    );
    expect(existsSync(at('out'))).toBe(false);
  });
});
