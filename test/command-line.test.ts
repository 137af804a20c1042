import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../scripts/tools.mjs';
import { VERSION } from '../src/cli/version.ts';
import { Generator } from '../src/core/random.ts';
import { Tensor } from '../src/core/tensor.ts';
import { fromGraph } from '../src/nn/index.ts';
import { readModel, readTensors, writeTensors } from '../src/node/index.ts';
import { secateur } from './run-command.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Measured {
  readonly zeros: number;
  readonly granularity: object;
  readonly totals: object;
  readonly latency: object;
}

/** The fields that the commands' JSON has, taken together. */
interface Report extends Measured {
  readonly layers: readonly object[];
  readonly inputs: object;
  readonly before: Measured;
  readonly after: Measured;
  readonly a: Measured;
  readonly b: Measured;
  readonly difference: object;
}

async function json(...args: string[]): Promise<Report> {
  const { code, out, err } = await secateur(...args, '--json');
  expect(err).toBe('');
  expect(code).toBe(0);
  return JSON.parse(out);
}

const convZeros = (path: string): number => {
  let zeros = 0;
  for (const { parameter } of fromGraph(readModel(path)).parameterPlaces()) {
    if (parameter.layout?.input === null || !parameter.layout) continue;
    for (const w of parameter.data.float32) if (w === 0) zeros++;
  }
  return zeros;
};

describe('secateur profile', () => {
  it('gives the numbers of the notes', async () => {
    const { totals } = await json(
      ...['profile', 'yolov5s', '--classes', '3', '--shape', '1,3,640,640', '--convention', 'thop@0.0.31'],
    );
    expect(totals).toMatchObject({ macs: 7933129600, parameters: 7027720 });
  });

  it('prints layers with name, operator, shape and counts', async () => {
    const { layers, totals, inputs } = await json('profile', 'lenet5');
    expect(layers[0]).toMatchObject({
      op: 'Conv',
      outputShape: [1, 6, 30, 30],
      parameters: 60,
      zeros: 0,
      macs: 48600,
    });
    expect(totals).toMatchObject({ parameters: 81194, macs: 274656 });
    expect(inputs).toEqual({ input: [1, 1, 32, 32] });
  });

  it('fits its table into 110 columns and ends with the totals', async () => {
    const { out, code } = await secateur('profile', 'lenet5', '--sparsity', '--sizes');
    expect(code).toBe(0);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
    expect(out).toContain('81,194');
    expect(out).toMatch(/file +\d.* gzip \(level 6\)/);
    expect(out).toMatch(/2:4 groups/);
  });

  it('prints CSV with a head', async () => {
    const { out } = await secateur('profile', 'lenet5', '--csv', '--sort', 'macs', '--top', '1');
    const [head, row, end] = out.split('\r\n');
    expect(head).toBe('name,op,outputShape,parameters,zeros,macs,share,activationBytes');
    expect(row).toMatch(/^\/conv2\/Conv,Conv,1x16x13x13,880,0,146016,/);
    expect(end).toBe('');
  });

  it('measures latency where asked', async () => {
    const { latency } = await json('profile', 'lenet5', '--latency', '--threads', '1');
    expect(latency).toMatchObject({ threads: 1, engine: 'onnxruntime-node' });
  });
});

