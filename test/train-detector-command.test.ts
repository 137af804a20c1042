import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readModel, readTensors } from '../src/node/index.ts';
import { parseReport } from '../src/report/index.ts';
import { type Result, secateur } from './run-command.ts';

let folder = '';
const at = (...names: string[]): string => join(folder, ...names);

/** `FOLDER/` in the arguments stands for the folder of this test. */
const typed = (line: string): Promise<Result> =>
  secateur(...line.split(' ').map((text) => text.replace('FOLDER', () => folder)));

const COMMON = '--data FOLDER/data.yaml --size 64 --batch-size 2 --threads 1';

/** A grey image with a red or a blue square in it. */
async function image(split: string, name: string, label: number, x: number, y: number): Promise<void> {
  const square = await sharp({
    create: { width: 24, height: 24, channels: 3, background: label === 0 ? '#f00' : '#00f' },
  })
    .png()
    .toBuffer();
  await sharp({ create: { width: 64, height: 64, channels: 3, background: '#777' } })
    .composite([{ input: square, left: x, top: y }])
    .toFile(at('images', split, `${name}.png`));
  const centre = [(x + 12) / 64, (y + 12) / 64];
  writeFileSync(at('labels', split, `${name}.txt`), `${label} ${centre.join(' ')} 0.375 0.375\n`);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-train-detector-'));
  for (const split of ['train', 'val', 'test']) {
    mkdirSync(at('images', split), { recursive: true });
    mkdirSync(at('labels', split), { recursive: true });
  }
  for (const [index, split] of ['train', 'train', 'train', 'train', 'val', 'val', 'test'].entries())
    await image(split, `image${index}`, index % 2, (7 * index) % 40, (11 * index) % 40);
  writeFileSync(
    at('data.yaml'),
    'train: images/train\nval: images/val\ntest: images/test\nnames: [red, blue]\n',
  );
  writeFileSync(at('hyp.yaml'), 'lr0: 0.02\nmosaic: 0.5\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('secateur train with a YOLO data set', () => {
  it('trains a detector, writes it decoded, and judges the file', async () => {
    const line = `train yolov5n ${COMMON} -o FOLDER/a.onnx --epochs 2 --hyp FOLDER/hyp.yaml --lr 0.005 --optimizer adam --cos-lr`;
    const { code, out, err } = await typed(`${line} --report FOLDER/a.html --json`);
    expect([err, code]).toEqual(['', 0]);
    const found = JSON.parse(out);
    expect(found.settings).toMatchObject({
      model: 'yolov5n',
      size: 64,
      batchSize: 2,
      epochs: 2,
      optimizer: 'adam',
      schedule: 'cosine',
      hyperparameters: { lr0: 0.005, mosaic: 0.5, weight_decay: 0.0005, nbs: 64 },
    });
    expect(found.data).toMatchObject({
      kind: 'yolo',
      names: ['red', 'blue'],
      train: { images: 4, objects: 4, missing: 0, empty: 0, corrupt: 0 },
      validation: { images: 2 },
      test: { images: 1 },
    });
    expect(found.transfer).toBeNull();
    expect(found.anchors).toHaveLength(3);
    expect(found.epochs).toHaveLength(2);
    expect(Object.keys(found.epochs[0].train)).toEqual(['loss', 'box', 'obj', 'cls']);
    expect(Object.keys(found.epochs[1].validation)).toEqual([
      'fitness',
      'map50',
      'map',
      'precision',
      'recall',
    ]);
    expect(
      found.judged.map(({ split, images }: { split: string; images: number }) => [split, images]),
    ).toEqual([
      ['val', 2],
      ['test', 1],
    ]);
    const graph = readModel(at('a.onnx'));
    expect(graph.meta.metadata.get('names')).toBe("{0: 'red', 1: 'blue'}");
    expect(graph.outputs.map(({ name }) => name)).toEqual(['output0']);
    const report = parseReport(readFileSync(at('a.json'), 'utf8'));
    expect(report.sections.map(({ title }) => title)).toEqual(['Training', 'Result', 'Curves']);
    expect(readFileSync(at('a.html'), 'utf8')).toContain('mAP50-95');
  }, 120_000);

  it('fine-tunes a file, keeps its zeros and what is frozen, and writes weights', async () => {
    expect((await typed('prune FOLDER/a.onnx -o FOLDER/pruned.onnx --amount 0.5')).code).toBe(0);
    const { code, out, err } = await typed(
      `finetune FOLDER/pruned.onnx ${COMMON} -o FOLDER/b.safetensors --epochs 1 --freeze model.0 --no-auto-anchor --cache disk`,
    );
    expect([err, code]).toEqual(['', 0]);
    expect(out).toContain('test                1 image, 1 object\n');
    expect(out).toMatch(/note {16}all weights are those of .*pruned\.onnx/);
    expect(out.replace(/\s+/g, ' ')).toContain(
      'the learning rate grows for 100 batches, and this run has 2: train for more than 50 epochs to learn at its full rate',
    );
    expect(out).toMatch(/zeros kept {10}[\d,]+; --no-keep-zeros would train them/);
    expect(out).toMatch(/epoch\s+box\s+obj\s+cls\s+P\s+R\s+mAP50\s+mAP50-95\s+time\n1\/1 +\d/);
    expect(out).toMatch(/best epoch {10}1 of 1\non val {14}mAP50 \d\.\d{3}, mAP50-95/);
    const before = readTensors(at('b.safetensors'));
    const weight = before.get('model.1.conv.weight')!;
    expect(weight.float32.filter((value) => value === 0)).toHaveLength(weight.size / 2);
    expect(existsSync(at('b.safetensors.images'))).toBe(true);
    // Frozen: as the file had it.
    const pruned = readModel(at('pruned.onnx'));
    const first = [...pruned.initializers].find(({ name }) => name === 'model.0.conv.weight')!.initializer!;
    expect(before.get('model.0.conv.weight')!.float32).toEqual(first.float32);
  }, 120_000);

  it('refuses what does not belong together', async () => {
    const refused = async (line: string): Promise<string> => {
      const { code, out, err } = await typed(line);
      expect([code, out]).toEqual([2, '']);
      return err;
    };
    expect(await refused(`train lenet5 ${COMMON} -o FOLDER/c.onnx`)).toContain(
      'lenet5 finds no objects; expected yolov5n, yolov5s, yolov5m, yolov5l or yolov5x',
    );
    expect(await refused(`train FOLDER/a.onnx ${COMMON} -o FOLDER/c.onnx`)).toContain(
      'train begins with an architecture, such as yolov5n; to train',
    );
    expect(await refused(`finetune yolov5n ${COMMON} -o FOLDER/c.onnx`)).toContain(
      'finetune begins with trained weights, and yolov5n has fresh ones',
    );
    expect(await refused(`finetune FOLDER/a.onnx ${COMMON} -o FOLDER/c.onnx --weights x.pt`)).toContain(
      '--weights belongs to architectures',
    );
    expect(await refused(`train yolov5n ${COMMON} -o FOLDER/c.onnx --augment flip`)).toContain(
      '--augment belongs to classifiers',
    );
    expect(await refused('train lenet5 --data digits -o FOLDER/c.onnx --no-auto-anchor')).toContain(
      '--no-auto-anchor belongs to detectors, whose --data is a .yaml; got',
    );
    expect(await refused(`train yolov5n ${COMMON} -o FOLDER/c.h5`)).toContain(
      'must end in .onnx or .pt or .pth or .safetensors',
    );
    expect(existsSync(at('c.onnx'))).toBe(false);
  });

  it('names files and hyperparameters that are not right', async () => {
    const failed = async (line: string): Promise<string> => {
      const { code, err } = await typed(line);
      expect(code).not.toBe(0);
      return err;
    };
    writeFileSync(at('wrong.yaml'), 'warmup_epoch: 1\n');
    expect(await failed(`train yolov5n ${COMMON} -o FOLDER/c.onnx --hyp FOLDER/wrong.yaml`)).toMatch(
      /wrong\.yaml: .*'warmup_epoch' is not known; did you mean 'warmup_epochs'\?/,
    );
    expect(await failed('train yolov5n --data FOLDER/none.yaml -o FOLDER/c.onnx')).toContain(
      'none.yaml: cannot be read: there is no such file or folder (--data)',
    );
    expect(await failed(`train yolov5m ${COMMON} -o FOLDER/c.onnx --freeze model.99`)).toContain(
      "freeze: no parameter of Yolov5 matches 'model.99'",
    );
  }, 30_000);
});
