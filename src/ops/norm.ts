import { sizeOf } from '../core/tensor.ts';
import type { Dim, Node, Shape } from '../ir/index.ts';
import { activation, sameFloat } from './activation.ts';
import { batchNormGrad, dropoutGrad } from './batch-norm-grad.ts';
import { trainBatchNorm, trainDropout } from './batch-norm-training.ts';
import { axesOf, axisOf } from './broadcast.ts';
import { cost, inputShape } from './cost.ts';
import { differ, expectFloat, expectRankFrom, expectSameDtype, expectShape } from './expect.ts';
import { noGradRule } from './later.ts';
import { channelLayout, type IsConstant, makeLayer, statedShape } from './layer.ts';
import {
  batchNormChannels,
  dropoutChannels,
  groupNormChannels,
  instanceNormChannels,
  layerNormChannels,
  lpNormChannels,
  lrnChannels,
  meanVarianceChannels,
} from './norm-channels.ts';
import { NORM_GRADS } from './norm-grad.ts';
import { NORM_UPGRADES } from './norm-upgrade.ts';
import {
  type CostRule,
  type InferContext,
  type InferRule,
  LATEST_OPSET,
  type Layer,
  type Operator,
  type RunningNorm,
} from './operator.ts';
import { withRules } from './with-rules.ts';

/**
 * thop 0.0.31 counts 2 per element of batch norms alone; 0.1.1 counts 2 per element of batch, layer and instance norms, and twice that
 * where they scale and shift, as the operators here always do.
 */
const normCost =
  (thop0031: number, thop011: number): CostRule =>
  (ctx) => {
    const elements = sizeOf(inputShape(ctx, 0));
    return cost(0, thop0031 * elements, thop011 * elements);
  };

const scaleAndShift = (isConstant: IsConstant, type: string, buffers = false): Layer | null =>
  makeLayer(isConstant, type, [
    ['weight', 1, channelLayout()],
    ['bias', 2, channelLayout()],
    ...(buffers
      ? ([
          ['running_mean', 3, channelLayout(), 'buffer'],
          ['running_var', 4, channelLayout(), 'buffer'],
        ] as const)
      : []),
  ]);

/** PyTorch's class by the rank of the input: 1d for batches of vectors and of signals, 2d for images, where nothing is known too. */
const byRank = (node: Node, type: string): string =>
  `${type}${Math.min(3, Math.max(1, (statedShape(node, 0)?.length ?? 4) - 2))}d`;

const BATCH_NORM_INPUTS = ['scale', 'bias', 'mean', 'variance'] as const;

/** BatchNormalization outside training. Before opset 7 `is_test` says so, before 9 `spatial` that statistics belong to channels. */
function runningNorm(node: Node): RunningNorm | string {
  const opset = node.graph.opset();
  const isTraining =
    node.int('training_mode', 0) !== 0 ||
    (opset < 7 && node.int('is_test', 0) === 0) ||
    node.outputs.filter((output) => output).length > 1;
  if (isTraining) return 'uses the statistics of the batch as it is';
  if (opset < 9 && node.int('spatial', 1) === 0) return 'has statistics for each place';
  return { scale: 1, bias: 2, mean: 3, variance: 4, epsilon: node.float('epsilon', 1e-5) };
}

function inferBatchNorm(ctx: InferContext): ReturnType<InferRule> {
  const { dtype, shape } = expectRankFrom(ctx, 0, 'the input', 2);
  expectFloat(ctx, 0, 1, 2, 3, 4);
  // Until opset 8, `spatial = 0` meant statistics for each place in the image.
  const perPlace = ctx.opset < 9 && ctx.node.int('spatial', 1) === 0;
  const statistics = perPlace ? shape.slice(1) : [shape[1]];
  BATCH_NORM_INPUTS.forEach((name, index) => {
    ctx.input(index + 1);
    expectShape(ctx, index + 1, name, statistics);
  });
  const training = ctx.node.int('training_mode', 0) !== 0;
  if (ctx.opset >= 14 && !training && ctx.node.outputs.length > 1) {
    throw ctx.error(
      `outputs 1 and 2 expect training_mode = 1, got ${ctx.node.outputs.length} outputs without it`,
    );
  }
  // Mean and variance; until opset 13 also those of the batch.
  const mean = ctx.input(3);
  return [{ dtype, shape }, mean, mean, mean, mean];
}

