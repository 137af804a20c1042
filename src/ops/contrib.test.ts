import { describe, expect, it } from 'vitest';
import { type OneNode, oneNode } from '../../test/one-node.ts';
import { ShapeError } from '../core/errors.ts';
import { type Attribute, attr } from '../ir/index.ts';

const NONE: Record<string, Attribute> = {};
const node = (opType: string, inputs: (string | null)[], attributes = NONE, outputs = 1): OneNode =>
  oneNode(opType, inputs, { domain: 'com.microsoft', attributes, outputs });
const flag = (...names: string[]): Record<string, Attribute> =>
  Object.fromEntries(names.map((name) => [name, attr.int(1)]));
const [S, Z] = ['float32[]', 'uint8[]'];

// Shapes as onnxruntime 1.30 computes them.
describe("shapes of onnxruntime's operators", () => {
  it.each<[string, (string | null)[], Record<string, Attribute>, string]>([
    ['FusedConv', ['float32[1,4,6,6]', 'float32[6,4,3,3]', 'float32[6]'], NONE, 'float32[1, 6, 4, 4]'],
    [
      'FusedConv',
      ['float32[1,4,6,6]', 'float32[6,4,3,3]', null, 'float32[1,6,4,4]'],
      NONE,
      'float32[1, 6, 4, 4]',
    ],
    ['FusedGemm', ['float32[2,3]', 'float32[3,4]', 'float32[4]'], NONE, 'float32[2, 4]'],
    ['FusedMatMul', ['float32[2,3,4]', 'float32[2,4,5]'], NONE, 'float32[2, 3, 5]'],
    ['FusedMatMul', ['float32[2,4,3]', 'float32[2,5,4]'], flag('transA', 'transB'), 'float32[2, 3, 5]'],
    ['FusedMatMul', ['float32[3,2,4]', 'float32[2,4,5]'], flag('transBatchA'), 'float32[2, 3, 5]'],
    ['FusedMatMul', ['float32[4,2,3]', 'float32[2,4,5]'], flag('transBatchA', 'transA'), 'float32[2, 3, 5]'],
    ['FusedMatMul', ['float32[2,3,4]', 'float32[5,2,4]'], flag('transBatchB', 'transB'), 'float32[2, 3, 5]'],
    ['Gelu', ['float32[b,3]'], NONE, 'float32[b, 3]'],
    ['QuickGelu', ['float32[b,3]'], NONE, 'float32[b, 3]'],
    ['FastGelu', ['float32[b,3]'], NONE, 'float32[b, 3]'],
    ['FastGelu', ['float32[b,3]', 'float32[3]'], NONE, 'float32[b, 3]'],
    ['BiasGelu', ['float32[b,3]', 'float32[3]'], NONE, 'float32[b, 3]'],
    ['SkipLayerNormalization', ['float32[2,3,4]', 'float32[3,4]', 'float32[4]'], NONE, 'float32[2, 3, 4]'],
    [
      'SkipSimplifiedLayerNormalization',
      ['float32[2,3,4]', 'float32[2,3,4]', 'float32[4]', 'float32[4]'],
      NONE,
      'float32[2, 3, 4]',
    ],
    ['Attention', ['float32[b,s,8]', 'float32[8,24]', 'float32[24]'], NONE, 'float32[b, s, 8]'],
    [
      'Attention',
      ['float32[b,s,8]', 'float32[8,20]'],
      { qkv_hidden_sizes: attr.ints([8, 8, 4]) },
      'float32[b, s, 4]',
    ],
    ['MultiHeadAttention', ['float32[b,5,8]', 'float32[b,6,8]', 'float32[b,6,4]'], NONE, 'float32[b, 5, 4]'],
    ['MultiHeadAttention', ['float32[b,5,2,3,4]'], NONE, 'float32[b, 5, 8]'],
    ['QLinearAdd', ['uint8[2,3]', S, Z, 'uint8[3]', S, Z, S, Z], NONE, 'uint8[2, 3]'],
    ['QLinearMul', ['uint8[2,1]', S, Z, 'uint8[3]', S, Z, S, Z], NONE, 'uint8[2, 3]'],
    ['QLinearSigmoid', ['uint8[2,3]', S, Z, S, Z], NONE, 'uint8[2, 3]'],
    ['QLinearLeakyRelu', ['int8[2,3]', S, 'int8[]', S, 'int8[]'], NONE, 'int8[2, 3]'],
    ['QLinearGlobalAveragePool', ['uint8[2,3,4,5]', S, Z, S, Z], NONE, 'uint8[2, 3, 1, 1]'],
    ['QLinearGlobalAveragePool', ['uint8[2,4,5,3]', S, Z, S, Z], flag('channels_last'), 'uint8[2, 1, 1, 3]'],
    ['DynamicQuantizeMatMul', ['float32[2,3]', 'uint8[3,4]', S, Z, 'float32[4]'], NONE, 'float32[2, 4]'],
    ['MatMulIntegerToFloat', ['uint8[2,3]', 'uint8[3,4]', S, S, Z, Z, 'float32[4]'], NONE, 'float32[2, 4]'],
  ])('%s of %j with %o', (opType, inputs, attributes, output) => {
    expect(node(opType, inputs, attributes).types).toEqual([output]);
  });

  it('SkipLayerNormalization has mean, deviation and the sum among its outputs', () => {
    const { types } = node(
      'SkipLayerNormalization',
      ['float16[2,3,4]', 'float16[2,3,4]', 'float16[4]'],
      NONE,
      4,
    );
    expect(types).toEqual(['float16[2, 3, 4]', 'float32[2, 3, 1]', 'float32[2, 3, 1]', 'float16[2, 3, 4]']);
  });

  it('MultiHeadAttention says nothing of forms it does not know', () => {
    expect(node('MultiHeadAttention', ['float32[b,5,8]', 'float32[b,6,2,2,4]']).types).toEqual(['?']);
  });
});

