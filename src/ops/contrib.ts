import { sizeOf } from '../core/tensor.ts';
import type { Dim } from '../ir/index.ts';
import { activation } from './activation.ts';
import { broadcastShapes } from './broadcast.ts';
import { CONTRIB_CHANNELS } from './contrib-channels.ts';
import { CONTRIB_GRADS } from './contrib-grad.ts';
import { conv } from './conv.ts';
import { cost, inputShape, outputShape } from './cost.ts';
import {
  expectFloat,
  expectInt8,
  expectRank,
  expectRankFrom,
  expectSameDtype,
  expectShape,
} from './expect.ts';
import { integersHaveNoGradient, noChannelsRule, noGradRule } from './later.ts';
import { channelLayout, linearLayout, makeLayer } from './layer.ts';
import { gemm, matMulMacs, matMulShape } from './linear.ts';
import type { CostRule, InferContext, InferRule, Operator } from './operator.ts';
import { divideDims, productOfDims } from './symbolic.ts';
import { withRules } from './with-rules.ts';

/*
 * Operators that onnxruntime's optimizers and quantizer write. Source: `docs/ContribOperators.md` of onnxruntime. thop knows modules of
 * PyTorch only; what these hold of convolutions and linear layers is counted as theirs, the rest is not counted.
 */

const DOMAIN = 'com.microsoft';

/** The one version of onnxruntime's domain. */
const OPSETS = [1, 1] as const;

const contrib = (
  entry: Pick<Operator, 'opType' | 'summary' | 'infer' | 'cost'> &
    Partial<Pick<Operator, 'grad' | 'layer' | 'steering'>>,
): Operator => ({
  domain: DOMAIN,
  opsets: OPSETS,
  grad: noGradRule,
  channels: noChannelsRule,
  layer: null,
  ...entry,
});

const elementwise = (opType: string, summary: string, infer?: InferRule): Operator =>
  activation(opType, 1, summary, { domain: DOMAIN, last: 1, ...(infer ? { infer } : {}) });

const quantized = (
  entry: Pick<Operator, 'opType' | 'summary' | 'infer'> & Partial<Pick<Operator, 'cost' | 'steering'>>,
): Operator => contrib({ grad: integersHaveNoGradient, cost: () => cost(0), ...entry });

/** An input plus a bias over its last axis; the bias may be left out. */
const inferBiased: InferRule = (ctx) => {
  const { dtype, shape } = expectRankFrom(ctx, 0, 'the input', 1);
  expectFloat(ctx, 0, 1);
  expectSameDtype(ctx, 0, 1);
  expectShape(ctx, 1, 'bias', [shape.at(-1)]);
  return [{ dtype, shape }];
};

const inferFusedConv: InferRule = (ctx) => {
  const [output] = conv.infer(ctx);
  // Input 3 is added to the result.
  if (output) expectShape(ctx, 3, 'the tensor to add', output.shape);
  return [output ?? null];
};

/** transA and transB swap the last two axes; transBatchA and transBatchB move the first axis to just before the last. */
function inferFusedMatMul(ctx: InferContext): ReturnType<InferRule> {
  expectFloat(ctx, 0, 1);
  expectSameDtype(ctx, 0, 1);
  const [a, b] = (['A', 'B'] as const).map((side, index): readonly Dim[] => {
    const { shape } = ctx.input(index);
    if (shape.length < 2) return shape;
    const batched =
      ctx.node.int(`transBatch${side}`, 0) !== 0 ? [...shape.slice(1, -1), shape[0]!, shape.at(-1)!] : shape;
    if (ctx.node.int(`trans${side}`, 0) === 0) return batched;
    return [...batched.slice(0, -2), batched.at(-1)!, batched.at(-2)!];
  });
  return [{ dtype: ctx.input(0).dtype, shape: matMulShape(ctx, a!, b!) }];
}

/** Every output element sums over the axis of A that is contracted: the first of the last two where A is transposed. */
const fusedMatMulCost: CostRule = (ctx) => {
  const a = inputShape(ctx, 0);
  const batched = ctx.node.int('transBatchA', 0) !== 0;
  const transposed = a.length > 1 && ctx.node.int('transA', 0) !== 0;
  const inner = transposed ? (batched ? a[0]! : a.at(-2)!) : a.at(-1)!;
  return cost(sizeOf(outputShape(ctx)) * inner, 0, 0);
};

