import { describe, expect, it } from 'vitest';
import { furthest, gradientsAt, nodeGraph, vector } from '../../test/gradient-at.ts';
import { checkGradients } from '../../test/gradient-check.ts';
import { type Attribute, attr } from '../ir/index.ts';

/** Points with all the places where a derivative jumps. */
const POINTS = [-4, -3, -1, -0.5, 0, 0.5, 1, 3, 4, 6, 7];

const sixth = { alpha: attr.float(1 / 6), beta: attr.float(0.5) };

/** Gradients of PyTorch 2.13 at POINTS, where ones flow in. */
const PYTORCH: readonly (readonly [
  name: string,
  opType: string,
  attributes: Readonly<Record<string, Attribute>>,
  gradients: readonly number[],
  opset?: number,
])[] = [
  ['relu', 'Relu', {}, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]],
  ['leaky_relu(0.1)', 'LeakyRelu', { alpha: attr.float(0.1) }, [0.1, 0.1, 0.1, 0.1, 0.1, 1, 1, 1, 1, 1, 1]],
  [
    'leaky_relu(-0.5)',
    'LeakyRelu',
    { alpha: attr.float(-0.5) },
    [-0.5, -0.5, -0.5, -0.5, -0.5, 1, 1, 1, 1, 1, 1],
  ],
  ['leaky_relu(2)', 'LeakyRelu', { alpha: attr.float(2) }, [2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1]],
  ['elu', 'Elu', {}, [0.01831564, 0.04978707, 0.3678795, 0.6065307, 1, 1, 1, 1, 1, 1, 1]],
  [
    'elu(2)',
    'Elu',
    { alpha: attr.float(2) },
    [0.03663128, 0.09957413, 0.7357589, 1.213061, 2, 1, 1, 1, 1, 1, 1],
  ],
  [
    'celu(2)',
    'Celu',
    { alpha: attr.float(2) },
    [0.1353353, 0.2231302, 0.6065307, 0.7788008, 1, 1, 1, 1, 1, 1, 1],
  ],
  [
    'selu',
    'Selu',
    {},
    [
      0.03220071, 0.08753061, 0.6467686, 1.066341, 1.758099, 1.050701, 1.050701, 1.050701, 1.050701, 1.050701,
      1.050701,
    ],
  ],
  [
    'gelu',
    'Gelu',
    {},
    [-0.0005036294, -0.01194561, -0.08331543, 0.1325049, 0.5, 0.8674951, 1.083315, 1.011946, 1.000504, 1, 1],
    20,
  ],
  [
    "gelu(approximate='tanh')",
    'Gelu',
    { approximate: attr.string('tanh') },
    [-0.0003349721, -0.0115843, -0.08296409, 0.1326301, 0.5, 0.8673699, 1.082964, 1.011584, 1.000335, 1, 1],
    20,
  ],
  [
    'sigmoid',
    'Sigmoid',
    {},
    [
      0.01766271, 0.04517666, 0.1966119, 0.2350037, 0.25, 0.2350037, 0.1966119, 0.04517666, 0.01766273,
      0.002466466, 0.0009101675,
    ],
  ],
  [
    'tanh',
    'Tanh',
    {},
    [
      0.001340893, 0.009865982, 0.4199743, 0.7864477, 1, 0.7864477, 0.4199743, 0.009865982, 0.001340893,
      2.455696e-5, 3.337857e-6,
    ],
  ],
  ['hardsigmoid', 'HardSigmoid', sixth, [0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0].map((inside) => inside / 6)],
  ['hardswish', 'HardSwish', {}, [0, 0, 1 / 6, 1 / 3, 0.5, 2 / 3, 5 / 6, 1, 1, 1, 1]],
  [
    'mish',
    'Mish',
    {},
    [
      -0.05377321, -0.09339312, 0.05921673, 0.2895106, 0.6, 0.8864244, 1.049036, 1.021107, 1.004433, 1.000134,
      1.000022,
    ],
  ],
  [
    'silu',
    'Swish',
    {},
    [
      -0.05266461, -0.08810411, 0.07232948, 0.2600388, 0.5, 0.7399612, 0.9276705, 1.088104, 1.052665,
      1.012326, 1.00546,
    ],
    24,
  ],
  [
    'softplus',
    'Softplus',
    {},
    [
      0.01798621, 0.04742587, 0.2689414, 0.3775407, 0.5, 0.6224594, 0.7310586, 0.9525741, 0.9820138,
      0.9975274, 0.9990889,
    ],
  ],
  [
    'softsign',
    'Softsign',
    {},
    [0.04, 0.0625, 0.25, 0.4444445, 1, 0.4444445, 0.25, 0.0625, 0.04, 0.02040817, 0.015625],
  ],
  ['threshold(1, 0)', 'ThresholdedRelu', {}, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]],
  ['hardshrink', 'Shrink', {}, [1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1]],
  ['softshrink', 'Shrink', { bias: attr.float(0.5) }, [1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1]],
];

