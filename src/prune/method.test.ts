import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { Generator, manualSeed } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import * as prune from './index.ts';
import { Holder, maskOf, randn, tensor, zeros } from './testdata/layers.ts';

const names = (module: Holder): { parameters: string[]; buffers: string[]; state: string[] } => ({
  parameters: [...module.namedParameters()].map(([name]) => name),
  buffers: [...module.namedBuffers()].map(([name]) => name),
  state: [...module.stateDict().keys()],
});

/** All that a failed call must leave as it was. */
const snapshot = (module: Holder) => ({
  ...names(module),
  weight: [...module.weight.data.float32],
  mask: maskOf(module.weight),
  method: module.weight.pruning?.method,
});

/** Masks every other entry of what it is given. */
class EveryOther extends prune.BasePruningMethod {
  readonly pruningType: prune.PruningType;
  override readonly dim: number | undefined;
  seen: readonly number[] = [];

  constructor(type: prune.PruningType = 'unstructured', dim?: number) {
    super();
    this.pruningType = type;
    this.dim = dim;
  }

  computeMask(t: Tensor, defaultMask: Tensor): Tensor {
    this.seen = t.shape;
    const mask = defaultMask.clone();
    for (let i = 0; i < mask.size; i += 2) mask.float32[i] = 0;
    return mask;
  }
}

describe('pruning a parameter', () => {
  it('masks it and keeps the original, under the names of PyTorch', () => {
    const module = new Holder(tensor([2, 2], 4, -1, 2, 3));
    expect(prune.l1Unstructured(module, 'weight', 0.5)).toBe(module);
    expect(names(module)).toEqual({
      parameters: ['bias', 'weight_orig'],
      buffers: ['weight_mask'],
      state: ['bias', 'weight_orig', 'weight_mask'],
    });
    expect([...module.weight.data.float32]).toEqual([4, 0, 0, 3]);
    expect([...module.weight.orig.float32]).toEqual([4, -1, 2, 3]);
    expect(prune.isPruned(module)).toBe(true);
  });

  it('is made permanent by remove, once', () => {
    const module = new Holder(tensor([2, 2], 4, -1, 2, 3));
    prune.l1Unstructured(module, 'weight', 0.5);
    expect(prune.remove(module, 'weight')).toBe(module);
    expect(names(module)).toEqual({ parameters: ['bias', 'weight'], buffers: [], state: ['bias', 'weight'] });
    expect([...module.weight.data.float32]).toEqual([4, 0, 0, 3]);
    expect(prune.isPruned(module)).toBe(false);
    expect(() => prune.remove(module, 'weight')).toThrow(
      "Parameter 'weight' of module Holder has to be pruned before pruning can be removed",
    );
    expect(() => prune.remove(module, 'nothing')).toThrow("Parameter 'nothing' of module Holder");
  });

  it('is done by a method of one’s own through apply, with the arguments of its constructor and scores', () => {
    const module = new Holder(randn([2, 3]));
    const method = EveryOther.apply(module, 'weight', 'global');
    expect(method).toBeInstanceOf(EveryOther);
    expect(method.tensorName).toBe('weight');
    expect(maskOf(module.weight)).toEqual([0, 1, 0, 1, 0, 1]);
    const ranked = new Holder(tensor([2, 2], 4, 3, 2, 1));
    prune.L1Unstructured.apply(ranked, 'weight', 0.5, { importanceScores: tensor([2, 2], 1, 2, -3, -4) });
    expect(maskOf(ranked.weight)).toEqual([0, 0, 1, 1]);
  });

  it('takes masks of other dtypes', () => {
    const module = new Holder(randn([4]));
    prune.customFromMask(module, 'weight', new Tensor('bool', [4], Uint8Array.of(1, 0, 1, 0)));
    expect(maskOf(module.weight)).toEqual([1, 0, 1, 0]);
  });

  it('prunes biases and half-precision weights', () => {
    const module = new Holder(new Tensor('float16', [3], Uint16Array.of(0x3c00, 0x3800, 0x4000)));
    prune.l1Unstructured(module, 'weight', { count: 1 });
    expect(maskOf(module.weight)).toEqual([1, 0, 1]);
    expect([...module.weight.data.data]).toEqual([0x3c00, 0, 0x4000]);
  });
});

