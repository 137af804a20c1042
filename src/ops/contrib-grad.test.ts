import { describe, expect, it } from 'vitest';
import { nodeGraph } from '../../test/gradient-at.ts';
import { expectMeasured, wave } from '../../test/measured-gradients.ts';
import { gradient } from '../autograd/index.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { type Attribute, attr, Graph, tensorType } from '../ir/index.ts';

const filled = (shape: readonly number[], seed: number): Tensor =>
  new Tensor('float32', shape, wave(sizeOf(shape), seed));

/** A graph of one node of onnxruntime's own domain, and what to feed it. */
function contribGraph(
  opType: string,
  shapes: readonly (readonly number[])[],
  attributes: Readonly<Record<string, Attribute>> = {},
): { graph: Graph; feeds: Record<string, Tensor> } {
  const domain = 'com.microsoft';
  const graph = new Graph({ opset: 18 });
  graph.opsetImports.set(domain, 1);
  const feeds: Record<string, Tensor> = {};
  const inputs = shapes.map((shape, index) => {
    feeds[`x${index}`] = filled(shape, index + 1);
    return graph.addInput(`x${index}`, tensorType('float32', shape));
  });
  const node = graph.addNode({ domain, opType, name: 'node', inputs, outputs: ['y0'], attributes });
  graph.addOutput(node.output());
  return { graph, feeds };
}

const turned = (...names: readonly string[]): Record<string, Attribute> =>
  Object.fromEntries(names.map((name) => [name, attr.int(1)]));

describe("gradients of onnxruntime's operators agree with differences", () => {
  it.each<[string, readonly (readonly number[])[], Record<string, Attribute>]>([
    [
      'FusedMatMul',
      [
        [2, 3, 4],
        [2, 4, 5],
      ],
      { alpha: attr.float(0.5) },
    ],
    [
      'FusedMatMul',
      [
        [2, 4, 3],
        [2, 5, 4],
      ],
      turned('transA', 'transB'),
    ],
    [
      'FusedMatMul',
      [
        [2, 3, 4],
        [5, 4],
      ],
      turned('transB'),
    ],
    [
      'FusedMatMul',
      [
        [4, 3],
        [2, 4, 5],
      ],
      turned('transA'),
    ],
    ['Gelu', [[3, 4]], {}],
    ['QuickGelu', [[3, 4]], { alpha: attr.float(1.3) }],
    ['FastGelu', [[3, 4]], {}],
    ['FastGelu', [[2, 3, 4], [4]], {}],
    ['BiasGelu', [[2, 3, 4], [4]], {}],
  ])('%s of %j', async (opType, shapes, attributes) => {
    const { graph, feeds } = contribGraph(opType, shapes, attributes);
    expect(await expectMeasured(graph, feeds)).toBe(2 * shapes.length);
  });
});

describe("onnxruntime's operators without a gradient say why", () => {
  it.each<[string, readonly (readonly number[])[], Record<string, Attribute>, string]>([
    [
      'FusedGemm',
      [
        [2, 3],
        [3, 4],
      ],
      {},
      'train the model as it was before it was optimized',
    ],
    [
      'FusedConv',
      [
        [1, 2, 3, 3],
        [2, 2, 3, 3],
      ],
      {},
      'train the model as it was before it was optimized',
    ],
    [
      'FusedMatMul',
      [
        [2, 3, 4],
        [3, 4, 5],
      ],
      turned('transBatchA'),
      'transBatchA and transBatchB have no gradient rule',
    ],
    ['FusedMatMul', [[4], [4, 5]], {}, 'a vector has no gradient rule here; reshape it to a matrix'],
  ])('%s of %j', (opType, shapes, attributes, why) => {
    const { graph } = contribGraph(opType, shapes, attributes);
    expect(() => gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' })).toThrow(why);
  });

  it('and so do those on integers', () => {
    const bytes = new Tensor('uint8', [2, 2], Uint8Array.of(1, 2, 3, 4));
    const graph = nodeGraph('MatMulInteger', [bytes, bytes]);
    expect(() => gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' })).toThrow();
  });
});
