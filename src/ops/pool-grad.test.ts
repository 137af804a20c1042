import { describe, expect, it } from 'vitest';
import { checkGradients, noise } from '../../test/gradient-check.ts';
import { gradient } from '../autograd/index.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { type Attribute, attr, Graph, tensorType } from '../ir/index.ts';
import { createSession } from '../runtime/index.ts';

type Attributes = Readonly<Record<string, readonly number[] | number | string>>;

function pool(opType: string, shape: readonly number[], attributes: Attributes): Graph {
  const graph = new Graph({ opset: 18 });
  const x = graph.addInput('x', tensorType('float32', shape));
  const made = Object.entries(attributes).map(([name, value]): [string, Attribute] => [
    name,
    typeof value === 'number'
      ? attr.int(value)
      : typeof value === 'string'
        ? attr.string(value)
        : attr.ints(value),
  ]);
  graph.addOutput(
    graph.addNode({ opType, inputs: [x], outputs: ['y'], attributes: Object.fromEntries(made) }).output(),
  );
  return graph;
}

/** Numbers that differ by more than the steps of the differences, in no order. */
function distinct(shape: readonly number[]): Tensor {
  const random = noise(3);
  const size = sizeOf(shape);
  const order = Array.from({ length: size }, (_, index) => ({ index, key: random.next().value })).sort(
    (a, b) => a.key - b.key,
  );
  const data = new Float32Array(size);
  order.forEach(({ index }, rank) => {
    data[index] = (rank - size / 2) / 8 + 0.05;
  });
  return new Tensor('float32', shape, data);
}

const CASES: readonly (readonly [opType: string, shape: readonly number[], attributes: Attributes])[] = [
  ['MaxPool', [2, 3, 8, 8], { kernel_shape: [2, 2], strides: [2, 2] }],
  ['MaxPool', [2, 3, 7, 9], { kernel_shape: [2, 3], strides: [2, 3] }],
  ['MaxPool', [2, 3, 8, 8], { kernel_shape: [5, 5], pads: [2, 2, 2, 2] }],
  ['MaxPool', [2, 3, 9, 9], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
  ['MaxPool', [1, 2, 7, 7], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }],
  ['MaxPool', [1, 2, 9, 9], { kernel_shape: [2, 2], dilations: [2, 2] }],
  ['MaxPool', [1, 2, 12], { kernel_shape: [3], strides: [3] }],
  ['AveragePool', [2, 3, 8, 8], { kernel_shape: [2, 2], strides: [2, 2] }],
  ['AveragePool', [2, 3, 7, 7], { kernel_shape: [2, 2], strides: [2, 2] }],
  ['AveragePool', [2, 3, 8, 8], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }],
  ['AveragePool', [2, 3, 8, 8], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 }],
  ['AveragePool', [1, 2, 8, 7], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }],
  ['AveragePool', [1, 2, 9], { kernel_shape: [2], strides: [1] }],
  ['AveragePool', [1, 2, 8, 8], { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' }],
  ['GlobalAveragePool', [2, 3, 4, 5], {}],
  ['GlobalMaxPool', [2, 3, 4, 5], {}],
  ['LpPool', [2, 3, 6, 6], { kernel_shape: [2, 2], strides: [2, 2], p: 2 }],
  ['LpPool', [2, 3, 6, 6], { kernel_shape: [3, 3], strides: [1, 1], p: 3 }],
  ['GlobalLpPool', [2, 3, 4, 4], { p: 2 }],
  ['GlobalLpPool', [2, 3, 4, 4], { p: 1 }],
];

describe('gradients of pooling', () => {
  for (const [opType, shape, attributes] of CASES) {
    it(`agree with central differences: ${opType} ${JSON.stringify(attributes)} of [${shape.join(', ')}]`, async () => {
      const checks = await checkGradients(pool(opType, shape, attributes), {
        of: 'y',
        withRespectTo: ['x'],
        feeds: { x: distinct(shape) },
        step: 0.01,
      });
      for (const { computed, measured, scale } of checks) {
        expect(Math.abs(computed - measured), `${computed}, measured ${measured}`).toBeLessThan(
          2e-3 * (scale + 1),
        );
        expect(scale).toBeGreaterThan(0.01);
      }
    });
  }

  for (const [what, attributes] of [
    ['side by side', { kernel_shape: [2, 2], strides: [2, 2] }],
    ['that overlap', { kernel_shape: [2, 2], strides: [1, 1] }],
  ] as const) {
    it(`go to the first of equal elements in windows ${what}`, async () => {
      const graph = gradient(pool('MaxPool', [1, 1, 2, 2], attributes), {
        of: 'y',
        withRespectTo: ['x'],
        gradOutput: 'g',
      });
      const session = await createSession(graph);
      const results = await session.run({
        x: Tensor.zeros('float32', [1, 1, 2, 2]),
        g: Tensor.full([1, 1, 1, 1], 3),
      });
      await session.dispose();
      expect([...results.get('x_grad')!.float32]).toEqual([3, 0, 0, 0]);
    });
  }

  it('of MaxUnpool are those of where its elements went', async () => {
    const graph = new Graph({ opset: 18 });
    const x = graph.addInput('x', tensorType('float32', [1, 1, 2, 2]));
    const indices = graph.addInitializer('indices', Tensor.int64([5, 7, 13, 15]).reshape([1, 1, 2, 2]));
    const attributes = { kernel_shape: attr.ints([2, 2]), strides: attr.ints([2, 2]) };
    graph.addOutput(
      graph.addNode({ opType: 'MaxUnpool', inputs: [x, indices], outputs: ['y'], attributes }).output(),
    );
    const feeds = { x: distinct([1, 1, 2, 2]) };
    for (const { computed, measured, scale } of await checkGradients(graph, {
      of: 'y',
      withRespectTo: ['x'],
      feeds,
    })) {
      expect(Math.abs(computed - measured)).toBeLessThan(1e-3 * (scale + 1));
    }
  });
});
