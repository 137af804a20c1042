import { describe, expect, it } from 'vitest';
import type { Tensor } from '../core/tensor.ts';
import { DataLoader } from '../data/index.ts';
import { type AnyModule, manualSeed } from '../nn/index.ts';
import { MemoryCheckpoint, modelTensors, serializeCheckpoint } from './checkpoint.ts';
import { type LotteryOptions, lottery, spreadOf } from './lottery.ts';
import { SGD } from './optimizers/index.ts';
import { blobs, SmallNet } from './testdata/blobs.ts';
import { Trainer } from './trainer.ts';

const options = (more: Partial<LotteryOptions> = {}): LotteryOptions => ({
  model: () => new SmallNet(),
  data: {
    train: new DataLoader(blobs(32), { batchSize: 16, shuffle: true }),
    validation: new DataLoader(blobs(24, 6), { batchSize: 24 }),
  },
  seeds: [1, 2],
  rounds: 2,
  rate: 0.5,
  epochs: 2,
  optimizer: (model) => new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }),
  trainer: { threads: 1 },
  ...more,
});

describe('lottery', () => {
  it('trains tickets, other initial weights and random masks at each sparsity, over seeds', async () => {
    const { trainings, rounds } = await lottery(options());
    expect(trainings).toHaveLength(2 * (1 + 2 * 3));
    const sparse = trainings.filter(({ seed, round }) => seed === 1 && round === 2);
    expect(sparse.map(({ network }) => network)).toEqual(['random-mask', 'reinit', 'ticket']);
    // conv loses half of what remains in each round, the output layer a quarter: 9 + 61 of 144.
    for (const { remaining } of sparse) expect(remaining).toBeCloseTo((9 + 61) / 144, 2);
    expect(rounds.map(({ round }) => round)).toEqual([0, 1, 2]);
    expect(rounds[2]!.final.ticket!.count).toBe(2);
    expect(rounds[0]!.final.reinit).toBeUndefined();
  });

  it('puts tickets back to their initial weights, or to an early step', async () => {
    const same = (await lottery(options({ seeds: [1] }))).trainings.at(-1)!;
    const again = (await lottery(options({ seeds: [1] }))).trainings.at(-1)!;
    expect(again).toEqual(same);
    const later = await lottery(options({ seeds: [1], rewindTo: { step: 2 }, controls: [] }));
    expect(later.trainings).toHaveLength(3);
    const byEpoch = await lottery(options({ seeds: [1], rewindTo: { epoch: 1 }, controls: [] }));
    // An epoch is two steps here.
    expect(byEpoch.trainings).toEqual(later.trainings);
  });

  it('masks the smallest weights, and compares masks and weights as it says', async () => {
    const models: SmallNet[] = [];
    const starts: ReadonlyMap<string, Tensor>[] = [];
    await lottery(
      options({
        seeds: [3],
        optimizer: (model) => {
          models.push(model as SmallNet);
          starts.push(modelTensors(model));
          return new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
        },
      }),
    );
    const [init, random, other, ticket, , other2, ticket2] = starts;
    const of = (tensors: ReadonlyMap<string, Tensor>, name: string): number[] =>
      tensors.get(`model/${name}`)!.toNumbers();
    for (const [name, sizes] of [
      ['conv.weight', [18, 27]],
      // The output layer loses at half the rate.
      ['fc.weight', [27, 47]],
    ] as const) {
      const first = of(init!, `parameter/${name}`);
      expect(of(ticket!, `parameter/${name}`)).toEqual(first);
      expect(of(ticket2!, `parameter/${name}`)).toEqual(first);
      expect(of(random!, `parameter/${name}`)).toEqual(first);
      expect(of(other!, `parameter/${name}`)).not.toEqual(first);
      expect(of(other2!, `parameter/${name}`)).not.toEqual(of(other!, `parameter/${name}`));
      const masks = [ticket!, ticket2!].map((tensors) => of(tensors, `mask/${name}`));
      const zeros = (mask: readonly number[]): number => mask.filter((keep) => keep === 0).length;
      expect(masks.map(zeros)).toEqual(sizes);
      expect(of(other!, `mask/${name}`)).toEqual(masks[0]);
      expect(of(random!, `mask/${name}`)).not.toEqual(masks[0]);
      expect(zeros(of(random!, `mask/${name}`))).toBe(sizes[0]);
      // What is pruned stays pruned.
      expect(masks[1]!.every((keep, index) => keep <= masks[0]![index]!)).toBe(true);
      // Those that went were the smallest of the trained network.
      const [layer] = name.split('.') as ['conv' | 'fc'];
      const trained = models[0]![layer].weight.orig.toNumbers().map(Math.abs);
      const least = Math.min(...trained.filter((_, index) => masks[0]![index] === 1));
      expect(Math.max(...trained.filter((_, index) => masks[0]![index] === 0))).toBeLessThanOrEqual(least);
    }
  });

  it('rewinds to what the dense network was at that step', async () => {
    const starts: ReadonlyMap<string, Tensor>[] = [];
    const optimizer = (model: AnyModule): SGD => {
      starts.push(modelTensors(model));
      return new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
    };
    // In an order that does not depend on seeds.
    const train = new DataLoader(blobs(32), { batchSize: 16 });
    const data = { train, validation: train };
    await lottery(options({ data, seeds: [4], rounds: 1, controls: [], rewindTo: { epoch: 1 }, optimizer }));
    manualSeed(4);
    const model = new SmallNet();
    const trainer = new Trainer(model, { optimizer: optimizer(model), seed: 4, threads: 1 });
    await trainer.fit(train, { epochs: 1 });
    await trainer.dispose();
    const wanted = modelTensors(model);
    expect(starts).toHaveLength(3);
    for (const [name, tensor] of wanted)
      expect(starts[1]!.get(name)!.toNumbers()).toEqual(tensor.toNumbers());
    expect([...starts[1]!.keys()].filter((name) => name.includes('/mask/'))).toHaveLength(2);
  });

  it('takes the smallest loss for the best', async () => {
    const { trainings, metric } = await lottery(
      options({ seeds: [1], rounds: 1, controls: [], epochs: 3, metric: 'loss' }),
    );
    expect(metric).toBe('loss');
    for (const { best, bestEpoch, final } of trainings) {
      expect(best).toBeLessThanOrEqual(final);
      expect(bestEpoch).toBeGreaterThanOrEqual(1);
    }
    // It learns, so that the last epoch is better than the first.
    expect(trainings[0]!.bestEpoch).toBeGreaterThan(1);
  });

  it('adds seeds to what was done, in any order, and gives those asked for', async () => {
    const expected = await lottery(options({ seeds: [2, 1, 3] }));
    const checkpoint = new MemoryCheckpoint();
    const controller = new AbortController();
    // Stops in the midst of seed 1, and goes on with another.
    const stopped = lottery(
      options({
        seeds: [1],
        checkpoint,
        signal: controller.signal,
        onTraining: (_, done) => done === 4 && controller.abort(new Error('stopped')),
      }),
    );
    await expect(stopped).rejects.toThrow('stopped');
    const first = await lottery(options({ seeds: [2], checkpoint }));
    expect(first.trainings.every(({ seed }) => seed === 2)).toBe(true);
    expect(first.rounds[0]!.final.ticket!.count).toBe(1);
    const counts: number[] = [];
    const all = await lottery(
      options({ seeds: [2, 1, 3], checkpoint, onTraining: (_, done) => counts.push(done) }),
    );
    expect(all).toEqual(expected);
    // Those of seed 2 are not repeated; masks of seed 1 were lost.
    expect(counts).toEqual(Array.from({ length: 14 }, (_, index) => 8 + index));
  });

  it('refuses checkpoints of other experiments', async () => {
    const checkpoint = new MemoryCheckpoint();
    await lottery(options({ seeds: [1], rounds: 1, epochs: 1, controls: [], checkpoint }));
    await expect(
      lottery(options({ seeds: [1], rounds: 2, epochs: 1, controls: [], checkpoint })),
    ).rejects.toThrow('the checkpoint was written with rounds 1, this run has 2; use another checkpoint');
    const other = new MemoryCheckpoint();
    await other.write(serializeCheckpoint({ tensors: new Map(), meta: { iterate: {} } }));
    await expect(lottery(options({ checkpoint: other }))).rejects.toThrow(
      'the checkpoint is none of a lottery; use another file',
    );
  });

  it('repeats no training that was done before a stop', async () => {
    const expected = await lottery(options());
    const checkpoint = new MemoryCheckpoint();
    let trained = 0;
    for (const stop of [1, 3, 5, 9]) {
      const controller = new AbortController();
      const run = lottery(
        options({
          checkpoint,
          signal: controller.signal,
          onTraining: (_, done) => {
            trained++;
            if (done >= stop) controller.abort(new Error('stopped'));
          },
        }),
      );
      await expect(run).rejects.toThrow('stopped');
    }
    const end = await lottery(options({ checkpoint, onTraining: () => trained++ }));
    expect(end).toEqual(expected);
    expect(trained).toBe(expected.trainings.length);
  });

  it('refuses what cannot be', async () => {
    await expect(lottery(options({ seeds: [] }))).rejects.toThrow(
      'seeds expects different numbers, at least one, got []',
    );
    await expect(lottery(options({ seeds: [1, 1] }))).rejects.toThrow('seeds expects different numbers');
    await expect(lottery(options({ rounds: 0 }))).rejects.toThrow(
      'rounds expects a whole number of at least 1, got 0',
    );
    await expect(lottery(options({ rate: 1 }))).rejects.toThrow(
      'rate expects a share between 0 and 1, got 1',
    );
    await expect(lottery(options({ outputRate: 1 }))).rejects.toThrow(
      'outputRate expects a share in [0, 1), got 1',
    );
    await expect(lottery(options({ seeds: [0.5] }))).rejects.toThrow('seeds expects whole numbers, got 0.5');
    await expect(lottery(options({ rewindTo: { step: 5 } }))).rejects.toThrow(
      "rewindTo expects 'init' or a step of the training, at most 4, got 5",
    );
    await expect(lottery(options({ rewindTo: { epoch: -1 } }))).rejects.toThrow(
      "rewindTo expects 'init' or an epoch of the training, at most 2, got -1",
    );
    await expect(lottery(options({ metric: 'recall' }))).rejects.toThrow(
      "nothing is called 'recall'; expected one of loss, accuracy",
    );
  });

  it('spreads are those of samples', () => {
    expect(spreadOf([1, 2, 3])).toEqual({ mean: 2, deviation: 1, count: 3 });
    expect(spreadOf([4])).toEqual({ mean: 4, deviation: 0, count: 1 });
  });
});