describe('secateur prune', () => {
  it('leaves exactly 2102592 zeros more among the weights of YOLOv5s, as in the notes', async () => {
    const out = at('yolo.onnx');
    const { before, after } = await json(
      ...['prune', 'yolov5s', '--classes', '3', '--method', 'l1-unstructured', '--amount', '0.3', '-o', out],
    );
    expect(after.zeros - before.zeros).toBe(2102592);
    expect(convZeros(out)).toBe(2102592);
    expect(Math.fround(2102592 / 7027720)).toBe(0.29918551445007324);
  });

  const variants: readonly (readonly string[])[] = [
    ['--method', 'random-unstructured', '--amount', '0.5'],
    ['--method', 'ln-structured', '--norm', 'inf', '--dim', '0', '--amount', '0.5'],
    ['--method', 'random-structured', '--dim', '1', '--amount', '0.5'],
    ['--amount', '0.5', '--global'],
    ['--amount', '50'],
    ['--granularity', '2:4'],
    ['--granularity', 'row', '--amount', '0.5'],
    ['--granularity', 'column', '--method', 'l2', '--amount', '0.5'],
    ['--granularity', 'kernel', '--method', 'random', '--amount', '0.5', '--global'],
    ['--granularity', 'filter', '--method', 'l2', '--amount', '0.5'],
    ['--granularity', 'block:4x1', '--amount', '0.5'],
    ['--granularity', 'layer', '--amount', '1'],
    ['--include', 'fc*', '--exclude', 'fc3', '--amount', '0.5'],
    ['--types', 'Conv2d', '--amount', '0.5'],
    ['--operator', 'Gemm', '--amount', '0.5'],
  ];
  for (const [index, options] of variants.entries()) {
    it(`${options.join(' ')}: writes a file that is pruned so and runs`, async () => {
      const out = at(`variant-${index}.onnx`);
      const { before, after } = await json('prune', 'lenet5', '-o', out, ...options);
      expect(after.zeros).toBeGreaterThan(before.zeros);
      expect(convZeros(out)).toBe(after.zeros);
      const { b, difference } = await json('compare', 'lenet5', out, '--no-latency');
      expect(b.totals).toMatchObject({ zeros: after.zeros });
      expect(difference).toMatchObject({ notComparable: 0 });
    });
  }

  it('ranks filters by activations on calibration inputs', async () => {
    const data = at('calibration.safetensors');
    const inputs = new Tensor('float32', [8, 1, 32, 32], new Generator(1).randn(8 * 1024));
    writeTensors(new Map([['input', inputs]]), data);
    for (const method of ['apoz', 'mean-activation']) {
      const out = at(`${method}.onnx`);
      const { after } = await json(
        ...[
          'prune',
          'lenet5',
          '-o',
          out,
          '--method',
          method,
          '--amount',
          '0.5',
          '--types',
          'Conv2d',
          '--data',
          data,
        ],
      );
      expect(after.granularity).toMatchObject({ filters: { zero: 11 } });
    }
  });

  it('writes a state dict with the masks, as a pruned module of PyTorch has it', async () => {
    for (const name of ['masked.pt', 'masked.safetensors']) {
      const report = await json('prune', 'lenet5', '-o', at(name), '--amount', '0.5', '--types', 'Conv2d');
      expect(report.before).not.toHaveProperty('sizes');
      expect(report.after).not.toHaveProperty('sizes');
      const state = readTensors(at(name));
      expect([...state.keys()].filter((key) => key.startsWith('conv')).sort()).toEqual(
        ['conv1', 'conv2'].flatMap((layer) =>
          ['bias', 'weight_mask', 'weight_orig'].map((own) => `${layer}.${own}`),
        ),
      );
      const kept = state.get('conv2.weight_mask')!.toNumbers();
      expect(kept.filter((entry) => entry === 0)).toHaveLength(432);
      expect(
        state
          .get('conv2.weight_orig')!
          .toNumbers()
          .filter((entry) => entry === 0),
      ).toEqual([]);
    }
    const { out } = await secateur('prune', 'lenet5', '-o', at('told.pt'));
    expect(out).toContain('masks               kept: weight_orig and weight_mask, as PyTorch names them\n');
    expect(out).not.toContain('file, gzip');
  });

  it('is the same for the same seed and another for another', async () => {
    const bytes = async (name: string, seed: string): Promise<Buffer> => {
      await json('prune', 'lenet5', '-o', at(name), '--method', 'random-unstructured', '--seed', seed);
      return readFileSync(at(name));
    };
    const first = await bytes('seed-a.onnx', '5');
    expect(first.equals(await bytes('seed-b.onnx', '5'))).toBe(true);
    expect(first.equals(await bytes('seed-c.onnx', '6'))).toBe(false);
  });

  it('never writes over a file unless told to', async () => {
    writeFileSync(at('kept.onnx'), 'precious');
    const refused = await secateur('prune', 'lenet5', '-o', at('kept.onnx'));
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('exists already; --force writes over it');
    expect(readFileSync(at('kept.onnx'), 'utf8')).toBe('precious');
    expect((await secateur('prune', 'lenet5', '-o', at('kept.onnx'), '--force')).code).toBe(0);
    expect(readModel(at('kept.onnx')).nodes.length).toBeGreaterThan(5);
  });
});

