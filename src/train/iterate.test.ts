import { describe, expect, it } from 'vitest';
import { DataLoader } from '../data/index.ts';
import { MemoryCheckpoint } from './checkpoint.ts';
import { type IterateOptions, iterate } from './iterate.ts';
import { SGD } from './optimizers/index.ts';
import { magnitudePruning } from './prunable.ts';
import { CosineAnnealingLR } from './schedules/index.ts';
import { gzippedSize, roundSparsity } from './target.ts';
import { blobs, type SmallNet, smallNet, weightsOf } from './testdata/blobs.ts';
import { Trainer } from './trainer.ts';

const train = new DataLoader(blobs(48), { batchSize: 16, shuffle: true });
const validation = new DataLoader(blobs(24, 6), { batchSize: 24 });

async function trained(): Promise<SmallNet> {
  const model = smallNet();
  const trainer = new Trainer(model, {
    optimizer: new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }),
    threads: 1,
  });
  await trainer.fit(train, { epochs: 6 });
  await trainer.dispose();
  return model;
}

const options = (model: SmallNet, more: Partial<IterateOptions> = {}): IterateOptions => ({
  model,
  data: { train, validation },
  target: { sparsity: 0.75 },
  finetune: {
    epochs: 2,
    optimizer: (net) => new SGD(net.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 1e-3 }),
    scheduler: (optimizer, steps) => new CosineAnnealingLR(optimizer as SGD, { tMax: steps }),
    threads: 1,
  },
  ...more,
});

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
    const fileSize = gzippedSize(other, [1, 1, 6, 6]) - 300;
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
    await expect(
      iterate(options(model, { method: magnitudePruning({ amounts: { head: 0.5 } }) })),
    ).rejects.toThrow("amounts name the layer 'head', which is not pruned");
  });

  it('goes on after a stop at any batch, to the same bits', async () => {
    const fresh = (
      checkpoint: MemoryCheckpoint | null,
      model: SmallNet,
      more: Partial<IterateOptions> = {},
    ) => iterate(options(model, { rounds: 2, checkpoint, checkpointEvery: 2, ...more }));
    const alone = await trained();
    const expected = await fresh(null, alone);
    for (const batches of [1, 2, 3, 5, 6, 8, 11]) {
      const checkpoint = new MemoryCheckpoint();
      const controller = new AbortController();
      let seen = 0;
      const stopped = fresh(checkpoint, await trained(), {
        signal: controller.signal,
        onProgress: ({ phase }) => {
          if (phase === 'train' && ++seen === batches) controller.abort(new Error('stopped'));
        },
      });
      await expect(stopped).rejects.toThrow('stopped');
      const model = smallNet(50);
      const history = await fresh(checkpoint, model);
      expect(weightsOf(model), `after ${batches} batches`).toEqual(weightsOf(alone));
      const timeless = ({ rounds, ...rest }: typeof expected) => ({
        ...rest,
        rounds: rounds.map((round) => ({
          ...round,
          epochs: round.epochs.map(({ seconds: _, ...epoch }) => epoch),
        })),
      });
      expect(timeless(history)).toEqual(timeless(expected));
    }
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
