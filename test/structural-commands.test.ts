import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromFloat32 } from '../src/core/float16.ts';
import { Generator } from '../src/core/random.ts';
import { Tensor } from '../src/core/tensor.ts';
import { attr, type Value } from '../src/ir/index.ts';
import { readModel, readTensors, writeModel, writeTensors } from '../src/node/index.ts';
import { GraphBuilder } from '../src/ops/index.ts';
import { profile } from '../src/profile/index.ts';
import { parseReport } from '../src/report/index.ts';
import { randomInputs } from '../src/runtime/index.ts';
import { parsePlan } from '../src/structural/index.ts';
import { writeIdxFiles, writeNpy } from './data-set-files.ts';
import { runGraph } from './model-files.ts';
import { type Result, secateur } from './run-command.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

/** `FOLDER/` in the arguments stands for the folder of this test. */
const typed = (line: string): Promise<Result> =>
  secateur(
    ...line
      .split(' ')
      .filter(Boolean)
      .map((text) => text.replace('FOLDER', () => folder)),
  );

// biome-ignore lint/suspicious/noExplicitAny: what a command prints is looked at field by field.
async function json(line: string): Promise<any> {
  const { code, out, err } = await typed(`${line} --json`);
  expect(err).toBe('');
  expect(code).toBe(0);
  return JSON.parse(out);
}

/** A residual network with a layer of each kind: normalized, tied by a sum, grouped, linear. */
function writeNetwork(path: string, batch: 'batch' | 2 = 'batch'): void {
  const generator = new Generator(5);
  const builder = new GraphBuilder();
  const random = (name: string, ...shape: number[]): Value => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    return builder.constant(new Tensor('float32', shape, generator.randn(size)), name);
  };
  const conv = (x: Value, name: string, out: number, channels: number, groups = 1): Value =>
    builder.op(
      'Conv',
      [x, random(`${name}.weight`, out, channels / groups, 3, 3), random(`${name}.bias`, out)],
      {
        name: `/${name}/Conv`,
        attributes: { pads: attr.ints([1, 1, 1, 1]), group: attr.int(groups) },
      },
    );
  const x = builder.input('x', 'float32', [batch, 3, 8, 8]);
  const stem = builder.op('Relu', [conv(x, 'stem', 16, 3)]);
  const inner = builder.op('Relu', [conv(stem, 'block.conv1', 12, 16)]);
  const sum = builder.op('Add', [conv(inner, 'block.conv2', 16, 12), stem], { name: '/block/Add' });
  const grouped = builder.op('Relu', [conv(sum, 'grouped', 8, 16, 2)]);
  const pooled = builder.op('Flatten', [builder.op('GlobalAveragePool', [grouped])]);
  builder.output(
    builder.op('Gemm', [pooled, random('fc.weight', 5, 8), random('fc.bias', 5)], {
      name: '/fc/Gemm',
      attributes: { transB: attr.int(1) },
    }),
    'y',
  );
  writeModel(builder.graph, path);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-structural-'));
  writeNetwork(at('net.onnx'));
  writeNetwork(at('fixed.onnx'), 2);
  expect((await typed('convert lenet5 -o FOLDER/lenet5.onnx')).code).toBe(0);
  mkdirSync(at('digits'));
  writeIdxFiles(at('digits'), { train: 96, test: 32 });
  const inputs = new Tensor('float32', [6, 3, 8, 8], new Generator(1).randn(6 * 3 * 64));
  writeTensors(new Map([['x', inputs]]), at('inputs.safetensors'));
  writeFileSync(at('junk.npy'), 'no array');
  writeNpy(at('images.npy'), new Tensor('float32', [8, 3, 32, 32], new Generator(2).randn(8 * 3 * 1024)));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Parameters of a file. */
const parameters = (name: string): number => profile(readModel(at(name)), { zeros: false }).totals.parameters;

