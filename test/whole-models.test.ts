import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { manualSeed } from '../src/core/random.ts';
import type { Tensor } from '../src/core/tensor.ts';
import { byteLengthOfChunks, parseSafetensors, serializeOnnx } from '../src/io/index.ts';
import { type AnyModule, fromGraph, type GraphModule } from '../src/nn/index.ts';
import { profile } from '../src/profile/index.ts';
import * as prune from '../src/prune/index.ts';
import {
  differing,
  loadedView,
  readGraph,
  rewritten,
  runGraph,
  sameBytes,
  sharedFolder,
} from './model-files.ts';
import * as check from './pruned-weights.ts';

const FOLDER = sharedFolder('models');
const NAMES: readonly string[] = FOLDER
  ? Object.keys(JSON.parse(readFileSync(join(FOLDER, 'models.json'), 'utf8')))
  : [];

/** Models that take long to compile: of these only some methods run, but all are checked. */
const LARGE = new Set([
  'efficientnet_mini',
  'mobilenet_v2_035',
  'shufflenet_v2_x05',
  'squeezenet1_1',
  'mnasnet0_5',
]);

/** A way of pruning half. */
interface Method {
  /** Kernels and what lies inside are had by layers with kernels alone. */
  readonly granularity?: prune.Granularity;
  readonly apply: (targets: readonly prune.PruningTarget[]) => void;
  readonly check: (weights: readonly check.Weight[]) => void;
  /** Runs for the large models too. */
  readonly always?: true;
}

type OneByOne = (module: AnyModule, name: string) => unknown;

const each =
  (one: OneByOne): Method['apply'] =>
  (targets) => {
    for (const [module, name] of targets) one(module, name);
  };

const halfOf =
  (groupOf: check.GroupOf, worth: check.Worth, together = false): Method['check'] =>
  (weights) =>
    check.expectHalfOfGroups(weights, groupOf, { worth, together });

function granular(
  text: string,
  groupOf: check.GroupOf,
  scope: 'local' | 'global',
  importance: prune.Importance = 'l1',
): Method {
  const granularity = prune.parseGranularity(text);
  const worth = ({ l1: 'mean', l2: 'root mean square', random: null } as const)[importance];
  return {
    granularity,
    apply: (targets) => prune.pruneGranular(targets, { granularity, importance, scope, amount: 0.5 }),
    check: halfOf(groupOf, worth, scope === 'global' || text === 'layer'),
  };
}

const METHODS: Readonly<Record<string, Method>> = {
  l1Unstructured: {
    apply: each((module, name) => prune.l1Unstructured(module, name, 0.5)),
    check: halfOf(check.weight, 'mean'),
    always: true,
  },
  randomUnstructured: {
    apply: each((module, name) => prune.randomUnstructured(module, name, 0.5)),
    check: halfOf(check.weight, null),
  },
  'lnStructured n=1 dim=0': {
    apply: each((module, name) => prune.lnStructured(module, name, 0.5, { n: 1, dim: 0 })),
    check: halfOf(check.channel(0), 'mean'),
  },
  'lnStructured n=2 dim=0': {
    apply: each((module, name) => prune.lnStructured(module, name, 0.5, { n: 2, dim: 0 })),
    check: halfOf(check.channel(0), 'root mean square'),
    always: true,
  },
  'lnStructured n=2 dim=1': {
    apply: each((module, name) => prune.lnStructured(module, name, 0.5, { n: 2, dim: 1 })),
    check: halfOf(check.channel(1), 'root mean square'),
  },
  'lnStructured n=Infinity dim=0': {
    apply: each((module, name) => prune.lnStructured(module, name, 0.5, { n: Infinity, dim: 0 })),
    check: halfOf(check.channel(0), 'largest'),
  },
  'randomStructured dim=0': {
    apply: each((module, name) => prune.randomStructured(module, name, 0.5, { dim: 0 })),
    check: halfOf(check.channel(0), null),
  },
  'randomStructured dim=1': {
    apply: each((module, name) => prune.randomStructured(module, name, 0.5, { dim: 1 })),
    check: halfOf(check.channel(1), null),
  },
  'globalUnstructured L1': {
    apply: (targets) => prune.globalUnstructured(targets, prune.L1Unstructured, { amount: 0.5 }),
    check: halfOf(check.weight, 'mean', true),
    always: true,
  },
  'globalUnstructured random': {
    apply: (targets) => prune.globalUnstructured(targets, prune.RandomUnstructured, { amount: 0.5 }),
    check: halfOf(check.weight, null, true),
  },
  weight: granular('weight', check.weight, 'local'),
  rows: granular('row', check.row, 'local'),
  columns: granular('column', check.column, 'local', 'l2'),
  'rows, globally': granular('row', check.row, 'global', 'random'),
  kernel: granular('kernel', check.kernel, 'local'),
  'kernel, globally': granular('kernel', check.kernel, 'global', 'l2'),
  filter: { ...granular('filter', check.filter, 'local', 'l2'), always: true },
  'filter, globally': granular('filter', check.filter, 'global'),
  'filter at random': granular('filter', check.filter, 'local', 'random'),
  'block 4x4': granular('block:4x4', check.block(4, 4), 'local'),
  'block 4x1, globally': granular('block:4x1', check.block(4, 1), 'global', 'l2'),
  '2:4': {
    granularity: { kind: 'nm', n: 2, m: 4 },
    apply: (targets) => prune.pruneGranular(targets, { granularity: { kind: 'nm', n: 2, m: 4 } }),
    check: (weights) => check.expectNOfM(weights, 2, 4),
    always: true,
  },
  layer: granular('layer', check.layer, 'global'),
};

