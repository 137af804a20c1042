import { describe, expect, it } from 'vitest';
import { oneNode } from '../../test/one-node.ts';
import { attr } from '../ir/index.ts';
import { ACTIVATION } from './activation.ts';

const cost = (thop0031: number, thop011: number): unknown => ({
  macs: 0,
  'thop@0.0.31': thop0031,
  'thop@0.1.1': thop011,
});

describe('activations', () => {
  it.each(
    ACTIVATION.filter(({ opType }) => opType !== 'PRelu').map(
      ({ opType, opsets }) => [opType, opsets[0]] as const,
    ),
  )('%s keeps dtype and shape', (opType, first) => {
    const opset = Math.max(first, 9);
    expect(oneNode(opType, ['float16[batch,3,?]'], { opset }).types).toEqual(['float16[batch, 3, ?]']);
  });

  it('take floating-point numbers only, Relu integers too', () => {
    expect(oneNode('Relu', ['int32[2]'], { opset: 14 }).types).toEqual(['int32[2]']);
    expect(() => oneNode('Relu', ['bool[2]'])).toThrow(
      "Relu 'node': input 0 expects numbers, got bool; put a Cast before it",
    );
    expect(() => oneNode('Sigmoid', ['int32[2]'])).toThrow(
      "Sigmoid 'node': input 0 expects floating-point elements, got int32; put a Cast before it",
    );
    expect(() => oneNode('Tanh', [null])).toThrow("Tanh 'node': input 0 is required and missing");
  });

  it('along an axis refuse one that is not there', () => {
    const axis = (value: number, opset: number): unknown =>
      oneNode('Softmax', ['float32[2,3]'], { opset, attributes: { axis: attr.int(value) } }).types;
    expect(axis(-2, 13)).toEqual(['float32[2, 3]']);
    expect(() => axis(2, 13)).toThrow("Softmax 'node': axis 2 is out of range for 2 dimensions");
    // Until opset 12 the input was made a matrix at the axis, which might be its rank.
    expect(axis(2, 11)).toEqual(['float32[2, 3]']);
  });
});

describe('PRelu', () => {
  it.each(['float32[1]', 'float32[]', 'float32[4,1,1]', 'float32[1,4,1,1]', 'float32[4,5,6]'])(
    'broadcasts a slope %s',
    (slope) => {
      expect(oneNode('PRelu', ['float32[2,4,5,6]', slope]).types).toEqual(['float32[2, 4, 5, 6]']);
    },
  );

  it('refuses a slope that does not fit, saying which would', () => {
    expect(() => oneNode('PRelu', ['float32[2,4,5,6]', 'float32[4]'])).toThrow(
      "PRelu 'node': slope [4] cannot be broadcast to the input; one slope per channel has shape [channels, 1, 1]",
    );
    expect(() => oneNode('PRelu', ['float32[2,4]', 'float32[1,2,4]'])).toThrow(
      'slope [1, 2, 4] cannot be broadcast',
    );
    expect(() => oneNode('PRelu', ['float32[2,4]', 'float64[4]'])).toThrow(
      'input 1 expects float32 as input 0, got float64',
    );
    expect(oneNode('PRelu', ['float32[2,4,5,6]', 'float32[4]'], { opset: 6 }).types).toEqual([
      'float32[2, 4, 5, 6]',
    ]);
  });

  it('is a layer whose slope has an axis of channels, unless there is one slope for all', () => {
    expect(oneNode('PRelu', ['float32[2,4,5,6]', 'const float32[4,1,1]']).layer).toEqual({
      type: 'PReLU',
      parameters: [
        {
          name: 'weight',
          input: 1,
          kind: 'parameter',
          layout: { output: 0, input: null, kernel: [], groups: 1 },
        },
      ],
    });
    expect(oneNode('PRelu', ['float32[2,4,5,6]', 'const float32[1]']).layer).toEqual({
      type: 'PReLU',
      parameters: [{ name: 'weight', input: 1, kind: 'parameter' }],
    });
    expect(oneNode('PRelu', ['float32[2,4]', 'float32[4]']).layer).toBeNull();
  });
});

describe('cost of activations', () => {
  it('follows the rules thop has', () => {
    const x = ['float32[2,3,4]'];
    expect(oneNode('Relu', x).cost).toEqual(cost(0, 0));
    expect(oneNode('Sigmoid', x).cost).toEqual(cost(0, 0));
    expect(oneNode('LeakyRelu', x).cost).toEqual(cost(24, 0));
    expect(oneNode('PRelu', [...x, 'float32[1]']).cost).toEqual(cost(0, 24));
  });

  it('of Softmax is, in thop 0.1.1, 3n - 1 per row of n', () => {
    const x = ['float32[2,3,4]'];
    expect(oneNode('Softmax', x).cost).toEqual(cost(0, 6 * 11));
    expect(oneNode('Softmax', x, { attributes: { axis: attr.int(1) } }).cost).toEqual(cost(0, 8 * 8));
    // Until opset 12 a row is all that follows the axis, by default 1.
    expect(oneNode('Softmax', x, { opset: 11 }).cost).toEqual(cost(0, 2 * 35));
    expect(oneNode('Softmax', ['float32[2,0]']).cost).toEqual(cost(0, 0));
  });
});
