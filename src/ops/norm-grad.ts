import { sizeOf } from '../core/tensor.ts';
import { attr, type Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';
import type { GradRule, Unsupported } from './operator.ts';

/** What a normalization did: `normal = (x - mean) / deviation` over axes. */
interface Normalized {
  readonly normal: Value;
  /** `1 / deviation`, with the axes as 1. */
  readonly inverse: Value;
}

/** Normalized anew: `(x - mean) / √(variance + ε)`. */
function normalized(make: Expressions, x: Value, axes: readonly number[], epsilon: number): Normalized {
  const centred = make.sub(x, make.reduceMean(x, axes));
  const variance = make.reduceMean(make.mul(centred, centred), axes);
  const inverse = make.div(1, make.sqrt(make.add(variance, epsilon)));
  return { normal: make.mul(centred, inverse), inverse };
}

/** Normalized by mean and `1 / deviation` that are computed already: two passes. */
const stated = (make: Expressions, x: Value, mean: Value, inverse: Value): Normalized => ({
  normal: make.mul(make.sub(x, mean), inverse),
  inverse,
});

/** `(g - mean(g) - n mean(g n)) / deviation`, with g the gradient of the normalized values n. */
function throughNormalization(
  make: Expressions,
  grad: Value,
  { normal, inverse }: Normalized,
  axes: readonly number[],
): Value {
  const mean = make.reduceMean(grad, axes);
  const slope = make.reduceMean(make.mul(grad, normal), axes);
  return make.mul(make.sub(make.sub(grad, mean), make.mul(normal, slope)), inverse);
}

const axesFrom = (axis: number, rank: number): number[] =>
  Array.from({ length: rank }, (_, index) => index).filter(
    (index) => index >= (axis < 0 ? axis + rank : axis),
  );

const layerNormGrad: GradRule = (ctx) => {
  if (ctx.gradOutputs[1] || ctx.gradOutputs[2])
    throw ctx.unsupported(
      'its outputs Mean and InvStdDev have no gradient rule; compute them with ReduceMean',
    );
  const { make, grad, node } = ctx;
  const [x, scale] = [ctx.input(0), ctx.input(1)];
  const axes = axesFrom(node.int('axis', -1), ctx.shape(x).length);
  const toBias = (): Value => make.sumLike(grad, ctx.input(2));
  if (!ctx.needs(0) && !ctx.needs(1)) return [null, null, toBias()];
  // The node's own statistics, where they are as precise as its input.
  const found =
    make.dtype(x) === 'float32' && node.int('stash_type', 1) === 1
      ? stated(make, x, ctx.output(1), ctx.output(2))
      : normalized(make, x, axes, node.float('epsilon', 1e-5));
  return [
    ctx.needs(0) ? throughNormalization(make, make.mul(grad, scale), found, axes) : null,
    ctx.needs(1) ? make.sumLike(make.mul(grad, found.normal), scale) : null,
    ctx.needs(2) ? toBias() : null,
  ];
};

/** `x / √(mean(x²) + ε) scale`. */
const rmsNormGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const [x, scale] = [ctx.input(0), ctx.input(1)];
  const axes = axesFrom(node.int('axis', -1), ctx.shape(x).length);
  const square = make.reduceMean(make.mul(x, x), axes);
  const inverse = make.div(1, make.sqrt(make.add(square, node.float('epsilon', 1e-5))));
  const normal = make.mul(x, inverse);
  const toX = (): Value => {
    const scaled = make.mul(grad, scale);
    const slope = make.reduceMean(make.mul(scaled, normal), axes);
    return make.mul(make.sub(scaled, make.mul(normal, slope)), inverse);
  };
  return [ctx.needs(0) ? toX() : null, ctx.needs(1) ? make.sumLike(make.mul(grad, normal), scale) : null];
};

/** Channels of a vector, so that it broadcasts to `[N, C, ...]`. */
const overChannels = (make: Expressions, vector: Value, rank: number): Value =>
  make.reshape(vector, [make.shape(vector)[0]!, ...new Array<number>(rank - 2).fill(1)]);

const instanceNormGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const [x, scale] = [ctx.input(0), ctx.input(1)];
  const rank = ctx.shape(x).length;
  const axes = axesFrom(2, rank);
  const all = [0, ...axes];
  const found = normalized(make, x, axes, node.float('epsilon', 1e-5));
  const scaled = (): Value => make.mul(grad, overChannels(make, scale, rank));
  return [
    ctx.needs(0) ? throughNormalization(make, scaled(), found, axes) : null,
    ctx.needs(1) ? make.reduceSum(make.mul(grad, found.normal), all, false) : null,
    ctx.needs(2) ? make.reduceSum(grad, all, false) : null,
  ];
};