describe("errors of onnxruntime's operators", () => {
  it.each<[string, (string | null)[], string]>([
    ['FusedConv', ['float32[1,4,6,6]', 'float32[6,3,3,3]'], 'weight expects 3 input channels, got 4'],
    [
      'FusedConv',
      ['float32[1,4,6,6]', 'float32[6,4,3,3]', null, 'float32[1,6,6,6]'],
      'the tensor to add expects shape [1, 6, 4, 4], got [1, 6, 6, 6]',
    ],
    [
      'FusedMatMul',
      ['float32[2,3]', 'float32[4,5]'],
      'the right side expects 3 rows to multiply with, got 4',
    ],
    ['BiasGelu', ['float32[2,3]', 'float32[4]'], 'bias expects shape [3], got [4]'],
    [
      'SkipLayerNormalization',
      ['float32[2,3,4]', 'float32[2,3,4]', 'float32[3]'],
      'gamma expects shape [4], got [3]',
    ],
    [
      'SkipLayerNormalization',
      ['float32[2,3,4]', 'float32[2,5,4]', 'float32[4]'],
      '[2, 3, 4] and [2, 5, 4] do not broadcast: axis 1 is 3 and 5',
    ],
    [
      'SkipLayerNormalization',
      ['float32[4]', 'float32[4]', 'float32[4]'],
      'the input expects 2 or 3 dimensions, got 1',
    ],
    ['Attention', ['float32[2,5,8]', 'float32[7,24]'], 'weights expects shape [8, 24], got [7, 24]'],
    ['Attention', ['float32[2,5,8]', 'float32[8,24]', 'float32[8]'], 'bias expects shape [24], got [8]'],
    [
      'QLinearAdd',
      ['float32[2]', S, Z, 'uint8[2]', S, Z, S, Z],
      'input 0 expects int8 or uint8, got float32; quantize it first',
    ],
    [
      'DynamicQuantizeMatMul',
      ['float32[2,3]', 'float32[3,4]', S],
      'input 1 expects int8 or uint8, got float32; quantize it first',
    ],
    [
      'MatMulIntegerToFloat',
      ['uint8[2,3]', 'uint8[3,4]', S, S, Z, Z, 'float32[3]'],
      'bias expects shape [4], got [3]',
    ],
  ])('%s of %j: %s', (opType, inputs, message) => {
    const build = (): unknown => node(opType, inputs);
    expect(build).toThrow(ShapeError);
    expect(build).toThrow(`com.microsoft.${opType} 'node': ${message}`);
  });
});

