import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { attr, Graph, printNode, printTensor, printType, staticShape, tensorType } from './index.ts';

describe('print', () => {
  it('writes a graph, a line a value or node', () => {
    const graph = new Graph();
    graph.opsetImports.set('mine', 2);
    const x = graph.addInput('x', tensorType('float32', ['batch', 4]));
    const w = graph.addInitializer('w', Tensor.zeros('float32', [4, 3]));
    const shape = graph.addInitializer('shape', Tensor.int64([-1, 3]));
    const product = graph.addNode({
      opType: 'Gemm',
      name: '/fc/Gemm',
      inputs: [x, w],
      attributes: { transB: attr.int(0), alpha: attr.float(0.5) },
    });
    product.output().type = tensorType('float32', ['batch', 3]);
    const reshaped = graph.addNode({ opType: 'Reshape', inputs: [product.output(), shape], outputs: ['y'] });
    const odd = graph.addNode({ opType: 'Odd', domain: 'mine', inputs: [null, x], outputs: [null, 'z'] });
    graph.addOutput(reshaped.output());
    graph.addOutput(odd.output(1));
    expect(`\n${graph.print()}\n`).toBe(`
main <opset 17, mine 2> (x: float32[batch, 4]) -> (y: ?, z: ?) {
  w = float32[4, 3]
  shape = int64[2] {-1, 3}
  /fc/Gemm_output_0: float32[batch, 3] = Gemm<transB=0, alpha=0.5>(x, w)  # /fc/Gemm
  y: ? = Reshape(/fc/Gemm_output_0, shape)
  _, z: ? = mine.Odd(_, x)
}
`);
  });

  it('writes subgraphs below their node', () => {
    const graph = new Graph();
    const condition = graph.addInput('c', tensorType('bool', []));
    const body = new Graph({ name: 'then', parent: graph });
    body.addOutput(body.addNode({ opType: 'Not', inputs: [condition], outputs: ['inner'] }).output());
    graph.addOutput(
      graph
        .addNode({
          opType: 'If',
          inputs: [condition],
          outputs: ['y'],
          attributes: { then_branch: attr.graph(body) },
        })
        .output(),
    );
    expect(`\n${graph.print()}\n`).toBe(`
main <opset 17> (c: bool[]) -> (y: ?) {
  y: ? = If<then_branch=then>(c)
    then () -> (inner: ?) {
      inner: ? = Not(c)
    }
}
`);
  });

  it('writes every kind of attribute', () => {
    const graph = new Graph();
    const sparse = { values: Tensor.full([1], 1), indices: Tensor.int64([0]), dims: [2, 3] };
    const node = graph.addNode({
      opType: 'Op',
      inputs: [],
      outputs: ['y'],
      attributes: {
        a: { kind: 'reference', name: 'outer', of: 'int' },
        b: attr.string('te"xt'),
        c: attr.string(Uint8Array.of(255, 254)),
        d: attr.tensor(Tensor.int64([1])),
        e: { kind: 'sparse-tensor', value: sparse },
        f: { kind: 'type', value: tensorType('int8', null) },
        g: attr.floats([0.5, 2]),
        h: attr.ints([1, 2]),
        i: attr.strings(['p', Uint8Array.of(1)]),
        j: { kind: 'tensors', value: [Tensor.int64(1)] },
        k: { kind: 'graphs', value: [] },
        l: { kind: 'sparse-tensors', value: [sparse, sparse] },
        m: { kind: 'types', value: [] },
      },
    });
    expect(printNode(node)).toBe(
      'y: ? = Op<a=@outer, b="te\\"xt", c=<2 bytes>, d=int64[1] {1}, e=sparse[2, 3], f=int8[...], g=[0.5, 2], h=[1, 2], ' +
        'i=["p", <1 bytes>], j=[1 tensors], k=[0 graphs], l=[2 sparse-tensors], m=[0 types]>()',
    );
  });

  it('writes the elements of small tensors', () => {
    expect(printTensor(Tensor.of(Float32Array.of(0.5, -1)))).toBe('float32[2] {0.5, -1}');
    expect(printTensor(Tensor.int64(7))).toBe('int64[] {7}');
    expect(printTensor(Tensor.zeros('float32', [8]))).toBe('float32[8] {0, 0, 0, 0, 0, 0, 0, 0}');
    expect(printTensor(Tensor.zeros('float32', [9]))).toBe('float32[9]');
    expect(printTensor(new Tensor('string', [1], ['a"b']))).toBe('string[1] {"a\\"b"}');
    for (const dtype of ['float16', 'complex64', 'int4'] as const) {
      expect(printTensor(Tensor.zeros(dtype, [2]))).toBe(`${dtype}[2]`);
    }
  });

  it('writes types', () => {
    expect(printType(null)).toBe('?');
    expect(printType(tensorType('float32', ['batch', 3, null]))).toBe('float32[batch, 3, ?]');
    expect(printType(tensorType(null, null))).toBe('?[...]');
    expect(printType({ kind: 'sparse-tensor', dtype: 'int8', shape: [2] })).toBe('sparse int8[2]');
    expect(printType({ kind: 'sequence', element: tensorType('int64', []) })).toBe('sequence(int64[])');
    expect(printType({ kind: 'optional', element: null })).toBe('optional(?)');
    expect(printType({ kind: 'map', key: 'int64', value: tensorType('float32', [1]) })).toBe(
      'map(int64, float32[1])',
    );
    expect(printType({ kind: 'opaque', domain: 'd', name: 'n' })).toBe('opaque(d, n)');
  });
});

describe('staticShape', () => {
  it('gives numbers, or null where a dimension is not known', () => {
    expect(staticShape([2, 3])).toEqual([2, 3]);
    expect(staticShape([])).toEqual([]);
    for (const shape of [['n', 2], [null], null, undefined]) expect(staticShape(shape)).toBeNull();
  });
});

describe('shapeOf', () => {
  it('gives the declared shape of tensors alone', () => {
    const graph = new Graph();
    expect(Graph.shapeOf(graph.addInput('a', tensorType('float32', [2])))).toEqual([2]);
    expect(Graph.shapeOf(graph.addInput('b', { kind: 'sequence', element: null }))).toBeNull();
    expect(Graph.shapeOf(graph.addInput('c', null))).toBeNull();
  });
});