const pathOf = (name: string): string => join(FOLDER ?? '', `${name}.onnx`);

/** A view of the file pruned by a method: the masks checked, and that nothing but the weights it was about has changed. */
function pruned(name: string, { granularity, apply, check: checkMasks }: Method): GraphModule {
  manualSeed(1);
  const model = fromGraph(readGraph(pathOf(name)));
  const targets = prune.selectParameters(model, { granularity });
  const weights = check.weightsOf(targets);
  const meant = new Set(weights.map(({ parameter }) => parameter.data));
  const others = [...model.stateDict().values()].filter((tensor) => !meant.has(tensor));
  const copies = others.map((tensor) => tensor.clone());
  apply(targets);
  checkMasks(weights);
  expect(others.filter((tensor, index) => !sameBytes(tensor, copies[index]!))).toEqual([]);
  return model;
}

it.skipIf(FOLDER)('needs ../shared/models for its other tests', ({ skip }) =>
  skip('the folder ../shared is absent'),
);

describe.skipIf(!FOLDER)('models of others, pruned by half (skipped where ../shared is absent)', () => {
  describe.each(NAMES)('%s', (name) => {
    const { tensors } = parseSafetensors(readFileSync(join(FOLDER!, `${name}.io.safetensors`)));
    const input = tensors.get('input')!;
    const feedsOf = (model: GraphModule): Record<string, Tensor> => ({ [model.graph.feeds[0]!.name]: input });

    let original: Promise<ReadonlyMap<string, Tensor>> | null = null;
    const originalOf = (plain: GraphModule): Promise<ReadonlyMap<string, Tensor>> => {
      original ??= runGraph(plain.graph, feedsOf(plain));
      return original;
    };

    it.each(Object.entries(METHODS))('%s: zeros exactly what it should', async (method, by) => {
      const model = pruned(name, by);
      if (LARGE.has(name) && !by.always) return;
      const plain = fromGraph(readGraph(pathOf(name)));
      const chunks = serializeOnnx(model.graph);
      expect(byteLengthOfChunks(chunks)).toBe(byteLengthOfChunks(serializeOnnx(plain.graph)));
      const again = rewritten(model.graph);
      expect(again.nodes.length).toBe(plain.graph.nodes.length);
      expect(again.lint()).toEqual([]);
      const output = await runGraph(model.graph, feedsOf(model));
      expect(differing(await runGraph(again, feedsOf(model)), output), method).toEqual([]);
      for (const tensor of output.values()) expect(tensor.float32.every(Number.isFinite)).toBe(true);
      expect(differing(await originalOf(plain), output)).not.toEqual([]);
    });

    it('costs as many operations as before, and counts the zeros it was given', () => {
      const model = pruned(name, METHODS.l1Unstructured!);
      const before = profile(readGraph(pathOf(name))).totals;
      const after = profile(rewritten(model.graph)).totals;
      expect(after.macs).toBe(before.macs);
      expect(after.parameters).toBe(before.parameters);
      const zeros = [...model.parameters()].reduce((sum, { data }) => sum + check.zeros(data), 0);
      expect(after.zeros).toBe(zeros);
    });

    it('stays what it is when pruning is made permanent', () => {
      const model = pruned(name, METHODS['globalUnstructured L1']!);
      const masked = [...model.parameters()].map(({ data }) => data.clone());
      for (const [module, parameter] of prune.selectParameters(model)) prune.remove(module, parameter);
      expect(prune.isPruned(model)).toBe(false);
      const plain = fromGraph(readGraph(pathOf(name)));
      expect([...model.stateDict().keys()].sort()).toEqual([...plain.stateDict().keys()].sort());
      const left = [...model.parameters()].map(({ data }) => data);
      for (const tensor of masked) expect(left.some((other) => sameBytes(other, tensor))).toBe(true);
    });

    it('takes its state dict back from a safetensors file, pruned or not, by all its names', async () => {
      const plain = fromGraph(readGraph(pathOf(name)));
      const fresh = loadedView(pathOf(name), plain.stateDict());
      expect(differing(fresh.stateDict(), plain.stateDict())).toEqual([]);
      const model = pruned(name, METHODS.l1Unstructured!);
      for (const [module, parameter] of prune.selectParameters(model)) prune.remove(module, parameter);
      const loaded = loadedView(pathOf(name), model.stateDict());
      expect(differing(loaded.stateDict(), model.stateDict())).toEqual([]);
      const output = await runGraph(model.graph, feedsOf(model));
      expect(differing(await runGraph(loaded.graph, feedsOf(loaded)), output)).toEqual([]);
    });
  });
});
