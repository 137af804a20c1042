import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Generator, manualSeed } from '../src/core/random.ts';
import { Tensor } from '../src/core/tensor.ts';
import { concatBytes, parseOnnx, parseSafetensors, serializeOnnx } from '../src/io/index.ts';
import type { Graph } from '../src/ir/index.ts';
import { type AnyModule, fromGraph, type GraphModule } from '../src/nn/index.ts';
import { readModel, writeModel } from '../src/node/index.ts';
import { countZeros, profile } from '../src/profile/index.ts';
import * as prune from '../src/prune/index.ts';
import { createSession } from '../src/runtime/index.ts';

const FOLDER = fileURLToPath(new URL('../../shared/models/', import.meta.url));
const present = existsSync(FOLDER);

interface Facts {
  readonly parameters: number;
  readonly conv_linear_macs: number | null;
}
const facts: Record<string, Facts> = present
  ? JSON.parse(readFileSync(join(FOLDER, 'models.json'), 'utf8'))
  : {};

const bytesOf = (name: string): Uint8Array => readFileSync(join(FOLDER, name));
const graphOf = (name: string): Graph => parseOnnx(bytesOf(`${name}.onnx`));

async function run(graph: Graph, input: Tensor): Promise<Tensor> {
  const session = await createSession(graph, { threads: 1 });
  try {
    const [feed] = session.inputs;
    const [output] = (await session.run({ [feed!.name]: input })).values();
    return output!;
  } finally {
    await session.dispose();
  }
}

function largestDifference(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape);
  const other = b.float32;
  return a.float32.reduce((most, x, i) => Math.max(most, Math.abs(x - other[i]!)), 0);
}

type Targets = readonly prune.PruningTarget[];

/** Every way of pruning half, and the zeros it must leave in one weight where that is a plain number. */
const METHODS: Readonly<Record<string, (targets: Targets) => void>> = {
  l1Unstructured: (targets) => {
    for (const [module, name] of targets) prune.l1Unstructured(module, name, 0.5);
  },
  randomUnstructured: (targets) => {
    for (const [module, name] of targets) prune.randomUnstructured(module, name, 0.5);
  },
  lnStructured: (targets) => {
    for (const [module, name] of targets) prune.lnStructured(module, name, 0.5, { n: 2, dim: 0 });
  },
  randomStructured: (targets) => {
    for (const [module, name] of targets) prune.randomStructured(module, name, 0.5, { dim: 0 });
  },
  'global l1': (targets) => prune.globalUnstructured(targets, prune.L1Unstructured, { amount: 0.5 }),
  'global random': (targets) => prune.globalUnstructured(targets, prune.RandomUnstructured, { amount: 0.5 }),
  filter: (targets) =>
    prune.pruneGranular(targets, { granularity: { kind: 'filter' }, importance: 'l2', amount: 0.5 }),
  block: (targets) =>
    prune.pruneGranular(targets, { granularity: { kind: 'block', rows: 4, columns: 4 }, amount: 0.5 }),
  '2:4': (targets) => prune.pruneGranular(targets, { granularity: { kind: 'nm', n: 2, m: 4 } }),
  layer: (targets) => prune.pruneGranular(targets, { granularity: { kind: 'layer' }, amount: 0.5 }),
};
/** Granularities that need kernels; `selectParameters` leaves out the layers without. */
const KERNEL_METHODS = ['row', 'column', 'kernel'] as const;

const zerosIn = (model: AnyModule): number =>
  [...model.parameters()].reduce((sum, { data }) => sum + countZeros(data), 0);

async function runs(model: GraphModule, input: Tensor, original: Tensor): Promise<void> {
  const again = parseOnnx(concatBytes(serializeOnnx(model.graph)));
  const output = await run(again, input);
  expect(output.shape).toEqual(original.shape);
  expect(output.float32.every(Number.isFinite)).toBe(true);
  expect(largestDifference(output, original)).toBeGreaterThan(0);
}

