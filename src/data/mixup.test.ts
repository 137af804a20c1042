import { describe, expect, it } from 'vitest';
import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import type { Dataset, Sample } from './dataset.ts';
import { DataLoader } from './loader.ts';
import { mixup } from './mixup.ts';
import { TensorDataset } from './tensor-dataset.ts';

/** Three samples; input `i` holds 10 to the i, its label is i. */
const three = new TensorDataset(
  new Tensor('float32', [3, 2], new Float32Array([1, 1, 10, 10, 100, 100])),
  new Tensor('int64', [3], new BigInt64Array([0n, 1n, 2n])),
  { classes: ['a', 'b', 'c'] },
);

/** The same sample at every index. */
const always = (sample: Sample, more: Partial<Dataset> = {}): Dataset => ({
  length: 2,
  get: () => sample,
  ...more,
});

const samplesOf = async (dataset: Dataset, count: number): Promise<Sample[]> =>
  Promise.all(
    Array.from({ length: count }, (_, seed) => dataset.get(seed % dataset.length, new Generator(seed))),
  );

describe('mixup', () => {
  it('blends inputs and classes by one share', async () => {
    for (const { input, target } of await samplesOf(mixup(three), 60)) {
      expect([target.dtype, target.shape]).toEqual(['float32', [3]]);
      const [a, b, c] = target.toNumbers() as [number, number, number];
      expect(a + b + c).toBeCloseTo(1, 6);
      for (const value of input.toNumbers()) expect(value).toBeCloseTo(a + 10 * b + 100 * c, 4);
    }
  });

  it('keeps the sample at the index as the first, and draws the second among all', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const { target } = await mixup(three).get(1, new Generator(seed));
      const probabilities = target.toNumbers();
      expect(probabilities[1]).toBeGreaterThan(0);
      seen.add(probabilities.map((share) => (share > 0 ? 1 : 0)).join(''));
    }
    expect([...seen].sort()).toEqual(['010', '011', '110']);
  });

  it.each([1, 0.5, 0.2])('draws shares of Beta(%d, %d)', async (alpha) => {
    const target = new Tensor('int64', [], new BigInt64Array(1));
    const shares: number[] = [];
    for (let seed = 0; seed < 2000; seed++) {
      let asked = 0;
      // The first sample is 1 and the second 0, so that the blend is the share.
      const pair: Dataset = {
        length: 1,
        get: () => ({ input: new Tensor('float32', [1], new Float32Array([1 - asked++])), target }),
      };
      const { input } = await mixup(pair, { alpha, classes: 1 }).get(0, new Generator(seed));
      shares.push(...input.toNumbers());
    }
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length;
    // Of Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1)).
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
    expect(Math.abs(variance * 4 * (2 * alpha + 1) - 1)).toBeLessThan(0.1);
  });

  it('blends probabilities, and gives the same each time', async () => {
    const soft = always({
      input: new Tensor('float32', [1], new Float32Array([3])),
      target: new Tensor('float32', [2], new Float32Array([0.25, 0.75])),
    });
    const [sample] = await samplesOf(mixup(soft, { classes: 2 }), 1);
    expect(sample!.target.toNumbers().map((value) => Math.round(1000 * value) / 1000)).toEqual([0.25, 0.75]);
    const loaded = async (): Promise<number[][]> => {
      const rows: number[][] = [];
      for await (const { input, target } of new DataLoader(mixup(three), {
        batchSize: 2,
        shuffle: true,
        seed: 4,
      }))
        rows.push(input.toNumbers(), target.toNumbers());
      return rows;
    };
    expect(await loaded()).toEqual(await loaded());
    expect(mixup(three).classes).toEqual(['a', 'b', 'c']);
  });

  it('says what does not fit', async () => {
    const label = (value: bigint): Tensor => new Tensor('int64', [], new BigInt64Array([value]));
    const input = new Tensor('float32', [1], new Float32Array(1));
    expect(() => mixup(three, { alpha: 2 })).toThrow('mixup: alpha must be in (0, 1], got 2');
    expect(() => mixup(always({ input, target: label(0n) }))).toThrow(
      'mixup: the data set has no names of classes; give { classes: n }',
    );
    expect(() => mixup(three, { classes: 0 })).toThrow(
      'mixup: classes must be a whole number above 0, got 0',
    );
    const got = (sample: Sample): Promise<Sample> =>
      Promise.resolve(mixup(always(sample), { classes: 2 }).get(0, new Generator(0)));
    await expect(got({ input, target: label(2n) })).rejects.toThrow(
      'mixup: expected a label of 0 to 1, got 2',
    );
    const many = new Tensor('int64', [3], new BigInt64Array(3));
    await expect(got({ input, target: many })).rejects.toThrow(
      'mixup: expected a label of 0 to 1, got int64[3]',
    );
    const bytes = new Tensor('uint8', [1], new Uint8Array(1));
    await expect(got({ input: bytes, target: label(0n) })).rejects.toThrow(
      'mixup: the input must be float32, got uint8[1] and uint8[1]; convert it with toFloat',
    );
    const uneven: Dataset = {
      length: 2,
      get: (index) => ({ input: Tensor.zeros('float32', [index + 1]), target: label(0n) }),
    };
    const all = Array.from({ length: 8 }, (_, seed) =>
      Promise.resolve(mixup(uneven, { classes: 2 }).get(0, new Generator(seed))).catch(
        (error: Error) => error.message,
      ),
    );
    expect(await Promise.all(all)).toContain(
      'mixup: expected each input of one shape, got float32[1] and float32[2]; resize them before',
    );
  });
});