/** Input and skip are added, then normalized over the last axis; the fourth output is that sum. */
const inferSkipNorm =
  (gamma: number, vectors: readonly (readonly [index: number, name: string])[]): InferRule =>
  (ctx) => {
    const { dtype, shape } = expectRank(ctx, 0, 'the input', 2, 3);
    const skip = expectRank(ctx, 1, 'skip', 2, 3);
    expectFloat(ctx, 0, 1, gamma);
    expectSameDtype(ctx, 0, 1, gamma);
    // The skip may lack the batch or have a batch of 1.
    broadcastShapes(ctx, [shape, skip.shape]);
    ctx.input(gamma);
    for (const [index, name] of vectors) expectShape(ctx, index, name, [shape.at(-1)]);
    const statistics = { dtype: 'float32' as const, shape: [...shape.slice(0, -1), 1] };
    return [{ dtype, shape }, statistics, statistics, { dtype, shape }];
  };

/** Input `[batch, steps, features]`, weights `[features, q + k + v]`; gives `[batch, steps, v]`. */
function inferAttention(ctx: InferContext): ReturnType<InferRule> {
  const { dtype, shape } = expectRank(ctx, 0, 'the input', 3);
  expectFloat(ctx, 0, 1, 2);
  expectSameDtype(ctx, 0, 1, 2);
  const weights = expectRank(ctx, 1, 'weights', 2).shape;
  expectShape(ctx, 1, 'weights', [shape[2], weights[1]]);
  expectShape(ctx, 2, 'bias', [weights[1]]);
  const sizes = ctx.node.ints('qkv_hidden_sizes', []);
  const values: Dim = sizes[2] ?? divideDims(weights[1]!, 3);
  const output = { dtype, shape: [shape[0]!, shape[1]!, values] };
  // The state kept for the next step depends on how the caller holds it.
  return [output, null];
}

/** Projection to queries, keys and values, scores of every query with every key, and the weighted sums of values. */
const attentionCost: CostRule = (ctx) => {
  const [batch, steps, features] = inputShape(ctx, 0);
  const columns = inputShape(ctx, 1)[1]!;
  const values = outputShape(ctx)[2]!;
  const queries = ctx.node.ints('qkv_hidden_sizes', [])[0] ?? columns / 3;
  const keys = steps! + (ctx.inputs[4] ? inputShape(ctx, 4)[3]! : 0);
  const projection = batch! * steps! * features! * columns;
  return cost(projection + batch! * steps! * keys * (queries + values), 0, 0);
};

/** Query `[batch, steps, q]`, key `[batch, keys, q]` and value `[batch, keys, v]`; gives `[batch, steps, v]`. */
function inferMultiHeadAttention(ctx: InferContext): ReturnType<InferRule> {
  const query = ctx.input(0);
  const value = ctx.inputs[2];
  expectFloat(ctx, 0, 1, 2);
  expectSameDtype(ctx, 0, 1, 2);
  const [batch, steps, heads, , size] = query.shape;
  // Packed into one tensor: [batch, steps, heads, 3, size].
  if (query.shape.length === 5) {
    return [{ dtype: query.dtype, shape: [batch!, steps!, productOfDims([heads!, size!])] }];
  }
  if (query.shape.length !== 3 || value?.shape.length !== 3) return [null];
  return [{ dtype: query.dtype, shape: [batch!, steps!, value.shape[2]!] }];
}

const multiHeadAttentionCost: CostRule = (ctx) => {
  const query = inputShape(ctx, 0);
  const [batch, steps, values] = outputShape(ctx);
  const packed = query.length === 5;
  const keys = (packed ? steps! : inputShape(ctx, 2)[1]!) + (ctx.inputs[6] ? inputShape(ctx, 6)[2]! : 0);
  const queries = packed ? values! : query[2]!;
  return cost(batch! * steps! * keys * (queries + values!), 0, 0);
};

/** Operands at 0 and 3, each with scale and zero point behind it; quantized like the first. */
const inferQuantizedBinary: InferRule = (ctx) => {
  expectInt8(ctx, 0, 3);
  expectSameDtype(ctx, 0, 3);
  expectFloat(ctx, 1, 4, 6);
  return [
    { dtype: ctx.input(0).dtype, shape: broadcastShapes(ctx, [ctx.input(0).shape, ctx.input(3).shape]) },
  ];
};

const inferQuantizedUnary: InferRule = (ctx) => {
  expectInt8(ctx, 0);
  expectFloat(ctx, 1, 3);
  const { dtype, shape } = ctx.input(0);
  return [{ dtype, shape }];
};

const inferQuantizedGlobalPool: InferRule = (ctx) => {
  expectInt8(ctx, 0);
  expectFloat(ctx, 1, 3);
  const { dtype, shape } = expectRankFrom(ctx, 0, 'the input', 3);
  const channels = ctx.node.int('channels_last', 0) !== 0 ? shape.length - 1 : 1;
  return [{ dtype, shape: shape.map((dim, axis) => (axis === 0 || axis === channels ? dim : 1)) }];
};

