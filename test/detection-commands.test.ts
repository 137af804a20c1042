import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tensor } from '../src/core/tensor.ts';
import { Module, trace, type Variable } from '../src/nn/index.ts';
import { writeModel } from '../src/node/index.ts';
import { parseReport } from '../src/report/index.ts';
import { type Result, secateur } from './run-command.ts';

let folder = '';
const at = (...names: string[]): string => join(folder, ...names);

/** `FOLDER/` in the arguments stands for the folder of this test. */
const typed = (line: string): Promise<Result> =>
  secateur(...line.split(' ').map((text) => text.replace('FOLDER', () => folder)));

// biome-ignore lint/suspicious/noExplicitAny: what a command prints is looked at field by field.
async function json(line: string): Promise<any> {
  const { code, out, err } = await typed(`${line} --json`);
  expect(err).toBe('');
  expect(code).toBe(0);
  return JSON.parse(out);
}

/** Finds a ball in the right half of images that are red, as sure as they are red; and sees a dog everywhere, at a confidence of 0.3. */
class Halves extends Module<Variable> {
  override forward(image: Variable): Variable {
    const { tracer } = image;
    const boxes = Float32Array.of(48, 32, 32, 64, 0, 1, 0, 16, 32, 32, 64, 0.3, 0, 1);
    const takes = Float32Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const red = image.mean([2, 3], { keepdim: true }).split([1, 2], 1)[0]!.view(-1, 1, 1);
    return red
      .mul(tracer.constant(new Tensor('float32', [1, 2, 7], takes)))
      .add(tracer.constant(new Tensor('float32', [1, 2, 7], boxes)));
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-detect-'));
  const graph = trace(new Halves().eval(), [[1, 3, 64, 64]]);
  graph.meta.metadata.set('names', "{0: 'ball', 1: 'dog'}");
  writeModel(graph, at('model.onnx'));
  for (const split of ['val', 'test']) {
    mkdirSync(at('images', split), { recursive: true });
    mkdirSync(at('labels', split), { recursive: true });
  }
  const image = (red: number, ...names: string[]): Promise<unknown> =>
    sharp({ create: { width: 128, height: 128, channels: 3, background: { r: red, g: 9, b: 9 } } }).toFile(
      at(...names),
    );
  await image(255, 'images', 'val', 'red.png');
  await image(0, 'images', 'val', 'dark.png');
  await image(255, 'images', 'test', 'red.png');
  writeFileSync(at('labels', 'val', 'red.txt'), '0 0.75 0.5 0.5 1\n');
  writeFileSync(at('labels', 'val', 'dark.txt'), '1 0.25 0.5 0.5 1\n');
  writeFileSync(at('labels', 'test', 'red.txt'), '0 0.25 0.5 0.5 1\n');
  writeFileSync(at('data.yaml'), 'val: images/val\ntest: images/test\nnames: [ball, dog]\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('secateur detect', () => {
  it('draws what it finds, writes it as JSON and says it', async () => {
    const { code, out, err } = await typed(
      'detect FOLDER/model.onnx FOLDER/images/val FOLDER/images/test/red.png -o FOLDER/found --threads 1',
    );
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/dark\.png +1 +1 dog\n/);
    expect(out).toMatch(/red\.png +2 +1 ball, 1 dog\n/);
    expect(out).toMatch(/found +5 objects in 3 images\n/);
    for (const name of ['dark.png', 'red.png', 'red-2.png', 'detections.json'])
      expect(existsSync(at('found', name)), name).toBe(true);
    const written = JSON.parse(readFileSync(at('found', 'detections.json'), 'utf8'));
    expect(written.images[1]).toMatchObject({
      path: at('images', 'val', 'red.png'),
      drawn: at('found', 'red.png'),
      height: 128,
      width: 128,
      detections: [
        { label: 0, name: 'ball', confidence: 1, box: [64, 0, 128, 128] },
        { label: 1, name: 'dog', confidence: 0.3, box: [0, 0, 64, 128] },
      ],
    });
    const { data, info } = await sharp(at('found', 'red.png')).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([128, 128]);
    expect(new Set(data).size).toBeGreaterThan(10);
  });

  it('goes by confidence and classes', async () => {
    const all = await json('detect FOLDER/model.onnx FOLDER/images/test -o FOLDER/json');
    expect(all.images[0].detections.length).toBe(2);
    const sure = await json('detect FOLDER/model.onnx FOLDER/images/test -o FOLDER/json --force --conf 0.5');
    expect(sure.images[0].detections.map((one: { name: string }) => one.name)).toEqual(['ball']);
    for (const classes of ['dog', '1', 'dog,1']) {
      const dogs = await json(
        `detect FOLDER/model.onnx FOLDER/images/test -o FOLDER/json --force --classes ${classes}`,
      );
      expect(dogs.images[0].detections.map((one: { label: number }) => one.label)).toEqual([1]);
    }
  });

  it('passes over images that cannot be read', async () => {
    writeFileSync(at('broken.jpg'), 'no image');
    const { code, out, err } = await typed(
      'detect FOLDER/model.onnx FOLDER/broken.jpg FOLDER/images/test -o FOLDER/some',
    );
    expect(code).toBe(0);
    expect(err).toMatch(/broken\.jpg: .*unsupported image format/);
    expect(out).toMatch(/found +2 objects in 1 images/);
    expect(JSON.parse(readFileSync(at('some', 'detections.json'), 'utf8')).broken[0].path).toBe(
      at('broken.jpg'),
    );
    const none = await typed('detect FOLDER/model.onnx FOLDER/broken.jpg -o FOLDER/none');
    expect([none.code, none.err]).toEqual([
      1,
      expect.stringMatching(/^secateur: .*broken\.jpg: cannot be read: .*unsupported image format\n$/),
    ]);
    const both = await typed('detect FOLDER/model.onnx FOLDER/broken.jpg FOLDER/data.yaml -o FOLDER/none');
    expect([both.code, both.err]).toEqual([1, expect.stringMatching(/none of the 2 images can be read: /)]);
  });

  it('says what does not fit before it does anything', async () => {
    const cases: [string, number, RegExp][] = [
      [
        'FOLDER/model.onnx FOLDER/ghost.jpg -o FOLDER/x',
        1,
        /ghost\.jpg: cannot be read: there is no such file/,
      ],
      ['FOLDER/model.onnx FOLDER/labels -o FOLDER/x', 1, /labels: holds no images/],
      [
        'FOLDER/model.onnx FOLDER/images/val -o FOLDER/data.yaml',
        1,
        /data\.yaml: is a file; expected a folder/,
      ],
      ['FOLDER/model.onnx FOLDER/images/val -o FOLDER/data.yaml/x', 1, /data\.yaml.x: cannot be made: /],
      [
        'FOLDER/model.onnx FOLDER/images/val -o FOLDER/x --classes cat',
        2,
        /--classes: the model has no class 'cat'; it has ball, dog/,
      ],
      [
        'FOLDER/model.onnx FOLDER/images/val -o FOLDER/x --size 320',
        2,
        /takes images of 64 x 64, and no other size/,
      ],
      ['FOLDER/model.onnx FOLDER/images/val -o FOLDER/x --conf 2', 2, /--conf/],
      ['lenet5 FOLDER/images/val -o FOLDER/x', 2, /./],
      [
        'yolov5n FOLDER/images/val -o FOLDER/x',
        2,
        /'yolov5n' is an architecture without trained weights; give a file of it instead, or its weights/,
      ],
      [
        'FOLDER/model.onnx FOLDER/images -o FOLDER/images/val --force',
        2,
        /--output: '.*images.val.red\.png' is one of the images themselves; give another folder/,
      ],
    ];
    for (const [line, code, message] of cases) {
      const result = await typed(`detect ${line}`);
      expect([result.code, result.err], line).toEqual([code, expect.stringMatching(message)]);
      expect(existsSync(at('x')), line).toBe(false);
    }
    await json('detect FOLDER/model.onnx FOLDER/images/test -o FOLDER/twice');
    const again = await typed('detect FOLDER/model.onnx FOLDER/images/test -o FOLDER/twice');
    expect([again.code, again.err]).toEqual([
      1,
      expect.stringMatching(/exists already; --force writes over it/),
    ]);
  });
});