describe('errors', () => {
  const failing: [string, (module: Holder) => void, string][] = [
    [
      'a fraction above 1',
      (m) => prune.l1Unstructured(m, 'weight', 25),
      'amount=25 should either be a fraction in the range [0, 1] or the { count } of a non-negative integer; a plain number is a fraction: write { count: 25 }',
    ],
    [
      'a negative fraction',
      (m) => prune.randomUnstructured(m, 'weight', -0.1),
      'amount=-0.1 should either be a fraction',
    ],
    ['NaN', (m) => prune.l1Unstructured(m, 'weight', Number.NaN), 'amount=NaN should either be a fraction'],
    ['a negative count', (m) => prune.l1Unstructured(m, 'weight', { count: -3 }), 'amount=-3 should either'],
    ['half a count', (m) => prune.l1Unstructured(m, 'weight', { count: 1.5 }), 'amount=1.5 should either'],
    [
      'an amount that is none',
      (m) => prune.l1Unstructured(m, 'weight', JSON.parse('"x"')),
      'Invalid type for amount: x. Must be a fraction in [0, 1] or { count }.',
    ],
    [
      'more than there is',
      (m) => prune.l1Unstructured(m, 'weight', { count: 13 }),
      'amount=13 should be smaller than the number of parameters to prune=12',
    ],
    [
      'more channels than there are',
      (m) => prune.lnStructured(m, 'weight', { count: 4 }, { n: 2, dim: 1 }),
      'amount=4 should be smaller than the number of parameters to prune=3',
    ],
    [
      'an axis that is not there',
      (m) => prune.randomStructured(m, 'weight', 0.5, { dim: 2 }),
      'Invalid index 2 for tensor of size [4, 3]',
    ],
    [
      'a negative axis that is not there',
      (m) => prune.lnStructured(m, 'weight', 0.5, { n: 1, dim: -3 }),
      'Invalid index -3 for tensor of size [4, 3]',
    ],
    [
      'channels of a vector',
      (m) => prune.lnStructured(m, 'bias', 0.5, { n: 1, dim: 0 }),
      'Structured pruning can only be applied to multidimensional tensors. Found tensor of shape [4] with 1 dims',
    ],
    [
      'a norm that is none',
      (m) => prune.lnStructured(m, 'weight', 0.5, { n: JSON.parse('"x"'), dim: 0 }),
      'norm: order x is not supported',
    ],
    [
      'a parameter that is not there',
      (m) => prune.l1Unstructured(m, 'nope', 0.5),
      "Holder: has no parameter 'nope' of its own",
    ],
    [
      'scores of another shape',
      (m) => prune.l1Unstructured(m, 'weight', 0.5, { importanceScores: randn([2]) }),
      'importanceScores should have the same shape as parameter weight of Holder, got [2] vs [4, 3]',
    ],
    [
      'a mask of another shape',
      (m) => prune.customFromMask(m, 'weight', randn([2])),
      'defaultMask shape [4, 3] must match mask shape [2]',
    ],
  ];
  it.each(failing)('%s', (_, call, message) => {
    for (const before of [0, 1, 2]) {
      const module = new Holder(randn([4, 3]));
      for (let i = 0; i < before; i++) prune.identity(module, 'weight');
      const was = snapshot(module);
      expect(() => call(module)).toThrow(ArgumentError);
      expect(() => call(module)).toThrow(message);
      expect(snapshot(module)).toEqual(was);
    }
  });

  it('leave the module as it was where a method of one’s own fails, or gives no mask', () => {
    class Fails extends prune.BasePruningMethod {
      readonly pruningType = 'unstructured';
      computeMask(): Tensor {
        throw new Error('no');
      }
    }
    class Wrong extends prune.BasePruningMethod {
      readonly pruningType = 'global';
      computeMask(): Tensor {
        return randn([3]);
      }
    }
    const module = new Holder(randn([4, 3]));
    const fresh = snapshot(module);
    expect(() => Fails.apply(module, 'weight')).toThrow('no');
    expect(snapshot(module)).toEqual(fresh);
    prune.l1Unstructured(module, 'weight', 0.5);
    const pruned = snapshot(module);
    expect(() => Fails.apply(module, 'weight')).toThrow('no');
    expect(() => Wrong.apply(module, 'weight')).toThrow(
      'Wrong: computeMask should give a mask of shape [4, 3], got float32[3]',
    );
    expect(snapshot(module)).toEqual(pruned);
    prune.l1Unstructured(module, 'weight', 0.5);
    expect(zeros(maskOf(module.weight))).toBe(9);
  });

  it('name what structured methods lack', () => {
    const module = new Holder(randn([4, 3]));
    prune.identity(module, 'weight');
    expect(() => EveryOther.apply(module, 'weight', 'structured')).toThrow(
      'EveryOther: pruning methods of pruningType "structured" need to have the attribute `dim` defined',
    );
    expect(() => EveryOther.apply(module, 'weight', 'structured', 2)).toThrow('Invalid index 2');
    expect(() => EveryOther.apply(module, 'weight', JSON.parse('"other"'))).toThrow(
      'Unrecognized pruningType other',
    );
  });

  it('refuse to apply a method twice, and to remove one that was not applied', () => {
    const module = new Holder(randn([4, 3]));
    const method = new prune.Identity();
    expect(() => method.remove(module)).toThrow(
      'Module Holder has to be pruned before pruning can be removed',
    );
    expect(() => method.applyMask(module)).toThrow('has to be pruned');
    method.applyTo(module, 'weight');
    expect(() => method.applyTo(module, 'bias')).toThrow(
      "Identity: has been applied to 'weight' already; make a new one",
    );
  });
});