describe('secateur compare, convert and print', () => {
  it('compares a model with itself without a difference', async () => {
    const { a, b, difference } = await json('compare', 'lenet5', 'lenet5', '--runs', '3');
    expect(difference).toMatchObject({ max: 0, mean: 0 });
    expect(a.totals).toEqual(b.totals);
    expect(a.latency).toMatchObject({ engine: 'onnxruntime-node' });
  });

  it('runs both on inputs from a file', async () => {
    const file = at('input.safetensors');
    writeTensors(new Map([['input', Tensor.full([2, 1, 32, 32], 0.5)]]), file);
    const { inputs } = await json('compare', 'lenet5', 'lenet5', '--inputs', file, '--no-latency');
    expect(inputs).toEqual({ input: [2, 1, 32, 32] });
    const wrong = at('wrong.safetensors');
    writeTensors(
      new Map([
        ['a', Tensor.full([1], 1)],
        ['b', Tensor.full([1], 1)],
      ]),
      wrong,
    );
    const { code, err } = await secateur('compare', 'lenet5', 'lenet5', '--inputs', wrong);
    expect(code).toBe(2);
    expect(err).toContain("holds 'a', 'b'; the model's inputs are 'input'");
  });

  it.for(['.safetensors', '.pt'])('takes weights to %s and back', async (extension) => {
    const weights = at(`weights${extension}`);
    expect((await secateur('convert', 'lenet5', '--seed', '3', '-o', weights)).code).toBe(0);
    const { difference } = await json(
      ...['compare', 'lenet5', 'lenet5', '--seed', '3', '--weights', weights, '--no-latency'],
    );
    expect(difference).toMatchObject({ max: 0 });
    expect(
      (await secateur('convert', 'lenet5', '--weights', weights, '-o', at(`again${extension}.onnx`))).code,
    ).toBe(0);
    const unlike = await secateur(
      'convert',
      'resnet20',
      '--weights',
      weights,
      '-o',
      at(`unlike${extension}.onnx`),
    );
    expect(unlike.code).toBe(1);
    expect(unlike.err).toContain('Missing key(s) in state_dict');
  });

  it('gives graph, tree and what was written as JSON and CSV', async () => {
    const graph = JSON.parse((await secateur('print', 'lenet5', '--json')).out);
    expect(graph.nodes[0]).toMatchObject({
      name: '/conv1/Conv',
      op: 'Conv',
      inputs: ['input', 'conv1.weight', 'conv1.bias'],
    });
    expect(graph.inputs).toEqual([{ name: 'input', dtype: 'float32', shape: ['batch', 1, 32, 32] }]);
    const tree = JSON.parse((await secateur('print', 'lenet5', '--tree', '--json')).out);
    expect(tree[1]).toEqual({
      path: 'conv1',
      type: 'Conv2d',
      parameters: { weight: [6, 1, 3, 3], bias: [6] },
    });
    expect((await secateur('print', 'lenet5', '--csv')).out).toMatch(
      /^name,op,inputs,outputs\r\n\/conv1\/Conv,Conv,/,
    );
    expect((await secateur('print', 'lenet5', '--tree', '--csv')).out).toContain(
      'conv1,Conv2d,weight 6x1x3x3 bias 6',
    );
    const written = await secateur('convert', 'lenet5', '-o', at('written.onnx'), '--json');
    expect(JSON.parse(written.out)).toMatchObject({ model: 'lenet5', output: at('written.onnx') });
    expect((await secateur('convert', 'lenet5', '-o', at('csv.onnx'), '--csv')).out).toMatch(
      /^model,output,bytes\r\nlenet5,/,
    );
  });

  it('prints the graph and the tree', async () => {
    const graph = await secateur('print', 'lenet5');
    expect(graph.out).toContain('conv1.weight = float32[6, 1, 3, 3]');
    expect(graph.out).toContain('# /conv1/Conv');
    expect((await secateur('print', 'lenet5', '--tree')).out).toContain(
      '(conv1): Conv2d(1, 6, kernel_size=(3, 3)',
    );
  });
});

