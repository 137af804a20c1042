import { describe, expect, it } from 'vitest';
import { nodeGraph, vector } from '../../test/gradient-at.ts';
import { wave } from '../../test/measured-gradients.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { type Attribute, attr, Graph, tensorType } from '../ir/index.ts';
import { upgradeOpset } from '../passes/index.ts';
import { createSession } from '../runtime/index.ts';

const filled = (shape: readonly number[]): Tensor => new Tensor('float32', shape, wave(sizeOf(shape)));

async function run(graph: Graph, feeds: Readonly<Record<string, Tensor>>): Promise<string[]> {
  const session = await createSession(graph);
  try {
    return [...(await session.run(feeds))].map(
      ([name, output]) =>
        `${name} ${output.dtype}[${output.shape}] ${output.toNumbers().map((value) => value.toPrecision(5))}`,
    );
  } finally {
    await session.dispose();
  }
}

/** Runs a node of an old opset and what it is upgraded to, and expects the same outputs; gives the operators of that. */
async function upgraded(
  opType: string,
  opset: number,
  inputs: readonly Tensor[],
  attributes: Readonly<Record<string, Attribute>> = {},
  outputs = 1,
): Promise<string[]> {
  const constants = inputs.map((_, index) => index).slice(1);
  const graph = nodeGraph(opType, inputs, { attributes, opset, outputs, constants });
  const feeds = { x0: inputs[0]! };
  const before = await run(graph, feeds);
  const { graph: after } = upgradeOpset(graph);
  expect(after.opset()).toBe(18);
  expect(await run(after, feeds)).toEqual(before);
  return after.nodes.map((node) => node.opType);
}

describe('operators that move elements mean the same at opset 18', () => {
  it.each<[string, number, readonly number[], Record<string, Attribute>, number]>([
    ['Squeeze', 11, [2, 1, 3, 1], { axes: attr.ints([1, -1]) }, 1],
    ['Squeeze', 7, [2, 1, 3, 1], {}, 1],
    ['Unsqueeze', 9, [2, 3], { axes: attr.ints([0, 2]) }, 1],
    ['Split', 7, [6, 2], {}, 3],
    ['Split', 11, [2, 6], { axis: attr.int(-1), split: attr.ints([1, 2, 3]) }, 3],
    ['Split', 13, [6, 2], {}, 2],
    ['Slice', 9, [4, 5], { starts: attr.ints([1, -3]), ends: attr.ints([9, -1]) }, 1],
    ['Slice', 7, [4, 5], { starts: attr.ints([-4]), ends: attr.ints([-1]), axes: attr.ints([1]) }, 1],
    ['Pad', 7, [2, 3], { pads: attr.ints([1, 0, 0, 2]), value: attr.float(1.5) }, 1],
    ['Pad', 10, [3, 3], { pads: attr.ints([1, 2, 1, 1]), mode: attr.string('reflect') }, 1],
    ['Pad', 10, [3, 3], { pads: attr.ints([-1, 2, 1, 0]), mode: attr.string('constant') }, 1],
    ['TopK', 9, [3, 4], { k: attr.int(2) }, 2],
    ['TopK', 7, [3, 4], { k: attr.int(2), axis: attr.int(0) }, 2],
    ['Flatten', 7, [2, 3, 4], { axis: attr.int(2) }, 1],
    ['Concat', 7, [2, 3], { axis: attr.int(1) }, 1],
  ])('%s of opset %i, %j', async (opType, opset, shape, attributes, outputs) => {
    expect(await upgraded(opType, opset, [filled(shape)], attributes, outputs)).toEqual([opType]);
  });

  it.each([9, 10])('Scatter of opset %i becomes ScatterElements', async (opset) => {
    const inputs = [filled([3, 3]), Tensor.int64([1, 0, 2, 0, 2, 1]).reshape([2, 3]), filled([2, 3])];
    expect(await upgraded('Scatter', opset, inputs)).toEqual(['ScatterElements']);
    const turned = [filled([3, 3]), Tensor.int64([1, 0, 2]).reshape([3, 1]), filled([3, 1])];
    expect(await upgraded('Scatter', opset, turned, { axis: attr.int(1) })).toEqual(['ScatterElements']);
  });

  it('Split of a symbolic axis into equal parts is refused', () => {
    const graph = new Graph({ opset: 11 });
    const x = graph.addInput('x', tensorType('float32', ['n', 2]));
    const node = graph.addNode({ opType: 'Split', name: 'node', inputs: [x], outputs: ['a', 'b'] });
    for (const output of node.outputs) graph.addOutput(output!);
    expect(() => upgradeOpset(graph)).toThrow(
      "Split 'node': its parts are equal, but the size of the axis is not known",
    );
  });
});

