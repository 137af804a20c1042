import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Tensor } from '../src/core/tensor.ts';
import type { Shape } from '../src/ir/index.ts';
import { writeModel, writeTensors } from '../src/node/index.ts';
import { GraphBuilder } from '../src/ops/index.ts';
import { secateur } from './run-command.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

/** A convolution of three channels whose input has this shape. */
function writeConv(path: string, shape: Shape, name = 'x'): void {
  const builder = new GraphBuilder();
  const x = builder.input(name, 'float32', shape);
  const weight = builder.constant(Tensor.full([2, 3, 1, 1], 1), 'head.weight');
  builder.output(builder.op('Conv', [x, weight], { name: '/head/Conv' }), 'y');
  writeModel(builder.graph, path);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-messages-'));
  await secateur('convert', 'lenet5', '-o', at('lenet5.onnx'));
  await secateur('convert', 'lenet5', '--classes', '3', '-o', at('three.onnx'));
  await secateur('convert', 'yolov5n', '-o', at('yolov5n.safetensors'));
  writeConv(at('open.onnx'), ['batch', 3, 'height', null]);
  writeConv(at('spaced.onnx'), [1, 3, 'h', 8], 'an image');
  writeConv(at('fixed.onnx'), [2, 3, 8, 8]);
  writeFileSync(at('cut.onnx'), readFileSync(at('lenet5.onnx')).subarray(0, 1000));
  writeFileSync(at('weights.bin'), 'x');
  mkdirSync(at('folder'));
  const samples = (count: number): Tensor => Tensor.full([count, 3, 8, 8], 1);
  for (const count of [2, 3, 4]) writeTensors(new Map([['x', samples(count)]]), at(`${count}.safetensors`));
  writeTensors(new Map([['x', Tensor.full([3, 8, 8], 1)]]), at('flat.safetensors'));
  writeTensors(
    new Map([
      ['y', Tensor.full([1], 1)],
      ['x', samples(4)],
    ]),
    at('both.safetensors'),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `FOLDER/` in the arguments stands for the folder of this test. */
const placed = (args: readonly string[]): string[] =>
  args.map((text) => text.replace('FOLDER', () => folder));

describe('messages of the command line', () => {
  const wrong: readonly (readonly [code: number, args: string, says: string | RegExp])[] = [
    [2, 'profile yolo5s', /neither an .onnx file nor a built-in .*; did you mean yolov5s\?/],
    [2, 'profile mobilenetv2', 'did you mean mobilenet_v2?'],
    [2, 'profile FOLDER/folder', 'is a folder; expected an .onnx file'],
    [1, 'profile FOLDER/cut.onnx', /cut\.onnx: ONNX at byte .*cut off or damaged/],
    [
      2,
      'profile FOLDER/open.onnx',
      "leaves sizes of its inputs open: 'x' [batch, 3, height, ?]; give the ones you run it at, such as --shape x=1,3,224,224",
    ],
    [2, 'profile FOLDER/spaced.onnx', "such as --shape 'an image'=1,3,224,8"],
    [2, 'compare FOLDER/open.onnx FOLDER/open.onnx', 'such as --shape x=1,3,224,224'],
    [
      2,
      'compare FOLDER/lenet5.onnx FOLDER/fixed.onnx',
      "the two models cannot run on the same inputs: the first takes 'input' float32[batch, 1, 32, 32], the second 'x' float32[2, 3, 8, 8]",
    ],
    [2, 'compare FOLDER/lenet5.onnx FOLDER/three.onnx --classes 3', '--classes belongs to built-in'],
    [
      2,
      'profile lenet5 --weights FOLDER/weights.bin',
      'must end in .safetensors, .pt, .pth, .th, .npz or .npy',
    ],
    [1, 'profile lenet5 --weights FOLDER/none.safetensors', 'there is no such file or folder'],
    [
      1,
      'profile yolov5s --weights FOLDER/yolov5n.safetensors',
      /yolov5n\.safetensors: the weights do not fit yolov5s; .*--classes\?\n {2}size mismatch.*\n( {2}size.*\n){5} {2}… and \d+ lines more\n$/,
    ],
    [1, 'prune lenet5 -o FOLDER/none/x.onnx', /cannot be written: there is no folder '.*none'/],
    [1, 'prune lenet5 -o FOLDER/cut.onnx/x.onnx', /cannot be written: '.*cut\.onnx' is not a folder/],
    [2, 'prune lenet5 -o x.onnx --dim x', 'expected a whole number'],
    [2, 'prune lenet5 -o x.onnx --dim 1', '--dim has no part here'],
    [2, 'prune lenet5 -o x.onnx --norm 1', '--norm has no part here'],
    [2, 'prune lenet5 -o x.onnx --data x.npy', '--data has no part here'],
    [2, 'prune lenet5 -o x.onnx --granularity 2:4 --amount 0.5', '--granularity 2:4 says by itself'],
    [
      2,
      'prune lenet5 -o x.onnx --method ln-structured --dim 5',
      'conv1.weight: Invalid index 5 for tensor of size [6, 1, 3, 3]',
    ],
    [2, 'prune lenet5 -o x.onnx --amount 1000', 'conv1.weight: amount=1000 should be smaller'],
    [
      2,
      'prune FOLDER/fixed.onnx -o x.onnx --method apoz --data FOLDER/3.safetensors',
      'holds 3 samples; the model takes 2 at a time, and that leaves a rest',
    ],
    [
      2,
      'prune FOLDER/fixed.onnx -o x.onnx --method apoz --data FOLDER/flat.safetensors',
      "gives float32[3, 8, 8] for the input 'x', whose shape is [2, 3, 8, 8]",
    ],
    [
      2,
      'prune lenet5 -o x.onnx --include none',
      /is selected; .*; 'secateur print lenet5 --tree' shows the names/,
    ],
    [
      2,
      'convert lenet5 --external-data -o x.safetensors',
      '--external-data says how an .onnx file is written',
    ],
    [2, 'help frobnicate', "unknown command 'frobnicate'"],
    [2, 'profil lenet5', 'Did you mean profile?'],
    [2, 'profile lenet5 --jsn', 'Did you mean --json?'],
    [2, '', 'Usage: secateur'],
  ];
  for (const [expected, line, says] of wrong) {
    it(`secateur ${line}: ends with ${expected}`, async () => {
      const { code, out, err } = await secateur(...placed(line.split(' ').filter(Boolean)));
      expect(out).toBe('');
      if (typeof says === 'string') expect(err).toContain(says);
      else expect(err).toMatch(says);
      expect(err).toMatch(/^(secateur: |Usage)/);
      expect(code).toBe(expected);
    });
  }

  it('takes the open sizes that it asked for', async () => {
    const { code, out } = await secateur('profile', at('spaced.onnx'), '--shape', 'an image=1,3,224,8');
    expect(code).toBe(0);
    expect(out).toContain('an image 1x3x224x8');
  });

  it('prints help for a command in two ways', async () => {
    const { code, out } = await secateur('help', 'prune');
    expect(code).toBe(0);
    expect(out).toBe((await secateur('prune', '--help')).out);
  });
});

describe('what commands take', () => {
  it('compares an architecture with a file of the same number of classes', async () => {
    const { code, out } = await secateur(
      ...['compare', 'lenet5', at('three.onnx'), '--classes', '3', '--no-latency', '--json'],
    );
    expect(code).toBe(0);
    expect(JSON.parse(out).difference).toMatchObject({ max: 0, mean: 0 });
  });

  it('takes batches apart, and of a file with more tensors the one of the input', async () => {
    for (const data of ['2', '4', 'both']) {
      const line = `prune FOLDER/fixed.onnx -o FOLDER/by-${data}.onnx --method apoz --amount 0.5 --data FOLDER/${data}.safetensors --json`;
      const { code, out } = await secateur(...placed(line.split(' ')));
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ parametersPruned: 1, after: { zeros: 3 } });
    }
  });

  it('calls parameters as --include does, and tells the names of initializers in JSON', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 3, 8, 8]);
    const weight = builder.constant(Tensor.full([2, 3, 1, 1], 1), 'onnx::Conv_7');
    builder.output(builder.op('Conv', [x, weight], { name: 'Conv_0' }), 'y');
    writeModel(builder.graph, at('simplified.onnx'));
    const line = 'prune FOLDER/simplified.onnx -o FOLDER/by-name.onnx --include Conv_0 --json';
    const { layers } = JSON.parse((await secateur(...placed(line.split(' ')))).out);
    expect(layers).toMatchObject([{ name: 'Conv_0.weight', initializer: 'onnx::Conv_7', zeros: 2 }]);
  });

  it('names the file of weights that it wrote beside', async () => {
    const { out } = await secateur('convert', 'lenet5', '--external-data', '-o', at('split.onnx'));
    expect(out).toMatch(/^wrote .*split\.onnx \([\d.]+ kB\) and .*split\.onnx\.data \([\d.]+ kB\)\n$/);
  });

  it('says which of the chosen parameters stayed as they were', async () => {
    const { out } = await secateur('prune', 'lenet5', '-o', at('groups.onnx'), '--granularity', '2:4');
    expect(out).toContain('1 of 5 chosen parameters, too small for this or zero already');
    const again = await secateur('prune', 'lenet5', '-o', at('json.onnx'), '--granularity', '2:4', '--json');
    expect(JSON.parse(again.out)).toMatchObject({ parametersSelected: 5, parametersPruned: 4 });
  });

  it('writes over its own input only when told to, and whole', async () => {
    const path = at('own — 画.onnx');
    writeFileSync(path, readFileSync(at('lenet5.onnx')));
    const before = readFileSync(path);
    expect((await secateur('prune', path, '-o', path)).code).toBe(1);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect((await secateur('prune', path, '-o', path, '--force')).code).toBe(0);
    const { out } = await secateur('profile', path, '--json');
    expect(JSON.parse(out).totals.zeros).toBeGreaterThan(20_000);
  });
});

