import { describe, expect, it } from 'vitest';
import { DataLoader } from '../data/index.ts';
import { MemoryCheckpoint } from './checkpoint.ts';
import { type LotteryOptions, lottery, spreadOf } from './lottery.ts';
import { SGD } from './optimizers/index.ts';
import { blobs, SmallNet } from './testdata/blobs.ts';

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
  });

  it('spreads are those of samples', () => {
    expect(spreadOf([1, 2, 3])).toEqual({ mean: 2, deviation: 1, count: 3 });
    expect(spreadOf([4])).toEqual({ mean: 4, deviation: 0, count: 1 });
  });
});
