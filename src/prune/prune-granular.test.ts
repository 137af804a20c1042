import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { convTransposeLayout } from '../ops/index.ts';
import * as prune from './index.ts';
import { Holder, maskOf, randn, tensor, zeros } from './testdata/layers.ts';

const targetsOf = (...modules: Holder[]): prune.PruningTarget[] =>
  modules.map((module) => [module, 'weight']);

/** A weight of filters that each hold one value. */
const filters = (values: readonly number[], shape: readonly number[] = [2, 3, 3]): Tensor => {
  const size = sizeOf(shape);
  const weight = Float32Array.from({ length: values.length * size }, (_, i) => values[Math.floor(i / size)]!);
  return new Tensor('float32', [values.length, ...shape], weight);
};

/** Which filters are wholly masked. */
const gone = ({ weight }: Holder): number[] => {
  const size = weight.size / weight.shape[0]!;
  const mask = maskOf(weight);
  return Array.from({ length: weight.shape[0]! }, (_, f) => f).filter((f) =>
    mask.slice(f * size, (f + 1) * size).every((keep) => keep === 0),
  );
};

const FILTER: prune.Granularity = { kind: 'filter' };

describe('pruneGranular', () => {
  it('ranks groups of different sizes across layers by their means', () => {
    const small = new Holder(filters([4, 1], [1, 1, 1]));
    const large = new Holder(filters([2, 3, 0.5]));
    const options = { granularity: FILTER, amount: { count: 3 }, scope: 'global' } as const;
    prune.pruneGranular(targetsOf(small, large), options);
    expect([gone(small), gone(large)]).toEqual([[1], [0, 2]]);
    // Two are left; wholly pruned ones do not count.
    prune.pruneGranular(targetsOf(small, large), { ...options, amount: 0.5 });
    expect([gone(small), gone(large)]).toEqual([[1], [0, 1, 2]]);
  });

  it('takes whole layers', () => {
    const modules = [new Holder(filters([4, 1])), new Holder(randn([3, 2])), new Holder(filters([9, 9]))];
    prune.pruneGranular(targetsOf(...modules), { granularity: { kind: 'layer' }, amount: { count: 1 } });
    expect(modules.map(({ weight }) => zeros(maskOf(weight)))).toEqual([0, 6, 0]);
  });

  it('prunes single weights as PyTorch’s methods do, per layer and global', () => {
    for (const importance of ['l1', 'l2', 'random'] as const) {
      for (const scope of ['local', 'global'] as const) {
        const pairs = [1, 2].map(() => [new Holder(randn([5, 4], 1)), new Holder(randn([7], 2))]);
        const [ours, theirs] = pairs.map((modules) => targetsOf(...modules));
        const method = importance === 'random' ? prune.RandomUnstructured : prune.L1Unstructured;
        const generators = [1, 2].map(() => new Generator(5));
        prune.pruneGranular(ours!, { amount: 0.3, importance, scope, generator: generators[0] });
        class Seeded extends prune.RandomUnstructured {
          constructor(amount: prune.Amount) {
            super(amount, { generator: generators[1] });
          }
        }
        const used = method === prune.RandomUnstructured ? Seeded : method;
        if (scope === 'global') prune.globalUnstructured(theirs!, used, { amount: 0.3 });
        else for (const [module, name] of theirs!) used.apply(module, name, 0.3);
        const masks = pairs.map((modules) => modules.map(({ weight }) => maskOf(weight)));
        expect(masks[0]).toEqual(masks[1]);
      }
    }
  });

  it('takes one score a filter, also of transposed convolutions with groups', () => {
    const module = new Holder(randn([4, 2, 3, 3]));
    const importanceScores = new Map([[module, { weight: tensor([4], 0.4, 0.1, 0.3, 0.2) }]]);
    prune.pruneGranular(targetsOf(module), { granularity: FILTER, amount: 0.5, importanceScores });
    expect(gone(module)).toEqual([1, 3]);
    // [in, out / groups, k]: filters 0 and 1 belong to inputs 0 and 1, filters 2 and 3 to inputs 2 and 3.
    const transposed = new Holder(randn([4, 2, 1]), convTransposeLayout(1, 2));
    const scores = new Map([[transposed, { weight: tensor([4], 4, 1, 2, 3) }]]);
    prune.pruneGranular(targetsOf(transposed), {
      granularity: FILTER,
      amount: { count: 2 },
      importanceScores: scores,
    });
    expect(maskOf(transposed.weight)).toEqual([1, 0, 1, 0, 0, 1, 0, 1]);
  });

  it('keeps the first of equal weights in N:M groups, n of a smaller last group, and nothing that was pruned', () => {
    const granularity: prune.Granularity = { kind: 'nm', n: 1, m: 2 };
    const module = new Holder(tensor([1, 5], 1, 1, 2, 3, -1));
    prune.pruneGranular(targetsOf(module), { granularity });
    expect(maskOf(module.weight)).toEqual([1, 0, 0, 1, 1]);
    const masked = new Holder(tensor([1, 4], 9, 1, 2, 3));
    prune.customFromMask(masked, 'weight', tensor([1, 4], 0, 1, 1, 1));
    prune.pruneGranular(targetsOf(masked), { granularity });
    expect(maskOf(masked.weight)).toEqual([0, 1, 0, 1]);
    expect(masked.weight.pruning?.method).toBeInstanceOf(prune.PruningContainer);
  });

  const failing: [string, prune.PruneGranularOptions, string][] = [
    ['no amount', { granularity: FILTER }, "'filter' needs an amount"],
    [
      'an amount beside N:M',
      { granularity: { kind: 'nm', n: 2, m: 4 }, amount: 0.5 },
      '2:4 says itself how much goes; leave amount out',
    ],
    [
      'N larger than M',
      { granularity: { kind: 'nm', n: 5, m: 4 } },
      'expected whole numbers 0 <= n <= m, m >= 1, got 5:4',
    ],
    [
      'blocks of no size',
      { granularity: { kind: 'block', rows: 0, columns: 2 }, amount: 0.5 },
      'rows and columns must be whole numbers >= 1, got 0 x 2',
    ],
    [
      'more filters than the second layer has',
      { granularity: FILTER, amount: { count: 4 } },
      'amount=4 should be smaller than the number of parameters to prune=3',
    ],
    [
      'more filters than all layers have',
      { granularity: FILTER, amount: { count: 9 }, scope: 'global' },
      'amount=9 should be smaller than the number of parameters to prune=8',
    ],
    [
      'an importance that is none',
      { granularity: FILTER, amount: 0.5, importance: JSON.parse('"l3"') },
      "expected importance 'l1', 'l2' or 'random', got 'l3'",
    ],
    [
      'columns of kernels of one axis',
      { granularity: { kind: 'vector', along: 'columns' }, amount: 0.5 },
      "parameter 'weight' of Holder: 'vector' along columns needs a kernel window of two axes, and a weight of shape [3, 2, 3] has one; use rows",
    ],
  ];
  it.each(failing)('refuses %s, and changes nothing', (_, options, message) => {
    const modules = [new Holder(randn([5, 2, 3, 3])), new Holder(randn([3, 2, 3]))];
    expect(() => prune.pruneGranular(targetsOf(...modules), options)).toThrow(ArgumentError);
    expect(() => prune.pruneGranular(targetsOf(...modules), options)).toThrow(message);
    expect(modules.some((module) => prune.isPruned(module))).toBe(false);
  });

  it('refuses scores of the wrong size, a parameter given twice, and groups of a bias', () => {
    const module = new Holder(randn([4, 2, 3, 3]));
    const importanceScores = new Map([[module, { weight: randn([3]) }]]);
    const options = { granularity: FILTER, amount: 0.5 };
    expect(() => prune.pruneGranular(targetsOf(module), { ...options, importanceScores })).toThrow(
      "scores of parameter 'weight' must have its shape [4, 2, 3, 3] or be one a filter, [4]; got [3]",
    );
    expect(() => prune.pruneGranular(targetsOf(module, module), options)).toThrow(
      "parameter 'weight' of Holder is given twice",
    );
    expect(() => prune.pruneGranular([[module, 'bias']], options)).toThrow(
      "'filter' needs output and input channels, and a parameter of shape [4] has none; use 'fine-grained'",
    );
    expect(prune.isPruned(module)).toBe(false);
  });
});