it.skipIf(present)('needs ../shared/models for its other tests', ({ skip }) =>
  skip('the folder ../shared is absent'),
);

describe.skipIf(!present)('the exported models', () => {
  it('are twelve', () => {
    const files = readdirSync(FOLDER).filter((name) => name.endsWith('.onnx'));
    expect(files.map((name) => name.slice(0, -5)).sort()).toEqual(Object.keys(facts).sort());
    expect(files).toHaveLength(12);
  });

  for (const [name, { parameters, conv_linear_macs }] of Object.entries(facts)) {
    const { tensors } = parseSafetensors(bytesOf(`${name}.io.safetensors`));
    const input = tensors.get('input')!;
    const expected = tensors.get('output')!;

    it(`${name}: has PyTorch's parameters and operations`, () => {
      const { totals, notCounted } = profile(graphOf(name));
      expect(notCounted).toEqual([]);
      expect(totals.parameters).toBe(parameters);
      if (conv_linear_macs !== null) expect(totals.macs).toBe(conv_linear_macs);
    });

    it(`${name}: runs as in PyTorch, and alike to the byte when written back`, async () => {
      const graph = graphOf(name);
      expect(graph.lint()).toEqual([]);
      const output = await run(graph, input);
      expect(largestDifference(output, expected)).toBeLessThan(1e-4);
      const again = await run(parseOnnx(concatBytes(serializeOnnx(graph))), input);
      expect(Buffer.from(again.bytes).equals(Buffer.from(output.bytes))).toBe(true);
      const folder = mkdtempSync(join(tmpdir(), 'secateur-models-'));
      try {
        const path = join(folder, `${name}.onnx`);
        writeModel(graph, path, { externalData: true });
        const external = await run(readModel(path), input);
        expect(Buffer.from(external.bytes).equals(Buffer.from(output.bytes))).toBe(true);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

    it(`${name}: is pruned by half by each method, and runs`, async () => {
      const original = await run(graphOf(name), input);
      for (const [method, apply] of Object.entries(METHODS)) {
        manualSeed(1);
        const model = fromGraph(graphOf(name));
        const before = zerosIn(model);
        apply(prune.selectParameters(model));
        expect(zerosIn(model), method).toBeGreaterThan(before);
        await runs(model, input, original);
      }
      for (const kind of KERNEL_METHODS) {
        const granularity = prune.parseGranularity(kind);
        const model = fromGraph(graphOf(name));
        const targets = prune.selectParameters(model, { granularity });
        prune.pruneGranular(targets, {
          granularity,
          importance: 'random',
          amount: 0.5,
          generator: new Generator(2),
        });
        await runs(model, input, original);
      }
    });

    it(`${name}: loses exactly half of each weight by L1`, () => {
      const model = fromGraph(graphOf(name));
      for (const [module, parameter] of prune.selectParameters(model)) {
        const { data } = module.getParameter(parameter);
        const zeros = countZeros(data);
        prune.l1Unstructured(module, parameter, 0.5);
        const half = data.size / 2;
        // Python rounds halves to even.
        const count = Number.isInteger(half)
          ? half
          : Math.floor(half) % 2 === 0
            ? Math.floor(half)
            : Math.ceil(half);
        expect(countZeros(data)).toBe(Math.max(count, zeros));
      }
    });

    it(`${name}: takes its own state dict into a fresh view`, () => {
      const one = fromGraph(graphOf(name));
      const other = fromGraph(graphOf(name));
      for (const { data } of other.parameters()) data.setData(Tensor.zeros(data.dtype, data.shape).data);
      other.loadStateDict(one.stateDict());
      for (const [key, tensor] of one.stateDict()) {
        expect(Buffer.from(other.stateDict().get(key)!.bytes).equals(Buffer.from(tensor.bytes)), key).toBe(
          true,
        );
      }
    });
  }
});
