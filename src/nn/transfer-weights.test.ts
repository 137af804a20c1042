import { describe, expect, it } from 'vitest';
import { fromFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import { BatchNorm1d, Linear, manualSeed, Sequential, transferWeights } from './index.ts';

const network = (classes: number, seed: number): Sequential => {
  manualSeed(seed);
  return new Sequential(new Linear(3, 4), new BatchNorm1d(4), new Linear(4, classes));
};
const elements = (module: Sequential, name: string): number[] => [...module.stateDict().get(name)!.float32];

describe('transferWeights', () => {
  it('takes what fits, leaves the rest, and reports it', () => {
    const [from, to] = [network(5, 1), network(2, 2)];
    const head = elements(to, '2.weight');
    const dict = from.stateDict();
    dict.delete('1.num_batches_tracked');
    dict.set('3.weight', Tensor.zeros('float32', [1]));
    const report = transferWeights(to, dict);
    expect(report).toEqual({
      loaded: ['0.weight', '0.bias', '1.weight', '1.bias', '1.running_mean', '1.running_var'],
      notFitting: [
        { name: '2.weight', expected: [2, 4], found: [5, 4] },
        { name: '2.bias', expected: [2], found: [5] },
      ],
      missing: ['1.num_batches_tracked'],
      unexpected: ['3.weight'],
      excluded: [],
    });
    expect(elements(to, '0.weight')).toEqual(elements(from, '0.weight'));
    expect(elements(to, '2.weight')).toEqual(head);
    // The memory is the module's own.
    from.stateDict().get('0.weight')!.float32[0] = 9;
    expect(elements(to, '0.weight')[0]).not.toBe(9);
  });

  it('leaves what is excluded, and converts half precision', () => {
    const [from, to] = [network(2, 1), network(2, 2)];
    const before = elements(to, '0.bias');
    const half = new Map(
      [...from.stateDict()].map(([name, tensor]) => [
        name,
        tensor.dtype === 'float32' ? fromFloat32(tensor, 'float16') : tensor,
      ]),
    );
    const report = transferWeights(to, half, { exclude: ['0.b*', '1'] });
    expect(report.excluded).toEqual([
      '0.bias',
      '1.weight',
      '1.bias',
      '1.running_mean',
      '1.running_var',
      '1.num_batches_tracked',
    ]);
    expect(report.loaded).toEqual(['0.weight', '2.weight', '2.bias']);
    expect(elements(to, '0.bias')).toEqual(before);
    elements(to, '0.weight').forEach((value, at) => {
      expect(value).toBeCloseTo(elements(from, '0.weight')[at]!, 3);
    });
  });

  it('has changed nothing where a dtype cannot be converted', () => {
    const to = network(2, 2);
    const before = elements(to, '0.weight');
    const dict = network(2, 1).stateDict();
    dict.set('2.bias', new Tensor('string', [2], ['a', 'b']));
    expect(() => transferWeights(to, dict)).toThrow(/string\[2\] has no float32 form/);
    expect(elements(to, '0.weight')).toEqual(before);
  });
});
