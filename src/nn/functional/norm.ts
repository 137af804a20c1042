import { ArgumentError } from '../../core/errors.ts';
import { fromFloat32 } from '../../core/float16.ts';
import { defaultGenerator, type Generator } from '../../core/random.ts';
import { sizeOf, Tensor } from '../../core/tensor.ts';
import { attr, type Shape, staticShape, type Value } from '../../ir/index.ts';
import { batchNormTraining, blended } from '../../ops/index.ts';
import type { Variable } from '../variable.ts';
import type { Weight } from './operand.ts';

/** Options of `batchNorm`. */
export interface BatchNormFunctionOptions {
  readonly weight?: Weight | null;
  readonly bias?: Weight | null;
  /** Normalize by the batch's statistics. Default false. */
  readonly training?: boolean;
  /** Share of the batch's statistics in the new running ones (default 0.1), or a scalar variable. */
  readonly momentum?: number | Variable;
  /** Default 1e-5. */
  readonly eps?: number;
}

/** A vector of channels, shaped so that it broadcasts to x with channels on axis 1. */
function overChannels(x: Variable, vector: Variable): Variable {
  const trailing = x.dim() - 2;
  return trailing === 0 ? vector : vector.view([...vector.shape, ...new Array<number>(trailing).fill(1)]);
}

/** A constant of x's dtype with one value everywhere. */
const filled = (x: Variable, shape: readonly number[], value: number): Variable =>
  x.tracer.constant(fromFloat32(Tensor.full(shape, value), x.dtype));

/** Normalization of each channel (axis 1) by the statistics given. */
function byStatistics(
  x: Variable,
  mean: Tensor,
  variance: Tensor,
  weight: Weight | null,
  bias: Weight | null,
  eps: number,
): Variable {
  const { tracer } = x;
  const channels = mean.size;
  const w = weight === null ? filled(x, [channels], 1) : tracer.operand(weight, x.dtype);
  const b = bias === null ? filled(x, [channels], 0) : tracer.operand(bias, x.dtype);
  return tracer.op('BatchNormalization', [x, w, b, tracer.tensor(mean), tracer.tensor(variance)], {
    attributes: { epsilon: attr.float(eps) },
  });
}

/** Number of elements each channel has, as a variable of x's dtype. */
function elementsPerChannel(x: Variable): Variable {
  const { tracer } = x;
  const shape = x.shape.filter((_, axis) => axis !== 1);
  if (shape.every((dim) => typeof dim === 'number')) return tracer.scalar(sizeOf(shape), x.dtype);
  return tracer.op('Size', [x]).to(x.dtype).div(x.size(1));
}

/**
 * Batch normalization of `[N, C, ...]`: `(x - mean) / √(variance + eps) weight + bias`, channel by channel.
 *
 * In training the statistics are the batch's, with the biased variance; new running statistics, with the unbiased one, are noted as buffer
 * updates: `running = (1 - momentum) running + momentum batch`. Throws ArgumentError where running statistics are missing outside of training.
 */
export function batchNorm(
  x: Variable,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  options: BatchNormFunctionOptions = {},
): Variable {
  const { weight = null, bias = null, training = false, momentum = 0.1, eps = 1e-5 } = options;
  if (!training) {
    if (runningMean && runningVar) return byStatistics(x, runningMean, runningVar, weight, bias, eps);
    throw new ArgumentError('batchNorm: expects running statistics where training is false');
  }
  const { tracer } = x;
  const channels = x.size(1);
  const make = tracer.expressions;
  const trained = batchNormTraining(make, {
    x: x.value,
    scale: (weight === null ? filled(x, [channels], 1) : tracer.operand(weight, x.dtype)).value,
    bias: (bias === null ? filled(x, [channels], 0) : tracer.operand(bias, x.dtype)).value,
    epsilon: eps,
  });
  if (trained.composition) tracer.compositions.push(trained.composition);
  const share = typeof momentum === 'number' ? momentum : momentum.value;
  const blend = (running: Tensor, batch: Value): void => {
    tracer.update(running, tracer.variable(blended(make, tracer.state(running).value, batch, share)));
  };
  if (runningMean) blend(runningMean, trained.mean);
  if (runningVar) {
    const count = elementsPerChannel(x);
    const factor = count.div(count.sub(1)).value;
    blend(runningVar, make.mul(trained.variance, factor));
  }
  return tracer.variable(trained.y);
}

/** Layer normalization over the last axes, of sizes `normalizedShape`; eps 1e-5 by default. */
export function layerNorm(
  x: Variable,
  normalizedShape: readonly number[],
  weight: Weight | null = null,
  bias: Weight | null = null,
  eps = 1e-5,
): Variable {
  const { tracer } = x;
  const last = x.shape.slice(x.dim() - normalizedShape.length);
  if (normalizedShape.length > x.dim() || normalizedShape.some((size, axis) => last[axis] !== size)) {
    throw new ArgumentError(
      `layerNorm: expects an input whose last dimensions are [${normalizedShape.join(', ')}], got [${x.shape.join(', ')}]`,
    );
  }
  const scale = weight === null ? filled(x, normalizedShape, 1) : tracer.operand(weight, x.dtype);
  return tracer.op(
    'LayerNormalization',
    bias === null ? [x, scale] : [x, scale, tracer.operand(bias, x.dtype)],
    { attributes: { axis: attr.int(-normalizedShape.length), epsilon: attr.float(eps) } },
  );
}

