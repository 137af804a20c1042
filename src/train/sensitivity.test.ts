import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { DataLoader } from '../data/index.ts';
import type { AnyModule } from '../nn/index.ts';
import { customFromMask, l1Unstructured, type PruningTarget, selectParameters } from '../prune/index.ts';
import { MemoryCheckpoint } from './checkpoint.ts';
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

  it('counts what is pruned already, takes groups, and methods of your own', async () => {
    const model = smallNet();
    l1Unstructured(model.fc, 'weight', 0.5);
    const before = weightsOf(model);
    const known = { data, metric: 'loss', threads: 1 };
    // Amounts come in rising order, each once.
    const masked = await sensitivity(model, { ...known, include: 'fc', amounts: [0.75, 0.25, 0.5, 0.25] });
    expect(masked.amounts).toEqual([0.25, 0.5, 0.75]);
    const [below, same, more] = masked.rows[0]!.scores;
    expect([below, same]).toEqual([masked.dense, masked.dense]);
    expect(more).not.toBe(masked.dense);
    const seen: number[] = [];
    const method = {
      name: 'first entries',
      prune: (trial: AnyModule, amount: number): void => {
        const [[module, name]] = selectParameters(trial) as [PruningTarget];
        const { shape, size } = module.getParameter(name);
        seen.push(size * amount);
        const mask = Float32Array.from({ length: size }, (_, index) => (index < size * amount ? 0 : 1));
        customFromMask(module, name, new Tensor('float32', shape, mask));
      },
    };
    const own = await sensitivity(model, { ...known, include: 'conv', amounts: [0.5, 1], method });
    expect(seen).toEqual([18, 36]);
    const filters = await sensitivity(model, {
      ...known,
      include: 'conv',
      amounts: [0.1, 0.25, 1],
      granularity: { kind: 'filter' },
    });
    // A tenth of four filters is none.
    expect(filters.rows[0]!.scores[0]).toBe(filters.dense);
    expect(filters.rows[0]!.scores[1]).not.toBe(filters.dense);
    expect(filters.rows[0]!.scores[2]).toBe(own.rows[0]!.scores[1]);
    expect(weightsOf(model)).toEqual(before);
  });

  it('leaves the model as it was where judging or pruning fails', async () => {
    const model = smallNet();
    const before = weightsOf(model);
    let judged = 0;
    const failing = sensitivity(model, {
      data,
      threads: 1,
      metrics: {
        accuracy: () => {
          // Two batches a time: the dense model, and half of the first amount.
          if (++judged > 3) throw new Error('out of order');
          return { sum: 1, count: 1 };
        },
      },
    });
    await expect(failing).rejects.toThrow('out of order');
    expect(weightsOf(model)).toEqual(before);
    const method = (): never => {
      throw new Error('no idea');
    };
    await expect(sensitivity(model, { data, threads: 1, method })).rejects.toThrow('no idea');
    expect(weightsOf(model)).toEqual(before);
  });

  it('tells several parameters of a module apart', async () => {
    const found = await sensitivity(smallNet(), {
      data,
      threads: 1,
      include: 'fc',
      parameter: ['weight', 'bias'],
      amounts: [0.5],
    });
    expect(found.rows.map(({ layer }) => layer)).toEqual(['fc.weight', 'fc.bias']);
  });

  it('judges nothing twice that was judged before a stop', async () => {
    const model = smallNet();
    const options = { data, amounts: [0.2, 0.5, 0.9], threads: 1 };
    const expected = await sensitivity(model, options);
    const checkpoint = new MemoryCheckpoint();
    let judged = 0;
    const method = (module: AnyModule, amount: number): void => {
      judged++;
      l1Unstructured(module, 'weight', amount);
    };
    for (const stop of [1, 4]) {
      const controller = new AbortController();
      const onProgress = (done: number): void => {
        if (done === stop) controller.abort(new Error('stopped'));
      };
      const run = sensitivity(model, {
        ...options,
        method,
        checkpoint,
        signal: controller.signal,
        onProgress,
      });
      await expect(run).rejects.toThrow('stopped');
    }
    expect(await sensitivity(model, { ...options, method, checkpoint })).toEqual(expected);
    expect(judged).toBe(6);
    for (const other of [{ amounts: [0.2, 0.5] }, { metric: 'loss' }, { include: 'fc' }]) {
      await expect(sensitivity(model, { ...options, ...other, checkpoint })).rejects.toThrow(
        'sensitivity: the checkpoint is of another run, with other layers, amounts or metric; use another file',
      );
    }
  });

  it('refuses amounts and metrics that cannot be', async () => {
    const model = smallNet();
    await expect(sensitivity(model, { data, amounts: [1.5], threads: 1 })).rejects.toThrow(
      'amounts expects shares in [0, 1], got 1.5',
    );
    await expect(sensitivity(model, { data, metric: 'recall', threads: 1 })).rejects.toThrow(
      "nothing is called 'recall'",
    );
    await expect(sensitivity(model, { data, amounts: [], threads: 1 })).rejects.toThrow(
      'amounts expects shares in [0, 1], got none',
    );
    await expect(
      sensitivity(model, { data, threads: 1, granularity: { kind: 'nm', n: 1, m: 4 } }),
    ).rejects.toThrow('1:4 says by itself how much is pruned; use another granularity');
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

  it('has that sparsity for any table', () => {
    const score = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0.5, Number.NaN));
    const rows = fc.array(fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.tuple(score, score, score)), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(rows, fc.double({ min: 0, max: 1, noNaN: true }), (drawn, sparsity) => {
        const found: Sensitivity = {
          ...table,
          rows: drawn.map(([size, scores], index) => ({ layer: `layer${index}`, size, scores })),
        };
        const amounts = amountsFrom(found, { sparsity });
        const size = found.rows.reduce((sum, row) => sum + row.size, 0);
        const pruned = found.rows.reduce((sum, row) => sum + row.size * amounts[row.layer]!, 0);
        expect(pruned / size).toBeCloseTo(sparsity, 9);
        for (const amount of Object.values(amounts)) {
          expect(amount).toBeGreaterThanOrEqual(0);
          expect(amount).toBeLessThanOrEqual(1 + 1e-12);
        }
      }),
    );
  });

  it('takes a loss for a cost, and scores that are no numbers for too much', () => {
    const loss: Sensitivity = {
      metric: 'loss',
      dense: 0.1,
      amounts: [0.2, 0.4, 0.6],
      rows: [
        { layer: 'a', size: 10, scores: [0.1, 0.2, 0.4] },
        { layer: 'b', size: 10, scores: [0.1, Number.NaN, 0.1] },
      ],
    };
    const { a, b } = amountsFrom(loss, { maxDrop: 0.2 });
    expect(a).toBeCloseTo(0.5, 12);
    expect(b).toBe(0.2);
  });

  it('refuses numbers that cannot be', () => {
    expect(() => amountsFrom(table, { maxDrop: -1 })).toThrow(
      'maxDrop expects a number of at least 0, got -1',
    );
    expect(() => amountsFrom(table, { sparsity: 2 })).toThrow('sparsity expects a share in [0, 1], got 2');
  });
});
