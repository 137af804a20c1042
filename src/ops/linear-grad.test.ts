import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { furthest, gradientsAt, nodeGraph } from '../../test/gradient-at.ts';
import { expectMeasured, wave } from '../../test/measured-gradients.ts';
import { gradient } from '../autograd/index.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { attr, type Graph } from '../ir/index.ts';

const filled = (shape: readonly number[], seed = 1): Tensor =>
  new Tensor('float32', shape, wave(sizeOf(shape), seed));

const flip = (shape: readonly number[], turn: boolean): readonly number[] =>
  turn ? [...shape].reverse() : shape;

const operators = (graph: Graph, inputs: readonly string[]): string[] =>
  gradient(graph, { of: 'y0', withRespectTo: inputs, gradOutput: 'g' })
    .nodes.slice(graph.nodes.length)
    .map((node) => node.opType);

describe('gradients of Gemm', () => {
  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('transA %s, transB %s, with alpha and beta', async (transA, transB) => {
    const inputs = [filled(flip([3, 4], transA)), filled(flip([4, 5], transB), 2), filled([5], 3)];
    const attributes = {
      transA: attr.int(Number(transA)),
      transB: attr.int(Number(transB)),
      alpha: attr.float(0.5),
      beta: attr.float(-2),
    };
    const graph = nodeGraph('Gemm', inputs, { attributes });
    const [x0, x1, x2] = inputs as [Tensor, Tensor, Tensor];
    expect(await expectMeasured(graph, { x0, x1, x2 })).toBe(6);
  });

  it.each([[[]], [[1]], [[3, 1]], [[1, 5]], [[3, 5]]])('a bias of shape %j is summed to', async (shape) => {
    const [x0, x1, x2] = [filled([3, 4]), filled([4, 5], 2), filled(shape, 3)];
    await expectMeasured(nodeGraph('Gemm', [x0, x1, x2]), { x0, x1, x2 });
  });

  it('are made of Gemm alone, and only those asked for', () => {
    const graph = nodeGraph('Gemm', [filled([3, 4]), filled([5, 4])], {
      attributes: { transB: attr.int(1) },
    });
    expect(operators(graph, ['x0', 'x1'])).toEqual(['Gemm', 'Gemm']);
    expect(operators(graph, ['x1'])).toEqual(['Gemm']);
  });
});

describe('gradients of MatMul', () => {
  it('agree with differences for all broadcasts of leading axes, and for vectors', async () => {
    const lead = fc.constantFrom<readonly number[]>([], [2], [1], [3, 2], [3, 1], [1, 2]);
    await fc.assert(
      fc.asyncProperty(lead, lead, fc.boolean(), fc.boolean(), async (left, right, row, column) => {
        const x0 = filled(row ? [3] : [...left, 2, 3]);
        const x1 = filled(column ? [3] : [...right, 3, 4], 2);
        await expectMeasured(nodeGraph('MatMul', [x0, x1]), { x0, x1 });
      }),
      { numRuns: 40 },
    );
  });

  it('of a batch and one matrix are one Gemm each, not a sum over the batch', () => {
    const graph = nodeGraph('MatMul', [filled([2, 6, 4]), filled([4, 5])]);
    const used = operators(graph, ['x0', 'x1']);
    expect(used.filter((opType) => opType === 'Gemm')).toHaveLength(2);
    expect(used.filter((opType) => opType !== 'Gemm' && opType !== 'Reshape')).toEqual([]);
  });
});

describe('gradients of Einsum', () => {
  it.each<[string, ...(readonly number[])[]]>([
    ['ij,jk->ik', [2, 3], [3, 4]],
    ['bij,bkj->bik', [2, 3, 4], [2, 5, 4]],
    ['ij,jk', [2, 3], [3, 4]],
    ['ij->', [2, 3]],
    ['ij->ji', [2, 3]],
    ['ijk->j', [2, 3, 4]],
    ['i,j->', [2], [3]],
    ['i,j,k->kij', [2], [3], [4]],
    ['ij,j->ij', [2, 3], [3]],
    // Axes of size 1 are spread over those of the others.
    ['ij,ij->ij', [2, 3], [2, 1]],
    ['ij,ij->i', [2, 1], [2, 3]],
    ['ijk,ijk->k', [2, 1, 4], [1, 3, 4]],
  ])('%s', async (equation, ...shapes) => {
    const inputs = shapes.map((shape, index) => filled(shape, index + 1));
    const graph = nodeGraph('Einsum', inputs, { attributes: { equation: attr.string(equation) } });
    const feeds = Object.fromEntries(inputs.map((tensor, index) => [`x${index}`, tensor]));
    expect(await expectMeasured(graph, feeds)).toBe(2 * shapes.length);
  });

  it('of a matrix product are those of MatMul', async () => {
    const inputs = [filled([2, 3, 4]), filled([2, 4, 5], 2)];
    const gradOutput = [...wave(30, 3)];
    const einsum = await gradientsAt('Einsum', inputs, {
      attributes: { equation: attr.string('bij,bjk->bik') },
      gradOutput,
    });
    const matMul = await gradientsAt('MatMul', inputs, { gradOutput });
    einsum.forEach((found, index) => {
      expect(furthest(found, matMul[index]!)).toBeLessThan(1e-6);
    });
  });

  it.each([
    ['ii->i', "Einsum 'node': a diagonal ('ii') has no gradient rule"],
    ['...i->...', "Einsum 'node': an equation with ... has no gradient rule; name the axes"],
  ])('%s is refused', (equation, message) => {
    const graph = nodeGraph('Einsum', [filled([3, 3])], { attributes: { equation: attr.string(equation) } });
    expect(() => operators(graph, ['x0'])).toThrow(message);
  });
});
