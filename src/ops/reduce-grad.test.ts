import { describe, expect, it } from 'vitest';
import { furthest, type GradientAtOptions, gradientsAt, nodeGraph, vector } from '../../test/gradient-at.ts';
import { checkGradients } from '../../test/gradient-check.ts';
import { gradient } from '../autograd/index.ts';
import { UnsupportedError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';

const rows = (...of: readonly (readonly number[])[]): Tensor =>
  vector(...of.flat()).reshape([of.length, of[0]!.length]);

const dropped: GradientAtOptions = {
  attributes: { keepdims: attr.int(0) },
  constants: [1],
};

describe('gradients of reductions are those of PyTorch', () => {
  it.each<[string, string, Tensor, readonly number[], readonly number[]]>([
    ['amax, spread over ties', 'ReduceMax', rows([1, 3, 3], [2, 0, -1]), [1, 10], [0, 0.5, 0.5, 10, 0, 0]],
    ['amin, spread over ties', 'ReduceMin', rows([1, 1, 3], [2, 0, -1]), [1, 10], [0.5, 0.5, 0, 0, 0, 10]],
    [
      'prod with no zero, one and two',
      'ReduceProd',
      rows([2, 3, 4], [2, 0, 5], [0, 0, 3]),
      [1, 10, 100],
      [12, 8, 6, 0, 100, 0, 0, 0, 0],
    ],
    ['norm, 0 at 0', 'ReduceL2', rows([3, 4], [0, 0]), [1, 10], [0.6, 0.8, 0, 0]],
    ['norm of p = 1', 'ReduceL1', rows([3, -4], [0, 1]), [1, 10], [1, -1, 0, 10]],
    [
      'logsumexp',
      'ReduceLogSumExp',
      rows([1, 2, 3], [-1, 0, 500]),
      [1, 10],
      [0.09003058, 0.2447285, 0.665241, 0, 0, 10],
    ],
    ['sum', 'ReduceSum', rows([1, 2], [3, 4]), [1, 10], [1, 1, 10, 10]],
    ['mean', 'ReduceMean', rows([1, 2], [3, 4]), [1, 10], [0.5, 0.5, 5, 5]],
    ['sum of squares', 'ReduceSumSquare', rows([1, 2], [3, 4]), [1, 10], [2, 4, 60, 80]],
    ['log of the sum', 'ReduceLogSum', rows([1, 3], [2, 6]), [1, 10], [0.25, 0.25, 1.25, 1.25]],
  ])('%s', async (_, opType, x, gradOutput, expected) => {
    const [actual] = await gradientsAt(opType, [x, Tensor.int64([1])], { ...dropped, gradOutput });
    expect(furthest(actual!, expected), `got ${actual}`).toBeLessThan(1e-6);
  });

  it.each([
    [{}, [1111, 1110, 1100, 1000]],
    [{ exclusive: attr.int(1) }, [1110, 1100, 1000, 0]],
    [{ reverse: attr.int(1) }, [1, 11, 111, 1111]],
    [{ reverse: attr.int(1), exclusive: attr.int(1) }, [0, 1, 11, 111]],
  ])('cumsum with %o', async (attributes, expected) => {
    const [actual] = await gradientsAt('CumSum', [vector(1, 2, 3, 4), Tensor.int64([0])], {
      attributes,
      gradOutput: [1, 10, 100, 1000],
      constants: [1],
    });
    expect(actual).toEqual(expected);
  });
});

describe('gradients of reductions along any axes agree with central differences', () => {
  const x = vector(...Array.from({ length: 24 }, (_, i) => 1.5 + Math.sin(i * 1.7))).reshape([2, 3, 4]);
  const names = ['Sum', 'Mean', 'Max', 'Min', 'Prod', 'L1', 'L2', 'LogSum', 'LogSumExp', 'SumSquare'];
  for (const name of names) {
    it.each([
      [[-1], 0],
      [[0, 2], 0],
      [[1], 1],
      [null, 0],
      [null, 1],
    ])(`Reduce${name} along %j, keepdims %i`, async (axes, keepdims) => {
      const graph = nodeGraph(`Reduce${name}`, axes ? [x, Tensor.int64(axes)] : [x], {
        attributes: { keepdims: attr.int(keepdims) },
        constants: [1],
      });
      const options = { of: 'y0', withRespectTo: ['x0'], feeds: { x0: x } };
      for (const { computed, measured, scale } of await checkGradients(graph, options)) {
        expect(Math.abs(computed - measured), `${computed}, measured ${measured}`).toBeLessThan(
          5e-3 * (scale + 0.1),
        );
        expect(scale).toBeGreaterThan(1e-3);
      }
    });
  }

  it('and none where empty axes mean no reduction', async () => {
    const [actual] = await gradientsAt('ReduceSum', [vector(1, 2, 3)], {
      attributes: { noop_with_empty_axes: attr.int(1) },
      gradOutput: [1, 10, 100],
    });
    expect(actual).toEqual([1, 10, 100]);
  });
});

describe('gradients of reductions refuse', () => {
  it('axes that are known at run time only', () => {
    const graph = nodeGraph('ReduceMean', [vector(1, 2), Tensor.int64([0])]);
    expect(() => gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' })).toThrow(
      new UnsupportedError("Value 'y0': its sizes [?] must be numbers here; give the inputs static shapes"),
    );
  });
});