describe("cost of onnxruntime's operators", () => {
  const unseen = (macs: number): unknown => ({ macs, 'thop@0.0.31': 0, 'thop@0.1.1': 0 });

  it('counts what contractions multiply', () => {
    const macs = 6 * 4 * 4 * (4 * 9);
    expect(node('FusedConv', ['float32[1,4,6,6]', 'float32[6,4,3,3]', 'float32[6]']).cost.macs).toBe(macs);
    expect(node('FusedMatMul', ['float32[2,3,4]', 'float32[2,4,5]']).cost).toEqual(unseen(2 * 3 * 4 * 5));
    expect(node('FusedMatMul', ['float32[2,4,3]', 'float32[2,4,5]'], flag('transA')).cost).toEqual(
      unseen(2 * 3 * 4 * 5),
    );
    expect(
      node('FusedMatMul', ['float32[4,2,3]', 'float32[2,4,5]'], flag('transA', 'transBatchA')).cost,
    ).toEqual(unseen(2 * 3 * 4 * 5));
    expect(node('MatMulIntegerToFloat', ['uint8[2,3]', 'uint8[3,4]', S, S]).cost).toEqual(unseen(24));
    expect(node('QLinearAdd', ['uint8[2]', S, Z, 'uint8[2]', S, Z, S, Z]).cost).toEqual(unseen(0));
    expect(node('SkipLayerNormalization', ['float32[2,3,4]', 'float32[2,3,4]', 'float32[4]']).cost).toEqual(
      unseen(0),
    );
  });

  it('of attention is its projections, scores and weighted sums', () => {
    // 2 * 5 * 8 * 24 for the projection, 2 * 5 * 5 * 8 each for scores and sums.
    expect(node('Attention', ['float32[2,5,8]', 'float32[8,24]']).cost).toEqual(unseen(1920 + 400 + 400));
    // 3 steps kept from before make 8 keys.
    expect(
      node('Attention', ['float32[2,5,8]', 'float32[8,24]', null, null, 'float32[2,2,2,3,4]']).cost,
    ).toEqual(unseen(1920 + 640 + 640));
    expect(node('MultiHeadAttention', ['float32[2,5,8]', 'float32[2,6,8]', 'float32[2,6,4]']).cost).toEqual(
      unseen(2 * 5 * 6 * (8 + 4)),
    );
    const past = ['float32[2,5,8]', 'float32[2,6,8]', 'float32[2,6,4]', null, null, null, 'float32[2,2,3,4]'];
    expect(node('MultiHeadAttention', past).cost).toEqual(unseen(2 * 5 * 9 * (8 + 4)));
    expect(node('MultiHeadAttention', ['float32[2,5,2,3,4]']).cost).toEqual(unseen(2 * 5 * 5 * (8 + 8)));
  });
});

describe("onnxruntime's operators as layers", () => {
  it('carry parameters under PyTorch names', () => {
    const names = (opType: string, inputs: string[]): unknown => {
      const { layer } = node(opType, inputs);
      return layer && [layer.type, ...layer.parameters.map(({ name, input }) => `${name} ${input}`)];
    };
    expect(names('FusedConv', ['float32[1,4,6,6]', 'const float32[6,4,3,3]'])).toEqual([
      'Conv2d',
      'weight 1',
    ]);
    expect(names('FusedGemm', ['float32[2,3]', 'const float32[3,4]'])).toEqual(['Linear', 'weight 1']);
    const x = 'float32[2,3,4]';
    expect(names('SkipLayerNormalization', [x, x, 'const float32[4]', 'const float32[4]'])).toEqual([
      'LayerNorm',
      'weight 2',
      'bias 3',
    ]);
    expect(names('SkipSimplifiedLayerNormalization', [x, x, 'const float32[4]'])).toEqual([
      'RMSNorm',
      'weight 2',
    ]);
    expect(names('Attention', [x, 'const float32[4,12]'])).toEqual([
      'MultiheadAttention',
      'in_proj_weight 1',
    ]);
  });
});
