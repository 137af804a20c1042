import { sizeOf } from '../core/tensor.ts';
import { attr, type Value } from '../ir/index.ts';
import type { Expressions, Term } from './expressions.ts';
import type { TrainingRule } from './operator.ts';

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
}

/**
 * `(x - mean) / √(variance + ε) scale + bias` with mean and biased variance of the batch. onnxruntime has no training mode for the operator: the statistics are computed beside it. The
 * variance is that of the centred values, as E[x²] - E[x]² would cancel.
 */
export function batchNormTraining(
  make: Expressions,
  { x, scale, bias, epsilon }: BatchNormTraining,
): BatchNormTrained {
  const rank = make.builder.inferred(x).shape.length;
  const axes = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => axis !== 1);
  const mean = make.reduceMean(x, axes);
  const centred = make.sub(x, mean);
  const variance = make.reshape(make.reduceMean(make.mul(centred, centred), axes), make.shape(scale));
  const zeros = make.full(0, make.dtype(x), make.shape(scale));
  const y = make.op('BatchNormalization', [centred, scale, bias, zeros, variance], {
    epsilon: attr.float(epsilon),
  });
  return { y, mean: make.reshape(mean, make.shape(scale)), variance };
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
  const { y, mean, variance } = batchNormTraining(make, { x, scale, bias, epsilon });
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
