import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../src/core/tensor.ts';
import type { Graph, Value } from '../src/ir/index.ts';
import { inferShapes, isUnsupported, OPERATORS } from '../src/ops/index.ts';
import { noChannelsRule } from '../src/ops/later.ts';
import { createSession } from '../src/runtime/index.ts';
import { analyzeChannels, type ChannelGroups, cutChannels, groupChannels } from '../src/structural/index.ts';
import { silence } from '../src/structural/silence.ts';
import { feedsOf, labellings, produced, staticSample, surrounded } from './channel-surroundings.ts';
import { differences, runEverything } from './conformance.ts';
import { randomRemoval } from './cut-at-random.ts';
import { SAMPLES } from './operator-samples/index.ts';
import type { BuiltSample, Sample } from './operator-samples/sample.ts';

/** What came of the cuts of an operator's samples. */
interface Outcome {
  /** Cuts whose model computes what the silenced one does, and where that is not what the whole model computes. */
  exact: number;
  /** Cuts through channels that the rule calls mixed, where silenced and cut model differ indeed. */
  mixed: number;
  /** Such cuts where they do not differ. */
  spared: number;
  /** Cuts that went wrong, a sentence each. */
  readonly faults: string[];
}

async function outputsOf(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<readonly number[][]> {
  const session = await createSession(graph, { optimization: 'disabled', threads: 1 });
  try {
    const outputs = await session.run(feeds);
    return graph.outputs.map(({ name }) => outputs.get(name)!.toNumbers());
  } finally {
    await session.dispose();
  }
}

/** Largest difference in multiples of the largest number; infinity where a NaN or infinity stands on one side alone. */
function distance(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number {
  let most = 0;
  let largest = 1e-6;
  a.forEach((own, output) => {
    own.forEach((number, at) => {
      const other = b[output]![at]!;
      if (Object.is(number, other)) return;
      const error = Math.abs(number - other);
      most = Math.max(most, Number.isFinite(error) ? error : Number.POSITIVE_INFINITY);
      if (Number.isFinite(number)) largest = Math.max(largest, Math.abs(number));
    });
  });
  return most / largest;
}

/** Rounding of sums whose zeros are left out. */
const ROUNDING = 1e-5;

/** Cuts one graph at random and compares it with the silenced one; gives a fault. */
async function cutOnce(graph: Graph, heads: Heads, seed: number, outcome: Outcome): Promise<string | null> {
  const groups = groupChannels(analyzeChannels(graph), { heads });
  if (groups.lanes.length === 0) return null;
  const removed = randomRemoval(groups, seed);
  if (!removed.includes(1)) return null;
  const cut = cutChannels(groups, removed).graph;
  const feeds = feedsOf(graph, seed);
  const inference = inferShapes(cut);
  const computed = await runEverything(cut, inference, {}, engineFeeds(feeds));
  const [difference] = differences(cut, inference, computed);
  if (difference) return difference;
  const after = cut.outputs.map(({ name }) => computed.get(name)!.elements);
  const silenced = await outputsOf(silence(groups, removed), feeds);
  const error = distance(silenced, after);
  if (touchesMixed(groups, removed)) {
    outcome[error > ROUNDING ? 'mixed' : 'spared']++;
    return null;
  }
  if (!(error < ROUNDING)) return `the cut model is off by ${error}`;
  const whole = await outputsOf(groups.coupling.graph, feeds);
  if (distance(silenced, whole) > ROUNDING) outcome.exact++;
  return null;
}

function touchesMixed({ coupling, keptLabels }: ChannelGroups, removed: Uint8Array): boolean {
  const kept = keptLabels(removed);
  return coupling.inexact.some(({ labels }) =>
    labels.some((vector) => vector.some((label) => kept[label] === 0)),
  );
}

const engineFeeds = (feeds: Readonly<Record<string, Tensor>>): Record<string, ort.Tensor> =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, data, shape }]) => [
      name,
      new ort.Tensor(dtype as 'float32', data as Float32Array, shape),
    ]),
  );

/** onnxruntime has no elementwise kernels of older opsets. */
const OLDEST_OPSET = 7;

type Case = Sample | BuiltSample;

type Heads = 'width' | 'whole';

/** How a sample is cut. */
interface Thoroughness {
  readonly heads: readonly Heads[];
  /** One labelling instead of all. */
  readonly brief: boolean;
}

/** A sample is given for several opsets. At the newest rows lose equally many, at the oldest they go whole; between the oldest and the newest, one labelling is enough. */
function thoroughness(samples: readonly Case[], sample: Case): Thoroughness {
  const body = (own: Case): unknown => ('build' in own ? own.build : own.inputs);
  const opsets = samples.filter((other) => body(other) === body(sample)).map(({ opset }) => opset);
  const [oldest, newest] = [Math.min(...opsets), Math.max(...opsets)];
  return {
    heads: [
      ...(sample.opset === oldest ? ['whole' as const] : []),
      ...(sample.opset === oldest && sample.opset !== newest ? [] : ['width' as const]),
    ],
    brief: sample.opset !== oldest && sample.opset !== newest,
  };
}

