import { sizeOf } from '../core/tensor.ts';
import { attr, type Node, staticShape, type Value } from '../ir/index.ts';
import type { Expressions, Term } from './expressions.ts';
import type { Composition, CompositionContext, TrainingRule } from './operator.ts';

/** Batch normalization by the statistics of the batch. */
export interface BatchNormTraining {
  /** `[N, C, ...]` */
  readonly x: Value;
  /** `[C]`, each of them. */
  readonly scale: Value;
  readonly bias: Value;
  readonly epsilon: number;
}

/** What comes of it. */
export interface BatchNormTrained {
  readonly y: Value;
  /** Mean of each channel, `[C]`. */
  readonly mean: Value;
  /** Biased variance of each channel, `[C]`. */
  readonly variance: Value;
  /** Its gradient as a whole, where the sizes of x are known. */
  readonly composition: Composition | null;
}

/**
 * `(x - mean) / √(variance + ε) scale + bias` with mean and biased variance of the batch. onnxruntime has no training mode for the operator: the statistics are computed beside it. The
 * variance is that of the centred values, as E[x²] - E[x]² would cancel.
 */
export function batchNormTraining(make: Expressions, of: BatchNormTraining): BatchNormTrained {
  const { x, scale, bias, epsilon } = of;
  const { graph } = make.builder;
  const before = graph.nodes.length;
  const { shape } = make.builder.inferred(x);
  const axes = shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  const mean = make.reduceMean(x, axes);
  const centred = make.sub(x, mean);
  const variance = make.reshape(make.reduceMean(make.mul(centred, centred), axes), make.shape(scale));
  const zeros = make.full(0, make.dtype(x), make.shape(scale));
  const y = make.op('BatchNormalization', [centred, scale, bias, zeros, variance], {
    epsilon: attr.float(epsilon),
  });
  // Values are read from the nodes when asked: parameters may have been replaced by then.
  const [subtraction, normalization] = [centred.producer, y.producer];
  const composition: Composition | null =
    staticShape(shape) && subtraction && normalization
      ? {
          nodes: graph.nodes.slice(before),
          inputs: () => [subtraction.input(0), normalization.input(1), normalization.input(2)],
          outputs: [y],
          grad: (ctx) => trainingGrad(ctx, normalization, epsilon),
        }
      : null;
  return { y, mean: make.reshape(mean, make.shape(scale)), variance, composition };
}

/** Rows of a map from which on a sum of products is faster as a product of matrices than as a product and a sum. */
const LONG = 1024;

/**
 * With g the gradient of y, c the centred values, s = 1 / √(variance + ε) and n elements a channel:
 * `dx = scale s (g - Σg / n - c s² Σ(g c) / n)`, `dscale = s Σ(g c)`, `dbias = Σg` (Ioffe & Szegedy 2015). dx is written as `A g + C + B c`: three passes.
 */
function trainingGrad(
  { make, gradOutputs, needs }: CompositionContext,
  normalization: Node,
  epsilon: number,
): readonly (Value | null)[] {
  const [centred, scale, variance] = [normalization.input(0), normalization.input(1), normalization.input(4)];
  const [grad] = gradOutputs;
  if (!grad) return [];
  const sizes = make.shape(grad);
  const [batch = 1, channels = 1, ...spatial] = sizes;
  const axes = sizes.map((_, axis) => axis).filter((axis) => axis !== 1);
  const places = sizeOf(spatial);
  const count = batch * places;
  const sum = make.reduceSum(grad, axes, false);
  const rows = (value: Value): Value => make.reshape(value, [batch * channels, 1, places]);
  const products =
    places >= LONG
      ? make.reduceSum(
          make.reshape(make.matmul(rows(grad), make.transposeMatrix(rows(centred))), [batch, channels]),
          [0],
          false,
        )
      : make.reduceSum(make.mul(grad, centred), axes, false);
  const inverse = make.div(1, make.sqrt(make.add(variance, epsilon)));
  const gradScale = make.mul(products, inverse);
  const gradX = (): Value => {
    const factor = make.mul(scale, inverse);
    const constant = make.mul(make.mul(sum, factor), -1 / count);
    const slope = make.mul(make.mul(factor, make.mul(gradScale, inverse)), -1 / count);
    const dtype = make.dtype(grad);
    const [zeros, ones] = [make.full(0, dtype, [channels]), make.full(1, dtype, [channels])];
    const scaled = make.op('BatchNormalization', [grad, factor, constant, zeros, ones], {
      epsilon: attr.float(0),
    });
    const spread = sizes.map((size, axis) => (axis === 1 ? size : 1));
    return make.add(scaled, make.mul(centred, make.reshape(slope, spread)));
  };
  return [needs(0) ? gradX() : null, needs(1) ? gradScale : null, needs(2) ? sum : null];
}

/** `(1 - momentum) running + momentum batch`, PyTorch's blend of running statistics. */
export const blended = (make: Expressions, running: Value, batch: Value, momentum: Term): Value =>
  typeof momentum === 'number'
    ? make.add(make.mul(running, 1 - momentum), make.mul(batch, momentum))
    : make.add(make.sub(running, make.mul(running, momentum)), make.mul(batch, momentum));

/** PyTorch keeps the unbiased variance, `n / (n - 1)` of the biased one. */
export const unbiased = (make: Expressions, variance: Value, count: number): Value =>
  make.mul(variance, count / (count - 1));

/** A BatchNormalization node in training. ONNX's momentum is the share that stays, PyTorch's the share that comes. */
export const trainBatchNorm: TrainingRule = (ctx) => {
  const { node, make } = ctx;
  const x = ctx.input(0);
  const [scale, bias, running, runningVariance] = [ctx.input(1), ctx.input(2), ctx.input(3), ctx.input(4)];
  const epsilon = node.float('epsilon', 1e-5);
  const momentum = 1 - node.float('momentum', 0.9);
  const { y, mean, variance, composition } = batchNormTraining(make, { x, scale, bias, epsilon });
  if (composition) ctx.compose(composition);
  const sizes = ctx.shape(x);
  const count = sizeOf(sizes) / (sizes[1] ?? 1);
  ctx.update(3, blended(make, running, mean, momentum));
  ctx.update(4, blended(make, runningVariance, unbiased(make, variance, count), momentum));
  return [y];
};

/** A Dropout node in training: elements are 0 with probability `ratio`, the others scaled by `1 / (1 - ratio)`. */
export const trainDropout: TrainingRule = (ctx) => {
  const { make } = ctx;
  const x = ctx.input(0);
  const ratio = ctx.numbers(1)?.[0] ?? 0.5;
  if (ctx.node.inputs[1] && !ctx.numbers(1)) throw ctx.unsupported('ratio must be a constant in training');
  if (ratio === 0) return [x];
  const kept = make.cast(make.greaterOrEqual(ctx.uniform(ctx.shape(x)), ratio), make.dtype(x));
  return [make.mul(x, make.mul(kept, 1 / (1 - ratio)))];
};