describe('secateur shrink', () => {
  it('takes models of half precision', async () => {
    writeNetwork(at('float16.onnx'));
    const graph = readModel(at('float16.onnx'));
    for (const value of graph.values) {
      if (value.initializer?.dtype === 'float32')
        value.initializer = fromFloat32(value.initializer, 'float16');
      if (value.type?.kind === 'tensor' && value.type.dtype === 'float32')
        value.type = { ...value.type, dtype: 'float16' };
    }
    writeModel(graph, at('float16.onnx'), { force: true });
    const { verification, file } = await json(
      'shrink FOLDER/float16.onnx -o FOLDER/float16-cut.onnx --ratio 0.5',
    );
    expect(verification.equal).toBe(true);
    expect(file.maxDifference).toBeLessThan(1e-2);
  });

  it('cuts every layer but the output, proves it, and writes what it says', async () => {
    const found = await json('shrink FOLDER/net.onnx -o FOLDER/half.onnx --ratio 0.5 --threads 1');
    expect(
      found.layers.map((layer: { name: string; before: number; after: number }) => [
        layer.name,
        layer.before,
        layer.after,
      ]),
    ).toEqual([
      ['stem', 16, 8],
      ['block.conv1', 12, 6],
      ['grouped', 8, 4],
      ['fc', 5, 5],
    ]);
    expect(found.layers[0].layers).toEqual(['stem', 'block.conv2']);
    expect(found.whyNot).toEqual([{ layer: 'fc', why: "reaches the output 'y'" }]);
    expect(found.verification).toMatchObject({ equal: true, notEqual: [] });
    expect(found.verification.relativeError).toBeLessThan(1e-4);
    expect(found.after.parameters).toBe(parameters('half.onnx'));
    expect(found.after.macs).toBeLessThan(found.before.macs / 3);
    expect(found.after.sizes.raw).toBe(readFileSync(at('half.onnx')).byteLength);
    expect(found.file.maxDifference).toBeLessThan(1e-4);
    const [output] = (
      await runGraph(readModel(at('half.onnx')), randomInputs(readModel(at('half.onnx'))))
    ).values();
    expect(output!.shape).toEqual([1, 5]);
  });

  it('prints before and after, layers, reasons and the proof, within the terminal', async () => {
    const { code, out, err } = await typed(
      'shrink FOLDER/net.onnx -o FOLDER/text.onnx --ratio 0.5 --round-to 8 --ignore block.conv1 --measure --threads 1',
    );
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^ +before +after +after \/ before\n/);
    expect(out).toMatch(
      /\nparameters +\S+ +\S+ +0\.\d+\nMACs .*\nfile .*\nfile, gzip .*\nlatency +.* ms +.* ms/,
    );
    expect(out).toMatch(/\nstem +2 +16 +8 +50\.00 %\n/);
    expect(out).toContain("  block.conv1: is ignored: matches 'block.conv1'\n");
    expect(out).toContain("  fc: reaches the output 'y'\n");
    expect(out).toContain('\nverified    the cut model computes what the original does');
    expect(out).toMatch(/\nmeasured +median of \d+ runs each, in turns \(1 thread, onnxruntime-node\)\n/);
    expect(out).toMatch(/\nwrote +.*text\.onnx \(.*\)\nchecked +read back and run in onnxruntime\n$/);
    const [table = ''] = out.split('\nnot cut');
    expect(Math.max(...table.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
  });

  const budgets = [
    [
      '--macs 50%',
      'macs',
      (found: { after: { macs: number }; before: { macs: number } }) => found.after.macs / found.before.macs,
    ],
    [
      '--params 3k',
      'parameters',
      (found: { after: { parameters: number } }) => (found.after.parameters / 3000) * 0.5,
    ],
    [
      '--size 50%',
      'fileSize',
      (found: { after: { sizes: { raw: number } }; before: { sizes: { raw: number } } }) =>
        found.after.sizes.raw / found.before.sizes.raw,
    ],
  ] as const;
  for (const [option, of, share] of budgets) {
    it(`reaches ${option} of LeNet-5's like within 2 %, or says why not`, async () => {
      const found = await json(`shrink FOLDER/net.onnx -o FOLDER/${of}.onnx ${option} --global --threads 1`);
      expect(found.reached).toMatchObject({ of });
      // Layers of a dozen channels have few steps: the reason is told where the target lies between two.
      if (found.reached.within) expect(Math.abs(share(found) / 0.5 - 1)).toBeLessThanOrEqual(0.021);
      else expect(found.reached.why).toMatch(/\w/);
    });
  }

  it('measures candidates for --latency and tells what it reached', async () => {
    const found = await json('shrink FOLDER/net.onnx -o FOLDER/fast.onnx --latency 70% --threads 1');
    expect(found.reached.measurements.length).toBeGreaterThanOrEqual(2);
    expect(found.before.latency).toMatchObject({ threads: 1, engine: 'onnxruntime-node' });
    expect(found.after.latency.runs).toBe(found.before.latency.runs);
  }, 60_000);

  it('takes other ratios for layers by name, limits and multiples', async () => {
    const found = await json(
      'shrink FOLDER/net.onnx -o FOLDER/limits.onnx --ratio 0.9 --ratio-for block.*=0 --keep-at-least 6 --max-ratio 0.5 --rounding nearest --round-to 2',
    );
    const after = Object.fromEntries(
      found.layers.map(({ name, after: stay }: { name: string; after: number }) => [name, stay]),
    );
    // The stem is tied to a layer of the block, whose ratio counts for both.
    expect(after).toEqual({ stem: 16, 'block.conv1': 12, grouped: 6, fc: 5 });
    expect(found.whyNot.map(({ layer }: { layer: string }) => layer)).toEqual(
      expect.arrayContaining(['stem', 'block.conv1', 'block.conv2', 'grouped', 'fc']),
    );
  });

  it('ranks by labelled samples, repairs on them, and reports it', async () => {
    const found = await json(
      'shrink FOLDER/lenet5.onnx -o FOLDER/taylor.onnx --ratio 0.5 --importance taylor --data FOLDER/digits --samples 40 --batch-size 16 --repair --threads 1 --report FOLDER/taylor.html',
    );
    expect(found.settings).toMatchObject({
      importance: 'taylor',
      calibration: '40 samples of the training half (96 samples)',
      recalibrate: false,
      repair: true,
    });
    expect(found.repair.samples).toBe(40);
    expect(found.recalibration).toBe(null);
    expect(found.after.parameters).toBe(parameters('taylor.onnx'));
    const report = parseReport(readFileSync(at('taylor.json'), 'utf8'));
    expect(report.sections.map(({ title }) => title)).toEqual(
      expect.arrayContaining([
        'Model before and after',
        'Channels',
        'Not cut, or less than asked',
        'Proof',
        'Repair',
      ]),
    );
    expect(readFileSync(at('taylor.html'), 'utf8')).toContain('Channels before and after');
  });

  it('measures the statistics of batch norm anew on data, and ranks by their scales', async () => {
    const line =
      'shrink resnet20 -o FOLDER/norms.onnx --ratio 0.3 --importance batch-norm --fallback l2 --data FOLDER/images.npy --threads 1 --force';
    const found = await json(line);
    expect(found.recalibration).toMatchObject({ samples: 8, batches: 1 });
    expect(found.recalibration.layers).toHaveLength(19);
    const { out } = await typed(line);
    expect(out).toMatch(/\nstatistics +of 19 batch norms measured anew on 8 samples\n/);
    const kept = await json(`${line} --no-recalibrate --repair`);
    expect(kept.recalibration).toBe(null);
    expect(kept.repair.layers.length).toBeGreaterThan(0);
  });

  it('takes inputs from an array file, in batches of the size a model has', async () => {
    const free = await json(
      'shrink FOLDER/net.onnx -o FOLDER/wanda.onnx --ratio 0.5 --importance wanda --data FOLDER/inputs.safetensors --samples 5',
    );
    expect(free.settings.calibration).toMatch(/inputs of .*inputs\.safetensors \(6 samples, the first 5\)/);
    const fixed = await json(
      'shrink FOLDER/fixed.onnx -o FOLDER/wanda2.onnx --ratio 0.5 --importance wanda --data FOLDER/inputs.safetensors --samples 5 --repair',
    );
    expect(fixed.repair.samples).toBe(4);
  });

  it('removes blocks whole, alone and before channels', async () => {
    const alone = await json('shrink FOLDER/net.onnx -o FOLDER/blocks.onnx --remove-blocks 1');
    expect(alone.blocks).toMatchObject([{ kind: 'residual', layers: ['block.conv1', 'block.conv2'] }]);
    expect(alone.before.parameters - alone.after.parameters).toBe(alone.blocks[0].saves.parameters);
    expect(alone.notes[0]).toContain('was removed whole (block.conv1, block.conv2)');
    const both = await json('shrink FOLDER/net.onnx -o FOLDER/both.onnx --remove-blocks 1 --ratio 0.5');
    expect(both.after.parameters).toBeLessThan(alone.after.parameters);
    expect(both.verification.equal).toBe(true);
  });

  it('writes numbers of a budget as they are read', async () => {
    const { out } = await typed('shrink FOLDER/net.onnx --macs 0.0123% --dry-run');
    expect(out).toMatch(/\nmissed +MACs [\d.]+ k where \d{1,3} was asked for \(/);
  });

  it('says that nothing was cut', async () => {
    const { out } = await typed('shrink FOLDER/net.onnx --ratio 0.5 --round-to 512 --dry-run');
    expect(out).toMatch(/\n\nnothing was cut\n\nnot cut, or less than asked:\n/);
  });

  it('writes blocks into the plan, and applies it', async () => {
    const line = 'shrink FOLDER/net.onnx -o FOLDER/shorter.onnx --remove-blocks 1 --ratio 0.5';
    const cut = await json(`${line} --plan FOLDER/blocks.json`);
    const applied = await json('apply FOLDER/blocks.json FOLDER/net.onnx -o FOLDER/shorter2.onnx');
    expect(applied.after.parameters).toBe(cut.after.parameters);
    expect(applied.blocks).toEqual(cut.blocks);
    expect(applied.notes[0]).toMatch(/^block block was removed whole \(block\.conv1, block\.conv2\)/);
    expect(readFileSync(at('shorter2.onnx')).equals(readFileSync(at('shorter.onnx')))).toBe(true);
  });

  it('writes nothing in a dry run but the plan', async () => {
    const found = await json(
      'shrink FOLDER/net.onnx -o FOLDER/dry.onnx --ratio 0.5 --dry-run --plan FOLDER/dry.json',
    );
    expect(existsSync(at('dry.onnx'))).toBe(false);
    expect(found.output).toBe(null);
    expect(parsePlan(readFileSync(at('dry.json'), 'utf8'))).toEqual(found.plan);
    const { out, code } = await typed('shrink FOLDER/net.onnx --ratio 0.5 --dry-run');
    expect(code).toBe(0);
    expect(out).toMatch(/\nstem +2 +16 +8 /);
    expect(out).not.toContain('wrote');
  });

  it('cuts built-in architectures, and prints CSV', async () => {
    const { code, out } = await typed(
      'shrink lenet5 -o FOLDER/built.onnx --ratio 0.25 --seed 3 --no-verify --csv',
    );
    expect(code).toBe(0);
    expect(out.split('\r\n').slice(0, 3)).toEqual([
      'name,layers,before,after,removed',
      'conv1,1,6,4,0.3333333333333333',
      'conv2,1,16,12,0.25',
    ]);
    expect(parameters('built.onnx')).toBeLessThan(81194);
  });

  it('leaves an input alone unless told, and gives the same bytes for the same seed', async () => {
    copyFileSync(at('net.onnx'), at('own.onnx'));
    const before = readFileSync(at('own.onnx'));
    const refused = await typed('shrink FOLDER/own.onnx -o FOLDER/own.onnx --ratio 0.5');
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('exists already; --force')]);
    expect(readFileSync(at('own.onnx')).equals(before)).toBe(true);
    const options = '--ratio 0.5 --importance random --seed 4 --force';
    expect((await typed(`shrink FOLDER/own.onnx -o FOLDER/own.onnx ${options}`)).code).toBe(0);
    expect((await typed(`shrink FOLDER/net.onnx -o FOLDER/twin.onnx ${options}`)).code).toBe(0);
    expect(readFileSync(at('own.onnx')).equals(readFileSync(at('twin.onnx')))).toBe(true);
  });
});

