import { describe, expect, it } from 'vitest';
import { furthest, type GradientAtOptions, gradientsAt, nodeGraph, vector } from '../../test/gradient-at.ts';
import { checkGradients } from '../../test/gradient-check.ts';
import { gradient } from '../autograd/index.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, Graph, tensorType } from '../ir/index.ts';
import { createSession } from '../runtime/index.ts';

const scalar = (value: number): Tensor => Tensor.full([], value);

/** PyTorch 2.13; ones flow in unless `gradOutput` says otherwise. */
const UNARY: readonly (readonly [string, readonly number[], readonly number[]])[] = [
  ['Exp', [0.2, 0.5, -0.7], [1.221403, 1.648721, 0.4965853]],
  ['Sin', [0.2, 0.5, -0.7], [0.9800666, 0.8775826, 0.7648422]],
  ['Cos', [0.2, 0.5, -0.7], [-0.1986693, -0.4794255, 0.6442177]],
  ['Tan', [0.2, 0.5, -0.7], [1.041091, 1.298446, 1.70945]],
  ['Asin', [0.2, 0.5, -0.7], [1.020621, 1.154701, 1.40028]],
  ['Acos', [0.2, 0.5, -0.7], [-1.020621, -1.154701, -1.40028]],
  ['Atan', [0.2, 0.5, -0.7], [0.9615385, 0.8, 0.6711409]],
  ['Sinh', [0.2, 0.5, -0.7], [1.020067, 1.127626, 1.255169]],
  ['Cosh', [0.2, 0.5, -0.7], [0.201336, 0.5210953, -0.7585837]],
  ['Asinh', [0.2, 0.5, -0.7], [0.9805807, 0.8944272, 0.8192319]],
  ['Atanh', [0.2, 0.5, -0.7], [1.041667, 1.333333, 1.960784]],
  ['Erf', [0.2, 0.5, -0.7], [1.084135, 0.8787826, 0.6912749]],
  ['Reciprocal', [0.2, 0.5, -0.7], [-25, -4, -2.040816]],
  ['Acosh', [1.2, 1.5, 3], [1.507557, 0.8944272, 0.3535534]],
  ['Log', [1.2, 1.5, 3], [0.8333333, 0.6666667, 0.3333333]],
  ['Sqrt', [1.2, 1.5, 3], [0.4564354, 0.4082483, 0.2886751]],
  ['Neg', [1, 0, -2], [-1, -1, -1]],
  ['Abs', [-3, 0, 2], [-1, 0, 1]],
  ['Floor', [-1.5, 0, 2], [0, 0, 0]],
  ['Ceil', [-1.5, 0, 2], [0, 0, 0]],
  ['Round', [-1.5, 0, 2], [0, 0, 0]],
  ['Sign', [-1.5, 0, 2], [0, 0, 0]],
];

describe('gradients of functions of one input are those of PyTorch', () => {
  it.each(UNARY)('%s', async (opType, x, expected) => {
    const [actual] = await gradientsAt(opType, [vector(...x)]);
    expect(furthest(actual!, expected), `got ${actual}`).toBeLessThan(1e-6);
  });
});

describe('gradients of functions of several inputs are those of PyTorch', () => {
  const g = { gradOutput: [1, 10, 100] };
  const limits = [scalar(-1), scalar(3)];
  it.each<
    [
      name: string,
      opType: string,
      inputs: readonly (Tensor | null)[],
      options: GradientAtOptions,
      expected: readonly (readonly number[])[],
    ]
  >([
    [
      'maximum, half each where equal',
      'Max',
      [vector(1, 2, 3), vector(1, 3, 2)],
      g,
      [
        [0.5, 0, 100],
        [0.5, 10, 0],
      ],
    ],
    [
      'minimum, half each where equal',
      'Min',
      [vector(1, 2, 3), vector(1, 3, 2)],
      g,
      [
        [0.5, 10, 0],
        [0.5, 0, 100],
      ],
    ],
    ['maximum of one', 'Max', [vector(1, 2, 3)], g, [[1, 10, 100]]],
    [
      'fmod',
      'Mod',
      [vector(5, -5, 7.5), vector(3, 3, -2)],
      { attributes: { fmod: attr.int(1) } },
      [
        [1, 1, 1],
        [-1, 1, 3],
      ],
    ],
    [
      'clamp, which lets through at the limits, and limits that are learnt',
      'Clip',
      [vector(-2, -1, 0, 3, 4), ...limits],
      { gradOutput: [1, 10, 100, 1000, 10000] },
      [[0, 10, 100, 1000, 0], [1], [10000]],
    ],
    [
      'clamp from above only',
      'Clip',
      [vector(-2, 3, 4), null, scalar(3)],
      { ...g, constants: [2] },
      [[1, 10, 0], [], []],
    ],
    ['clamp without limits', 'Clip', [vector(-2, 3, 4)], g, [[1, 10, 100]]],
    [
      'relu6, which stops at the limits',
      'Clip',
      [vector(-1, 0, 1, 6, 7), scalar(0), scalar(6)],
      { constants: [1, 2] },
      [[0, 0, 1, 0, 0], [], []],
    ],
    ['pow 0', 'Pow', [vector(0, 1, 2), scalar(0)], { constants: [1] }, [[0, 0, 0], []]],
    ['pow 1', 'Pow', [vector(0, 1, 2), scalar(1)], { constants: [1] }, [[1, 1, 1], []]],
    ['pow 2', 'Pow', [vector(1, 2, -3), scalar(2)], { constants: [1] }, [[2, 4, -6], []]],
    ['pow 3', 'Pow', [vector(0, 2, 3, -2), scalar(3)], { constants: [1] }, [[0, 12, 27, 12], []]],
    ['pow 0.5', 'Pow', [vector(1, 4, 9), scalar(0.5)], { constants: [1] }, [[0.5, 0.25, 0.1666667], []]],
    [
      'pow -1.5',
      'Pow',
      [vector(1, 4, 9), scalar(-1.5)],
      { constants: [1] },
      [[-1.5, -0.046875, -0.00617284], []],
    ],
    ['pow of whole numbers', 'Pow', [vector(1, 2, 3), Tensor.int64([1, 2, 4])], {}, [[1, 4, 108], []]],
    [
      'pow by exponents that are learnt',
      'Pow',
      [vector(0, 0, 2, 3), vector(0, 2, 0, 1.5)],
      {},
      [
        [0, 0, 0, 2.598076],
        [0, 0, Math.LN2, 5.708557],
      ],
    ],
    ['mean of two', 'Mean', [vector(1, 2, 3), scalar(1)], g, [[0.5, 5, 50], [55.5]]],
    ['sum of three', 'Sum', [vector(1, 2, 3), scalar(1), vector(2)], g, [[1, 10, 100], [111], [111]]],
    [
      'where, though what is not taken be infinite',
      'Where',
      [new Tensor('bool', [3], Uint8Array.of(1, 0, 1)), vector(1, Infinity, 3), scalar(2)],
      g,
      [[], [1, 0, 100], [10]],
    ],
  ])('%s', async (_, opType, inputs, options, expected) => {
    const actual = await gradientsAt(opType, inputs, options);
    expected.forEach((numbers, index) => {
      expect(furthest(actual[index]!, numbers), `input ${index}: ${actual[index]}`).toBeLessThan(1e-6);
    });
  });
});

