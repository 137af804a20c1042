import { describe, expect, it } from 'vitest';
import { l1Unstructured, remove } from '../prune/index.ts';
import { modelTensors } from './checkpoint.ts';
import { iterate } from './iterate.ts';
import { SGD } from './optimizers/index.ts';
import { magnitudePruning } from './prunable.ts';
import { measuredSize, roundSparsity } from './target.ts';
import { type SmallNet, smallNet } from './testdata/blobs.ts';
import { options, trained, valuesOf } from './testdata/rounds.ts';

describe('iterate', () => {
  it('prunes and fine-tunes in rounds until the sparsity is there, and what is pruned stays pruned', async () => {
    const model = await trained();
    const masks: Float32Array[] = [];
    const history = await iterate(
      options(model, { rounds: 3, onRound: () => masks.push(model.fc.weight.mask!.float32.slice()) }),
    );
    expect(history.ended).toBe('target');
    expect(history.best).toBe(3);
    expect(history.rounds.map(({ asked }) => Number(asked.toFixed(4)))).toEqual([0.37, 0.6031, 0.75]);
    // 4 x 9 + 36 x 3 weights.
    expect(history.rounds.at(-1)!.sparsity).toBeCloseTo(0.75, 6);
    expect(history.rounds[2]!.nonZero).toBeLessThan(history.rounds[0]!.nonZero);
    expect(history.rounds.every(({ epochs }) => epochs.length === 2)).toBe(true);
    for (const [index, mask] of masks.entries()) {
      if (index > 0) expect(mask.every((keep, i) => keep <= masks[index - 1]![i]!)).toBe(true);
    }
    const zeros = [model.conv, model.fc].reduce(
      (sum, { weight }) => sum + weight.data.float32.filter((w) => w === 0).length,
      0,
    );
    expect(zeros).toBe(108);
    expect(history.layers.map(({ layer, size }) => [layer, size])).toEqual([
      ['conv', 36],
      ['fc', 108],
    ]);
  });

  it('prunes each layer alike, or by amounts of its own', async () => {
    const model = await trained();
    await iterate(
      options(model, {
        method: magnitudePruning({ scope: 'layer' }),
        schedule: 'one-shot',
        rounds: 1,
        target: { sparsity: 0.5 },
      }),
    );
    expect(model.conv.weight.data.float32.filter((w) => w === 0)).toHaveLength(18);
    expect(model.fc.weight.data.float32.filter((w) => w === 0)).toHaveLength(54);
    const other = await trained();
    const method = magnitudePruning({ amounts: { conv: 0.25, fc: 0.75 } });
    await iterate(options(other, { method, schedule: 'one-shot', rounds: 1, target: { sparsity: 0.5 } }));
    const found = [other.conv, other.fc].map(
      ({ weight }) => weight.data.float32.filter((w) => w === 0).length / weight.size,
    );
    expect(found[1]! / found[0]!).toBeCloseTo(3, 0);
  });

  it('goes back to the round before where one falls under the floor', async () => {
    const model = await trained();
    const history = await iterate(
      options(model, {
        target: { sparsity: 0.99 },
        rate: 0.7,
        floor: { drop: 0.2 },
        finetune: { ...options(model).finetune, optimizer: (net) => new SGD(net.parameters(), { lr: 1e-9 }) },
      }),
    );
    expect(history.ended).toBe('floor');
    const last = history.rounds.at(-1)!;
    expect(last.kept).toBe(false);
    expect(last.after.accuracy).toBeLessThan(history.dense.accuracy! - 0.2);
    expect(history.best).toBe(history.rounds.length - 1);
    const pruned = [model.conv.weight, model.fc.weight].reduce(
      (sum, { mask }) => sum + (mask?.float32.filter((keep) => keep === 0).length ?? 0),
      0,
    );
    expect(pruned / 144).toBeCloseTo(history.rounds[history.best - 1]?.sparsity ?? 0, 6);
    await expect(iterate(options(await trained(), { floor: { atLeast: 1.1 } }))).rejects.toThrow(
      'is under the floor before anything is pruned',
    );
    await expect(
      iterate(options(await trained(), { floor: { metric: 'recall', atLeast: 0.1 } })),
    ).rejects.toThrow("nothing is called 'recall' to hold");
  });

  it('ends at a number of parameters, or a size of the file', async () => {
    const model = await trained();
    const history = await iterate(options(model, { target: { parameters: 80 }, rate: 0.3 }));
    expect(history.ended).toBe('target');
    expect(history.rounds.at(-1)!.nonZero).toBeLessThanOrEqual(80);
    expect(history.rounds.at(-1)!.nonZero).toBeGreaterThan(70);
    const other = await trained();
    const fileSize = (await measuredSize({ fileSize: 1 }, other, [1, 1, 6, 6])) - 300;
    const sized = await iterate(options(other, { target: { fileSize }, rate: 0.4 }));
    expect(sized.rounds.length).toBeGreaterThan(1);
    expect(sized.rounds.at(-1)!.fileSize).toBeLessThanOrEqual(fileSize);
    expect(sized.rounds.at(-2)!.fileSize).toBeGreaterThan(fileSize);
  });

  it('refuses what cannot be', async () => {
    const model = await trained();
    await expect(iterate(options(model, { target: { sparsity: 1 } }))).rejects.toThrow(
      'target.sparsity expects a share in [0, 1), got 1',
    );
    await expect(iterate(options(model, { target: { parameters: 15 } }))).rejects.toThrow(
      'target.parameters is 15, but 15 parameters are not pruned at all',
    );
    await expect(iterate(options(model, { target: { fileSize: 0 } }))).rejects.toThrow(
      'target.fileSize expects bytes above 0, got 0',
    );
    await expect(iterate(options(model, { rounds: 0 }))).rejects.toThrow(
      'rounds expects a whole number of at least 1, got 0',
    );
    await expect(iterate(options(model, { rate: 1 }))).rejects.toThrow(
      'rate expects a share between 0 and 1, got 1',
    );
    await expect(
      iterate(options(model, { finetune: { ...options(model).finetune, epochs: 0 } })),
    ).rejects.toThrow('finetune.epochs expects');
    await expect(iterate(options(model, { checkpointEvery: 0.5 }))).rejects.toThrow(
      'checkpointEvery expects a whole number of at least 1, got 0.5',
    );
    await expect(iterate(options(model, { floor: { drop: -1 } }))).rejects.toThrow(
      'floor.drop expects a number of at least 0, got -1',
    );
    await expect(iterate(options(model, { floor: { atLeast: Number.NaN } }))).rejects.toThrow(
      'floor.atLeast expects a number, got NaN',
    );
    await expect(iterate(options(model, { schedule: 'square' as 'linear' }))).rejects.toThrow(
      "schedule 'square' is not known; expected one-shot, linear, cubic, exponential or a function",
    );
    await expect(iterate(options(model, { schedule: () => 1.5 }))).rejects.toThrow(
      'schedule(1) expects a share in [0, 1), got 1.5',
    );
    await expect(iterate(options(model, { target: { parameters: -3 } }))).rejects.toThrow(
      'target expects { sparsity }, { parameters } or { fileSize } above 0, got { parameters: -3 }',
    );
    expect(() => magnitudePruning({ amounts: { conv: 2 } })).toThrow(
      "amounts expects shares in [0, 1], got 2 for 'conv'",
    );
    expect(() => magnitudePruning({ granularity: { kind: 'nm', n: 2, m: 4 } })).toThrow(
      '2:4 says by itself how much is pruned, not in rounds; use pruneGranular',
    );
    await expect(
      iterate(options(model, { method: magnitudePruning({ amounts: { head: 0.5 } }) })),
    ).rejects.toThrow("amounts name the layer 'head', which is not pruned");
  });

  it('puts the very weights back that the last good round had', async () => {
    const model = await trained();
    let kept = modelTensors(model);
    const history = await iterate(
      options(model, {
        target: { sparsity: 0.99 },
        schedule: (round) => [0.3, 0.5, 0.97][round - 1] ?? 0.99,
        floor: { atLeast: 0.8 },
        finetune: { ...options(model).finetune, optimizer: (net) => new SGD(net.parameters(), { lr: 1e-4 }) },
        onRound: (record) => {
          if (record.kept) kept = modelTensors(model);
        },
      }),
    );
    expect([history.ended, history.best]).toEqual(['floor', 2]);
    expect(valuesOf(modelTensors(model))).toEqual(valuesOf(kept));
  });

  it('holds a loss from above, and takes what is not a number for under the floor', async () => {
    const model = await trained();
    const history = await iterate(
      options(model, { target: { sparsity: 0.97 }, rate: 0.9, floor: { metric: 'loss', drop: 0.01 } }),
    );
    expect(history.ended).toBe('floor');
    expect(history.rounds.at(-1)!.after.loss).toBeGreaterThan(history.dense.loss! + 0.01);
    let judged = 0;
    const lost = await iterate(
      options(await trained(), {
        floor: { metric: 'odd', atLeast: 0 },
        finetune: {
          ...options(model).finetune,
          // The dense model is judged first.
          metrics: { odd: () => ({ sum: judged++ === 0 ? 1 : Number.NaN, count: 1 }) },
        },
      }),
    );
    expect([lost.ended, lost.best]).toEqual(['floor', 0]);
  });

  it('keeps pruned what a method lets go', async () => {
    const model = await trained();
    let before = new Set<number>();
    const zeros = () =>
      new Set([...model.fc.weight.data.float32.keys()].filter((i) => model.fc.weight.data.float32[i] === 0));
    const history = await iterate(
      options(model, {
        include: 'fc',
        rounds: 2,
        target: { sparsity: 0.5 },
        // Makes what was pruned permanent, and so forgets the mask.
        method: {
          name: 'forgetful',
          prune: (net, sparsity) => {
            const { fc } = net as SmallNet;
            if (fc.weight.pruning) remove(fc, 'weight');
            fc.weight.data.setData(fc.weight.data.float32.map((w) => (w === 0 ? 5 : w)));
            l1Unstructured(fc, 'weight', sparsity / 2);
          },
        },
        onRound: () => {
          expect([...before].every((index) => zeros().has(index))).toBe(true);
          before = zeros();
        },
      }),
    );
    expect(history.rounds).toHaveLength(2);
    expect(before.size).toBeGreaterThan(0.25 * 108);
  });

  it('prunes whole groups until the target is met, and a layer keeps its last one', async () => {
    for (const sparsity of [0.3, 0.7]) {
      const model = await trained();
      const method = magnitudePruning({ granularity: { kind: 'filter' } });
      const history = await iterate(options(model, { method, target: { sparsity } }));
      expect(history.ended).toBe('target');
      // The largest filter is a row of the linear layer: 36 weights.
      expect(history.rounds.at(-1)!.sparsity).toBeGreaterThanOrEqual(sparsity - 0.5 / 144);
      expect(history.rounds.at(-1)!.sparsity).toBeLessThan(sparsity + 36 / 144);
    }
    const model = await trained();
    const method = magnitudePruning({ scope: 'layer', granularity: { kind: 'filter' } });
    const history = await iterate(options(model, { method, target: { sparsity: 0.9 } }));
    // 3 of 4 and 2 of 3: nothing more can go, and no round is wasted on trying.
    expect(history.layers.map(({ sparsity }) => sparsity)).toEqual([27 / 36, 72 / 108]);
    expect(history.ended).toBe('rounds');
    expect(history.rounds.length).toBeLessThan(14);
    expect(history.best).toBe(history.rounds.length);
  });

  it('scales amounts up without emptying a layer', async () => {
    const model = await trained();
    await magnitudePruning({ amounts: { conv: 0.3, fc: 0.9 } })(model, 0.9, 1);
    const [conv, fc] = [model.conv.weight, model.fc.weight].map(
      ({ data, size }) => data.float32.filter((w) => w === 0).length / size,
    );
    expect((36 * conv! + 108 * fc!) / 144).toBeCloseTo(0.9, 1);
    expect(fc).toBeLessThan(1);
    expect(conv).toBeGreaterThan(0.3);
  });

  it('follows a schedule of its own to the last round, and begins at what is pruned already', async () => {
    const own = await iterate(
      options(await trained(), { schedule: (round) => 0.2 * round, rounds: 2, target: { sparsity: 0.9 } }),
    );
    expect(own.rounds.map(({ asked }) => asked)).toEqual([0.2, 0.4]);
    expect([own.ended, own.best]).toEqual(['rounds', 2]);
    const model = await trained();
    await magnitudePruning()(model, 0.5, 1);
    const more = await iterate(options(model, { schedule: 'linear', rounds: 2, target: { sparsity: 0.75 } }));
    expect(more.rounds.map(({ asked }) => asked)).toEqual([0.625, 0.75]);
    const met = await iterate(options(model, { target: { sparsity: 0.6 } }));
    expect(met).toMatchObject({ ended: 'target', best: 0, rounds: [] });
  });

  it('puts what remains back to earlier weights before a round is trained', async () => {
    const model = await trained();
    const rewind = modelTensors(smallNet(7));
    const start = smallNet(7).fc.weight.data.float32;
    const finetune = { ...options(model).finetune, epochs: 1, rewind };
    await iterate(
      options(model, {
        rounds: 2,
        finetune: { ...finetune, optimizer: (net) => new SGD(net.parameters(), { lr: 0 }) },
      }),
    );
    const mask = model.fc.weight.mask!.float32;
    expect(mask.filter((keep) => keep === 0).length).toBeGreaterThan(50);
    expect([...model.fc.weight.data.float32]).toEqual([...start.map((w, i) => (mask[i] === 0 ? 0 : w))]);
    const other = new Map([...rewind].filter(([name]) => name !== 'model/parameter/fc.bias'));
    await expect(iterate(options(model, { finetune: { ...finetune, rewind: other } }))).rejects.toThrow(
      "finetune.rewind has nothing for 'model/parameter/fc.bias'",
    );
  });

  it('measures files as it is told to', async () => {
    const sizes: number[] = [];
    const measure = (net: unknown): number => {
      sizes.push((net as SmallNet).fc.weight.data.float32.filter((w) => w !== 0).length);
      return sizes.at(-1)!;
    };
    const history = await iterate(options(await trained(), { target: { fileSize: 60, measure }, rate: 0.5 }));
    expect(history.ended).toBe('target');
    expect(history.rounds.at(-1)!.fileSize).toBe(sizes.at(-1));
    expect(sizes.at(-1)).toBeLessThanOrEqual(60);
    expect(sizes.at(-2)).toBeGreaterThan(60);
    const none = { gzip: null, brotli: null };
    await expect(
      iterate(options(await trained(), { target: { fileSize: 60, compressors: none } })),
    ).rejects.toThrow('target.compressors has no gzip; give measure for another format');
    await expect(
      iterate(options(await trained(), { target: { fileSize: 60, measure: () => Number.NaN } })),
    ).rejects.toThrow('target.measure gave NaN, expected bytes');
  });

  it('ends where a file size cannot be had', async () => {
    const history = await iterate(
      options(await trained(), { target: { fileSize: 10 }, rate: 0.9, inputShape: [1, 1, 6, 6] }),
    );
    expect(history.ended).toBe('rounds');
    expect(history.rounds.length).toBeLessThan(5);
  });
});

describe('roundSparsity', () => {
  it('ends with what is asked for, by every schedule', () => {
    for (const name of ['one-shot', 'linear', 'cubic', 'exponential'] as const) {
      const values = [1, 2, 3, 4].map((round) => roundSparsity(name, 0.9, 4, round));
      expect(values.at(-1)).toBe(0.9);
      expect(values.every((value, index) => index === 0 || value >= values[index - 1]!)).toBe(true);
    }
    expect(roundSparsity('one-shot', 0.9, 4, 1)).toBe(0.9);
    expect(roundSparsity('linear', 0.8, 4, 1)).toBeCloseTo(0.2, 12);
  });
});