describe('secateur apply', () => {
  beforeAll(async () => {
    await json(
      'shrink FOLDER/net.onnx -o FOLDER/planned.onnx --ratio 0.5 --plan FOLDER/plan.json --threads 1',
    );
  });

  it('makes the same cut of another copy', async () => {
    copyFileSync(at('net.onnx'), at('copy.onnx'));
    const found = await json('apply FOLDER/plan.json FOLDER/copy.onnx -o FOLDER/applied.onnx --threads 1');
    expect(readFileSync(at('applied.onnx')).equals(readFileSync(at('planned.onnx')))).toBe(true);
    expect(found.verification.equal).toBe(true);
    expect(found.whyNot).toEqual([{ layer: 'fc', why: "reaches the output 'y'" }]);
  });

  it('takes a plan that was edited by hand, and brings it up to date for a state dict', async () => {
    const plan = JSON.parse(readFileSync(at('plan.json'), 'utf8'));
    const [stem] = plan.groups;
    stem.remove = [0, 9];
    writeFileSync(at('edited.json'), JSON.stringify(plan));
    const found = await json(
      'apply FOLDER/edited.json FOLDER/net.onnx -o FOLDER/edited.onnx --plan FOLDER/renewed.json',
    );
    expect(found.layers[0]).toMatchObject({ name: 'stem', before: 16, after: 14 });

    expect((await typed('convert FOLDER/net.onnx -o FOLDER/state.safetensors')).code).toBe(0);
    const stale = await typed(
      'apply FOLDER/edited.json FOLDER/state.safetensors -o FOLDER/stale.safetensors',
    );
    expect(stale.code).toBe(1);
    expect(stale.err).toMatch(/edited\.json: .*stem/);
    const { out, code } = await typed('apply FOLDER/renewed.json FOLDER/state.safetensors -o FOLDER/cut.pt');
    expect(code).toBe(0);
    expect(out).toMatch(/\nstem\.weight +16x3x3x3 +14x3x3x3\n/);
    const tensors = readTensors(at('cut.pt'));
    for (const { name, initializer } of readModel(at('edited.onnx')).initializers) {
      expect(tensors.get(name)?.shape, name).toEqual(initializer?.shape);
      expect(Array.from(tensors.get(name)!.float32), name).toEqual(Array.from(initializer!.float32));
    }
  });

  it('tells which weights of a checkpoint with several it reads', async () => {
    const checkpoint = fileURLToPath(new URL('../src/io/pytorch/testdata/checkpoint.pt', import.meta.url));
    const { err, code } = await secateur('apply', at('plan.json'), checkpoint, '--dry-run');
    expect(code).toBe(1);
    expect(err).toContain("checkpoint.pt' holds weights under ema, model; ema were read\n");
  });

  it('shows what it would do', async () => {
    const found = await json('apply FOLDER/plan.json FOLDER/net.onnx --dry-run');
    expect(found.plan.groups[0].layers).toEqual(['stem', 'block.conv2']);
    const { out, code } = await typed('apply FOLDER/plan.json FOLDER/state.safetensors --dry-run');
    expect(code).toBe(0);
    expect(out).toContain('nothing was written (--dry-run)');
  });
});

