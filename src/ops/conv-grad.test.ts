import { describe, expect, it } from 'vitest';
import { checkGradients, noise } from '../../test/gradient-check.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { type Attribute, attr, Graph, tensorType } from '../ir/index.ts';

/** A graph of one node over inputs of these shapes, with random feeds. */
function oneNode(
  opType: string,
  shapes: Readonly<Record<string, readonly number[]>>,
  attributes: Readonly<Record<string, readonly number[] | number | string>>,
): { graph: Graph; feeds: Record<string, Tensor> } {
  const graph = new Graph({ opset: 18 });
  const random = noise(7);
  const feeds: Record<string, Tensor> = {};
  const inputs = Object.entries(shapes).map(([name, shape]) => {
    feeds[name] = new Tensor(
      'float32',
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => random.next().value),
    );
    return graph.addInput(name, tensorType('float32', shape));
  });
  const made = Object.entries(attributes).map(([name, value]): [string, Attribute] => [
    name,
    typeof value === 'number'
      ? attr.int(value)
      : typeof value === 'string'
        ? attr.string(value)
        : attr.ints(value),
  ]);
  const node = graph.addNode({ opType, inputs, outputs: ['y'], attributes: Object.fromEntries(made) });
  graph.addOutput(node.output());
  return { graph, feeds };
}

type Case = readonly [
  what: string,
  x: readonly number[],
  w: readonly number[],
  attributes: Readonly<Record<string, readonly number[] | number | string>>,
];

const CONVOLUTIONS: readonly Case[] = [
  ['no padding', [2, 3, 7, 6], [4, 3, 3, 3], {}],
  ['padding, many channels', [2, 10, 7, 6], [5, 10, 3, 3], { pads: [1, 1, 1, 1] }],
  ['uneven padding, many channels', [2, 9, 7, 6], [3, 9, 3, 2], { pads: [2, 0, 1, 1] }],
  ['padding beyond the kernel', [1, 2, 5, 5], [3, 2, 2, 2], { pads: [3, 2, 3, 2] }],
  ['padding beyond the kernel, many channels', [1, 9, 5, 5], [3, 9, 2, 2], { pads: [3, 2, 3, 2] }],
  ['stride 2', [2, 3, 9, 8], [4, 3, 3, 3], { pads: [1, 1, 1, 1], strides: [2, 2] }],
  ['stride 2, many channels', [2, 9, 9, 8], [4, 9, 3, 3], { pads: [1, 1, 1, 1], strides: [2, 2] }],
  [
    'stride 3 with a kernel of 5, many channels',
    [1, 9, 13, 12],
    [2, 9, 5, 5],
    { pads: [2, 2, 2, 2], strides: [3, 3] },
  ],
  [
    'stride 2 with an even kernel, many channels',
    [1, 9, 12, 12],
    [2, 9, 6, 6],
    { pads: [2, 2, 2, 2], strides: [2, 2] },
  ],
  ['strides that differ', [1, 9, 9, 8], [2, 9, 3, 3], { strides: [2, 1] }],
  ['a stride that leaves rows out', [1, 9, 10, 11], [2, 9, 3, 3], { strides: [3, 3] }],
  ['dilation', [1, 3, 9, 9], [2, 3, 3, 3], { dilations: [2, 2], pads: [2, 2, 2, 2] }],
  ['dilation and stride', [1, 10, 11, 9], [2, 10, 3, 3], { dilations: [2, 1], strides: [2, 2] }],
  ['1x1', [2, 5, 6, 4], [3, 5, 1, 1], {}],
  ['1x1 on small maps', [3, 5, 2, 3], [4, 5, 1, 1], {}],
  ['1x1 with stride', [2, 5, 7, 6], [3, 5, 1, 1], { strides: [2, 2] }],
  ['1x1 with padding', [2, 9, 5, 5], [3, 9, 1, 1], { pads: [1, 1, 1, 1] }],
  ['groups', [2, 4, 6, 5], [6, 2, 3, 3], { group: 2, pads: [1, 1, 1, 1] }],
  ['groups with stride', [2, 4, 7, 5], [6, 2, 3, 3], { group: 2, strides: [2, 2] }],
  ['depthwise', [2, 4, 6, 5], [4, 1, 3, 3], { group: 4, pads: [1, 1, 1, 1] }],
  ['depthwise on large maps', [1, 3, 15, 14], [3, 1, 3, 3], { group: 3, pads: [1, 1, 1, 1] }],
  ['depthwise with a multiplier', [2, 3, 6, 5], [6, 1, 3, 3], { group: 3, pads: [1, 1, 1, 1] }],
  [
    'depthwise with a multiplier on large maps',
    [1, 3, 15, 14],
    [6, 1, 3, 3],
    { group: 3, pads: [1, 1, 1, 1] },
  ],
  ['depthwise with stride', [2, 4, 9, 8], [4, 1, 3, 3], { group: 4, pads: [1, 1, 1, 1], strides: [2, 2] }],
  [
    'depthwise with stride and dilation',
    [2, 4, 11, 10],
    [4, 1, 3, 3],
    { group: 4, strides: [2, 2], dilations: [2, 2] },
  ],
  ['one dimension', [2, 3, 11], [4, 3, 3], { pads: [1, 1], strides: [2] }],
  ['one dimension, many channels', [2, 9, 11], [4, 9, 3], { pads: [1, 1] }],
  ['three dimensions', [1, 2, 5, 4, 4], [3, 2, 2, 2, 2], { pads: [1, 0, 1, 0, 1, 0], strides: [1, 2, 1] }],
  ['SAME_UPPER', [1, 3, 8, 7], [2, 3, 3, 4], { auto_pad: 'SAME_UPPER', strides: [2, 2] }],
  ['SAME_LOWER', [1, 9, 8, 7], [2, 9, 4, 3], { auto_pad: 'SAME_LOWER' }],
  ['VALID', [1, 3, 8, 7], [2, 3, 3, 3], { auto_pad: 'VALID' }],
];