describe('gradients of activations are those of PyTorch, where the derivative jumps too', () => {
  for (const [name, opType, attributes, expected, opset = 18] of PYTORCH) {
    it(name, async () => {
      const [actual] = await gradientsAt(opType, [vector(...POINTS)], { attributes, opset });
      expect(furthest(actual!, expected), `got ${actual}`).toBeLessThan(1e-6);
    });
  }

  it.each([
    [
      'Softmax',
      [
        -0.0001113988, -0.0002713256, -0.001772175, -0.002538223, -0.003552373, -0.00481414, -0.006218,
        -0.03324207, -0.05583078, -0.1573886, 0.265738,
      ],
    ],
    [
      'LogSoftmax',
      [
        0.9992355, 1.997922, 2.984644, 3.974682, 4.958258, 5.93118, 6.886535, 7.161597, 6.720984, -6.839777,
        -34.77526,
      ],
    ],
  ])('%s', async (opType, expected) => {
    const [actual] = await gradientsAt(opType, [vector(...POINTS)], {
      gradOutput: POINTS.map((_, index) => index + 1),
    });
    expect(furthest(actual!, expected), `got ${actual}`).toBeLessThan(1e-5);
  });

  it('stay finite far out', async () => {
    const far = vector(-1e4, -90, 90, 1e4);
    for (const [opType, expected] of [
      ['Mish', [0, 0, 1, 1]],
      ['Softplus', [0, 0, 1, 1]],
      ['HardSwish', [0, 0, 1, 1]],
      ['Elu', [0, 0, 1, 1]],
    ] as const) {
      const [actual] = await gradientsAt(opType, [far]);
      expect(furthest(actual!, expected), `${opType}: ${actual}`).toBeLessThan(1e-6);
    }
  });

  it('are exact for tiny and infinite inputs of relu', async () => {
    const [actual] = await gradientsAt('Relu', [
      vector(Number.NEGATIVE_INFINITY, -1e-37, -0, 1.2e-38, 1e-30, Number.POSITIVE_INFINITY),
    ]);
    expect(actual).toEqual([0, 0, 0, 1, 1, 1]);
  });
});

describe('gradients of PRelu', () => {
  it('go to input and slopes as in PyTorch, which counts 0 as negative', async () => {
    const x = vector(-2, 0, 3, 4, -1, -5).reshape([3, 2]);
    const [byInput, bySlope] = await gradientsAt('PRelu', [x, vector(0.5, 0.25)], {
      gradOutput: [1, 10, 100, 1000, 10000, 100000],
    });
    expect(byInput).toEqual([0.5, 2.5, 100, 1000, 5000, 25000]);
    expect(bySlope).toEqual([-2 - 10000, -500000]);
  });
});

describe('gradients along an axis', () => {
  it.each([
    ['Softmax', 1],
    ['Softmax', -3],
    ['LogSoftmax', 0],
    ['LogSoftmax', -1],
  ])('agree with central differences: %s, axis %i', async (opType, axis) => {
    const x = vector(...Array.from({ length: 24 }, (_, i) => Math.sin(i * 1.7))).reshape([2, 3, 4]);
    const graph = nodeGraph(opType, [x], { attributes: { axis: attr.int(axis) } });
    for (const { computed, measured, scale } of await checkGradients(graph, {
      of: 'y0',
      withRespectTo: ['x0'],
      feeds: { x0: x },
    })) {
      expect(Math.abs(computed - measured)).toBeLessThan(1e-3 * (scale + 0.1));
      expect(scale).toBeGreaterThan(0.01);
    }
  });
});