describe('secateur simplify', () => {
  it('removes what a mask has zeroed, with the same outputs', async () => {
    expect(
      (await typed('prune FOLDER/net.onnx -o FOLDER/masked.onnx --method ln-structured --amount 0.5')).code,
    ).toBe(0);
    const found = await json('simplify FOLDER/masked.onnx -o FOLDER/simple.onnx --threads 1');
    expect(found.after.parameters).toBe(parameters('simple.onnx'));
    expect(found.after.parameters).toBeLessThan(found.before.parameters);
    const feeds = randomInputs(readModel(at('net.onnx')), { seed: 9 });
    const [masked, simple] = [
      await runGraph(readModel(at('masked.onnx')), feeds),
      await runGraph(readModel(at('simple.onnx')), feeds),
    ];
    const scale = Math.max(...masked.get('y')!.float32.map(Math.abs));
    simple.get('y')!.float32.forEach((value, index) => {
      expect(Math.abs(value - masked.get('y')!.float32[index]!) / scale).toBeLessThan(1e-5);
    });
  });

  it('says what went, and where nothing did', async () => {
    const { out, code } = await typed('simplify FOLDER/masked.onnx -o FOLDER/simple-text.onnx');
    expect(code).toBe(0);
    expect(out).toMatch(/\nblock\.conv1 +12 +[67]\n/);
    expect(out).toMatch(/\noutputs +differ by at most \S+ from the original's on random inputs\n/);
    const dense = await typed('simplify FOLDER/net.onnx -o FOLDER/dense.onnx');
    expect(dense.out).toContain('no channel is zeroed as a whole');
  });
});

describe('secateur groups', () => {
  it('lists coupled channels with all that hangs on them', async () => {
    const { groups } = await json('groups FOLDER/net.onnx');
    expect(
      groups.map((group: { layers: string[]; units: number; free: number; step: number }) => [
        group.layers,
        group.units,
        group.free,
        group.step,
      ]),
    ).toEqual([
      [['stem', 'block.conv2'], 16, 16, 2],
      [['block.conv1'], 12, 12, 1],
      [['grouped'], 8, 8, 2],
      [['fc'], 5, 0, 1],
    ]);
    expect(groups[1]).toMatchObject({
      parameters: 12 * 16 * 9 + 12 + 16 * 12 * 9,
      members: [
        { name: 'block.conv1.weight', axis: 0, role: 'out', indices: 12 },
        { name: 'block.conv1.bias', axis: 0, role: 'side', indices: 12 },
        { name: 'block.conv2.weight', axis: 1, role: 'in', indices: 12 },
      ],
    });
    expect(groups[3].whyNot).toEqual([{ why: "reaches the output 'y'", units: 5 }]);
  });

  it('prints them as a table and as CSV', async () => {
    const { out } = await typed('groups FOLDER/net.onnx');
    expect(out).toMatch(/\n +0 +stem \+1 +16 +[\d,]+ +16 +2 *\n/);
    expect(out).toMatch(/\n +3 +fc +5 +45 +0 +reaches the output 'y'\n/);
    // Of 64 channels tied in a stream that grows, the first layer has 16.
    expect((await typed('groups resnet20 --csv')).out).toMatch(/\n0,conv1 [^,]*,16,\d+,16,1,/);
    const csv = await typed('groups FOLDER/net.onnx --csv');
    expect(csv.out).toMatch(/^group,layers,channels,.*\r\n0,stem block\.conv2,16,/);
  });

  it('draws the graph', async () => {
    const { out, code } = await typed('groups FOLDER/net.onnx --svg FOLDER/groups.svg');
    expect(code).toBe(0);
    expect(out).toMatch(/\nwrote .*groups\.svg /);
    const svg = readFileSync(at('groups.svg'), 'utf8');
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(svg).toContain('>net.onnx: coupled channels</text>');
    expect(svg).toContain('Conv2d 3×3 · 16 → 8 · 2 groups');
  });
});

describe('messages of the structural commands', () => {
  const wrong: readonly (readonly [code: number, line: string, says: string | RegExp])[] = [
    [2, 'shrink FOLDER/net.onnx -o FOLDER/x.onnx', 'shrink must be told how much: --ratio 0.5, --macs 50%'],
    [
      1,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --params 3G',
      /nothing was cut, and .*x\.onnx was not written: the model has \d+ parameters, no more than the 3000000000 parameters asked for/,
    ],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --threads 9999999',
      'threads must be a whole number from 1 to 1024, got 9999999',
    ],
    [
      1,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --data FOLDER/junk.npy',
      /junk\.npy: npy at byte 0/,
    ],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --data FOLDER/images.npy',
      "gives float32[8, 3, 32, 32] for the input 'x', whose shape is [batch, 3, 8, 8]",
    ],
    [2, 'shrink FOLDER/net.onnx --ratio 0.5', 'give the file to write, -o OUT, or --dry-run to write none'],
    [2, 'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 1.5', 'expected a share between 0 and 1'],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --macs 50%',
      '--ratio and --macs both say how much goes; give one of them',
    ],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --importance tailor',
      "--importance: there is no 'tailor'; did you mean taylor? (l1, l2,",
    ],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --importance hessian',
      '--importance hessian runs samples with labels: give them with --data PATH',
    ],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --importance taylor --data FOLDER/inputs.safetensors',
      /compares outputs with labels, and .*inputs\.safetensors holds inputs alone/,
    ],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --importance batch-norm',
      /cannot score 'stem'.*give --fallback l2/,
    ],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --ignore head',
      /--ignore: no layer matches 'head'; layers are stem, .*; 'secateur groups .*net\.onnx' lists them/,
    ],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --ratio-for head=0.1',
      "--ratio-for: no layer matches 'head'",
    ],
    [2, 'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --rounding up', 'there is no --round-to N'],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --repair',
      '--repair runs the model: give it inputs',
    ],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --recalibrate',
      '--recalibrate runs the model: give it inputs',
    ],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --data FOLDER/digits --no-recalibrate',
      '--data has no part here',
    ],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --data FOLDER/digits',
      /digits holds MNIST, whose size is 28 or 32; got 8/,
    ],
    [
      1,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --data FOLDER/none',
      'there is no such file or folder (--data)',
    ],
    [2, 'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --global --isomorphic', 'cannot be used with'],
    [
      2,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --remove-blocks 3',
      /3 of the blocks were asked for; .* has 1 that can/,
    ],
    [
      1,
      'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0',
      /nothing was cut, and .*x\.onnx was not written; stem/,
    ],
    [2, 'shrink FOLDER/net.onnx -o FOLDER/x.onnx --ratio 0.5 --plan FOLDER/x.txt', 'must end in .json'],
    [2, 'shrink FOLDER/net.onnx -o FOLDER/x.safetensors --ratio 0.5', 'must end in .onnx'],
    [2, 'shrink yolo5s -o FOLDER/x.onnx --ratio 0.5', 'did you mean yolov5s?'],
    [2, 'shrnk lenet5', 'Did you mean shrink?'],
    [1, 'apply FOLDER/none.json FOLDER/net.onnx -o FOLDER/x.onnx', 'there is no such file'],
    [1, 'apply FOLDER/net.onnx FOLDER/net.onnx -o FOLDER/x.onnx', /net\.onnx: expected JSON/],
    [1, 'apply FOLDER/digits.json FOLDER/net.onnx -o FOLDER/x.onnx', /digits\.json: format must be given/],
    [
      1,
      'apply FOLDER/plan.json FOLDER/lenet5.onnx -o FOLDER/x.onnx',
      /plan\.json: group 'stem' does not fit the model/,
    ],
    [
      1,
      'apply FOLDER/plan.json FOLDER/planned.onnx -o FOLDER/x.onnx',
      /plan\.json: 'stem\.weight' is \[8, 3, 3, 3\] in the model/,
    ],
    [
      2,
      'apply FOLDER/plan.json FOLDER/model.pt -o FOLDER/x.onnx',
      'must end in .safetensors or .pt or .pth or .th',
    ],
    [2, 'apply FOLDER/plan.json FOLDER/inputs.safetensors -o FOLDER/x.onnx', 'must end in .safetensors'],
    [
      2,
      'apply FOLDER/plan.json FOLDER/inputs.safetensors -o FOLDER/x.safetensors --repair',
      '--repair has no part here: a state dict is no model that could be run',
    ],
    [
      1,
      'apply FOLDER/plan.json FOLDER/inputs.safetensors -o FOLDER/x.safetensors',
      /plan\.json: cuts parameters that the tensors do not have/,
    ],
    [2, 'groups FOLDER/net.onnx --heads half', "argument 'half' is invalid"],
    [2, 'groups FOLDER/net.onnx --svg FOLDER/x.png', '--svg: '],
    [1, 'simplify FOLDER/net.onnx -o FOLDER/net.onnx', 'exists already'],
  ];
  beforeAll(() => writeFileSync(at('digits.json'), '{}'));
  for (const [code, line, says] of wrong) {
    it(`'${line}' fails with ${code}`, async () => {
      const result = await typed(line);
      expect(result.err).toMatch(
        says instanceof RegExp ? says : new RegExp(says.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')),
      );
      expect([result.code, result.out]).toEqual([code, '']);
      expect(existsSync(at('x.onnx'))).toBe(false);
    });
  }
});

