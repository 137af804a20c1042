import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import {
  type Batch,
  ConcatDataset,
  type Dataset,
  MappedDataset,
  normalize,
  randomHorizontalFlip,
  randomSplit,
  Subset,
  stackSamples,
  TensorDataset,
  withTransform,
} from './index.ts';

const {
  splits,
}: {
  readonly splits: readonly { count: number; lengths: number[]; seed: number; parts: number[][] }[];
} = JSON.parse(readFileSync(new URL('testdata/numbers.json', import.meta.url), 'utf8'));

const random = new Generator(0);

/** Sample i is [from + i, -(from + i)], of class i % 3. */
function counted(count: number, from = 0, classes: readonly string[] = ['a', 'b', 'c']): TensorDataset {
  const inputs = Float32Array.from({ length: 2 * count }, (_, i) =>
    i % 2 === 0 ? from + i / 2 : -(from + (i - 1) / 2),
  );
  return new TensorDataset(
    Tensor.of(inputs, [count, 2]),
    Tensor.int64(Array.from({ length: count }, (_, i) => i % 3)),
    { classes },
  );
}

const plain = ({ input, target, indices }: Batch): unknown => ({
  input: [String(input), [...input.float32]],
  target: [String(target), target.toNumbers()],
  indices,
});

/** The batch that `get` gives, sample by sample. */
async function oneByOne(dataset: Dataset, indices: readonly number[]): Promise<unknown> {
  const samples = await Promise.all(indices.map(async (index) => dataset.get(index, random)));
  return plain(stackSamples(samples, indices));
}

describe('TensorDataset', () => {
  it('gives rows, and their classes as int64 scalars', () => {
    const { input, target } = counted(5).get(4);
    expect([String(input), ...input.float32]).toEqual(['float32[2]', 4, -4]);
    expect([String(target), ...target.toNumbers()]).toEqual(['int64[]', 1]);
  });

  it('gives batches in memory of their own', () => {
    const dataset = counted(5);
    const { input, indices } = dataset.batch([3, 0, 3]);
    expect([...input.float32]).toEqual([3, -3, 0, -0, 3, -3]);
    expect(indices).toEqual([3, 0, 3]);
    input.float32.fill(9);
    expect(dataset.inputs.float32[6]).toBe(3);
  });

  it('reads rows of any dtype, where ever they lie', () => {
    const bytes = new Uint8Array(1 + 6).fill(7);
    const inputs = new Tensor('float16', [3, 1], { bytes: bytes.subarray(1) });
    const dataset = new TensorDataset(inputs, Tensor.of(Int32Array.of(4, 5, 6)));
    expect([...dataset.get(2).input.data]).toEqual([0x0707]);
    expect(dataset.batch([2, 1]).target.toNumbers()).toEqual([6, 5]);
  });

  it('refuses what is no data set', () => {
    const x = Tensor.zeros('float32', [2, 3]);
    const cases: [() => unknown, Error][] = [
      [
        () => new TensorDataset(x, Tensor.int64([1])),
        new ShapeError(
          'TensorDataset: inputs float32[2, 3] and targets int64[1] have 2 and 1 samples; expected as many',
        ),
      ],
      [
        () => new TensorDataset(x, Tensor.int64(1)),
        new ShapeError('TensorDataset: targets is int64[]; expected a first axis of samples'),
      ],
      [
        () => new TensorDataset(Tensor.zeros('int4', [2, 2]), Tensor.int64([0, 1])),
        new ArgumentError('TensorDataset: inputs is int4[2, 2]; expected elements of whole bytes'),
      ],
      [
        () => new TensorDataset(x, Tensor.int64([0, 2]), { classes: ['a', 'b'] }),
        new ArgumentError('TensorDataset: target 1 is 2; expected one of the 2 classes, 0 to 1'),
      ],
      [
        () => new TensorDataset(x, Tensor.of(Float32Array.of(0, 1)), { classes: ['a', 'b'] }),
        new ArgumentError('TensorDataset: targets is float32[2]; with classes, expected int64[2]'),
      ],
      [
        () => counted(2).get(2),
        new ArgumentError('TensorDataset: there is no sample 2; expected a whole number of 0 to 1'),
      ],
      [
        () => counted(2).batch([0, 0.5]),
        new ArgumentError('TensorDataset: there is no sample 0.5; expected a whole number of 0 to 1'),
      ],
      [
        () => counted(0).get(0),
        new ArgumentError('TensorDataset: there is no sample 0, the data set is empty'),
      ],
    ];
    for (const [call, error] of cases) expect(call).toThrow(error);
  });
});

describe('Subset', () => {
  it('gives samples in its own order and under its own indices', async () => {
    const subset = new Subset(counted(6), [5, 1, 3]);
    expect(subset.classes).toEqual(['a', 'b', 'c']);
    expect(plain(subset.batch!([2, 0]))).toEqual({
      input: ['float32[2, 2]', [3, -3, 5, -5]],
      target: ['int64[2]', [0, 2]],
      indices: [2, 0],
    });
    expect(await oneByOne(subset, [2, 0])).toEqual(plain(subset.batch!([2, 0])));
    expect(() => new Subset(counted(2), [2])).toThrow('Subset: there is no sample 2');
    expect(() => subset.get(3, random)).toThrow(
      'Subset: there is no sample 3; expected a whole number of 0 to 2',
    );
  });

  it('has no fast batch where the data set has none', () => {
    expect(new Subset(new MappedDataset(counted(2), (sample) => sample), [0]).batch).toBeUndefined();
  });
});

