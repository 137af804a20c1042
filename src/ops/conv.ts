import { sizeOf } from '../core/tensor.ts';
import type { Dim, Node } from '../ir/index.ts';
import { blockedConv } from './blocked.ts';
import {
  type ConvInputs,
  convIntegerChannels,
  convRule,
  convTransposeChannels,
  PLAIN_CONV,
  qLinearConvChannels,
} from './conv-channels.ts';
import { convGrad, convTransposeGrad } from './conv-grad.ts';
import { cost, inputShape, outputShape } from './cost.ts';
import { differ, expectFloat, expectInt8, expectRankFrom, expectSameDtype, expectShape } from './expect.ts';
import { integersHaveNoGradient } from './later.ts';
import { convLayout, convTransposeLayout, type IsConstant, makeLayer, statedShape } from './layer.ts';
import {
  type CostContext,
  type CostRule,
  type InferContext,
  type InferRule,
  LATEST_OPSET,
  type Layer,
  type Operator,
} from './operator.ts';
import { multiplyDims } from './symbolic.ts';
import { readWindow, slide, slideTransposed } from './window.ts';

/** A convolution whose shapes fit each other so far. */
interface Checked {
  readonly batch: Dim;
  readonly spatial: readonly Dim[];
  readonly kernel: readonly Dim[];
  readonly groups: number;
  readonly weight: readonly Dim[];
}

/** What all convolutions ask of image, weight, kernel_shape and group. */
function checkConv(ctx: InferContext, at: ConvInputs): Checked {
  const { shape } = expectRankFrom(ctx, at.image, 'the input', 3);
  const weight = ctx.input(at.weight).shape;
  if (weight.length !== shape.length) {
    throw ctx.error(`weight expects ${shape.length} dimensions as the input, got ${weight.length}`);
  }
  const kernel = weight.slice(2);
  const stated = ctx.node.ints('kernel_shape', []);
  if (
    stated.length > 0 &&
    (stated.length !== kernel.length || stated.some((size, axis) => differ(size, kernel[axis])))
  ) {
    throw ctx.error(
      `kernel_shape [${stated.join(', ')}] does not agree with a weight of kernel [${kernel.map((dim) => dim ?? '?').join(', ')}]`,
    );
  }
  const groups = ctx.node.int('group', 1);
  if (groups < 1) throw ctx.error(`group expects a number of at least 1, got ${groups}`);
  // What the weight leaves open the attribute may say.
  return {
    batch: shape[0]!,
    spatial: shape.slice(2),
    kernel: kernel.map((dim, axis) => dim ?? stated[axis] ?? null),
    groups,
    weight,
  };
}

function inferConv(ctx: InferContext, at: ConvInputs): readonly Dim[] {
  const { batch, spatial, kernel, groups, weight } = checkConv(ctx, at);
  const [filters, perGroup] = weight;
  const channels = ctx.input(at.image).shape[1];
  const expected = multiplyDims(perGroup!, groups);
  if (differ(expected, channels)) {
    throw ctx.error(
      `weight expects ${expected} input channels${groups > 1 ? ` (${groups} groups of ${perGroup})` : ''}, got ${channels}; prune both sides of the connection together`,
    );
  }
  if (typeof filters === 'number' && filters % groups !== 0) {
    throw ctx.error(`weight expects a number of filters that ${groups} groups divide, got ${filters}`);
  }
  expectShape(ctx, at.bias, 'bias', [filters]);
  return [batch, filters!, ...slide(ctx, spatial, readWindow(ctx, kernel))];
}

function inferConvTranspose(ctx: InferContext): readonly Dim[] {
  const { batch, spatial, kernel, groups, weight } = checkConv(ctx, PLAIN_CONV);
  const [expected, perGroup] = weight;
  const channels = ctx.input(0).shape[1];
  if (differ(expected, channels)) {
    throw ctx.error(
      `weight expects ${expected} input channels, got ${channels}; prune both sides of the connection together`,
    );
  }
  if (typeof expected === 'number' && expected % groups !== 0) {
    throw ctx.error(
      `weight expects a number of input channels that ${groups} groups divide, got ${expected}`,
    );
  }
  const filters = multiplyDims(perGroup!, groups);
  expectShape(ctx, 2, 'bias', [filters]);
  const window = readWindow(ctx, kernel);
  const rank = kernel.length;
  const padding = ctx.node.ints('output_padding', []);
  if (padding.length !== 0 && padding.length !== rank) {
    throw ctx.error(`output_padding expects ${rank} numbers, got ${padding.length}`);
  }
  padding.forEach((size, axis) => {
    const limit = Math.max(window.strides[axis]!, window.dilations[axis]!);
    if (size >= 0 && size < limit) return;
    throw ctx.error(
      `output_padding expects numbers below the stride or the dilation (${limit}), got ${size}`,
    );
  });
  const asked = ctx.node.ints('output_shape', []);
  if (asked.length !== 0 && asked.length !== rank) {
    throw ctx.error(`output_shape expects ${rank} spatial sizes, got ${asked.length} numbers`);
  }
  const sizes = slideTransposed(
    ctx,
    spatial,
    window,
    kernel.map((_, axis) => padding[axis] ?? 0),
    asked,
  );
  return [batch, filters, ...sizes];
}

