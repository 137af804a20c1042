import { readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, FormatError } from '../core/errors.ts';
import type { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import {
  type Batch,
  DataError,
  DataLoader,
  type DataLoaderOptions,
  type Dataset,
  type Sample,
  TensorDataset,
} from './index.ts';
import { sampleSeed } from './sample-seed.ts';

const { orders }: { readonly orders: readonly { seed: number; epoch: number; order: number[] }[] } =
  JSON.parse(readFileSync(new URL('testdata/numbers.json', import.meta.url), 'utf8'));

const sampleOf = (index: number, value = index): Sample => ({
  input: Tensor.of(Float32Array.of(value)),
  target: Tensor.int64(index),
});

/** Samples that draw a number, after `delay` turns of the event loop. */
const drawing = (length: number, delay: (index: number) => number = () => 0): Dataset => ({
  length,
  async get(index: number, random: Generator) {
    for (let i = delay(index); i > 0; i--) await turn();
    return sampleOf(index, random.rand(1)[0]!);
  },
});

const inMemory = (length: number): TensorDataset =>
  new TensorDataset(
    Tensor.of(
      Float32Array.from({ length }, (_, i) => i),
      [length, 1],
    ),
    Tensor.int64(Array.from({ length }, (_, i) => i)),
  );

async function all(batches: AsyncIterable<Batch>): Promise<unknown[]> {
  const result: unknown[] = [];
  for await (const { input, target, indices } of batches) {
    result.push({ input: [...input.float32], target: target.toNumbers(), indices: [...indices] });
  }
  return result;
}

const indicesOf = async (batches: AsyncIterable<Batch>): Promise<number[][]> => {
  const result: number[][] = [];
  for await (const { indices } of batches) result.push([...indices]);
  return result;
};

describe('the order of a DataLoader', () => {
  it.each(orders)(
    "is that of PyTorch's DistributedSampler, seed $seed, epoch $epoch",
    async ({ seed, epoch, order }) => {
      const loader = new DataLoader(inMemory(9), { batchSize: 4, shuffle: true, seed });
      expect(loader.order(epoch)).toEqual(order);
      expect((await indicesOf(loader.batches({ epoch }))).flat()).toEqual(order);
    },
  );

  it("is the data set's own where nothing is shuffled, with a last batch that may be short", async () => {
    const loader = new DataLoader(inMemory(5), { batchSize: 2 });
    expect([loader.length, loader.datasetLength]).toEqual([3, 5]);
    expect(await indicesOf(loader)).toEqual([[0, 1], [2, 3], [4]]);
    const full = new DataLoader(inMemory(5), { batchSize: 2, dropLast: true });
    expect(full.length).toBe(2);
    expect(await indicesOf(full)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(await indicesOf(new DataLoader(inMemory(0)))).toEqual([]);
  });

  it('takes any seed that a generator takes', () => {
    const last = new DataLoader(inMemory(5), { shuffle: true, seed: 2n ** 64n - 1n });
    expect(last.order(1)).toEqual(new DataLoader(inMemory(5), { shuffle: true, seed: 0 }).order(0));
    expect(new DataLoader(inMemory(5), { shuffle: true, seed: -1 }).order(0)).toEqual(last.order(0));
  });
});

describe('the batches of a DataLoader', () => {
  const options = fc.record({
    batchSize: fc.integer({ min: 1, max: 5 }),
    shuffle: fc.boolean(),
    seed: fc.nat(),
    dropLast: fc.boolean(),
    prefetch: fc.nat(3),
  });

  it('are the same from wherever one begins, however many are fetched ahead and however long each takes', async () => {
    await fc.assert(
      fc.asyncProperty(options, fc.nat(11), fc.nat(3), fc.nat(20), async (given, length, epoch, start) => {
        const whole = await all(new DataLoader(drawing(length), given).batches({ epoch }));
        const loader = new DataLoader(
          drawing(length, (index) => (index * 7) % 3),
          { ...given, prefetch: 3 - given.prefetch },
        );
        expect(whole.length).toBe(loader.length);
        const from = start % (loader.length + 1);
        expect(await all(loader.batches({ epoch, from }))).toEqual(whole.slice(from));
      }),
      { numRuns: 60 },
    );
  });

  it('draw for a sample what does not depend on its batch, but on seed and epoch', async () => {
    const drawn = async (given: DataLoaderOptions, epoch: number): Promise<Map<number, number>> => {
      const result = new Map<number, number>();
      for await (const { input, indices } of new DataLoader(drawing(6), given).batches({ epoch })) {
        for (const [row, index] of indices.entries()) result.set(index, input.float32[row]!);
      }
      return new Map([...result].sort(([a], [b]) => a - b));
    };
    const first = await drawn({ batchSize: 4 }, 0);
    expect(new Set(first.values()).size).toBe(6);
    expect(await drawn({ batchSize: 1, shuffle: true }, 0)).toEqual(first);
    for (const other of [await drawn({ batchSize: 4 }, 1), await drawn({ batchSize: 4, seed: 1 }, 0)]) {
      expect([...other.values()].filter((value) => [...first.values()].includes(value))).toEqual([]);
    }
  });

  it('are the same by the fast way and sample by sample', async () => {
    const slow: Dataset = { length: 7, get: (index) => inMemory(7).get(index) };
    const given = { batchSize: 3, shuffle: true, seed: 4 };
    expect(await all(new DataLoader(slow, given))).toEqual(await all(new DataLoader(inMemory(7), given)));
  });

  it('are put together by a function that is given, also where the data set has a faster way', async () => {
    const loader = new DataLoader(inMemory(3), {
      batchSize: 2,
      collate: (samples, indices) => ({
        input: Tensor.of(Float32Array.of(samples.length)),
        target: Tensor.int64(0),
        indices,
      }),
    });
    expect((await all(loader)).map((batch) => (batch as { input: number[] }).input)).toEqual([[2], [1]]);
  });
});

describe('fetching ahead', () => {
  /** A data set that counts which samples were begun and finished. */
  function watched(length: number): Dataset & { begun: number[]; done: number[] } {
    const begun: number[] = [];
    const done: number[] = [];
    return {
      length,
      begun,
      done,
      async get(index) {
        begun.push(index);
        await turn();
        done.push(index);
        return sampleOf(index);
      },
    };
  }

  it.each([0, 1, 3])('keeps %i batches under way while one is used', async (prefetch) => {
    const dataset = watched(20);
    let used = 0;
    for await (const { indices } of new DataLoader(dataset, { batchSize: 2, prefetch })) {
      used += indices.length;
      expect(dataset.begun.length).toBe(Math.min(20, used + 2 * prefetch));
    }
    expect(dataset.done.length).toBe(20);
  });

  it('gets the samples of a batch side by side', async () => {
    let running = 0;
    let most = 0;
    const dataset: Dataset = {
      length: 4,
      async get(index) {
        most = Math.max(most, ++running);
        await turn();
        running--;
        return sampleOf(index);
      },
    };
    await all(new DataLoader(dataset, { batchSize: 4, prefetch: 0 }));
    expect(most).toBe(4);
  });

  it('makes batches of data in memory only when they are asked for', async () => {
    const dataset = inMemory(6);
    const asked: number[] = [];
    const counting: Dataset = {
      length: 6,
      get: (index) => dataset.get(index),
      batch: (indices) => {
        asked.push(...indices);
        return dataset.batch(indices);
      },
    };
    for await (const { indices } of new DataLoader(counting, { batchSize: 2, prefetch: 3 })) {
      expect(asked.slice(-2)).toEqual(indices);
    }
  });

  it('leaves nothing under way where the loop is left early', async () => {
    const dataset = watched(20);
    for await (const { indices } of new DataLoader(dataset, { batchSize: 2, prefetch: 3 })) {
      if (indices[0] === 2) break;
    }
    expect(dataset.done).toEqual(dataset.begun);
    const { length } = dataset.begun;
    await turn();
    await turn();
    expect(dataset.begun.length).toBe(length);
    expect(length).toBe(2 * (2 + 3));
  });
});

describe('errors of a DataLoader', () => {
  const broken = (...wrong: number[]): Dataset => ({
    length: 10,
    get(index) {
      if (wrong.includes(index)) throw new FormatError('png', `no image ${index}`);
      return sampleOf(index);
    },
  });

  it('name the sample, come at their turn, and are the first of their batch', async () => {
    const loader = new DataLoader(broken(5, 4, 8), { batchSize: 2, prefetch: 3 });
    const seen: number[] = [];
    const failed = (async () => {
      for await (const { indices } of loader.batches({ epoch: 2 })) {
        seen.push(...indices);
        await turn();
      }
    })();
    const error: unknown = await failed.catch((thrown: unknown) => thrown);
    expect(seen).toEqual([0, 1, 2, 3]);
    expect(error).toBeInstanceOf(DataError);
    expect(error).toMatchObject({
      message: 'DataLoader: sample 4 (batch 2 of epoch 2): png: no image 4',
      index: 4,
      code: 'data',
      cause: expect.any(FormatError),
    });
  });

  it('name the samples of a batch that cannot be put together', async () => {
    const ragged: Dataset = {
      length: 10,
      get: (index) => ({ input: Tensor.zeros('float32', [1 + (index % 2)]), target: Tensor.int64(0) }),
    };
    await expect(all(new DataLoader(ragged, { batchSize: 9 }))).rejects.toThrow(
      /^DataLoader: batch 0 of epoch 0 \(samples 0, 1, 2, 3, 4, 5, 6, 7, …\): stackSamples: the input of sample 1 is float32\[2\]/,
    );
    const failing: Dataset = {
      ...ragged,
      batch: () => {
        throw new RangeError('no memory');
      },
    };
    await expect(all(new DataLoader(failing, { batchSize: 2 }))).rejects.toMatchObject({
      message: 'DataLoader: batch 0 of epoch 0 (samples 0, 1): no memory',
      index: undefined,
    });
  });

  it('tell of options out of range at once', () => {
    const dataset = inMemory(3);
    const cases: [() => unknown, string][] = [
      [
        () => new DataLoader(dataset, { batchSize: 0 }),
        'expected batchSize to be a whole number >= 1, got 0',
      ],
      [
        () => new DataLoader(dataset, { prefetch: -1 }),
        'expected prefetch to be a whole number >= 0, got -1',
      ],
      [
        () => new DataLoader(dataset).batches({ epoch: 0.5 }),
        'expected epoch to be a whole number >= 0, got 0.5',
      ],
      [
        () => new DataLoader(dataset).batches({ from: -1 }),
        'expected from to be a whole number >= 0, got -1',
      ],
      [() => new DataLoader(dataset).batches({ from: 4 }), 'from=4 is beyond the 3 batches of an epoch'],
    ];
    for (const [call, message] of cases) expect(call).toThrow(new ArgumentError(`DataLoader: ${message}`));
    expect(() => new DataLoader(dataset, { seed: 0.5 })).toThrow(ArgumentError);
  });
});

describe('sampleSeed', () => {
  it('gives neighbours seeds of their own', () => {
    const seeds = new Set<number>();
    for (const seed of [0, 1, 2n ** 40n]) {
      for (const epoch of [0, 1, 2, 3])
        for (let index = 0; index < 1000; index++) seeds.add(sampleSeed(seed, epoch, index));
    }
    // Of 12,000 random words of 32 bits, 0.02 pairs are expected to be equal.
    expect(seeds.size).toBeGreaterThan(11_998);
    // Each of the 32 bits is set in about half of them.
    for (let bit = 0; bit < 32; bit++) {
      const set = [...seeds].filter((value) => ((value >>> bit) & 1) === 1).length;
      expect(Math.abs(set - 6000)).toBeLessThan(300);
    }
  });
});
