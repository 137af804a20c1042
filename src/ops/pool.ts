import { sizeOf } from '../core/tensor.ts';
import type { Dim } from '../ir/index.ts';
import { activation } from './activation.ts';
import { cost, inputShape, outputShape, perOutput } from './cost.ts';
import { expectFloat, expectRank, expectRankFrom, expectSameDtype, expectShape, sameDim } from './expect.ts';
import { type CostRule, type InferContext, type InferRule, type Operator, unsupported } from './operator.ts';
import { POOL_CHANNELS } from './pool-channels.ts';
import {
  averagePoolGrad,
  globalAveragePoolGrad,
  globalLpPoolGrad,
  globalMaxPoolGrad,
  lpPoolGrad,
  maxPoolGrad,
  maxUnpoolGrad,
} from './pool-grad.ts';
import { addDims, multiplyDims } from './symbolic.ts';
import { readWindow, requiredKernel, slide } from './window.ts';
import { withRules } from './with-rules.ts';

function pooledShape(ctx: InferContext): readonly Dim[] {
  const { shape } = expectRankFrom(ctx, 0, 'the input', 3);
  const window = readWindow(ctx, requiredKernel(ctx, shape.length - 2));
  return [...shape.slice(0, 2), ...slide(ctx, shape.slice(2), window, ctx.node.int('ceil_mode', 0) !== 0)];
}

const inferPool: InferRule = (ctx) => {
  expectFloat(ctx, 0);
  return [{ dtype: ctx.input(0).dtype, shape: pooledShape(ctx) }];
};

function inferMaxPool(ctx: InferContext): ReturnType<InferRule> {
  const { dtype } = ctx.input(0);
  // 8-bit integers may be pooled from opset 12 on.
  if (dtype !== 'int8' && dtype !== 'uint8') expectFloat(ctx, 0);
  const shape = pooledShape(ctx);
  return [
    { dtype, shape },
    { dtype: 'int64', shape },
  ];
}

const inferGlobalPool: InferRule = (ctx) => {
  const { dtype, shape } = expectRankFrom(ctx, 0, 'the input', 3);
  expectFloat(ctx, 0);
  return [{ dtype, shape: [...shape.slice(0, 2), ...shape.slice(2).map(() => 1)] }];
};

/** nn.AdaptiveAvgPool to one element: thop counts an addition per element of the window and a division. */
const adaptiveCost: CostRule = (ctx) => {
  const count = sizeOf(outputShape(ctx)) * (sizeOf(inputShape(ctx, 0).slice(2)) + 1);
  return cost(0, count, count);
};

function inferMaxUnpool(ctx: InferContext): ReturnType<InferRule> {
  const { dtype, shape } = expectRankFrom(ctx, 0, 'the input', 3);
  expectShape(ctx, 1, 'indices', shape);
  if (ctx.input(1).dtype !== 'int64') throw ctx.error(`indices expect int64, got ${ctx.input(1).dtype}`);
  const rank = shape.length - 2;
  const kernel = requiredKernel(ctx, rank);
  const { strides, begin, end } = readWindow(ctx, kernel);
  if (ctx.inputs[2]) {
    expectShape(ctx, 2, 'output_shape', [shape.length]);
    const asked = ctx.known(2);
    return [{ dtype, shape: asked ?? shape.map(() => null) }];
  }
  // The size whose pooling has this one: (size - 1) * stride + kernel - pads.
  const spatial = shape.slice(2).map((size, axis): Dim => {
    const grow = kernel[axis]! - strides[axis]! - begin[axis]! - end[axis]!;
    return addDims(multiplyDims(size, strides[axis]!), grow);
  });
  return [{ dtype, shape: [...shape.slice(0, 2), ...spatial] }];
}

function inferMaxRoiPool(ctx: InferContext): ReturnType<InferRule> {
  const { dtype, shape } = expectRank(ctx, 0, 'the input', 4);
  expectFloat(ctx, 0);
  expectSameDtype(ctx, 0, 1);
  expectShape(ctx, 1, 'rois', [null, 5]);
  const pooled = ctx.node.ints('pooled_shape');
  if (pooled?.length !== 2)
    throw ctx.error(`pooled_shape expects 2 numbers, got ${pooled?.length ?? 'none'}`);
  return [{ dtype, shape: [ctx.input(1).shape[0]!, shape[1]!, ...pooled] }];
}

function inferRoiAlign(ctx: InferContext): ReturnType<InferRule> {
  const { dtype, shape } = expectRank(ctx, 0, 'the input', 4);
  expectFloat(ctx, 0);
  expectSameDtype(ctx, 0, 1);
  expectShape(ctx, 1, 'rois', [null, 4]);
  const [rois] = ctx.input(1).shape;
  const [indices] = expectRank(ctx, 2, 'batch_indices', 1).shape;
  expectShape(ctx, 2, 'batch_indices', [rois]);
  return [
    {
      dtype,
      shape: [
        sameDim(rois, indices),
        shape[1]!,
        ctx.node.int('output_height', 1),
        ctx.node.int('output_width', 1),
      ],
    },
  ];
}

/** Pooling. */
export const POOL: readonly Operator[] = withRules(
  [
    activation('MaxPool', 1, 'Largest element of a sliding window, and on request where it was.', {
      infer: inferMaxPool,
      grad: maxPoolGrad,
    }),
    // thop: one operation per output element.
    activation('AveragePool', 1, 'Mean over a sliding window.', {
      infer: inferPool,
      cost: perOutput(1, 1),
      grad: averagePoolGrad,
    }),
    activation('LpPool', 2, 'Lp norm over a sliding window.', { infer: inferPool, grad: lpPoolGrad }),
    activation('GlobalAveragePool', 1, 'Mean over all spatial axes.', {
      infer: inferGlobalPool,
      cost: adaptiveCost,
      grad: globalAveragePoolGrad,
    }),
    activation('GlobalMaxPool', 1, 'Largest element over all spatial axes.', {
      infer: inferGlobalPool,
      grad: globalMaxPoolGrad,
    }),
    activation('GlobalLpPool', 2, 'Lp norm over all spatial axes.', {
      infer: inferGlobalPool,
      grad: globalLpPoolGrad,
    }),
    activation('MaxUnpool', 9, 'Puts elements back where MaxPool found them, zeros elsewhere.', {
      infer: inferMaxUnpool,
      shapeInput: 2,
      grad: maxUnpoolGrad,
    }),
    activation('MaxRoiPool', 1, 'Largest elements of a grid over regions of interest.', {
      infer: inferMaxRoiPool,
      steering: [1],
      grad: unsupported('regions of interest are rounded to whole elements; use RoiAlign to train'),
    }),
    activation('RoiAlign', 10, 'Interpolated samples of a grid over regions of interest.', {
      infer: inferRoiAlign,
      steering: [1, 2],
      grad: unsupported(
        'its samples would have to be scattered back by interpolation, which is not written; train without it',
      ),
    }),
  ],
  { channels: POOL_CHANNELS },
);
