import { attentionChannels, multiHeadAttentionChannels } from './attention-channels.ts';
import { broadcastChannels, bundleAt, sameChannels, withoutAxes } from './channels.ts';
import { fusedConvChannels } from './conv-channels.ts';
import { type Arrange, gemmChannels, productChannels, quantizedProduct } from './linear-channels.ts';
import type { ChannelsRule } from './operator.ts';
import { reducedChannels } from './reduce-channels.ts';

/** transA and transB swap rows and columns; transBatchA and transBatchB put the first axis just before the last. */
const arranged =
  (transposed: boolean, batched: boolean): Arrange =>
  (batches, row, column) => {
    const [first, last] = transposed ? [column, row] : [row, column];
    return batched ? [first, ...batches, last] : [...batches, first, last];
  };

const fusedMatMul: ChannelsRule = (ctx) => {
  const of = (side: 'A' | 'B'): Arrange =>
    arranged(ctx.node.int(`trans${side}`, 0) !== 0, ctx.node.int(`transBatch${side}`, 0) !== 0);
  return { outputs: [productChannels(ctx, 0, 1, [of('A'), of('B')])] };
};

/** Input, skip and vectors over the last axis are added and normalized: output 3 is that sum, 1 and 2 are statistics. */
const skipNorm =
  (vectors: readonly number[]): ChannelsRule =>
  (ctx) => {
    const channels = ctx.broadcast([0, 1, ...vectors].filter((input) => ctx.has(input)));
    const last = ctx.outputShape(0).length - 1;
    const mixed = bundleAt(channels, last);
    if (mixed) ctx.inexact([mixed], 'normalizes over channels');
    const statistics = withoutAxes(channels, [last]);
    return { outputs: [channels, statistics, statistics, channels] };
  };

const quantizedBinary: ChannelsRule = (ctx) => ({ outputs: [ctx.broadcast([0, 3])] });

const quantizedGlobalPool: ChannelsRule = (ctx) => {
  const axes = [...ctx.shape(0).keys()].slice(1);
  const channels = ctx.node.int('channels_last', 0) !== 0 ? axes.at(-1) : 1;
  const spatial = axes.filter((axis) => axis !== channels);
  return { outputs: [reducedChannels(ctx, spatial, true, 'is a mean over channels, whose number changes')] };
};

/** Channel rules of onnxruntime's own operators. */
export const CONTRIB_CHANNELS: Readonly<Record<string, ChannelsRule>> = {
  FusedConv: fusedConvChannels,
  FusedGemm: gemmChannels,
  FusedMatMul: fusedMatMul,
  Gelu: sameChannels,
  QuickGelu: sameChannels,
  FastGelu: broadcastChannels,
  BiasGelu: broadcastChannels,
  SkipLayerNormalization: skipNorm([2, 3, 4]),
  SkipSimplifiedLayerNormalization: skipNorm([2, 3]),
  Attention: attentionChannels,
  MultiHeadAttention: multiHeadAttentionChannels,
  QLinearAdd: quantizedBinary,
  QLinearMul: quantizedBinary,
  QLinearSigmoid: sameChannels,
  QLinearLeakyRelu: sameChannels,
  QLinearGlobalAveragePool: quantizedGlobalPool,
  // A is quantized on the fly: its zero is exact.
  DynamicQuantizeMatMul: quantizedProduct({ a: 0, b: 1, zeroPointA: -1, perRow: [], perColumn: [2, 3, 4] }),
  MatMulIntegerToFloat: quantizedProduct({
    a: 0,
    b: 1,
    zeroPointA: 4,
    perRow: [2, 4],
    perColumn: [3, 5, 6],
  }),
};