describe('a wrong command line', () => {
  const wrong: readonly (readonly [args: readonly string[], says: string])[] = [
    [['profile'], "missing required argument 'model'"],
    [['profile', 'lenet6'], "'lenet6' is neither an .onnx file nor a built-in architecture (lenet5, "],
    [['profile', 'lenet5', '--shape', '1,x'], 'expected whole numbers like 1,3,640,640'],
    [
      ['profile', 'lenet5', '--shape', 'image=1,1,32,32'],
      "the model has no input 'image'; its inputs are input",
    ],
    [['profile', 'lenet5', '--convention', 'mflops'], 'Allowed choices are macs, flops'],
    [['profile', 'lenet5', '--sort', 'size'], '--sort: expected one of parameters'],
    [['profile', 'lenet5', '--json', '--csv'], 'cannot be used with option'],
    [['prune', 'lenet5'], "required option '-o, --output <file>' not specified"],
    [
      ['prune', 'lenet5', '-o', 'x.txt'],
      "--output: 'x.txt' must end in .onnx or .safetensors or .pt or .pth or .th",
    ],
    [['prune', 'lenet5', '-o', 'x.onnx', '--amount', '1.5'], 'a share must be at most 1'],
    [['prune', 'lenet5', '-o', 'x.onnx', '--granularity', 'pixel'], "granularity 'pixel'"],
    [['prune', 'lenet5', '-o', 'x.onnx', '--include', 'nothing*'], 'no parameter of LeNet5 is selected'],
    [
      ['prune', 'lenet5', '-o', 'x.onnx', '--method', 'apoz'],
      '--method apoz needs inputs to run: --data FILE',
    ],
    [['prune', 'lenet5', '-o', 'x.onnx', '--method', 'ln-structured', '--global'], 'ranks within a layer'],
    [
      ['prune', 'lenet5', '-o', 'x.onnx', '--method', 'ln-structured', '--norm', 'x'],
      '--norm: expected a number',
    ],
    [
      ['prune', 'lenet5', '-o', 'x.onnx', '--method', 'ln-structured', '--granularity', 'filter'],
      'has a granularity of its own',
    ],
    [
      ['prune', 'lenet5', '-o', 'x.onnx', '--granularity', 'kernel', '--method', 'apoz', '--data', 'x.npy'],
      'ranks filters',
    ],
    [['prune', 'lenet5', '-o', 'x.onnx', '--operator', 'LSTM'], 'the layers to choose from are Conv, Gemm'],
    [['convert', 'lenet5', '-o', 'x.bin'], 'must end in .onnx or .safetensors or .pt or .pth or .th'],
    [['frobnicate'], "unknown command 'frobnicate'"],
  ];
  for (const [args, says] of wrong) {
    it(`${args.join(' ')}: ends with 2 and says why`, async () => {
      const { code, err, out } = await secateur(...args);
      expect(out).toBe('');
      expect(err).toContain(says);
      expect(code).toBe(2);
      expect(existsSync('x.onnx')).toBe(false);
    });
  }

  it('ends with 1 for files that cannot be read', async () => {
    const missing = await secateur('profile', at('missing.onnx'));
    expect(missing).toMatchObject({ code: 1 });
    writeFileSync(at('damaged.onnx'), 'not a model');
    const damaged = await secateur('profile', at('damaged.onnx'));
    expect(damaged.code).toBe(1);
    expect(damaged.err).toMatch(/damaged\.onnx|ONNX at byte/);
    writeFileSync(at('model.pt'), 'x');
    const checkpoint = await secateur('profile', at('model.pt'));
    expect([checkpoint.code, checkpoint.err]).toEqual([1, expect.stringMatching(/model\.pt: PyTorch/)]);
    writeFileSync(at('model.txt'), 'x');
    expect((await secateur('profile', at('model.txt'))).err).toContain(
      'is not read as a model; expected an .onnx file, or weights of a built-in architecture (.pt, .pth, .th, .safetensors)',
    );
  });
});

describe('help and version', () => {
  it('has examples for every command', async () => {
    const top = await secateur('--help');
    expect(top.code).toBe(0);
    expect(top.out).toContain('Exit codes: 0 done');
    for (const command of ['profile', 'prune', 'compare', 'convert', 'print']) {
      const { code, out } = await secateur(command, '--help');
      expect(code).toBe(0);
      expect(out).toContain(`$ secateur ${command} `);
    }
  });

  it("prints the package's version", async () => {
    expect((await secateur('--version')).out).toBe(`${VERSION}\n`);
    expect(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version).toBe(VERSION);
  });
});
