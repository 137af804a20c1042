import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes } from '../io/index.ts';
import type { Graph } from '../ir/index.ts';
import { fromGraph, manualSeed, run, toGraph, type Variable } from '../nn/index.ts';
import { analyzeChannels, applyPlan, costOf, groupChannels, onnxBytes } from '../structural/index.ts';
import { type CheckpointStore, parseCheckpoint } from './checkpoint.ts';
import { SGD } from './optimizers/index.ts';
import { shrinkInRounds } from './shrink-rounds.ts';
import type { ShrinkRoundsOptions, ShrinkTarget } from './shrink-rounds-options.ts';
import type { Position } from './shrink-rounds-position.ts';
import {
  initializersOf,
  options,
  ShrinkNet,
  timeless,
  train,
  trainedGraph,
  valuesOf,
} from './testdata/shrinking.ts';

let dense: Graph;
beforeAll(async () => {
  dense = await trainedGraph();
});

/** Filters of each convolution. */
const widths = (graph: Graph): Record<string, number> =>
  Object.fromEntries(
    [...graph.initializers]
      .filter(({ name }) => /conv\d\.weight$/.test(name))
      .map(({ name, initializer }) => [name.replace('.weight', ''), initializer!.shape[0]!]),
  );

const costs = (graph: Graph) => {
  const groups = groupChannels(analyzeChannels(graph));
  return costOf(groups, new Uint8Array(groups.unitCount));
};

const shrunk = (more: Partial<ShrinkRoundsOptions> = {}) => shrinkInRounds(options(dense, more));