describe('resampling means the same at opset 18', () => {
  const ten = vector(...Array.from({ length: 10 }, (_, i) => i)).reshape([1, 1, 2, 5]);

  it.each([
    [[1, 1, 2, 1.5], ['Resize']],
    [[1, 1, 0.5, 0.6], ['Resize']],
    [
      [1, 1, 2, 0.6],
      ['Resize', 'Resize'],
    ],
    [[1, 1, 1, 1.9], ['Resize']],
    [[1, 1, 1, 0.7], ['Resize']],
    [[1, 1, 1, 1], ['Resize']],
  ])('Resize of opset 10, nearest by %j', async (scales, operators) => {
    expect(await upgraded('Resize', 10, [ten, vector(...scales)])).toEqual(operators);
  });

  it.each([[[1, 1, 2, 1.5]], [[1, 1, 0.5, 0.6]], [[1, 1, 2, 0.6]]])(
    'Resize of opset 10, linear by %j',
    async (scales) => {
      const linear = { mode: attr.string('linear') };
      expect(await upgraded('Resize', 10, [ten, vector(...scales)], linear)).toEqual(['Resize']);
    },
  );

  it.each(['nearest', 'linear'])('Upsample, %s', async (mode) => {
    const attributes = { mode: attr.string(mode) };
    expect(await upgraded('Upsample', 9, [ten, vector(1, 1, 2, 1.5)], attributes)).toEqual(['Resize']);
    const scales = { ...attributes, scales: attr.floats([1, 1, 3, 2]) };
    expect(await upgraded('Upsample', 7, [ten], scales)).toEqual(['Resize']);
  });

  it('is refused for nearest by scales that are not known', () => {
    const graph = nodeGraph('Resize', [ten, vector(1, 1, 2, 2)], { opset: 10 });
    expect(() => upgradeOpset(graph)).toThrow(
      "Resize 'node': until opset 10 nearest rounds up or down by its scales, which are not known here; make them constants or export for opset 11 or later",
    );
  });
});

describe('normalizations mean the same at opset 18', () => {
  const parameters = [vector(1, 2, 3), vector(0, 1, -1), vector(0.5, 0, -0.5), vector(1, 4, 0.25)];

  it.each<[number, Record<string, Attribute>]>([
    [7, {}],
    [9, { epsilon: attr.float(0.1), momentum: attr.float(0.5) }],
    [8, { spatial: attr.int(1) }],
    [13, { epsilon: attr.float(0.1) }],
  ])('BatchNormalization of opset %i', async (opset, attributes) => {
    const inputs = [filled([2, 3, 4]), ...parameters];
    expect(await upgraded('BatchNormalization', opset, inputs, attributes)).toEqual(['BatchNormalization']);
  });

  it('BatchNormalization with statistics of each place is refused', () => {
    const inputs = [filled([2, 3]), ...parameters];
    const graph = nodeGraph('BatchNormalization', inputs, { opset: 8, attributes: { spatial: attr.int(0) } });
    expect(() => upgradeOpset(graph)).toThrow(
      "BatchNormalization 'node': spatial = 0 has no counterpart in newer opsets",
    );
  });

  it.each([7, 10, 11])('Dropout of opset %i drops nothing', async (opset) => {
    expect(await upgraded('Dropout', opset, [filled([2, 3])], { ratio: attr.float(0.9) })).toEqual([
      'Dropout',
    ]);
  });
});