interface Named {
  readonly domain: string;
  readonly opType: string;
}

async function checkSample(
  { domain, opType }: Named,
  sample: Case,
  { heads, brief }: Thoroughness,
  outcome: Outcome,
): Promise<void> {
  const ranks = produced(staticSample(opType, domain, sample, 0)).map(rankOf);
  for (const [seed, labelling] of labellings(ranks).entries()) {
    if (brief && seed > 0) break;
    const graph = staticSample(opType, domain, sample, seed);
    const node = graph.nodes.find((own) => own.opType === opType)!;
    const where = `opset ${sample.opset}, inputs of ranks ${ranks}, ${labelling.name}`;
    try {
      if (!surrounded(graph, node, labelling, seed)) continue;
      for (const own of heads) {
        const fault = await cutOnce(graph, own, seed, outcome);
        if (fault) outcome.faults.push(`${where}, heads by ${own}: ${fault}`);
      }
    } catch (error) {
      outcome.faults.push(`${where}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

const rankOf = ({ type }: Value): number => (type?.kind === 'tensor' ? (type.shape?.length ?? 0) : 0);

const nameOf = ({ domain, opType }: Named): string => (domain === '' ? opType : `${domain}:${opType}`);

/** Operators whose channels cannot be cut, or have none, and why. */
const NOT_CUT: Readonly<Record<string, string>> = {
  Constant: 'it reads nothing',
  ConstantOfShape: 'it reads a shape',
  EyeLike: 'it reads a shape, and its diagonal would move',
  GatherElements: 'the places it reads from are data',
  OneHot: 'it reads indices',
  RandomNormal: 'it reads nothing',
  RandomUniform: 'it reads nothing',
  Range: 'it reads numbers',
  Scatter: 'the places it writes to are data',
  ScatterElements: 'the places it writes to are data',
  Shape: 'it gives sizes',
  Size: 'it gives a size',
};

/** Operators where a cut model does not always compute what the silenced one does. */
const MIXING: readonly string[] = [
  'GlobalAveragePool',
  'GlobalMaxPool',
  'GroupNormalization',
  'Hardmax',
  'InstanceNormalization',
  'LRN',
  'LayerNormalization',
  'LogSoftmax',
  'MeanVarianceNormalization',
  'RMSNormalization',
  'ReduceLogSumExp',
  'ReduceMax',
  'ReduceMean',
  'ReduceMin',
  'ReduceProd',
  'Softmax',
  'com.microsoft:QLinearGlobalAveragePool',
  'com.microsoft:SkipLayerNormalization',
  'com.microsoft:SkipSimplifiedLayerNormalization',
];

/** Operators that draw numbers: no two runs are alike, so that cut models can only be seen to run. */
const DRAWING: readonly string[] = ['Bernoulli', 'RandomNormalLike', 'RandomUniformLike'];

describe('every channel rule, by cuts that onnxruntime computes', () => {
  for (const operator of OPERATORS) {
    const name = nameOf(operator);
    const samples = SAMPLES[name];
    if (isUnsupported(operator.channels) || !samples || 'notRun' in samples) continue;
    it(name, async () => {
      const outcome: Outcome = { exact: 0, mixed: 0, spared: 0, faults: [] };
      const run = samples.filter(({ opset }) => operator.domain !== '' || opset >= OLDEST_OPSET);
      for (const sample of run) await checkSample(operator, sample, thoroughness(run, sample), outcome);
      expect(outcome.faults).toEqual([]);
      if (DRAWING.includes(name)) {
        expect(outcome.mixed + outcome.spared, 'something is cut').toBeGreaterThan(0);
        return;
      }
      // A rule that calls everything mixed would be compared with nothing.
      const mixes = MIXING.includes(name);
      expect(outcome.mixed > 0, 'silenced and cut model differ somewhere').toBe(mixes);
      if (!mixes) expect(outcome.spared, 'cuts that are called mixed and are not').toBe(0);
      expect(outcome.exact > 0, 'something is cut and equal').toBe(!(name in NOT_CUT));
    });
  }

  it('is written for every operator, or the reason why not', () => {
    const bare = OPERATORS.filter(
      ({ channels }) => isUnsupported(channels) && channels.unsupported === noChannelsRule.unsupported,
    );
    expect(bare.map(nameOf)).toEqual([]);
  });

  it('is left out where there is no rule or nothing to run alone', () => {
    const names = OPERATORS.filter(({ channels }) => !isUnsupported(channels)).map(nameOf);
    expect(names.filter((name) => !SAMPLES[name] || 'notRun' in SAMPLES[name])).toEqual([]);
    expect([...Object.keys(NOT_CUT), ...MIXING, ...DRAWING].filter((name) => !names.includes(name))).toEqual(
      [],
    );
  });
});
