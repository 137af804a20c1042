import { describe, expect, it } from 'vitest';
import { DataLoader } from '../data/index.ts';
import { l1Unstructured } from '../prune/index.ts';
import { SGD } from './optimizers/index.ts';
import { amountsFrom, type Sensitivity, sensitivity } from './sensitivity.ts';
import { blobs, smallNet, weightsOf } from './testdata/blobs.ts';
import { Trainer } from './trainer.ts';

const data = new DataLoader(blobs(48), { batchSize: 24 });

describe('sensitivity', () => {
  it('judges each layer at each amount, and leaves the model as it was', async () => {
    const model = smallNet();
    const trainer = new Trainer(model, {
      optimizer: new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }),
      threads: 1,
    });
    await trainer.fit(data, { epochs: 8 });
    await trainer.dispose();
    l1Unstructured(model.fc, 'weight', 0.1);
    const before = weightsOf(model);
    const progress: number[] = [];
    const found = await sensitivity(model, {
      data,
      amounts: [0, 0.5, 1],
      threads: 1,
      onProgress: (done) => progress.push(done),
    });
    expect(progress).toEqual([1, 2, 3, 4, 5, 6]);
    expect(found.rows.map(({ layer, size }) => [layer, size])).toEqual([
      ['conv', 36],
      ['fc', 108],
    ]);
    for (const { scores } of found.rows) {
      expect(scores[0]).toBe(found.dense);
      // Without any weight there is but one class left.
      expect(scores[2]).toBeCloseTo(1 / 3, 5);
    }
    expect(weightsOf(model)).toEqual(before);
    expect(model.conv.weight.pruning).toBeNull();
    const controller = new AbortController();
    const stopped = sensitivity(model, {
      data,
      threads: 1,
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('stop')),
    });
    await expect(stopped).rejects.toThrow('stop');
    expect(weightsOf(model)).toEqual(before);
  });

  it('refuses amounts and metrics that cannot be', async () => {
    const model = smallNet();
    await expect(sensitivity(model, { data, amounts: [1.5], threads: 1 })).rejects.toThrow(
      'amounts expects shares in [0, 1], got 1.5',
    );
    await expect(sensitivity(model, { data, metric: 'recall', threads: 1 })).rejects.toThrow(
      "nothing is called 'recall'",
    );
  });
});

const table: Sensitivity = {
  metric: 'accuracy',
  dense: 0.9,
  amounts: [0.2, 0.4, 0.6],
  rows: [
    { layer: 'a', size: 100, scores: [0.9, 0.88, 0.8] },
    { layer: 'b', size: 300, scores: [0.89, 0.85, 0.5] },
  ],
};

describe('amountsFrom', () => {
  it('interpolates the largest amount whose drop is small enough', () => {
    const { a, b } = amountsFrom(table, { maxDrop: 0.03 });
    expect(a).toBeCloseTo(0.4 + 0.2 * (0.01 / 0.08), 12);
    expect(b).toBeCloseTo(0.2 + 0.2 * (0.02 / 0.04), 12);
    expect(amountsFrom(table, { maxDrop: 1 })).toEqual({ a: 0.6, b: 0.6 });
    expect(amountsFrom(table, { maxDrop: 0 }).a).toBeCloseTo(0.2, 12);
  });

  it('finds the drop at which all layers together have a sparsity', () => {
    const amounts = amountsFrom(table, { sparsity: 0.4 });
    expect((100 * amounts.a! + 300 * amounts.b!) / 400).toBeCloseTo(0.4, 6);
    expect(amounts.a).toBeGreaterThan(amounts.b!);
  });

  it('refuses numbers that cannot be', () => {
    expect(() => amountsFrom(table, { maxDrop: -1 })).toThrow(
      'maxDrop expects a number of at least 0, got -1',
    );
    expect(() => amountsFrom(table, { sparsity: 2 })).toThrow('sparsity expects a share in [0, 1], got 2');
  });
});