describe('width', () => {
  const before = process.env.COLUMNS;
  afterEach(() => {
    if (before === undefined) delete process.env.COLUMNS;
    else process.env.COLUMNS = before;
  });
  const widest = (text: string): number => Math.max(...text.split('\n').map((line) => line.length));

  it('fits tables and help into 80 columns without shortening names', async () => {
    process.env.COLUMNS = '80';
    const profile = await secateur('profile', 'yolov5n');
    expect(widest(profile.out)).toBeLessThanOrEqual(80);
    expect(profile.out).toMatch(/^\/model.2\/m\/m.0\/cv1\/conv\/Conv +Conv /m);
    expect(profile.out).toMatch(/^layer +operator +parameters +zeros +MACs\n/);
    const prune = await secateur('prune', 'yolov5n', '-o', at('n.onnx'), '--global');
    expect(widest(prune.out.split('\n\n')[0] ?? '')).toBeLessThanOrEqual(80);
    const long = at(`${'long'.repeat(20)}.onnx`);
    writeFileSync(long, readFileSync(at('lenet5.onnx')));
    const compare = await secateur('compare', long, long, '--no-latency');
    expect(widest(compare.out.split('\n\n')[0] ?? '')).toBeLessThanOrEqual(80);
    for (const command of ['profile', 'prune', 'compare', 'convert', 'print']) {
      expect(widest((await secateur(command, '--help')).out)).toBeLessThanOrEqual(80);
    }
    expect(widest((await secateur('--help')).out)).toBeLessThanOrEqual(80);
  });

  it('shows every column where there is room', async () => {
    process.env.COLUMNS = '140';
    expect((await secateur('profile', 'yolov5n')).out).toMatch(/ MACs +share +activations\n/);
  });
});