/** Until opset 20 groups are scaled, from 21 on channels. */
const groupNormGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const [x, scale] = [ctx.input(0), ctx.input(1)];
  const sizes = ctx.shape(x);
  const [batch = 1, channels = 1] = sizes;
  const groups = node.int('num_groups', 1);
  const rows = [batch, groups, sizeOf(sizes) / batch / groups];
  const perGroup = ctx.shape(scale)[0] === groups && (ctx.opset < 21 || groups === channels);
  const found = normalized(make, make.reshape(x, rows), [2], node.float('epsilon', 1e-5));
  const grouped = make.reshape(grad, rows);
  const scaled = (): Value =>
    perGroup
      ? make.mul(grouped, make.reshape(scale, [groups, 1]))
      : make.reshape(make.mul(grad, overChannels(make, scale, sizes.length)), rows);
  const sum = (value: Value): Value =>
    perGroup
      ? make.reduceSum(value, [0, 2], false)
      : make.reduceSum(
          make.reshape(value, [batch, channels, sizeOf(sizes) / batch / channels]),
          [0, 2],
          false,
        );
  return [
    ctx.needs(0) ? make.reshape(throughNormalization(make, scaled(), found, [2]), sizes) : null,
    ctx.needs(1) ? sum(make.mul(grouped, found.normal)) : null,
    ctx.needs(2) ? sum(grouped) : null,
  ];
};

const meanVarianceGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const axes = node.ints('axes', [0, 2, 3]);
  // Source: ONNX adds 1e-9 to the deviation.
  return [throughNormalization(make, grad, normalized(make, ctx.input(0), axes, 1e-18), axes)];
};

/** `y = x / ‖x‖`: `(g - d‖x‖ Σ(g y)) / ‖x‖` with `d‖x‖` = y for the L2 norm and sign(x) for L1. */
const lpNormGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const x = ctx.input(0);
  const y = ctx.output(0);
  const rank = ctx.shape(x).length;
  const axis = node.int('axis', -1);
  const axes = [axis < 0 ? axis + rank : axis];
  const first = node.int('p', 2) === 1;
  const norm = make.reduce(first ? 'ReduceL1' : 'ReduceL2', x, axes);
  const along = make.mul(first ? make.sign(x) : y, make.reduceSum(make.mul(grad, y), axes));
  return [make.div(make.sub(grad, along), norm)];
};

/**
 * `y = x d^-β` with `d = bias + α / size Σ x²` over neighbouring channels: `g d^-β - 2 α β / size x Σ (g y / d)`, the last sum over the channels that have this one for a neighbour.
 */
const lrnGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const x = ctx.input(0);
  const sizes = ctx.shape(x);
  const [batch = 1, channels = 1] = sizes;
  const size = node.int('size', 1);
  const [alpha, beta, bias] = [node.float('alpha', 1e-4), node.float('beta', 0.75), node.float('bias', 1)];
  const before = Math.floor((size - 1) / 2);
  const sums = (value: Value, begin: number): Value => {
    const image = make.reshape(value, [batch, 1, channels, sizeOf(sizes) / batch / channels]);
    const pooled = make.op('AveragePool', [image], {
      kernel_shape: attr.ints([size, 1]),
      pads: attr.ints([begin, 0, size - 1 - begin, 0]),
      count_include_pad: attr.int(1),
    });
    return make.mul(make.reshape(pooled, sizes), size);
  };
  const divisor = make.add(make.mul(sums(make.mul(x, x), before), alpha / size), bias);
  const shared = sums(make.div(make.mul(grad, ctx.output(0)), divisor), size - 1 - before);
  return [
    make.sub(
      make.mul(grad, make.pow(divisor, -beta)),
      make.mul(make.mul(x, shared), (2 * alpha * beta) / size),
    ),
  ];
};

/** Gradient rules of normalizations; those of batch norm and dropout stand in files of their own. */
export const NORM_GRADS: Readonly<Record<string, GradRule | Unsupported>> = {
  InstanceNormalization: instanceNormGrad,
  LayerNormalization: layerNormGrad,
  GroupNormalization: groupNormGrad,
  RMSNormalization: rmsNormGrad,
  LpNormalization: lpNormGrad,
  LRN: lrnGrad,
  MeanVarianceNormalization: meanVarianceGrad,
};