describe('secateur evaluate with a YOLO yaml', () => {
  it('gives precision, recall and mAP by class', async () => {
    const { code, out, err } = await typed('evaluate FOLDER/model.onnx --data FOLDER/data.yaml --threads 1');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/ball +1 +1 +1\.000 +1\.000 +0\.995 +0\.995\n/);
    expect(out).toMatch(/all +2 +2 +/);
    expect(out).toMatch(/judged on +val \(2 images, 2 objects\)/);
    expect(out).toMatch(/size +64 x 64, squares/);
  });

  it('judges on the part that is asked for', async () => {
    const val = await json('evaluate FOLDER/model.onnx --data FOLDER/data.yaml');
    expect(val.metrics.map50).toBeGreaterThan(0.7);
    expect(val.classes.map((one: { name: string }) => one.name)).toEqual(['ball', 'dog']);
    expect(val.confusion.names).toEqual(['ball', 'dog', 'background']);
    const test = await json('evaluate FOLDER/model.onnx --data FOLDER/data.yaml --task test');
    expect([test.metrics.map50, test.data.images, test.data.task]).toEqual([0, 1, 'test']);
    const first = await json('evaluate FOLDER/model.onnx --data FOLDER/data.yaml --limit 1');
    expect(first.data.images).toBe(1);
  });

  it('writes a report with curves', async () => {
    await json('evaluate FOLDER/model.onnx --data FOLDER/data.yaml --report FOLDER/report.html');
    const report = parseReport(readFileSync(at('report.json'), 'utf8'));
    expect(report.sections.map(({ title }) => title)).toEqual(['Result', 'Curves']);
    expect(report.sections[1]!.items.map(({ kind }) => kind)).toEqual(['line', 'line', 'line', 'line']);
    expect(readFileSync(at('report.html'), 'utf8')).toContain('Results by class');
  });

  it('tells of broken labels, and says which options belong to what', async () => {
    mkdirSync(at('images', 'train'));
    mkdirSync(at('labels', 'train'));
    for (const name of ['a', 'b'])
      await sharp({ create: { width: 64, height: 64, channels: 3, background: '#fff' } }).toFile(
        at('images', 'train', `${name}.png`),
      );
    writeFileSync(at('labels', 'train', 'a.txt'), '7 0.5 0.5 1 1');
    writeFileSync(at('train.yaml'), 'train: images/train\nnames: [ball, dog]\n');
    const broken = await typed('evaluate FOLDER/model.onnx --data FOLDER/train.yaml --task train');
    expect(broken.code).toBe(0);
    expect(broken.err).toMatch(
      /1 file is left out:\n.*a\.txt: line 1: there is no class 7; the classes are 0 to 1/,
    );
    const cases: [string, number, RegExp][] = [
      [
        '--data FOLDER/data.yaml --split test',
        2,
        /--split belongs to classifiers; '.*data\.yaml' is the data of a detector/,
      ],
      ['--data FOLDER/images --task val', 2, /--task belongs to detectors, whose --data is a \.yaml/],
      ['--data FOLDER/images --no-rect', 2, /--no-rect belongs to detectors/],
      ['--data FOLDER/data.yaml --rect', 2, /rect needs a model that takes any size; this one takes 64 x 64/],
      ['--data FOLDER/data.yaml --task train', 1, /names no images for 'train'; it has val, test/],
      [
        '--data FOLDER/ghost.yaml',
        1,
        /ghost\.yaml: cannot be read: there is no such file or folder \(--data\)/,
      ],
    ];
    for (const [line, code, message] of cases) {
      const result = await typed(`evaluate FOLDER/model.onnx ${line}`);
      expect([result.code, result.err], line).toEqual([code, expect.stringMatching(message)]);
    }
  });
});