describe('methods for groups', () => {
  it('work as methods of PyTorch do: on tensors, and in containers', () => {
    const method = new prune.FilterStructured(0.5, { importance: 'l2' });
    expect([...method.prune(tensor([2, 2], 1, 1, 5, 0)).float32]).toEqual([0, 0, 5, 0]);
    const module = new Holder(randn([4, 4, 3, 3]));
    prune.l1Unstructured(module, 'weight', 0.2);
    prune.VectorStructured.apply(module, 'weight', 0.25, { along: 'columns' });
    prune.KernelStructured.apply(module, 'weight', { count: 3 });
    prune.BlockStructured.apply(module, 'weight', 0.25, 2, 6);
    const container = prune.NMStructured.apply(module, 'weight', 2, 4);
    if (!(container instanceof prune.PruningContainer)) throw new Error('no container');
    expect(container.length).toBe(5);
    const mask = maskOf(module.weight);
    for (let place = 0; place < 9; place++) {
      for (let o = 0; o < 4; o++) {
        const group = [0, 1, 2, 3].map((i) => mask[(o * 4 + i) * 9 + place]!);
        expect(zeros(group)).toBeGreaterThanOrEqual(2);
      }
    }
  });

  it('refuse layouts that do not fit, and N:M as an amount', () => {
    const method = new prune.FilterStructured(0.5, { layout: convTransposeLayout(1) });
    expect(() => method.prune(randn([2, 2]))).toThrow(
      'the layout (output axis 1, input axis 0, kernel axes [2]) does not cover the axes of a weight of shape [2, 2]',
    );
    expect(() => new prune.GroupStructured({ kind: 'nm', n: 2, m: 4 }, 0.5)).toThrow('use NMStructured');
  });
});

describe('parseGranularity', () => {
  it('reads what the command line takes', () => {
    expect(prune.parseGranularity('weight')).toEqual({ kind: 'fine-grained' });
    expect(prune.parseGranularity('column')).toEqual({ kind: 'vector', along: 'columns' });
    expect(prune.parseGranularity('block:4x1')).toEqual({ kind: 'block', rows: 4, columns: 1 });
    expect(prune.parseGranularity('2:4')).toEqual({ kind: 'nm', n: 2, m: 4 });
  });

  it.each(['', 'filters', 'toString', 'block:4', '2:4:8', '-1:4'])('refuses %j', (text) => {
    expect(() => prune.parseGranularity(text)).toThrow(`granularity '${text}': expected weight, row, column`);
  });

  it('refuses numbers that are no sizes', () => {
    expect(() => prune.parseGranularity('5:4')).toThrow('got 5:4');
    expect(() => prune.parseGranularity('block:0x4')).toThrow('got 0 x 4');
  });
});
