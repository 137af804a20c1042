import { describe, expect, it } from 'vitest';
import { oneNode } from '../../test/one-node.ts';
import { ShapeError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { type Attribute, attr } from '../ir/index.ts';
import { findOperator, GraphBuilder, isUnsupported } from './index.ts';

const equation = (text: string): Record<string, Attribute> => ({ equation: attr.string(text) });
const NONE: Record<string, Attribute> = {};
const same = (count: number): unknown => ({ macs: count, 'thop@0.0.31': count, 'thop@0.1.1': count });
const unseen = (macs: number): unknown => ({ macs, 'thop@0.0.31': 0, 'thop@0.1.1': 0 });

describe('shapes of matrix products', () => {
  it.each<[a: string, b: string, output: string]>([
    ['float32[2,3]', 'float32[3,4]', 'float32[2, 4]'],
    ['float32[3]', 'float32[3]', 'float32[]'],
    ['float32[3]', 'float32[5,3,4]', 'float32[5, 4]'],
    ['float32[5,2,3]', 'float32[3]', 'float32[5, 2]'],
    ['float32[7,1,2,3]', 'float32[5,3,4]', 'float32[7, 5, 2, 4]'],
    ['float32[batch,heads,2,3]', 'float32[batch,heads,3,4]', 'float32[batch, heads, 2, 4]'],
    ['float32[batch,steps,64]', 'float32[64,128]', 'float32[batch, steps, 128]'],
    ['int64[2,3]', 'int64[3,4]', 'int64[2, 4]'],
  ])('MatMul of %s and %s', (a, b, output) => {
    expect(oneNode('MatMul', [a, b]).types).toEqual([output]);
  });

  it.each<[a: string, b: string, c: string | null, transA: number, transB: number, output: string]>([
    ['float32[2,3]', 'float32[3,4]', null, 0, 0, 'float32[2, 4]'],
    ['float32[2,3]', 'float32[4,3]', 'float32[4]', 0, 1, 'float32[2, 4]'],
    ['float32[3,2]', 'float32[3,4]', 'float32[2,1]', 1, 0, 'float32[2, 4]'],
    ['float32[batch,3]', 'float32[4,3]', 'float32[]', 0, 1, 'float32[batch, 4]'],
  ])('Gemm of %s, %s and %s, transposed %i %i', (a, b, c, transA, transB, output) => {
    const attributes = { transA: attr.int(transA), transB: attr.int(transB) };
    expect(oneNode('Gemm', [a, b, c], { attributes }).types).toEqual([output]);
  });

  it.each<[text: string, inputs: string[], output: string]>([
    ['bij,bjk->bik', ['float32[5,2,3]', 'float32[5,3,4]'], 'float32[5, 2, 4]'],
    ['ij, jk -> ik', ['float32[2,3]', 'float32[3,4]'], 'float32[2, 4]'],
    // Without an arrow: indices that occur once, in alphabetical order.
    ['ba,ac', ['float32[2,3]', 'float32[3,4]'], 'float32[2, 4]'],
    ['cb,ba', ['float32[2,3]', 'float32[3,4]'], 'float32[4, 2]'],
    ['...ij,...jk->...ik', ['float32[7,5,2,3]', 'float32[1,5,3,4]'], 'float32[7, 5, 2, 4]'],
    ['b...j,kj->b...k', ['float32[5,7,8,3]', 'float32[4,3]'], 'float32[5, 7, 8, 4]'],
    ['...i,...i', ['float32[5,2]', 'float32[1,2]'], 'float32[5]'],
    ['ii->i', ['float32[3,3]'], 'float32[3]'],
    ['ij->', ['float32[2,3]'], 'float32[]'],
    ['nhid,nhjd->nhij', ['float32[n,8,i,64]', 'float32[n,8,j,64]'], 'float32[n, 8, i, j]'],
  ])('Einsum %s of %j', (text, inputs, output) => {
    expect(oneNode('Einsum', inputs, { attributes: equation(text) }).types).toEqual([output]);
  });

  it('of integers are int32, of quantized tensors like their zero point', () => {
    expect(oneNode('MatMulInteger', ['uint8[2,5]', 'int8[5,3]']).types).toEqual(['int32[2, 3]']);
    const inputs = [
      'uint8[2,5]',
      'float32[]',
      'uint8[]',
      'int8[5,3]',
      'float32[]',
      'int8[]',
      'float32[]',
      'int8[]',
    ];
    const node = oneNode('QLinearMatMul', inputs);
    expect(node.types).toEqual(['int8[2, 3]']);
    expect(node.cost).toEqual(unseen(2 * 5 * 3));
  });
});

describe('errors of matrix products', () => {
  it.each<[string, string[], Record<string, Attribute>, string]>([
    [
      'MatMul',
      ['float32[2,3]', 'float32[4,5]'],
      NONE,
      'the right side expects 3 rows to multiply with, got 4; prune both sides of the connection together',
    ],
    [
      'MatMul',
      ['float32[]', 'float32[4,5]'],
      NONE,
      'a matrix product expects at least 1 dimension on either side, got a scalar',
    ],
    ['MatMul', ['float32[2,2,3]', 'float32[3,3,5]'], NONE, '[2] and [3] do not broadcast: axis 0 is 2 and 3'],
    [
      'MatMul',
      ['float32[2,3]', 'float16[3,5]'],
      NONE,
      'input 1 expects float32 as input 0, got float16; put a Cast before it',
    ],
    ['MatMul', ['bool[2,3]', 'bool[3,5]'], NONE, 'input 0 expects numbers, got bool; put a Cast before it'],
    [
      'Gemm',
      ['float32[2,3]', 'float32[4,5]'],
      NONE,
      'weight expects 4 input features, got 3; prune both sides of the connection together',
    ],
    ['Gemm', ['float32[1,2,3]', 'float32[3,5]'], NONE, 'input A expects 2 dimensions, got 3'],
    ['Gemm', ['float32[2,3]', 'float32[3]'], NONE, 'input B expects 2 dimensions, got 1'],
    [
      'Gemm',
      ['float32[2,3]', 'float32[3,5]', 'float32[4]'],
      NONE,
      'input C expects a shape that broadcasts to [2, 5], got [4]',
    ],
    ['Einsum', ['float32[2,3]'], NONE, 'attribute equation is required and missing'],
    ['Einsum', ['float32[2,3]'], equation('ij,jk->ik'), "equation 'ij,jk->ik' expects 2 operands, got 1"],
    [
      'Einsum',
      ['float32[2,3]'],
      equation('ijk->i'),
      "equation 'ijk->i': 'ijk' does not fit the 2 dimensions of operand 0",
    ],
    [
      'Einsum',
      ['float32[2]'],
      equation('i...j->i'),
      "equation 'i...j->i': 'i...j' does not fit the 1 dimensions of operand 0",
    ],
    [
      'Einsum',
      ['float32[2,3]'],
      equation('i1->i'),
      "equation 'i1->i': 'i1' is not letters with at most one '...'",
    ],
    [
      'Einsum',
      ['float32[2,3]'],
      equation('......->i'),
      "equation '......->i': '......' is not letters with at most one '...'",
    ],
    ['Einsum', ['float32[2,3]'], equation('ij->k'), "equation 'ij->k': output index 'k' is in no operand"],
    [
      'Einsum',
      ['float32[2,3]', 'float32[4,5]'],
      equation('ij,jk->ik'),
      "equation 'ij,jk->ik': index 'j' is 3 and 4",
    ],
    [
      'Einsum',
      ['float32[2,3]', 'float32[4,3]'],
      equation('...j,...j'),
      "equation '...j,...j': '...' is 2 and 4 along its axis 0",
    ],
    [
      'Einsum',
      ['float32[2,3]', 'float32[3]'],
      equation('...j,...j'),
      "equation '...j,...j': '...' stands for 1 axes and 0; they must be as many",
    ],
    [
      'MatMulInteger',
      ['int32[2,5]', 'int8[5,3]'],
      NONE,
      'input 0 expects int8 or uint8, got int32; quantize it first',
    ],
  ])('%s of %j with %o: %s', (opType, inputs, attributes, message) => {
    const build = (): unknown => oneNode(opType, inputs, { attributes });
    expect(build).toThrow(ShapeError);
    expect(build).toThrow(`${opType} 'node': ${message}`);
  });
});

describe('cost of matrix products', () => {
  it('is rows * inner * columns without bias', () => {
    const transB = { transB: attr.int(1) };
    expect(
      oneNode('Gemm', ['float32[2,3]', 'const float32[4,3]', 'const float32[4]'], { attributes: transB })
        .cost,
    ).toEqual(same(24));
    const transA = { transA: attr.int(1) };
    expect(oneNode('Gemm', ['float32[3,2]', 'const float32[3,4]'], { attributes: transA }).cost).toEqual(
      same(24),
    );
    expect(oneNode('MatMul', ['float32[7,2,3]', 'const float32[3,4]']).cost).toEqual(same(7 * 24));
    expect(oneNode('MatMul', ['float32[3]', 'const float32[3]']).cost).toEqual(unseen(3));
  });

  it('is not seen by thop where both sides are computed', () => {
    expect(oneNode('MatMul', ['float32[7,2,3]', 'float32[7,3,4]']).cost).toEqual(unseen(7 * 24));
    expect(oneNode('Gemm', ['float32[2,3]', 'float32[3,4]']).cost).toEqual(unseen(24));
  });

  it('is seen by thop where the weight is masked or transposed', () => {
    const builder = new GraphBuilder();
    const weight = builder.constant(Tensor.full([4, 3], 1));
    const masked = builder.op('Mul', [weight, builder.constant(Tensor.full([4, 3], 1))]);
    const x = builder.input('x', 'float32', [2, 3]);
    const y = builder.op('MatMul', [x, builder.op('Transpose', [masked])]);
    const node = y.producer!;
    const { cost } = findOperator('', 'MatMul')!;
    if (isUnsupported(cost)) throw new Error(cost.unsupported);
    const inputs = node.inputs.map((value) => value && builder.inferred(value));
    expect(cost({ node, opset: 17, inputs, outputs: [builder.inferred(y)] })).toEqual(same(24));
  });

  it('of Einsum is the product of all extents, per operand beyond the first', () => {
    const cost = (text: string, ...inputs: string[]): unknown =>
      oneNode('Einsum', inputs, { attributes: equation(text) }).cost;
    expect(cost('bij,bjk->bik', 'float32[5,2,3]', 'float32[5,3,4]')).toEqual(unseen(5 * 2 * 3 * 4));
    expect(cost('...ij,...jk->...ik', 'float32[7,5,2,3]', 'float32[1,5,3,4]')).toEqual(
      unseen(7 * 5 * 2 * 3 * 4),
    );
    expect(cost('i,ij,j->', 'float32[2]', 'float32[2,3]', 'float32[3]')).toEqual(unseen(2 * 2 * 3));
    expect(cost('ij->ji', 'float32[2,3]')).toEqual(unseen(0));
  });
});

describe('matrix products as layers', () => {
  const weightOf = (opType: string, inputs: string[], attributes = NONE): unknown => {
    const layer = oneNode(opType, inputs, { attributes }).layer;
    return (
      layer && [
        layer.type,
        ...layer.parameters.map((p) => [p.name, p.input, p.layout?.output, p.layout?.input]),
      ]
    );
  };

  it('are Linear where one side is a constant matrix, with its output and input axes', () => {
    const [x, w] = ['float32[4,4]', 'const float32[4,4]'];
    expect(weightOf('MatMul', [x, w])).toEqual(['Linear', ['weight', 1, 1, 0]]);
    expect(weightOf('MatMul', [w, x])).toEqual(['Linear', ['weight', 0, 0, 1]]);
    expect(weightOf('Gemm', [x, w, 'const float32[4]'], { transB: attr.int(1) })).toEqual([
      'Linear',
      ['weight', 1, 0, 1],
      ['bias', 2, undefined, undefined],
    ]);
    expect(weightOf('Gemm', [x, w])).toEqual(['Linear', ['weight', 1, 1, 0]]);
    expect(weightOf('Gemm', [w, x])).toEqual(['Linear', ['weight', 0, 0, 1]]);
    expect(weightOf('Gemm', [w, x], { transA: attr.int(1) })).toEqual(['Linear', ['weight', 0, 1, 0]]);
  });

  it('are none where both sides or neither are computed, or where the constant is no matrix', () => {
    expect(weightOf('MatMul', ['float32[4,4]', 'float32[4,4]'])).toBeNull();
    expect(weightOf('MatMul', ['const float32[4,4]', 'const float32[4,4]'])).toBeNull();
    expect(weightOf('MatMul', ['float32[4,4]', 'const float32[4]'])).toBeNull();
    expect(weightOf('MatMul', ['float32[2,4,4]', 'const float32[2,4,4]'])).toBeNull();
    expect(weightOf('Gemm', ['float32[4,4]', 'float32[4,4]'])).toBeNull();
  });
});