/** Group normalization of `[N, C, ...]`; eps 1e-5 by default. Throws ArgumentError where the groups do not divide the channels. */
export function groupNorm(
  x: Variable,
  numGroups: number,
  weight: Weight | null = null,
  bias: Weight | null = null,
  eps = 1e-5,
): Variable {
  const { tracer } = x;
  if (x.size(1) % numGroups !== 0) {
    throw new ArgumentError(
      `groupNorm: expects a number of channels that ${numGroups} groups divide, got ${x.size(1)}`,
    );
  }
  // Each group is one channel of an instance normalization without scale, as PyTorch's exporter writes it.
  const groups = x.view([x.shape[0] ?? null, numGroups, -1]);
  const ones = filled(x, [numGroups], 1);
  const zeros = filled(x, [numGroups], 0);
  const normal = tracer.op('InstanceNormalization', [groups, ones, zeros], {
    attributes: { epsilon: attr.float(eps) },
  });
  const back = x.shape.slice(1).every((dim) => typeof dim === 'number')
    ? normal.view(x.shape)
    : tracer.op('Reshape', [normal, tracer.op('Shape', [x])]);
  const scaled = weight === null ? back : back.mul(overChannels(x, tracer.operand(weight, x.dtype)));
  return bias === null ? scaled : scaled.add(overChannels(x, tracer.operand(bias, x.dtype)));
}

/** Options of `dropout`. */
export interface DropoutOptions {
  /** Nothing is dropped where false, the default. */
  readonly training?: boolean;
  /** Gives the node's seed; the default generator by default. */
  readonly generator?: Generator;
}

/** Checks a probability. Throws ArgumentError. */
export function checkProbability(caller: string, p: number): void {
  if (p >= 0 && p <= 1) return;
  throw new ArgumentError(`${caller}: dropout probability has to be between 0 and 1, but got ${p}`);
}

/** Elements of x kept (1) and dropped (0) at random, as a factor that also scales: `1 / (1 - p)` or 0. Null where nodes are to draw. */
function keptFactor(x: Variable, shape: Shape, p: number): Variable | null {
  const sizes = staticShape(shape);
  const drawn = sizes && x.tracer.uniform(sizes);
  if (!drawn) return null;
  const kept = x.tracer.op('GreaterOrEqual', [drawn, x.tracer.scalar(p, 'float32')]);
  return kept.to(x.dtype).mul(1 / (1 - p));
}

/** Training-mode Dropout: the result, and the mask of what was kept (bool). */
function dropNode(x: Variable, p: number, generator: Generator): { kept: Variable; mask: Variable } {
  const { tracer } = x;
  const training = tracer.constant(new Tensor('bool', [], Uint8Array.of(1)));
  const [kept, mask] = tracer.ops('Dropout', [x, tracer.scalar(p, 'float32'), training], {
    attributes: { seed: attr.int(generator.random32()) },
    outputs: 2,
  }) as [Variable, Variable];
  return { kept, mask };
}

/** Elements set to 0 with probability p and the others scaled by 1 / (1 - p), in training. Throws ArgumentError for p outside [0, 1]. */
export function dropout(x: Variable, p = 0.5, options: DropoutOptions = {}): Variable {
  checkProbability('dropout', p);
  if (!options.training || p === 0) return x;
  // onnxruntime wants a ratio below 1.
  if (p === 1) return x.mul(0);
  const factor = keptFactor(x, x.shape, p);
  if (factor) return x.mul(factor);
  return dropNode(x, p, options.generator ?? defaultGenerator).kept;
}

/** As `dropout`, but whole channels of `[N, C, ...]` at a time. */
export function dropout2d(x: Variable, p = 0.5, options: DropoutOptions = {}): Variable {
  checkProbability('dropout2d', p);
  if (!options.training || p === 0) return x;
  if (p === 1) return x.mul(0);
  const spatial = [...x.shape.keys()].slice(2);
  const factor = keptFactor(
    x,
    x.shape.map((size, axis) => (axis < 2 ? size : 1)),
    p,
  );
  if (factor) return x.mul(factor);
  const perChannel = spatial.length === 0 ? x : x.max(spatial, { keepdim: true });
  // The mask alone is used. It is drawn over a computed value since engines fold a Dropout of constants.
  const { mask } = dropNode(perChannel, p, options.generator ?? defaultGenerator);
  return x.mul(mask.to(x.dtype).mul(1 / (1 - p)));
}