describe('gradients under broadcasting', () => {
  const numbers = (shape: readonly number[], from: number): Tensor => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    return vector(...Array.from({ length: size }, (_, i) => from + Math.sin(3 * i + from) * 0.5)).reshape(
      shape,
    );
  };
  for (const opType of ['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Max', 'Min', 'Mean', 'Sum']) {
    it.each([
      [
        [2, 3, 4],
        [3, 1],
      ],
      [[4], [2, 3, 4]],
      [
        [2, 1, 4],
        [3, 1],
      ],
      [[2, 3, 4], []],
      [[1], [1, 1]],
    ])(`agree with central differences: ${opType} of %j and %j`, async (a, b) => {
      // Far enough apart that no step changes which one is larger.
      const feeds = { x0: numbers(a, 2), x1: numbers(b, 3.5) };
      const graph = nodeGraph(opType, [feeds.x0, feeds.x1]);
      const checks = await checkGradients(graph, { of: 'y0', withRespectTo: ['x0', 'x1'], feeds });
      for (const { name, computed, measured, scale } of checks) {
        expect(Math.abs(computed - measured), `${name}: ${computed}, measured ${measured}`).toBeLessThan(
          3e-3 * (scale + 0.1),
        );
      }
      expect(checks.length).toBe(4);
    });
  }
});

describe('gradients of a value that is used twice', () => {
  it.each([
    ['Mul', [2, -4, 6]],
    ['Add', [2, 2, 2]],
    ['Sub', [0, 0, 0]],
    ['Div', [0, 0, 0]],
  ] as const)('add up: %s', async (opType, expected) => {
    const graph = new Graph({ opset: 18 });
    const x = graph.addInput('x', tensorType('float32', [3]));
    graph.addOutput(graph.addNode({ opType, inputs: [x, x], outputs: ['y'] }).output());
    const session = await createSession(gradient(graph, { of: 'y', withRespectTo: ['x'], gradOutput: 'g' }));
    const results = await session.run({ x: vector(1, -2, 3), g: vector(1, 1, 1) });
    await session.dispose();
    expect(furthest([...results.get('x_grad')!.float32], expected)).toBeLessThan(1e-6);
  });
});

describe('nodes of gradients', () => {
  /** Operators that the gradient of `y` after x0 adds. */
  const added = (opType: string, inputs: readonly Tensor[], options: GradientAtOptions = {}): string[] => {
    const graph = nodeGraph(opType, inputs, options);
    const before = graph.nodes.length;
    return gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' })
      .nodes.slice(before)
      .map((node) => node.opType)
      .filter((type) => type !== 'Identity');
  };
  const x = vector(1, 2, 3);

  it('are few: each of them is a pass over memory', () => {
    expect(added('Relu', [x])).toEqual(['HardSigmoid', 'Mul']);
    expect(added('Sigmoid', [x])).toEqual(['Sub', 'Mul', 'Mul']);
    expect(added('Add', [x, x])).toEqual([]);
    expect(added('Mul', [x, x])).toEqual(['Mul']);
    expect(added('Div', [x, x])).toEqual(['Div']);
    expect(added('Exp', [x])).toEqual(['Mul']);
    expect(added('Pow', [x, scalar(2)], { constants: [1] })).toEqual(['Mul', 'Mul']);
    expect(added('Floor', [x])).toEqual([]);
  });
});