const TRANSPOSED: readonly Case[] = [
  ['stride 2', [2, 4, 5, 5], [4, 3, 2, 2], { strides: [2, 2] }],
  ['many filters', [2, 4, 5, 5], [4, 10, 3, 3], { pads: [1, 1, 1, 1] }],
  [
    'padding and output padding',
    [2, 4, 5, 5],
    [4, 3, 3, 3],
    { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] },
  ],
  ['groups', [2, 4, 5, 5], [4, 2, 3, 3], { group: 2, strides: [2, 2] }],
  ['dilation', [1, 3, 5, 4], [3, 2, 3, 3], { dilations: [2, 2] }],
  ['output_shape', [1, 3, 5, 5], [3, 2, 3, 3], { strides: [2, 2], output_shape: [10, 10] }],
  ['SAME_UPPER', [1, 3, 5, 5], [3, 2, 3, 3], { strides: [2, 2], auto_pad: 'SAME_UPPER' }],
  ['one dimension', [2, 3, 6], [3, 2, 4], { strides: [2], pads: [1, 1] }],
];

async function check(opType: string, [, x, w, attributes]: Case, filters: number): Promise<void> {
  const { graph, feeds } = oneNode(opType, { x, w, b: [filters] }, attributes);
  const checks = await checkGradients(graph, { of: 'y', withRespectTo: ['x', 'w', 'b'], feeds, step: 0.01 });
  expect(checks).toHaveLength(6);
  // The function is linear in each: differences are exact but for rounding.
  for (const { name, computed, measured, scale } of checks) {
    expect(Math.abs(computed - measured), `${name}: ${computed}, measured ${measured}`).toBeLessThan(
      2e-4 * (scale + 1),
    );
    expect(scale).toBeGreaterThan(0.01);
  }
}

describe('gradient of a convolution', () => {
  for (const each of CONVOLUTIONS)
    it(`agrees with central differences: ${each[0]}`, () => check('Conv', each, each[2][0]!));
});

describe('gradient of a transposed convolution', () => {
  for (const each of TRANSPOSED) {
    const groups = Number(each[3].group ?? 1);
    it(`agrees with central differences: ${each[0]}`, () =>
      check('ConvTranspose', each, each[2][1]! * groups));
  }
});