describe('pruning again', () => {
  it('keeps both methods in a container, in order', () => {
    const module = new Holder(randn([4, 3]));
    prune.l1Unstructured(module, 'weight', 0.25);
    const container = prune.RandomUnstructured.apply(module, 'weight', 0.5);
    prune.identity(module, 'weight');
    if (!(container instanceof prune.PruningContainer)) throw new Error('no container');
    expect(module.weight.pruning?.method).toBe(container);
    expect(container.length).toBe(3);
    expect([...container].map((method) => method.constructor)).toEqual([
      prune.L1Unstructured,
      prune.RandomUnstructured,
      prune.Identity,
    ]);
    expect(container.at(-1)).toBeInstanceOf(prune.Identity);
    expect(names(module).parameters).toEqual(['bias', 'weight_orig']);
  });

  it('shows unstructured methods the entries that are left, structured ones the channels, global ones all', () => {
    const mask = tensor([3, 4], 1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0);
    const shown = (type: prune.PruningType, dim?: number): { seen: readonly number[]; mask: number[] } => {
      const module = new Holder(randn([3, 4]));
      prune.customFromMask(module, 'weight', mask);
      const method = new EveryOther(type, dim);
      method.applyTo(module, 'weight');
      return { seen: method.seen, mask: maskOf(module.weight) };
    };
    expect(shown('unstructured')).toEqual({ seen: [5], mask: [0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0] });
    expect(shown('structured', 0)).toEqual({ seen: [2, 4], mask: [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0] });
    expect(shown('structured', 1)).toEqual({ seen: [3, 3], mask: [0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0] });
    expect(shown('structured', -1)).toEqual(shown('structured', 1));
    expect(shown('global')).toEqual({ seen: [3, 4], mask: [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0] });
  });

  it('never brings back what was pruned, and takes the amount of what is left', () => {
    const amounts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), amounts, fc.nat(), (size, fractions, seed) => {
        const module = new Holder(randn([size], seed));
        manualSeed(seed);
        let left = size;
        let before = new Array<number>(size).fill(1);
        for (const [index, fraction] of fractions.entries()) {
          if (index % 2 === 0) prune.l1Unstructured(module, 'weight', fraction);
          else prune.randomUnstructured(module, 'weight', fraction);
          left -= roundedLikePython(fraction * left);
          const mask = maskOf(module.weight);
          expect(mask.length - zeros(mask)).toBe(left);
          mask.forEach((value, i) => {
            expect(value).toBeLessThanOrEqual(before[i]!);
          });
          before = mask;
        }
      }),
    );
  });
});

/** Halves go to the even neighbour. */
function roundedLikePython(x: number): number {
  const near = Math.round(x);
  return Math.abs(x - Math.trunc(x)) === 0.5 && near % 2 === 1 ? near - 1 : near;
}

describe('PruningContainer', () => {
  it('takes only methods of one parameter name', () => {
    const module = new Holder(randn([4]));
    const weight = prune.Identity.apply(module, 'weight');
    const bias = prune.Identity.apply(module, 'bias');
    expect(() => new prune.PruningContainer(weight, bias)).toThrow(
      "Can only add pruning methods acting on the parameter named 'weight' to PruningContainer. Found 'bias'",
    );
    const container = new prune.PruningContainer(weight);
    expect(() => container.addPruningMethod(JSON.parse('5'))).toThrow(
      '5 is not a BasePruningMethod subclass',
    );
    expect(container.length).toBe(1);
    expect(() => new prune.PruningContainer().computeMask(randn([2]), randn([2]))).toThrow('has no method');
  });
});

describe('a method by itself', () => {
  it('prunes tensors of no module', () => {
    const method = new prune.L1Unstructured(0.5);
    const t = tensor([4], 4, -1, 2, -3);
    expect([...method.prune(t).float32]).toEqual([4, 0, 0, -3]);
    expect([...method.prune(t, tensor([4], 0, 1, 1, 1)).float32]).toEqual([0, 0, 0, -3]);
    expect([...method.prune(t, undefined, tensor([4], 1, 2, 3, 4)).float32]).toEqual([0, 0, 2, -3]);
    expect(() => method.prune(t, undefined, randn([3]))).toThrow(
      'importanceScores should have the same shape as tensor t, got [3] vs [4]',
    );
    expect([...t.float32]).toEqual([4, -1, 2, -3]);
  });

  it('gives the masked parameter, and removes itself', () => {
    const module = new Holder(tensor([4], 4, -1, 2, -3));
    const method = prune.L1Unstructured.apply(module, 'weight', 0.5);
    expect([...method.applyMask(module).float32]).toEqual([4, 0, 0, -3]);
    method.remove(module);
    expect(prune.isPruned(module)).toBe(false);
  });

  it('draws from the generator it is given', () => {
    const masks = [1, 2].map(() => {
      const module = new Holder(randn([50]));
      prune.randomUnstructured(module, 'weight', 0.5, { generator: new Generator(3) });
      return maskOf(module.weight);
    });
    expect(masks[0]).toEqual(masks[1]);
    const module = new Holder(randn([50, 2]));
    prune.randomStructured(module, 'weight', 0.5, { dim: 0, generator: new Generator(3) });
    expect(zeros(maskOf(module.weight))).toBe(50);
  });
});
