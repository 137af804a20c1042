import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { manualSeed } from '../core/random.ts';
import type { Tensor } from '../core/tensor.ts';
import * as prune from './index.ts';
import { Holder, maskOf, randn, tensor, zeros } from './testdata/layers.ts';

const targetsOf = (...modules: Holder[]): prune.PruningTarget[] =>
  modules.map((module) => [module, 'weight']);

describe('globalUnstructured', () => {
  it('ranks the entries of all parameters together', () => {
    const small = new Holder(tensor([3], 1, 2, 9));
    const large = new Holder(tensor([2, 2], 8, 7, -3, 6));
    prune.globalUnstructured(targetsOf(small, large), prune.L1Unstructured, { amount: { count: 3 } });
    expect(maskOf(small.weight)).toEqual([0, 0, 1]);
    expect(maskOf(large.weight)).toEqual([1, 1, 0, 1]);
    expect(small.weight.pruning?.method).toBeInstanceOf(prune.CustomFromMask);
  });

  it('prunes a share of what is left when called again', () => {
    const modules = [new Holder(randn([30], 1)), new Holder(randn([7, 10], 2))];
    for (const left of [50, 25]) {
      prune.globalUnstructured(targetsOf(...modules), prune.L1Unstructured, { amount: 0.5 });
      expect(modules.reduce((sum, { weight }) => sum + weight.size - zeros(maskOf(weight)), 0)).toBe(left);
    }
  });

  it('ranks by scores where they are given', () => {
    const [a, b] = [new Holder(tensor([2], 1, 2)), new Holder(tensor([2], 3, 4))];
    const importanceScores = new Map([[a, { weight: tensor([2], 9, 9) }]]);
    prune.globalUnstructured(targetsOf(a, b), prune.L1Unstructured, { amount: 0.5, importanceScores });
    expect([maskOf(a.weight), maskOf(b.weight)]).toEqual([
      [1, 1],
      [0, 0],
    ]);
  });

  it('gives the same masks by methods of one’s own that compute as L1Unstructured and RandomUnstructured do', () => {
    class OwnL1 extends prune.L1Unstructured {}
    class OwnRandom extends prune.RandomUnstructured {}
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (seed, amount) => {
        for (const [ours, own] of [
          [prune.L1Unstructured, OwnL1],
          [prune.RandomUnstructured, OwnRandom],
        ] as const) {
          const masks = [ours, own].map((method) => {
            const modules = [new Holder(randn([5, 3], seed)), new Holder(randn([20], seed + 1))];
            manualSeed(seed);
            prune.globalUnstructured(targetsOf(...modules), method, { amount });
            return modules.map(({ weight }) => maskOf(weight));
          });
          expect(masks[0]).toEqual(masks[1]);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('refuses structured methods, unknown parameters and scores of another shape, and changes nothing then', () => {
    const modules = [new Holder(randn([4])), new Holder(randn([3]))];
    class Structured extends prune.BasePruningMethod {
      readonly pruningType = 'structured';
      computeMask(_t: Tensor, defaultMask: Tensor): Tensor {
        return defaultMask;
      }
    }
    const targets = targetsOf(...modules);
    const amount = 0.5;
    expect(() => prune.globalUnstructured(targets, Structured, { amount })).toThrow(
      'Only "unstructured" pruningType supported for global pruning. Found method Structured of type structured',
    );
    const nowhere: prune.PruningTarget[] = [...targets, [modules[0]!, 'nope']];
    expect(() => prune.globalUnstructured(nowhere, prune.L1Unstructured, { amount })).toThrow(
      "has no parameter 'nope'",
    );
    const importanceScores = new Map([[modules[1]!, { weight: randn([4]) }]]);
    expect(() =>
      prune.globalUnstructured(targets, prune.L1Unstructured, { amount, importanceScores }),
    ).toThrow('importanceScores should have the same shape as parameter weight of Holder, got [4] vs [3]');
    expect(() => prune.globalUnstructured(targets, prune.L1Unstructured, { amount: { count: 8 } })).toThrow(
      'amount=8 should be smaller than the number of parameters to prune=7',
    );
    expect(modules.some((module) => prune.isPruned(module))).toBe(false);
  });
});