/** Axes from `axis` on are normalized together: the shape of the scale, and the shape of the statistics. */
function normalizedAxes(ctx: InferContext): { readonly scale: Shape; readonly statistics: Shape } {
  const { shape } = ctx.input(0);
  const axis = axisOf(ctx, ctx.node.int('axis', -1), shape.length);
  return { scale: shape.slice(axis), statistics: shape.map((dim, index) => (index < axis ? dim : 1)) };
}

/** Scale and shift of these axes: dimensions align at the end, each 1 or the input's. */
function expectScale(ctx: InferContext, index: number, name: string, scale: Shape): void {
  const found = ctx.inputs[index]?.shape;
  if (!found) return;
  const offset = scale.length - found.length;
  if (offset >= 0 && found.every((dim, axis) => dim === 1 || !differ(dim, scale[axis + offset]))) return;
  expectShape(ctx, index, name, scale);
}

function inferLayerNorm(ctx: InferContext): ReturnType<InferRule> {
  const { dtype, shape } = expectRankFrom(ctx, 0, 'the input', 1);
  expectFloat(ctx, 0, 1, 2);
  expectSameDtype(ctx, 0, 1, 2);
  const { scale, statistics } = normalizedAxes(ctx);
  ctx.input(1);
  expectScale(ctx, 1, 'scale', scale);
  expectScale(ctx, 2, 'bias', scale);
  const stash = { dtype: stashType(ctx), shape: statistics };
  return [{ dtype, shape }, stash, stash];
}

/** `stash_type`, a wire code: float32 or bfloat16. */
function stashType(ctx: InferContext): 'float32' | 'bfloat16' {
  const code = ctx.node.int('stash_type', 1);
  if (code === 1) return 'float32';
  if (code === 16) return 'bfloat16';
  throw ctx.error(`stash_type expects 1 (float32) or 16 (bfloat16), got ${code}`);
}

function inferRmsNorm(ctx: InferContext): ReturnType<InferRule> {
  const { shape } = expectRankFrom(ctx, 0, 'the input', 1);
  expectFloat(ctx, 0, 1);
  // The result is of the scale's type, which may be narrower than the input's.
  const { dtype } = ctx.input(1);
  expectScale(ctx, 1, 'scale', normalizedAxes(ctx).scale);
  return [{ dtype, shape }];
}

function inferInstanceNorm(ctx: InferContext): ReturnType<InferRule> {
  const { dtype, shape } = expectRankFrom(ctx, 0, 'the input', 3);
  expectFloat(ctx, 0, 1, 2);
  expectSameDtype(ctx, 0, 1, 2);
  expectShape(ctx, 1, 'scale', [shape[1]]);
  expectShape(ctx, 2, 'bias', [shape[1]]);
  return [{ dtype, shape }];
}

function inferGroupNorm(ctx: InferContext): ReturnType<InferRule> {
  const { dtype, shape } = expectRankFrom(ctx, 0, 'the input', 2);
  expectFloat(ctx, 0, 1, 2);
  expectSameDtype(ctx, 0, 1, 2);
  const groups = ctx.node.int('num_groups');
  if (groups === undefined) throw ctx.error('attribute num_groups is required and missing');
  const channels = shape[1];
  if (groups < 1 || (typeof channels === 'number' && channels % groups !== 0)) {
    throw ctx.error(`num_groups expects a divisor of ${channels ?? 'the number of'} channels, got ${groups}`);
  }
  // Opset 18 scaled groups, from 21 on channels are scaled.
  const scaled: Dim | undefined = ctx.opset < 21 ? groups : channels;
  expectShape(ctx, 1, 'scale', [scaled]);
  expectShape(ctx, 2, 'bias', [scaled]);
  return [{ dtype, shape }];
}

function inferDropout(ctx: InferContext): ReturnType<InferRule> {
  const { dtype, shape } = ctx.input(0);
  expectFloat(ctx, 0);
  expectShape(ctx, 1, 'ratio', []);
  expectShape(ctx, 2, 'training_mode', []);
  // The mask was of the data's type until opset 9.
  return [
    { dtype, shape },
    { dtype: ctx.opset < 10 ? dtype : 'bool', shape },
  ];
}