describe('randomSplit', () => {
  it.each(splits)("gives PyTorch's parts of $count by $lengths", ({ count, lengths, seed, parts }) => {
    const split = randomSplit(counted(count), lengths, new Generator(seed));
    expect(split.map(({ indices }) => indices)).toEqual(parts);
  });

  it('parts hold every sample once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { minLength: 1, maxLength: 5 }), fc.nat(), (lengths, seed) => {
        const count = lengths.reduce((sum, length) => sum + length, 0);
        const parts = randomSplit(counted(count), lengths, new Generator(seed));
        // A single sample reads as the fraction 1, and then all the same goes where the 1 is.
        expect(parts.map(({ length }) => length)).toEqual(lengths);
        expect(parts.flatMap(({ indices }) => indices).sort((a, b) => a - b)).toEqual(
          Array.from({ length: count }, (_, i) => i),
        );
      }),
    );
  });

  it('refuses lengths that do not add up', () => {
    expect(() => randomSplit(counted(5), [2, 2])).toThrow(
      new ArgumentError(
        'randomSplit: expected numbers of samples that add up to 5, or fractions that add up to 1; got 2 + 2 = 4',
      ),
    );
    expect(() => randomSplit(counted(5), [1.5, -0.5])).toThrow(
      new ArgumentError('randomSplit: expected fractions in [0, 1], got 1.5'),
    );
    expect(() => randomSplit(counted(5), [6, -1])).toThrow(ArgumentError);
  });
});

describe('ConcatDataset', () => {
  const parts = (): ConcatDataset => new ConcatDataset([counted(2), counted(0), counted(3, 10)]);

  it('counts through its data sets', async () => {
    expect(parts().length).toBe(5);
    const { input } = await parts().get(2, random);
    expect([...input.float32]).toEqual([10, -10]);
    expect(() => parts().get(5, random)).toThrow('ConcatDataset: there is no sample 5');
  });

  it('gives the batch that single samples make, in any order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(4), { minLength: 1, maxLength: 8 }), async (indices) => {
        expect(plain(parts().batch!(indices))).toEqual(await oneByOne(parts(), indices));
      }),
    );
    expect(String(parts().batch!([]).input)).toBe('float32[0, 2]');
  });

  it('refuses data sets that do not go together', () => {
    expect(() => new ConcatDataset([])).toThrow(
      new ArgumentError('ConcatDataset: expected one data set at least'),
    );
    expect(() => new ConcatDataset([counted(1), counted(1, 0, ['b', 'a', 'c'])])).toThrow(
      new ArgumentError(
        'ConcatDataset: the data sets name other classes, [a, b, c] and [b, a, c]; the same number would stand for two things',
      ),
    );
    const narrow = new TensorDataset(Tensor.zeros('float32', [1, 1]), Tensor.int64([0]));
    expect(() => new ConcatDataset([counted(1), narrow]).batch!([0, 1])).toThrow(
      new ShapeError(
        'ConcatDataset: the data sets have samples of input float32[2] and float32[1]; a batch takes one kind',
      ),
    );
  });
});

describe('withTransform and MappedDataset', () => {
  const images = new TensorDataset(
    Tensor.of(
      Float32Array.from({ length: 12 }, (_, i) => i),
      [3, 1, 2, 2],
    ),
    Tensor.int64([2, 1, 0]),
    { classes: ['x', 'y', 'z'] },
  );

  it('keeps the fast batch under a transform that draws nothing, with the same numbers', async () => {
    const dataset = withTransform(images, normalize(1, 2));
    expect(dataset.classes).toEqual(['x', 'y', 'z']);
    expect(plain(dataset.batch!([2, 0]))).toEqual(await oneByOne(dataset, [2, 0]));
    expect(dataset.batch!([0]).input.float32[3]).toBe(1);
  });

  it('draws from the generator of the sample', async () => {
    const dataset = withTransform(images, randomHorizontalFlip(0.5));
    expect(dataset.batch).toBeUndefined();
    const firsts = new Set<number>();
    for (let seed = 0; seed < 8; seed++) {
      const flip = new Generator(seed).rand(1)[0]! < 0.5;
      const { input } = await dataset.get(0, new Generator(seed));
      expect(input.float32[0]).toBe(flip ? 1 : 0);
      firsts.add(input.float32[0]!);
    }
    expect(firsts.size).toBe(2);
  });

  it('maps input and target together', async () => {
    const doubled = new MappedDataset(counted(3), async ({ input, target }, generator) => ({
      input: Tensor.of(Float32Array.of(generator.rand(1)[0]! + target.toNumbers()[0]!)),
      target: input,
    }));
    const { input, target } = await doubled.get(1, new Generator(0));
    expect(input.float32[0]).toBeCloseTo(1.4963, 4);
    expect([...target.float32]).toEqual([1, -1]);
  });
});

describe('stackSamples', () => {
  it('names the sample that differs', () => {
    const sample = (size: number) => ({ input: Tensor.zeros('float32', [size]), target: Tensor.int64(0) });
    expect(() => stackSamples([sample(2), sample(3)], [7, 8])).toThrow(
      new ShapeError(
        'stackSamples: the input of sample 8 is float32[3], that of sample 7 is float32[2]; resize them to one shape, or pass a collate function of your own',
      ),
    );
    expect(() => stackSamples([], [])).toThrow(
      new ArgumentError('stackSamples: expected one sample at least'),
    );
    const packed = { input: Tensor.zeros('int4', [2]), target: Tensor.int64(0) };
    expect(() => stackSamples([packed], [0])).toThrow(
      new ArgumentError('stackSamples: the input is int4[2]; expected elements of whole bytes'),
    );
  });
});
