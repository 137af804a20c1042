import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tensor } from '../src/core/tensor.ts';
import { Graph } from '../src/ir/index.ts';
import { createModel } from '../src/models/index.ts';
import { manualSeed } from '../src/nn/index.ts';
import { readModel, readTensors, writeTensors } from '../src/node/index.ts';
import { type Result, secateur } from './run-command.ts';

const shared = (name: string): string => fileURLToPath(new URL(`../../shared/data/${name}`, import.meta.url));

let folder = '';
const at = (...names: string[]): string => join(folder, ...names);

/** `FOLDER/` in the arguments stands for the folder of this test. */
const typed = (line: string): Promise<Result> =>
  secateur(...line.split(' ').map((text) => text.replace('FOLDER', () => folder)));

async function done(line: string): Promise<string> {
  const { code, out, err } = await typed(line);
  expect([code, err], line).toEqual([0, '']);
  return out;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-checkpoints-'));
  manualSeed(0);
  writeTensors(createModel('yolov5n', { classes: 2 }).stateDict(), at('yolo.pt'));
  writeTensors(createModel('lenet5').stateDict(), at('lenet5.pth'));
  writeTensors(createModel('yolov5n', { classes: 2, version: 5 }).stateDict(), at('five.safetensors'), {
    metadata: new Map([['names', "{0: 'cat', 1: 'dog'}"]]),
  });
  writeTensors(new Map([['weight', Tensor.full([2], 1)]]), at('other.pt'));
  await sharp({ create: { width: 80, height: 60, channels: 3, background: '#888' } }).toFile(at('grey.png'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const typesOf = (path: string): unknown => {
  const graph = readModel(path);
  return [...graph.feeds, ...graph.outputs].map((value) => [value.name, Graph.shapeOf(value)]);
};

const norms = (path: string): number =>
  readModel(path).nodes.filter(({ opType }) => opType === 'BatchNormalization').length;

describe('secateur convert, of checkpoints', () => {
  it("writes a YOLOv5 as Ultralytics' exports are", async () => {
    expect(await done('convert FOLDER/five.safetensors -o FOLDER/five.onnx --size 64x96')).toMatch(
      /^wrote .*five\.onnx/,
    );
    expect(typesOf(at('five.onnx'))).toEqual([
      ['images', ['batch', 3, 64, 96]],
      ['output0', ['batch', 378, 7]],
    ]);
    const { metadata } = readModel(at('five.onnx')).meta;
    expect([metadata.get('names'), metadata.get('stride')]).toEqual(["{0: 'cat', 1: 'dog'}", '32']);
    expect(JSON.parse(metadata.get('anchors')!)[0]).toEqual([10, 13, 16, 30, 33, 23]);
    expect(norms(at('five.onnx'))).toBe(0);
  });

  it('writes raw maps, keeps batch norms, and makes the batch fixed where that is asked for', async () => {
    await done('convert FOLDER/yolo.pt -o FOLDER/raw.onnx --size 64 --batch 2 --no-decode --no-fold');
    expect(typesOf(at('raw.onnx'))).toEqual([
      ['images', [2, 3, 64, 64]],
      ['output0', [2, 3, 8, 8, 7]],
      ['output1', [2, 3, 4, 4, 7]],
      ['output2', [2, 3, 2, 2, 7]],
    ]);
    expect(norms(at('raw.onnx'))).toBe(57);
  });

  it('writes weights in another form, names of the classes with them', async () => {
    await done('convert FOLDER/five.safetensors -o FOLDER/again.safetensors');
    expect([...readTensors(at('again.safetensors')).keys()]).toEqual([
      ...readTensors(at('five.safetensors')).keys(),
    ]);
    expect(readFileSync(at('again.safetensors')).subarray(0, 200).toString('latin1')).toContain(
      "{0: 'cat', 1: 'dog'}",
    );
    await done('convert FOLDER/lenet5.pth -o FOLDER/lenet5.onnx');
    expect(typesOf(at('lenet5.onnx'))).toEqual([
      ['input', ['batch', 1, 32, 32]],
      ['output', ['batch', 10]],
    ]);
  });

  it.skipIf(!existsSync(shared('weights/yolov5n.pt')))(
    'reads what Ultralytics saved (skipped where ../shared is absent)',
    async () => {
      const source = shared('weights/yolov5n.pt');
      expect((await secateur('convert', source, '-o', at('yolov5n.onnx'), '--batch', '1')).code).toBe(0);
      expect(typesOf(at('yolov5n.onnx'))).toEqual(typesOf(shared('onnx/yolov5n.onnx')));
    },
  );
});

describe('commands that take a model', () => {
  it('take a checkpoint', async () => {
    const shape = '--shape 1,3,64,64';
    const profile = JSON.parse(await done(`profile FOLDER/yolo.pt ${shape} --json`));
    expect(profile.totals.parameters).toBe(1_766_623);
    expect(await done(`print FOLDER/yolo.pt ${shape}`)).toMatch(/^Yolov5 .*images: float32\[1, 3, 64, 64\]/);
    expect(await done(`groups FOLDER/yolo.pt ${shape}`)).toMatch(/groups +\d+, of which \d+ can be cut/);
    expect(await done('prune FOLDER/lenet5.pth -o FOLDER/pruned.onnx --amount 0.5')).toMatch(/pruned\.onnx/);
    await done('convert FOLDER/lenet5.pth -o FOLDER/l.onnx');
    expect(await done('shrink FOLDER/lenet5.pth -o FOLDER/small.onnx --ratio 0.5')).toMatch(/verified/);
    expect(await done('compare FOLDER/lenet5.pth FOLDER/l.onnx --no-latency')).toMatch(
      /outputs are identical/,
    );
  }, 60_000);

  it('find objects by a checkpoint, under the names it holds', async () => {
    const out = await done(
      'detect FOLDER/five.safetensors FOLDER/grey.png -o FOLDER/found --size 64 --conf 0 --max-det 2 --threads 1',
    );
    expect(out).toMatch(/grey\.png +2 +(2 (cat|dog)|1 cat, 1 dog)\n/);
  });

  it('say what does not fit', async () => {
    const cases: readonly (readonly [number, string, string | RegExp])[] = [
      [1, 'profile FOLDER/none.pt', /none\.pt: .*there is no such file/],
      [
        1,
        'profile FOLDER/other.pt',
        /other\.pt: the tensors are those of no built-in architecture; looked for YOLOv5/,
      ],
      [2, 'profile FOLDER/yolo.pt --classes 3', '--classes belongs to built-in architectures; '],
      [2, 'print FOLDER/yolo.pt --shape 1,64,64', 'takes images [N, 3, H, W], got [1, 64, 64]'],
      [
        2,
        'print FOLDER/yolo.pt --shape 1,3,64,70',
        'size expects multiples of the largest stride, 32, got 64 x 70',
      ],
      [
        2,
        'convert FOLDER/lenet5.pth -o FOLDER/x.onnx --decode',
        /--decode is for detectors; '.*lenet5\.pth' is a lenet5/,
      ],
      [
        2,
        'convert FOLDER/l.onnx -o FOLDER/x.onnx --size 64',
        '--size belongs to built-in architectures and checkpoints; ',
      ],
      [
        2,
        'convert FOLDER/yolo.pt -o FOLDER/x.onnx --size 64 --shape 1,3,64,64',
        '--shape says size and batch, too',
      ],
      [
        2,
        'convert FOLDER/yolo.pt -o FOLDER/x.onnx --size 64x',
        'expected a size such as 640, or height and width such as 384x640',
      ],
      [
        2,
        'convert FOLDER/yolo.pt -o FOLDER/x.safetensors --batch 1',
        '--batch says how an .onnx file is written',
      ],
    ];
    await done('convert FOLDER/lenet5.pth -o FOLDER/l.onnx --force');
    for (const [code, line, says] of cases) {
      const result = await typed(line);
      expect([result.code, result.err], line).toEqual([
        code,
        typeof says === 'string' ? expect.stringContaining(says) : expect.stringMatching(says),
      ]);
      expect(existsSync(at('x.onnx'))).toBe(false);
    }
  });
});

describe.skipIf(!existsSync(shared('cifar10/labels.json')))(
  'secateur evaluate, of ResNets trained on CIFAR-10 (skipped where ../shared is absent)',
  () => {
    it.each([
      ['resnet20-12fca82f.th', 0.915],
      ['resnet56-4bfd9763.th', 0.926],
    ])(
      'gives %s its accuracy on the 1,000 test images',
      async (name, accuracy) => {
        const { code, out } = await secateur(
          ...[
            'evaluate',
            shared(`weights/${name}`),
            '--data',
            shared('cifar10'),
            '--normalize',
            'imagenet',
            '--json',
          ],
        );
        expect(code).toBe(0);
        expect(JSON.parse(out).metrics.accuracy).toBeCloseTo(accuracy, 6);
      },
      120_000,
    );
  },
);
