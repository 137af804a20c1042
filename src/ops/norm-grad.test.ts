import { describe, expect, it } from 'vitest';
import { gradientsAt, nodeGraph, vector } from '../../test/gradient-at.ts';
import { expectMeasured, wave } from '../../test/measured-gradients.ts';
import { gradient } from '../autograd/index.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { type Attribute, attr } from '../ir/index.ts';

const filled = (shape: readonly number[], seed = 1): Tensor =>
  new Tensor('float32', shape, wave(sizeOf(shape), seed));

describe('gradients of normalizations agree with differences', () => {
  it.each<
    [string, number, readonly number[], readonly (readonly number[])[], Readonly<Record<string, Attribute>>]
  >([
    ['LayerNormalization', 18, [2, 3, 6], [[6], [6]], {}],
    ['LayerNormalization', 18, [2, 3, 6], [[6]], { epsilon: attr.float(0.1) }],
    [
      'LayerNormalization',
      18,
      [2, 3, 6],
      [
        [3, 6],
        [3, 6],
      ],
      { axis: attr.int(1) },
    ],
    ['InstanceNormalization', 18, [2, 3, 4, 2], [[3], [3]], { epsilon: attr.float(0.1) }],
    ['GroupNormalization', 18, [2, 4, 3], [[2], [2]], { num_groups: attr.int(2) }],
    ['GroupNormalization', 21, [2, 4, 3, 2], [[4], [4]], { num_groups: attr.int(2) }],
    ['GroupNormalization', 21, [2, 4, 3], [[4], [4]], { num_groups: attr.int(4) }],
    ['RMSNormalization', 23, [2, 3, 6], [[6]], {}],
    ['RMSNormalization', 23, [2, 3, 4], [[3, 4]], { axis: attr.int(-2), epsilon: attr.float(0.1) }],
    ['LpNormalization', 18, [3, 4], [], { p: attr.int(2), axis: attr.int(0) }],
    ['LpNormalization', 18, [3, 4], [], { p: attr.int(1) }],
    ['LRN', 18, [2, 5, 3, 2], [], { size: attr.int(3), alpha: attr.float(0.6), bias: attr.float(1.5) }],
    ['MeanVarianceNormalization', 18, [3, 2, 3, 3], [], {}],
  ])('%s of opset %i, %j', async (opType, opset, shape, parameters, attributes) => {
    const inputs = [filled(shape), ...parameters.map((size, index) => filled(size, index + 2))];
    const graph = nodeGraph(opType, inputs, { attributes, opset });
    const feeds = Object.fromEntries(inputs.map((tensor, index) => [`x${index}`, tensor]));
    expect(await expectMeasured(graph, feeds)).toBe(2 * inputs.length);
  });
});

describe('the gradient of LayerNormalization', () => {
  it('takes mean and deviation from the node', () => {
    const graph = nodeGraph('LayerNormalization', [filled([2, 6]), filled([6], 2), filled([6], 3)]);
    const { nodes } = gradient(graph, { of: 'y0', withRespectTo: ['x0', 'x1', 'x2'], gradOutput: 'g' });
    expect(nodes[0]!.outputs).toHaveLength(3);
    expect(nodes.some(({ opType }) => opType === 'Sqrt')).toBe(false);
  });

  it('leaves the node alone where only the bias is asked for', () => {
    const graph = nodeGraph('LayerNormalization', [filled([2, 6]), filled([6], 2), filled([6], 3)]);
    const { nodes } = gradient(graph, { of: 'y0', withRespectTo: ['x2'], gradOutput: 'g' });
    expect(nodes[0]!.outputs).toHaveLength(1);
  });

  it('is 0 where all scaled gradients of a row are equal', async () => {
    const inputs = [vector(1, 2, 3, 4).reshape([1, 4]), vector(1, 1, 1, 1)];
    const [found] = await gradientsAt('LayerNormalization', inputs, { gradOutput: [2, 2, 2, 2] });
    for (const value of found!) expect(Math.abs(value)).toBeLessThan(1e-6);
  });

  it('is refused through its statistics', () => {
    const graph = nodeGraph('LayerNormalization', [filled([2, 6]), filled([6], 2)], { outputs: 3 });
    expect(() => gradient(graph, { of: 'y1', withRespectTo: ['x0'], gradOutput: 'g' })).toThrow(
      "LayerNormalization 'node': its outputs Mean and InvStdDev have no gradient rule; compute them with ReduceMean",
    );
  });
});