const norm = (
  entry: Pick<Operator, 'opType' | 'opsets' | 'summary' | 'infer' | 'cost' | 'channels' | 'layer'> &
    Partial<Pick<Operator, 'grad' | 'training' | 'runningNorm'>>,
): Operator => ({
  domain: '',
  grad: noGradRule,
  ...entry,
});

/** Normalizations. */
export const NORM: readonly Operator[] = withRules(
  [
    norm({
      opType: 'BatchNormalization',
      opsets: [6, LATEST_OPSET],
      summary:
        'Normalizes each channel by stored statistics, or those of the batch in training mode, then scales and shifts.',
      infer: inferBatchNorm,
      cost: normCost(2, 4),
      grad: batchNormGrad,
      training: trainBatchNorm,
      runningNorm,
      channels: batchNormChannels,
      layer: (node, isConstant) => scaleAndShift(isConstant, byRank(node, 'BatchNorm'), true),
    }),
    norm({
      opType: 'InstanceNormalization',
      opsets: [6, LATEST_OPSET],
      summary: 'Normalizes each channel of each image by its own statistics, then scales and shifts.',
      infer: inferInstanceNorm,
      cost: normCost(0, 4),
      channels: instanceNormChannels,
      layer: (node, isConstant) => scaleAndShift(isConstant, byRank(node, 'InstanceNorm')),
    }),
    norm({
      opType: 'LayerNormalization',
      opsets: [17, LATEST_OPSET],
      summary: 'Normalizes over the axes from `axis` on, then scales and shifts.',
      infer: inferLayerNorm,
      cost: normCost(0, 4),
      channels: layerNormChannels,
      layer: (_, isConstant) => scaleAndShift(isConstant, 'LayerNorm'),
    }),
    norm({
      opType: 'GroupNormalization',
      opsets: [18, LATEST_OPSET],
      summary: 'Normalizes groups of channels of each image, then scales and shifts.',
      infer: inferGroupNorm,
      // thop has no rule for nn.GroupNorm.
      cost: normCost(0, 0),
      channels: groupNormChannels,
      layer: (_, isConstant) => scaleAndShift(isConstant, 'GroupNorm'),
    }),
    norm({
      opType: 'RMSNormalization',
      opsets: [23, LATEST_OPSET],
      summary: 'Divides by the root mean square over the axes from `axis` on, then scales.',
      infer: inferRmsNorm,
      // thop has no rule for nn.RMSNorm.
      cost: normCost(0, 0),
      channels: layerNormChannels,
      layer: (_, isConstant) => makeLayer(isConstant, 'RMSNorm', [['weight', 1, channelLayout()]]),
    }),
    activation('LpNormalization', 1, 'Divides by the L1 or L2 norm along an axis.', {
      infer: (ctx) => {
        axisOf(ctx, ctx.node.int('axis', -1), ctx.input(0).shape.length);
        return sameFloat(ctx);
      },
    }),
    activation('LRN', 1, 'Divides by a power of the sum of squares over neighbouring channels.', {
      infer: (ctx) => {
        expectRankFrom(ctx, 0, 'the input', 2);
        const size = ctx.node.int('size');
        if (size === undefined || size < 1)
          throw ctx.error(`size expects a number of at least 1, got ${size ?? 'none'}`);
        return sameFloat(ctx);
      },
    }),
    activation(
      'MeanVarianceNormalization',
      9,
      'Subtracts the mean and divides by the standard deviation over axes.',
      {
        infer: (ctx) => {
          axesOf(ctx, ctx.node.ints('axes', [0, 2, 3]), ctx.input(0).shape.length);
          return sameFloat(ctx);
        },
      },
    ),
    {
      ...activation(
        'Dropout',
        7,
        'In training mode sets random elements to 0 and scales the others up; otherwise the identity.',
        {
          infer: inferDropout,
          steering: [1, 2],
          grad: dropoutGrad,
        },
      ),
      training: trainDropout,
      nondeterministic: true,
      drawsNothing: (node) => {
        // Without its last input, or where it drops none, it hands its input on.
        const [, ratio, training] = node.inputs;
        return !training || training.initializer?.data[0] === 0 || ratio?.initializer?.data[0] === 0;
      },
    },
  ],
  {
    grad: NORM_GRADS,
    upgrade: NORM_UPGRADES,
    channels: {
      LpNormalization: lpNormChannels,
      LRN: lrnChannels,
      MeanVarianceNormalization: meanVarianceChannels,
      Dropout: dropoutChannels,
    },
  },
);
