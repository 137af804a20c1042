import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { manualSeed } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { BatchNorm2d, Conv2d, Linear, Module, ReLU, Sequential, type Variable } from '../nn/index.ts';
import * as prune from './index.ts';

class Net extends Module {
  stem = new Sequential(new Conv2d(3, 4, 3), new BatchNorm2d(4), new ReLU());
  body = new Sequential(new Conv2d(4, 4, 3), new Conv2d(4, 8, 1));
  head = new Linear(8, 2);
  override forward(x: Variable): Variable {
    return x;
  }
}

const pathsOf = (net: Net, options?: prune.SelectOptions): string[] => {
  const paths = new Map([...net.namedModules()].map(([path, module]) => [module, path]));
  return prune.selectParameters(net, options).map(([module, name]) => `${paths.get(module)}.${name}`);
};

describe('selectParameters', () => {
  it('gives the weights of convolutions and linear layers, in order', () => {
    expect(pathsOf(new Net())).toEqual(['stem.0.weight', 'body.0.weight', 'body.1.weight', 'head.weight']);
  });

  it('includes and excludes by path, whole branches with their root', () => {
    const net = new Net();
    expect(pathsOf(net, { include: 'body' })).toEqual(['body.0.weight', 'body.1.weight']);
    expect(pathsOf(net, { include: ['*.0', 'head'] })).toEqual([
      'stem.0.weight',
      'body.0.weight',
      'head.weight',
    ]);
    expect(pathsOf(net, { exclude: ['body.?', /^head/g] })).toEqual(['stem.0.weight']);
    expect(pathsOf(net, { include: 'body', exclude: 'body.1' })).toEqual(['body.0.weight']);
    // A dot is a dot.
    expect(() => pathsOf(net, { include: 'body?0?weight' })).toThrow(ArgumentError);
  });

  it('selects by type, parameter and granularity', () => {
    const net = new Net();
    expect(pathsOf(net, { types: 'Batch*' })).toEqual(['stem.1.weight']);
    expect(pathsOf(net, { types: /conv/i, include: 'stem' })).toEqual(['stem.0.weight']);
    expect(pathsOf(net, { parameter: 'bias', exclude: 'body' })).toEqual(['stem.0.bias', 'head.bias']);
    expect(pathsOf(net, { granularity: { kind: 'kernel' } })).not.toContain('head.weight');
  });

  it('finds pruned parameters under their own name', () => {
    const net = new Net();
    prune.l1Unstructured(net.head, 'weight', 0.5);
    expect(pathsOf(net)).toContain('head.weight');
  });

  it('says what there is where nothing is selected', () => {
    expect(() => prune.selectParameters(new Net(), { types: 'LSTM' })).toThrow(
      'selectParameters: no parameter of Net is selected; it has Conv2d.weight, Conv2d.bias, BatchNorm2d.weight, BatchNorm2d.bias, Linear.weight, Linear.bias',
    );
  });
});

describe('sparsity and prune of YOLOv5', () => {
  it('prunes the 2-D convolutions for good, and gives the share of zeros as float32', () => {
    manualSeed(0);
    const net = new Net();
    const before = prune.sparsity(net);
    // Batch norm's bias, and nothing else, starts at 0.
    const elements = [...net.parameters()].reduce((sum, { size }) => sum + size, 0);
    expect(before).toBe(Math.fround(4 / elements));
    const pruned = Math.round(108 * 0.3) + Math.round(144 * 0.3) + Math.round(32 * 0.3);
    expect(prune.prune(net)).toBe(Math.fround((4 + pruned) / elements));
    expect(prune.isPruned(net)).toBe(false);
    expect([...net.head.weight.data.float32]).not.toContain(0);
  });

  it('counts masked weights as zeros, and weights of any dtype', () => {
    const net = new Net();
    prune.customFromMask(net.head, 'weight', Tensor.zeros('float32', [2, 8]));
    const elements = [...net.parameters()].reduce((sum, { size }) => sum + size, 0);
    expect(prune.sparsity(net)).toBe(Math.fround(20 / elements));
  });

  it('changes nothing where the amount cannot be', () => {
    const net = new Net();
    const before = prune.sparsity(net);
    expect(() => prune.prune(net, { count: 100 })).toThrow(
      'amount=100 should be smaller than the number of parameters to prune=32',
    );
    expect(prune.sparsity(net)).toBe(before);
    expect(prune.isPruned(net)).toBe(false);
  });
});