describe('help of the structural commands', () => {
  it('has examples that run', async () => {
    const here = process.cwd();
    const work = mkdtempSync(join(tmpdir(), 'secateur-help-'));
    try {
      process.chdir(work);
      copyFileSync(at('net.onnx'), 'model.onnx');
      copyFileSync(at('lenet5.onnx'), 'lenet5.onnx');
      mkdirSync('mnist');
      writeIdxFiles('mnist', { train: 64, test: 16 });
      for (const command of ['groups', 'shrink', 'apply', 'simplify']) {
        const { out } = await secateur(command, '--help');
        const [, examples = ''] = out.split('Examples:\n');
        const lines = examples
          .replaceAll(/\\\n\s*/g, '')
          .split('\n')
          .filter((line) => line.includes('$ secateur'));
        expect(lines.length).toBeGreaterThan(0);
        for (const line of lines) {
          const [name, ...args] = line.trim().replace('$ secateur ', '').split(/\s+/);
          if (args.includes('checkpoint.pt')) await secateur('convert', 'model.onnx', '-o', 'checkpoint.pt');
          if (args.includes('edited.json')) copyFileSync('plan.json', 'edited.json');
          // Examples write the same file by turns.
          const { code, err } = await secateur(
            name!,
            ...args,
            ...(/-o |--svg|--plan/.test(line) ? ['--force'] : []),
          );
          expect([line, code, err]).toEqual([line, 0, '']);
        }
      }
    } finally {
      process.chdir(here);
      rmSync(work, { recursive: true, force: true });
    }
  }, 60_000);

  it('fits into 80 columns', async () => {
    for (const command of ['groups', 'shrink', 'apply', 'simplify']) {
      const { out } = await secateur(command, '--help');
      expect(Math.max(...out.split('\n').map((line) => line.length)), command).toBeLessThanOrEqual(80);
    }
  });
});