/** Multiply-accumulates of each output element: the weights of one filter, `Cin/groups * kernel`. */
function convMacs(ctx: CostContext, weight: number): number {
  return sizeOf(outputShape(ctx)) * sizeOf(inputShape(ctx, weight).slice(1));
}

const convCost: CostRule = (ctx) => {
  const macs = convMacs(ctx, 1);
  // 0.0.31 counts an addition per output element for the bias; 0.1.1 leaves it out.
  return cost(macs, macs + (ctx.inputs[2] ? sizeOf(outputShape(ctx)) : 0), macs);
};

// thop has no rule for quantized modules.
const quantizedConvCost =
  (weight: number): CostRule =>
  (ctx) =>
    cost(convMacs(ctx, weight), 0, 0);

const convTransposeCost: CostRule = (ctx) => {
  const image = inputShape(ctx, 0);
  const weight = inputShape(ctx, 1);
  const outputs = sizeOf(outputShape(ctx));
  // Each input element meets the weights of its channel: Cout/groups * kernel.
  const macs = sizeOf(image) * sizeOf(weight.slice(1));
  // thop takes the formula of the ordinary convolution: each output element, Cin/groups * kernel.
  const thop = outputs * Math.floor(image[1]! / ctx.node.int('group', 1)) * sizeOf(weight.slice(2));
  return cost(macs, thop + (ctx.inputs[2] ? outputs : 0), thop);
};

const floatConv: InferRule = (ctx) => {
  expectFloat(ctx, 0, 1, 2);
  expectSameDtype(ctx, 0, 1, 2);
  return [{ dtype: ctx.input(0).dtype, shape: inferConv(ctx, PLAIN_CONV) }];
};

/** Number of kernel axes; 2 where nothing says it. */
const spatialRank = (node: Node): number =>
  node.ints('kernel_shape', []).length || Math.max(1, (statedShape(node, 1)?.length ?? 4) - 2);

const convLayer =
  (type: string, layout: typeof convLayout) =>
  (node: Node, isConstant: IsConstant): Layer | null => {
    const rank = spatialRank(node);
    const groups = node.int('group', 1);
    return makeLayer(isConstant, `${type}${rank}d`, [
      ['weight', 1, layout(rank, groups)],
      ['bias', 2],
    ]);
  };

/** The ordinary convolution, on which others are built. */
export const conv: Operator = {
  domain: '',
  opType: 'Conv',
  opsets: [1, LATEST_OPSET],
  summary: 'Convolution over any number of spatial dimensions, with groups, strides, dilations and padding.',
  infer: floatConv,
  cost: convCost,
  grad: convGrad,
  blocked: blockedConv,
  channels: convRule(PLAIN_CONV),
  layer: convLayer('Conv', convLayout),
};

/** Convolutions. */
export const CONV: readonly Operator[] = [
  { ...conv, weightedSum: () => ({ bias: 2 }) },
  {
    domain: '',
    opType: 'ConvTranspose',
    opsets: [1, LATEST_OPSET],
    summary: 'Transposed convolution: spreads each input element over a window of the output.',
    infer: (ctx) => {
      expectFloat(ctx, 0, 1, 2);
      expectSameDtype(ctx, 0, 1, 2);
      return [{ dtype: ctx.input(0).dtype, shape: inferConvTranspose(ctx) }];
    },
    cost: convTransposeCost,
    grad: convTransposeGrad,
    weightedSum: () => ({ bias: 2 }),
    channels: convTransposeChannels,
    layer: convLayer('ConvTranspose', convTransposeLayout),
  },
  {
    domain: '',
    opType: 'ConvInteger',
    steering: [2, 3],
    opsets: [10, LATEST_OPSET],
    summary: 'Convolution of 8-bit integers with 32-bit sums.',
    infer: (ctx) => {
      expectInt8(ctx, 0, 1, 2, 3);
      return [{ dtype: 'int32', shape: inferConv(ctx, { image: 0, weight: 1, bias: -1 }) }];
    },
    cost: quantizedConvCost(1),
    grad: integersHaveNoGradient,
    channels: convIntegerChannels,
    layer: null,
  },
  {
    domain: '',
    opType: 'QLinearConv',
    steering: [1, 2, 4, 5, 6, 7],
    opsets: [10, LATEST_OPSET],
    summary: 'Convolution of quantized tensors, with a quantized result.',
    infer: (ctx) => {
      expectInt8(ctx, 0, 2, 3, 5, 7);
      expectFloat(ctx, 1, 4, 6);
      return [{ dtype: ctx.input(7).dtype, shape: inferConv(ctx, { image: 0, weight: 3, bias: 8 }) }];
    },
    cost: quantizedConvCost(3),
    grad: integersHaveNoGradient,
    channels: qLinearConvChannels,
    layer: null,
  },
];
