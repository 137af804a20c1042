import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import type { Value } from '../ir/index.ts';
import { GraphBuilder } from './builder.ts';
import {
  channelLayout,
  convLayout,
  convTransposeLayout,
  isFixed,
  linearLayout,
  makeLayer,
  statedShape,
} from './layer.ts';

describe('layouts of weights', () => {
  it('name the axes of outputs, inputs and kernel', () => {
    expect(convLayout(2)).toEqual({ output: 0, input: 1, kernel: [2, 3], groups: 1 });
    expect(convLayout(1, 4)).toEqual({ output: 0, input: 1, kernel: [2], groups: 4 });
    expect(convTransposeLayout(3, 2)).toEqual({ output: 1, input: 0, kernel: [2, 3, 4], groups: 2 });
    expect(linearLayout()).toEqual({ output: 0, input: 1, kernel: [], groups: 1 });
    expect(linearLayout(true)).toEqual({ output: 1, input: 0, kernel: [], groups: 1 });
    expect(channelLayout()).toEqual({ output: 0, input: null, kernel: [], groups: 1 });
  });
});

describe('isFixed', () => {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', [2, 2]);
  const weight = builder.constant(Tensor.full([2, 2], 1), 'weight');
  const mask = builder.constant(Tensor.full([2, 2], 1), 'mask');

  it('holds for initializers and what is computed from them alone', () => {
    expect(isFixed(weight)).toBe(true);
    const masked = builder.op('Mul', [weight, mask]);
    expect(isFixed(masked)).toBe(true);
    expect(isFixed(builder.op('Transpose', [masked]))).toBe(true);
  });

  it('does not hold for inputs, what is computed from them, or nothing', () => {
    expect(isFixed(x)).toBe(false);
    expect(isFixed(builder.op('Mul', [weight, x]))).toBe(false);
    expect(isFixed(null)).toBe(false);
    expect(isFixed(undefined)).toBe(false);
  });

  it('gives up on long chains', () => {
    let value: Value = weight;
    for (let depth = 0; depth < 9; depth++) value = builder.op('Relu', [value]);
    expect(isFixed(value)).toBe(false);
  });
});

describe('makeLayer', () => {
  it('lists the constants among the slots, and is null without the first', () => {
    const slots = [
      ['weight', 1, channelLayout()],
      ['bias', 2],
      ['running_mean', 3, undefined, 'buffer'],
    ] as const;
    expect(makeLayer((input) => input !== 2, 'Some', slots)).toEqual({
      type: 'Some',
      parameters: [
        { name: 'weight', input: 1, kind: 'parameter', layout: channelLayout() },
        { name: 'running_mean', input: 3, kind: 'buffer' },
      ],
    });
    expect(makeLayer((input) => input !== 1, 'Some', slots)).toBeNull();
  });
});

describe('statedShape', () => {
  it('reads the shape of an initializer or of the declared type', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', ['batch', 2]);
    const y = builder.op('Mul', [x, builder.constant(Tensor.full([2], 1))]);
    const node = y.producer!;
    expect(statedShape(node, 0)).toEqual(['batch', 2]);
    expect(statedShape(node, 1)).toEqual([2]);
    expect(statedShape(node, 2)).toBeNull();
    x.type = null;
    expect(statedShape(node, 0)).toBeNull();
  });
});