describe('shrinkInRounds', () => {
  it('cuts, recalibrates and fine-tunes in rounds, and says what each came to', async () => {
    const before = initializersOf(dense);
    const { model, history } = await shrunk({ target: { macs: { share: 0.6 } } });
    expect(history.dense.accuracy).toBeGreaterThan(0.9);
    expect(history.denseCost).toEqual(costs(dense));
    const [first, second] = history.rounds;
    expect(history.rounds).toHaveLength(2);
    expect(second!.cost).toEqual(costs(model.graph));
    expect(first!.cost.macs).toBeLessThan(history.denseCost.macs * 0.85);
    expect(second!.cost.macs / history.denseCost.macs).toBeCloseTo(0.6, 1);
    expect(second!.reached).toMatchObject({ of: 'macs', value: second!.cost.macs });
    for (const { verified, epochs, before: cut, after, kept, cuts, whyNot } of history.rounds) {
      expect(verified).toMatch(/agree/);
      expect(epochs).toHaveLength(1);
      expect([cut.accuracy, after.accuracy]).toEqual([expect.any(Number), expect.any(Number)]);
      expect(kept).toBe(true);
      expect(cuts.map(({ name }) => name)).toEqual(['conv1', 'conv2', 'fc']);
      expect(whyNot).toContainEqual({ layer: 'fc', why: expect.stringMatching(/output/) });
    }
    // What one round leaves the next begins with.
    expect(second!.cuts.map(({ before: was }) => was)).toEqual(first!.cuts.map(({ after }) => after));
    expect(history.best).toBe(2);
    expect(history.rounds.at(-1)!.after.accuracy).toBeGreaterThan(0.9);
    expect(initializersOf(dense)).toEqual(before);
    // The model runs, for any batch.
    for await (const { input } of train) expect((await run(model, input)).toString()).toContain('16, 3');
  });

  it('tells of each epoch when it is over', async () => {
    const told: unknown[] = [];
    const { history } = await shrunk({
      onEpoch: ({ epoch, step }, { round, stage }) => told.push([round, stage, epoch, step]),
    });
    expect(told).toEqual(
      history.rounds.flatMap(({ round, epochs }) =>
        epochs.map(({ epoch, step }) => [round, 'fine-tune', epoch, step]),
      ),
    );
    expect(told.length).toBeGreaterThan(1);
  });

  it('gives plans that lead to its architecture', async () => {
    const { model, history } = await shrunk({ rounds: 3 });
    let graph = dense;
    for (const plan of history.plans) graph = (await applyPlan(graph, plan)).graph;
    expect(widths(graph)).toEqual(widths(model.graph));
  });

  it('takes a ratio of the channels that went in, whatever the number of rounds', async () => {
    for (const rounds of [1, 2, 4]) {
      const { model, history } = await shrunk({ target: { ratio: 0.5 }, rounds });
      expect(widths(model.graph), `${rounds} rounds`).toEqual({ conv1: 4, conv2: 6, conv3: 4 });
      expect(history.ended).toBe('target');
      expect(history.rounds.every(({ reached }) => reached === null)).toBe(true);
    }
  });

  it('takes ratios of names over all rounds together, in each scope', async () => {
    for (const scope of ['layer', 'global'] as const) {
      const { model } = await shrunk({
        target: { ratio: 0.25 },
        shrink: { scope, ratios: [{ pattern: 'conv2', ratio: 0.5 }] },
      });
      expect(widths(model.graph), scope).toEqual({ conv1: 6, conv2: 6, conv3: 6 });
    }
  });

  it('leaves rounds out in which rounding lets nothing go', async () => {
    const { model, history } = await shrunk({
      target: { ratio: 0.5 },
      rounds: 3,
      shrink: { roundTo: 4, ignore: ['conv2'] },
    });
    expect(widths(model.graph)).toEqual({ conv1: 4, conv2: 12, conv3: 4 });
    expect(history.rounds.map(({ round }) => round)).toEqual([3]);
    expect(history.ended).toBe('target');
  });

  it('goes towards parameters, file sizes and latencies', async () => {
    const { parameters } = costs(dense);
    const targets: [ShrinkTarget, (graph: Graph) => Promise<number>, number][] = [
      [{ parameters: { value: 700 } }, async (graph) => costs(graph).parameters, 700],
      [{ parameters: { share: 0.7 } }, async (graph) => costs(graph).parameters, parameters * 0.7],
      [{ fileSize: { share: 0.8 } }, onnxBytes, (await onnxBytes(dense)) * 0.8],
    ];
    for (const [target, measure, wanted] of targets) {
      const { model } = await shrunk({ target });
      const found = await measure(model.graph);
      expect(Math.abs(found / wanted - 1), JSON.stringify(target)).toBeLessThan(0.06);
    }
    // A clock that ticks with the MACs.
    const measured: number[] = [];
    const { model, history } = await shrunk({
      target: { latency: { value: 20 } },
      shrink: {
        measureLatency: async (graph) => {
          const time = costs(graph).macs / 1000;
          measured.push(time);
          return time;
        },
      },
    });
    expect(measured.length).toBeGreaterThan(2);
    expect(Math.abs(costs(model.graph).macs / 20_000 - 1)).toBeLessThan(0.06);
    expect(history.rounds.at(-1)!.reached!.of).toBe('latency');
  });

  it('ends where the target is met already, where nothing can go, and where too little can', async () => {
    const met = await shrunk({ target: { macs: { value: 1e9 } } });
    expect(met.history).toMatchObject({ ended: 'target', best: 0, rounds: [], plans: [] });
    expect(initializersOf(met.model.graph)).toEqual(initializersOf(dense));
    const nothing = await shrunk({ shrink: { ignore: ['conv*'] } });
    expect(nothing.history).toMatchObject({ ended: 'nothing to cut', best: 0, rounds: [] });
    const little = await shrunk({ target: { macs: { share: 0.3 } }, shrink: { keepAtLeast: 6 } });
    expect(little.history.ended).toBe('rounds');
    expect(little.history.rounds.at(-1)!.reached!.why).toMatch(/6 must stay|at least/);
    const { cost } = little.history.rounds[0]!;
    const early = await shrunk({ target: { macs: { value: cost.macs } }, rounds: 4 });
    expect(early.history.ended).toBe('target');
  });

  it('goes back to the model of the round before where one falls under the floor', async () => {
    const more: Partial<ShrinkRoundsOptions> = {
      target: { ratio: 0.9 },
      rounds: 2,
      finetune: { ...options(dense).finetune, optimizer: (net) => new SGD(net.parameters(), { lr: 1e-4 }) },
    };
    const free = await shrunk(more);
    const [one, two] = free.history.rounds.map(({ after }) => after.loss!);
    expect(two!).toBeGreaterThan(one!);
    const first = await shrunk({ ...more, target: { ratio: 1 - Math.sqrt(0.1) }, rounds: 1 });
    const floor = { metric: 'loss', atLeast: (one! + two!) / 2 };
    const { model, history } = await shrunk({ ...more, floor });
    expect(history).toMatchObject({ ended: 'floor', best: 1 });
    expect(history.rounds.map(({ kept }) => kept)).toEqual([true, false]);
    expect(history.plans).toHaveLength(1);
    expect(valuesOf(model)).toEqual(valuesOf(first.model));
    // Where already the first falls under it, it is the model that went in.
    const none = await shrunk({ ...more, target: { ratio: 0.9 }, rounds: 1, floor });
    expect(none.history).toMatchObject({ ended: 'floor', best: 0, plans: [] });
    expect(initializersOf(none.model.graph)).toEqual(initializersOf(dense));
    await expect(shrunk({ floor: { atLeast: 1.5 } })).rejects.toThrow(
      /the model is under the floor before anything is cut \(accuracy /,
    );
  });

  it('trains sparse before the first cut', async () => {
    for (const method of ['slimming', 'group-lasso'] as const) {
      const seen: string[] = [];
      const { history } = await shrunk({
        rounds: 1,
        sparse: { method, lambda: 0.02, epochs: 2 },
        onProgress: ({ stage, round, phase }) => {
          if (phase === 'validate') seen.push(`${stage} ${round}`);
        },
      });
      expect(seen).toEqual(['sparse 0', 'sparse 0', 'fine-tune 1']);
      const [one, two] = history.sparse.map(({ train: { loss } }) => loss!);
      // The penalty is a part of the loss, and falls.
      expect(one).toBeGreaterThan(history.dense.loss!);
      expect(two).toBeLessThan(one!);
    }
  });

  it('lets a penalty grow on what each round will cut, until it is near nothing', async () => {
    /** Mean squares of `conv2.weight` by round and epoch: of filters that are going to go, and of the others. */
    const found: Record<string, [going: number, staying: number]> = {};
    const checkpoint: CheckpointStore = {
      read: async () => null,
      write: async (chunks) => {
        const { tensors, meta } = parseCheckpoint(concatBytes(chunks));
        const position = meta.shrink as unknown as Position;
        const weight = tensors.get('model/parameter/conv2.weight');
        if (!weight || !position.chosen || position.cut) return;
        const going = new Set(position.chosen.plan.groups.find(({ name }) => name === 'conv2')!.remove);
        const size = weight.size / weight.shape[0]!;
        const mean = (goes: boolean): number => {
          const own = Array.from(weight.float32).filter((_, at) => going.has(Math.floor(at / size)) === goes);
          return own.reduce((sum, each) => sum + each * each, 0) / own.length;
        };
        found[`${position.rounds.length + 1}/${position.growing.length}`] = [mean(true), mean(false)];
      },
    };
    const { model, history } = await shrunk({
      target: { ratio: 0.5 },
      sparse: { method: 'growing', lambda: 6, epochs: 3 },
      checkpoint,
    });
    expect(history.sparse).toEqual([]);
    expect(history.rounds.map(({ growing }) => growing.map(({ epoch, step }) => [epoch, step]))).toEqual([
      [
        [1, 3],
        [2, 6],
        [3, 9],
      ],
      [
        [1, 3],
        [2, 6],
        [3, 9],
      ],
    ]);
    expect(Object.keys(found)).toEqual(['1/0', '1/1', '1/2', '1/3', '2/0', '2/1', '2/2', '2/3']);
    for (const round of [1, 2]) {
      const [start, ...epochs] = [0, 1, 2, 3].map((epoch) => found[`${round}/${epoch}`]!);
      epochs.reduce((before, now) => {
        expect(now[0]).toBeLessThan(before[0]);
        return now;
      }, start!);
      expect(epochs.at(-1)![0] / start![0]).toBeLessThan(0.1);
      expect(epochs.at(-1)![1] / start![1]).toBeGreaterThan(0.5);
    }
    expect(widths(model.graph)).toEqual({ conv1: 4, conv2: 6, conv3: 4 });
  });

  it('learns from the dense model where asked', async () => {
    const { history, model } = await shrunk({ distill: true, rounds: 1 });
    // The dense model says what it says itself: what is left is its own entropy.
    const plain = await shrunk({ rounds: 1 });
    expect(history.dense.loss).not.toBe(plain.history.dense.loss);
    expect(valuesOf(model)).not.toEqual(valuesOf(plain.model));
    // With the loss on labels alone the teacher has no say.
    const { finetune } = options(dense);
    const deaf = await shrunk({ distill: true, rounds: 1, finetune: { ...finetune, loss: 'crossEntropy' } });
    expect(valuesOf(deaf.model)).toEqual(valuesOf(plain.model));
  });

  it('refuses a cut that is not proven', async () => {
    class NoisyNet extends ShrinkNet {
      override forward(x: Variable): Variable {
        return super.forward(x.add(x.tracer.op('RandomNormalLike', [x])));
      }
    }
    manualSeed(2);
    const model = toGraph(new NoisyNet(), [['batch', 1, 6, 6]]);
    await expect(shrinkInRounds(options(model))).rejects.toThrow(/does not compute what the original does/);
    const { history } = await shrinkInRounds(options(model, { shrink: { verify: false } }));
    expect(history.rounds.map(({ verified }) => verified)).toEqual([null, null]);
  });

  it('takes a GraphModule as well as its graph', async () => {
    const graph = await shrunk({ rounds: 1 });
    const module = await shrinkInRounds({ ...options(dense, { rounds: 1 }), model: fromGraph(dense) });
    expect(valuesOf(module.model)).toEqual(valuesOf(graph.model));
    expect(timeless(module.history)).toEqual(timeless(graph.history));
  });

  it('refuses options that cannot be', async () => {
    const cases: [Partial<ShrinkRoundsOptions>, string][] = [
      [{ rounds: 0 }, 'rounds expects a whole number of at least 1, got 0'],
      [{ finetune: { ...options(dense).finetune, epochs: 1.5 } }, 'finetune.epochs expects a whole number'],
      [{ sparse: { method: 'growing', lambda: 1, epochs: 0 } }, 'sparse.epochs expects a whole number'],
      [{ sparse: { method: 'growing', lambda: 0, epochs: 1 } }, 'sparse.lambda expects a number above 0'],
      [
        { sparse: { method: 'other' as 'growing', lambda: 1, epochs: 1 } },
        'sparse.method expects slimming, group-lasso, growing, got other',
      ],
      [{ checkpointEvery: -1 }, 'checkpointEvery expects a whole number'],
      [{ target: { ratio: 1 } }, 'target.ratio expects a share between 0 and 1, got 1'],
      [{ target: { macs: { share: 1.2 } } }, 'target.macs.share expects a share between 0 and 1'],
      [{ target: { latency: { value: 0 } } }, 'target.latency.value expects a number above 0'],
      [{ floor: { drop: -1 } }, 'floor.drop expects a number of at least 0, got -1'],
      [
        { floor: { metric: 'f1', atLeast: 0 } },
        "nothing is called 'f1' to hold; expected one of loss, accuracy",
      ],
    ];
    for (const [more, message] of cases)
      await expect(shrunk(more)).rejects.toThrow(`shrinkInRounds: ${message}`);
    const ratios = [{ pattern: 'conv9', ratio: 0.5 }];
    await expect(shrunk({ shrink: { ratios } })).rejects.toThrow("no layer matches 'conv9'");
  });
});
