import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import {
  BatchNorm2d,
  Conv2d,
  Flatten,
  fromGraph,
  Linear,
  Module,
  manualSeed,
  Parameter,
  ReLU,
  Sequential,
  trace,
  type Variable,
} from '../nn/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { profile } from './model.ts';

const network = (): Sequential => {
  manualSeed(0);
  return new Sequential(
    new Conv2d(3, 4, 3),
    new BatchNorm2d(4),
    new ReLU(),
    new Flatten(),
    new Linear(4 * 6 * 6, 5),
  );
};

/** A module with a parameter that no computation uses, and a single number that one does. */
class Scaled extends Module {
  linear = new Linear(4, 2);
  unused = new Linear(7, 3);
  scale = new Parameter(Tensor.full([1], 0));
  override forward(x: Variable): Variable {
    return this.linear.call(x);
  }
}

describe('profile', () => {
  it('profiles a module as PyTorch counts it, and leaves it in the mode it was in', () => {
    const model = network();
    const [conv] = model.children();
    conv?.eval();
    const result = profile(model, { shapes: [2, 3, 8, 8] });
    expect(result.totals.parameters).toBe(3 * 4 * 9 + 4 + 8 + 144 * 5 + 5);
    expect(result.totals.macs).toBe(2 * (27 * 4 * 36 + 144 * 5));
    expect(result.inputs).toEqual({ input: [2, 3, 8, 8] });
    expect(model.training).toBe(true);
    expect(conv?.training).toBe(false);
  });

  it('leaves zeros out where they are not wanted, and nothing else', () => {
    const model = new Scaled();
    const options = { shapes: [3, 4], convention: 'thop@0.1.1' } as const;
    const { totals, layers, ...others } = profile(model, options);
    const without = profile(model, { ...options, zeros: false });
    const { zeros, sparsity, ...counted } = totals;
    expect([zeros, sparsity]).toEqual([1, 1 / 35]);
    expect(without).toStrictEqual({
      ...others,
      totals: counted,
      layers: layers.map(({ zeros: _, ...layer }) => layer),
    });
    expect(() => profile(model, { ...options, zeros: false, sparsity: true })).toThrow(
      new ArgumentError('profile: `sparsity` counts zeros; leave out `zeros: false`'),
    );
  });

  it('gives a module and its graph the same numbers', () => {
    const model = network().eval();
    const graph = trace(model, ['batch', 3, 8, 8]);
    const options = { shapes: [1, 3, 8, 8], convention: 'thop@0.1.1' } as const;
    expect(profile(graph, options)).toEqual(profile(model, options));
    expect(profile(graph, { convention: 'thop@0.1.1' })).toEqual(profile(model, options));
    expect(profile(fromGraph(graph), options).totals).toEqual(profile(model, options).totals);
  });

  it('counts every parameter of a module once, also those that nothing uses', () => {
    const result = profile(new Scaled(), { shapes: [1, 4] });
    expect(result.totals.parameters).toBe(4 * 2 + 2 + 7 * 3 + 3 + 1);
    expect(result.totals.zeros).toBe(1);
    expect(result.totals.sparsity).toBe(1 / 35);
    expect(result.totals.weightBytes).toBe(4 * 35);
    expect(result.layers.map(({ name, op, parameters }) => [name, op, parameters])).toEqual([
      [expect.stringContaining('linear'), 'Gemm', 10],
      ['scale', 'Scaled', 1],
      ['unused.weight', 'Linear', 21],
      ['unused.bias', 'Linear', 3],
    ]);
  });

  it('takes sizes of symbolic dimensions by name', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', ['batch', 'length', 8]);
    const weight = builder.constant(Tensor.full([8, 2], 1), 'weight');
    builder.output(builder.op('MatMul', [x, weight]), 'y');
    const { graph } = builder;
    const result = profile(graph, { symbols: { length: 5 } });
    expect(result.inputs).toEqual({ x: [1, 5, 8] });
    expect(result.totals.macs).toBe(5 * 16);
    expect(() => profile(graph, { symbols: { length: 5, width: 2 } })).toThrow(
      "profile: no input has a dimension named 'width'",
    );
    expect(() => profile(graph)).toThrow(
      "profile: the shape of input 'x' is [batch, length, 8]; give its shape",
    );
  });

  it('says what is missing', () => {
    expect(() => profile(network())).toThrow(
      'profile: give the shapes of the inputs of Sequential, such as [1, 3, 224, 224]',
    );
    expect(() => profile(network(), { shapes: [1, 3, 8, 8], symbols: { batch: 1 } })).toThrow(
      'profile: a Module has no symbolic dimensions; give `shapes`',
    );
    const builder = new GraphBuilder();
    const inputs = ['a', 'b'].map((name) => builder.input(name, 'float32', [1, 2]));
    builder.output(builder.op('Add', inputs), 'y');
    expect(() => profile(builder.graph, { shapes: [1, 2] })).toThrow(
      "profile: a shape without a name needs a model of one input; the inputs are 'a', 'b'",
    );
  });
});