/** A product of which at least the right matrix is quantized, with a floating-point result and a bias over its columns. */
const inferToFloat =
  (scale: number, bias: number): InferRule =>
  (ctx) => {
    expectInt8(ctx, 1);
    const shape = matMulShape(ctx, ctx.input(0).shape, ctx.input(1).shape);
    expectShape(ctx, bias, 'bias', [shape.at(-1)]);
    return [{ dtype: ctx.input(scale).dtype, shape }];
  };

const matMulCost: CostRule = (ctx) => cost(matMulMacs(ctx), 0, 0);

// Blocked kernels compute the convolution alone.
const { blocked: _, ...plainConv } = conv;

/** Operators of onnxruntime's own domains. */
export const CONTRIB: readonly Operator[] = withRules(
  [
    {
      ...plainConv,
      domain: DOMAIN,
      opType: 'FusedConv',
      opsets: OPSETS,
      summary: 'Convolution, a tensor added to it, and an activation in one.',
      infer: inferFusedConv,
    },
    {
      ...gemm,
      domain: DOMAIN,
      opType: 'FusedGemm',
      opsets: OPSETS,
      summary: 'Gemm and an activation in one.',
    },
    contrib({
      opType: 'FusedMatMul',
      summary: 'alpha times a matrix product, either side transposed.',
      infer: inferFusedMatMul,
      cost: fusedMatMulCost,
    }),
    elementwise('Gelu', 'x times the normal distribution function of x.'),
    elementwise('QuickGelu', 'x * sigmoid(alpha * x).'),
    elementwise('FastGelu', 'Gelu by tanh, of an input plus a bias.', inferBiased),
    elementwise('BiasGelu', 'Gelu of an input plus a bias.', inferBiased),
    contrib({
      opType: 'SkipLayerNormalization',
      summary: 'LayerNormalization of the sum of an input, a skip connection and a bias.',
      infer: inferSkipNorm(2, [
        [2, 'gamma'],
        [3, 'beta'],
        [4, 'bias'],
      ]),
      cost: () => cost(0),
      layer: (_, isConstant) =>
        makeLayer(isConstant, 'LayerNorm', [
          ['weight', 2, channelLayout()],
          ['bias', 3, channelLayout()],
        ]),
    }),
    contrib({
      opType: 'SkipSimplifiedLayerNormalization',
      summary: 'Root-mean-square normalization of the sum of an input, a skip connection and a bias.',
      infer: inferSkipNorm(2, [
        [2, 'gamma'],
        [3, 'bias'],
      ]),
      cost: () => cost(0),
      layer: (_, isConstant) => makeLayer(isConstant, 'RMSNorm', [['weight', 2, channelLayout()]]),
    }),
    contrib({
      opType: 'Attention',
      summary: 'Multi-head self-attention with the projection of queries, keys and values.',
      infer: inferAttention,
      cost: attentionCost,
      layer: (_, isConstant) =>
        makeLayer(isConstant, 'MultiheadAttention', [
          ['in_proj_weight', 1, linearLayout(true)],
          ['in_proj_bias', 2],
        ]),
    }),
    contrib({
      opType: 'MultiHeadAttention',
      summary: 'Multi-head attention of projected queries, keys and values.',
      infer: inferMultiHeadAttention,
      cost: multiHeadAttentionCost,
    }),
    quantized({
      opType: 'QLinearAdd',
      steering: [1, 2, 4, 5, 6, 7],
      summary: 'Sum of quantized tensors.',
      infer: inferQuantizedBinary,
    }),
    quantized({
      opType: 'QLinearMul',
      steering: [1, 2, 4, 5, 6, 7],
      summary: 'Product of quantized tensors.',
      infer: inferQuantizedBinary,
    }),
    quantized({
      opType: 'QLinearSigmoid',
      summary: 'Sigmoid of a quantized tensor.',
      infer: inferQuantizedUnary,
    }),
    quantized({
      opType: 'QLinearLeakyRelu',
      summary: 'LeakyRelu of a quantized tensor.',
      infer: inferQuantizedUnary,
    }),
    quantized({
      opType: 'QLinearGlobalAveragePool',
      summary: 'Mean of a quantized tensor over all spatial axes.',
      infer: inferQuantizedGlobalPool,
    }),
    quantized({
      opType: 'DynamicQuantizeMatMul',
      steering: [2, 3],
      summary: 'Product of a matrix that is quantized on the fly with a quantized one.',
      infer: inferToFloat(2, 4),
      cost: matMulCost,
    }),
    quantized({
      opType: 'MatMulIntegerToFloat',
      steering: [2, 3, 4, 5],
      summary: 'Product of quantized matrices with a floating-point result.',
      infer: inferToFloat(2, 6),
      cost: matMulCost,
    }),
  ],
  { grad: CONTRIB_GRADS, channels: CONTRIB_CHANNELS },
);
