import { describe, expect, it } from 'vitest';
import { gradientsAt, nodeGraph } from '../../test/gradient-at.ts';
import { expectMeasured, wave } from '../../test/measured-gradients.ts';
import { gradient } from '../autograd/index.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { type Attribute, attr, Graph, tensorType } from '../ir/index.ts';

const filled = (shape: readonly number[], seed = 1): Tensor =>
  new Tensor('float32', shape, wave(sizeOf(shape), seed));

const ints = (...values: readonly number[]): Tensor => Tensor.int64(values);

describe('gradients of operators that move elements agree with differences', () => {
  it.each<[string, string, readonly number[], Tensor | null, Readonly<Record<string, Attribute>>]>([
    ['Reshape', 'with -1 and 0', [2, 3, 4], ints(0, -1), {}],
    ['Transpose', 'with perm', [2, 3, 4], null, { perm: attr.ints([2, 0, 1]) }],
    ['Transpose', 'reversed', [2, 3, 4], null, {}],
    ['Flatten', 'at -1', [2, 3, 4], null, { axis: attr.int(-1) }],
    ['Squeeze', 'of all', [2, 1, 3, 1], null, {}],
    ['Squeeze', 'of an axis', [2, 1, 3, 1], ints(-1), {}],
    ['Unsqueeze', 'of two', [2, 3], ints(0, -1), {}],
    ['Expand', 'to more axes', [3, 1], ints(2, 1, 4), {}],
    ['Tile', 'of each axis', [2, 3], ints(3, 2), {}],
    ['Identity', '', [2, 3], null, {}],
    ['SpaceToDepth', '', [2, 3, 4, 6], null, { blocksize: attr.int(2) }],
    ['DepthToSpace', 'DCR', [2, 8, 2, 3], null, { blocksize: attr.int(2) }],
    ['DepthToSpace', 'CRD', [2, 12, 2, 3], null, { blocksize: attr.int(2), mode: attr.string('CRD') }],
    ['ReverseSequence', 'of a time axis', [4, 2, 3], ints(3, 1), {}],
  ])('%s %s', async (opType, _, shape, second, attributes) => {
    const x0 = filled(shape);
    const graph = nodeGraph(opType, second ? [x0, second] : [x0], { attributes, constants: [1] });
    expect(await expectMeasured(graph, { x0 })).toBe(2);
  });

  it.each([0, 1, -1])('Concat along axis %i', async (axis) => {
    const sizes = (size: number): number[] =>
      [2, 2, 2].map((dim, own) => (own === (axis + 3) % 3 ? size : dim));
    const [x0, x1, x2] = [filled(sizes(1)), filled(sizes(3), 2), filled(sizes(2), 3)];
    const graph = nodeGraph('Concat', [x0, x1, x2], { attributes: { axis: attr.int(axis) } });
    expect(await expectMeasured(graph, { x0, x1, x2 })).toBe(6);
  });
});

describe('the gradient of Split', () => {
  const x = filled([2, 6]);
  const split = { attributes: { axis: attr.int(-1) }, constants: [1], outputs: 3 };

  it.each([
    [0, [1, 0, 0, 0, 0, 0]],
    [1, [0, 1, 1, 1, 0, 0]],
    [2, [0, 0, 0, 0, 1, 1]],
  ])('of part %i alone is zero elsewhere, made by padding', async (of, row) => {
    const found = await gradientsAt('Split', [x, ints(1, 3, 2)], { ...split, of });
    expect(found[0]).toEqual([...row, ...row]);
    const graph = nodeGraph('Split', [x, ints(1, 3, 2)], split);
    const nodes = gradient(graph, { of: `y${of}`, withRespectTo: ['x0'], gradOutput: 'g' }).nodes;
    expect(nodes.map((node) => node.opType)).toEqual(['Split', 'Pad']);
  });

  /** What is made of the parts of a Split of `x0`, as `y0`. */
  function ofParts(
    opType: string,
    parts: readonly number[],
    used: readonly number[],
    attributes = {},
  ): Graph {
    const graph = new Graph({ opset: 18 });
    const inputs = [
      graph.addInput('x0', tensorType('float32', [2, 6])),
      graph.addInitializer('parts', ints(...parts)),
    ];
    const outputs = parts.map((_, index) => `part${index}`);
    const node = graph.addNode({ opType: 'Split', inputs, outputs, attributes: { axis: attr.int(1) } });
    const read = used.map((index) => node.output(index));
    graph.addOutput(graph.addNode({ opType, inputs: read, outputs: ['y0'], attributes }).output());
    return graph;
  }

  it('joins the parts that flow, with zeros for the others', async () => {
    const graph = ofParts('Mul', [2, 2, 2], [0, 2]);
    expect(await expectMeasured(graph, { x0: x })).toBe(2);
  });

  it('of swapped halves swaps them back', async () => {
    const graph = ofParts('Concat', [3, 3], [1, 0], { axis: attr.int(1) });
    expect(await expectMeasured(graph, { x0: x })).toBe(2);
    const { nodes } = gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' });
    expect(nodes.map((node) => node.opType)).toEqual(['Split', 'Concat', 'Slice', 'Slice', 'Concat']);
  });
});
