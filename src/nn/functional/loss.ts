import { type DType, dtypeInfo } from '../../core/dtype.ts';
import { ArgumentError, ShapeError } from '../../core/errors.ts';
import { Tensor } from '../../core/tensor.ts';
import type { Variable } from '../variable.ts';
import { logSoftmax, softplus } from './activation.ts';
import { abs, add, clamp, div, exp, log, mul, neg, sub, to, where } from './arithmetic.ts';
import type { Operand, Weight } from './operand.ts';
import { mean, sum } from './reduce.ts';
import { unsqueeze } from './shape.ts';

/** What becomes of the losses of the elements: their mean (the default), their sum, or nothing. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options that all losses have. */
export interface LossOptions {
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

/** Options of `nllLoss`. */
export interface NllLossOptions extends LossOptions {
  /** A weight for each class, `[C]`; all 1 by default. */
  readonly weight?: Weight;
  /** Label of samples that do not count; default -100. */
  readonly ignoreIndex?: number;
}

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions extends NllLossOptions {
  /** Share of the target that is spread evenly over the classes, in [0, 1] (Szegedy et al. 2016); default 0. */
  readonly labelSmoothing?: number;
}

/** Options of `binaryCrossEntropyWithLogits`. */
export interface BceOptions extends LossOptions {
  /** Factor of each element's loss, broadcast to the input's shape. */
  readonly weight?: Operand;
  /** Factor of the positive examples' part, broadcast to the input's shape. */
  readonly posWeight?: Operand;
}

/** Options of `klDiv`. */
export interface KlDivOptions {
  /** The target holds logarithms of probabilities; default false. */
  readonly logTarget?: boolean;
  /** `batchmean` divides the sum by the size of the batch, which is the divergence as it is defined; `mean`, the default, by the number of elements. */
  readonly reduction?: Reduction | 'batchmean';
}

/** Options of `distillation`. */
export interface DistillationOptions {
  /** Softens both distributions, > 0; default 4. */
  readonly temperature?: number;
  /** Share of the teacher's word, in [0, 1]; default 0.9. */
  readonly alpha?: number;
}

const printed = (x: Variable): string => `${x.dtype}[${x.shape.map((dim) => dim ?? '?').join(', ')}]`;

function checkReduction(caller: string, reduction: string, more: readonly string[] = []): void {
  const known = ['mean', 'sum', 'none', ...more];
  if (known.includes(reduction)) return;
  throw new ArgumentError(`${caller}: reduction expects ${known.join(', ')}, got '${reduction}'`);
}

function reduced(losses: Variable, reduction: Reduction): Variable {
  if (reduction === 'none') return losses;
  return reduction === 'sum' ? sum(losses) : mean(losses);
}

const isFloat = (x: Variable): boolean => dtypeInfo(x.dtype).kind === 'float';

function expectFloat(caller: string, x: Variable): void {
  if (!isFloat(x)) throw new ShapeError(`${caller}: expects an input of a float dtype, got ${printed(x)}`);
}

/** Throws ShapeError unless both have the same dimensions; a symbolic one fits any. */
function expectSameShape(caller: string, input: Variable, target: Variable): void {
  expectFloat(caller, input);
  const same =
    input.shape.length === target.shape.length &&
    input.shape.every((dim, axis) => {
      const other = target.shape[axis];
      return typeof dim !== 'number' || typeof other !== 'number' || dim === other;
    });
  if (same) return;
  throw new ShapeError(
    `${caller}: expects a target of the input's shape, got input ${printed(input)} and target ${printed(target)}`,
  );
}

/** The target in the input's dtype. */
const like = (input: Variable, target: Variable): Variable => to(target, input.dtype);

/** Number of classes: the size of axis 1. Throws ShapeError where there is none. */
function classesOf(caller: string, input: Variable): number {
  expectFloat(caller, input);
  const classes = input.shape[1];
  if (typeof classes === 'number' && classes > 0) return classes;
  throw new ShapeError(`${caller}: expects scores [N, C] or [N, C, d1, …], got ${printed(input)}`);
}

/** Throws ShapeError unless the labels have the input's shape without axis 1. */
function expectLabels(caller: string, input: Variable, target: Variable): void {
  const wanted = [...input.shape.slice(0, 1), ...input.shape.slice(2)];
  const { kind } = dtypeInfo(target.dtype);
  const fits =
    (kind === 'int' || kind === 'uint') &&
    target.shape.length === wanted.length &&
    wanted.every((dim, axis) => {
      const other = target.shape[axis];
      return typeof dim !== 'number' || typeof other !== 'number' || dim === other;
    });
  if (fits) return;
  const or = caller === 'crossEntropy' ? `, or probabilities of the input's shape` : '';
  throw new ShapeError(
    `${caller}: expects class indices int64[${wanted.map((dim) => dim ?? '?').join(', ')}]${or}, got input ${printed(input)} and target ${printed(target)}`,
  );
}

/** The weights of the classes, `[C]`. Throws ShapeError for another shape. */
function classWeights(caller: string, input: Variable, classes: number, weight: Weight): Variable {
  const weights = input.tracer.operand(weight, input.dtype);
  if (weights.shape.length === 1 && weights.shape[0] === classes) return like(input, weights);
  throw new ShapeError(
    `${caller}: weight expects one number for each of the ${classes} classes, got ${printed(weights)}`,
  );
}

/** `[C]` made to stand at axis 1 of an input of that rank. */
const acrossClasses = (vector: Variable, rank: number): Variable =>
  rank === 2 ? vector : vector.view(-1, ...new Array<number>(rank - 2).fill(1));

/**
 * `-weight[y] log p[y]` for labels y, smoothed. One-hot targets are written as a comparison with the classes, whose gradient is a `Where`; there is nothing to scatter.
 */
function fromLabels(
  caller: string,
  logProbabilities: Variable,
  labels: Variable,
  options: CrossEntropyOptions,
): Variable {
  const { weight, ignoreIndex = -100, labelSmoothing = 0, reduction = 'mean' } = options;
  const { tracer, dtype } = logProbabilities;
  const rank = logProbabilities.shape.length;
  const classes = classesOf(caller, logProbabilities);
  if (!Number.isSafeInteger(ignoreIndex)) {
    throw new ArgumentError(`${caller}: ignoreIndex expects a whole number, got ${ignoreIndex}`);
  }
  expectLabels(caller, logProbabilities, labels);
  const weights = weight === undefined ? null : classWeights(caller, logProbabilities, classes, weight);
  const target = to(labels, 'int64');
  const zero = tracer.scalar(0, dtype);

  const ignored = tracer.op('Equal', [target, tracer.int64(ignoreIndex)]);
  const safe = where(ignored, tracer.int64(0), target);
  // 1 for each class; NaN behind them, so that a label that is no class spoils the loss instead of being passed over. Negative indices count from the end.
  const marks = new Float32Array(2 * classes).fill(Number.NaN).fill(1, 0, classes);
  const valid = to(tracer.constant(Tensor.of(marks)), dtype);
  const counts = where(ignored, zero, tracer.op('Gather', [valid, safe]));

  const range = new Tensor(
    'int64',
    [classes, ...new Array<number>(rank - 2).fill(1)],
    BigInt64Array.from({ length: classes }, (_, index) => BigInt(index)),
  );
  const hot = tracer.op('Equal', [unsqueeze(target, 1), tracer.constant(range)]);
  const weighted = weights ? mul(logProbabilities, acrossClasses(weights, rank)) : logProbabilities;
  // Without smoothing a Where, not a product: 0 times the logarithm of 0 would be NaN.
  const share = labelSmoothing / classes;
  const terms =
    labelSmoothing === 0
      ? where(hot, weighted, zero)
      : mul(weighted, where(hot, tracer.scalar(1 - labelSmoothing + share, dtype), share));
  const perLabel = mul(sum(terms, 1), counts);
  if (reduction === 'none') return neg(perLabel);
  const total = sum(perLabel);
  if (reduction === 'sum') return neg(total);
  const norm = weights ? mul(counts, tracer.op('Gather', [weights, safe])) : counts;
  return div(total, neg(sum(norm)));
}

/**
 * Cross entropy of scores and labels (`F.cross_entropy`): `-weight[y] log softmax(input)[y]`, its mean over the batch weighted by `weight[y]`.
 * `input` holds scores `[N, C]` or `[N, C, d1, …]`; `target` whole numbers `[N]` or `[N, d1, …]`, or probabilities of the input's shape, whose losses' mean is over
 * samples. Labels equal to `ignoreIndex` do not count; a label that is no class gives NaN, or the engine's error. Throws ShapeError and ArgumentError where shapes or options do not fit.
 */
export function crossEntropy(input: Variable, target: Variable, options: CrossEntropyOptions = {}): Variable {
  const { labelSmoothing = 0, reduction = 'mean', weight } = options;
  checkReduction('crossEntropy', reduction);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new ArgumentError(`crossEntropy: labelSmoothing must be between 0 and 1, got ${labelSmoothing}`);
  }
  const classes = classesOf('crossEntropy', input);
  if (!isFloat(target)) return fromLabels('crossEntropy', logSoftmax(input, 1), target, options);
  expectSameShape('crossEntropy', input, target);
  if (options.ignoreIndex !== undefined && options.ignoreIndex >= 0) {
    throw new ArgumentError(
      `crossEntropy: ignoreIndex is not supported for a target of probabilities, got ${options.ignoreIndex}`,
    );
  }
  const probabilities = like(input, target);
  const smoothed =
    labelSmoothing === 0
      ? probabilities
      : add(mul(probabilities, 1 - labelSmoothing), labelSmoothing / classes);
  const terms = mul(logSoftmax(input, 1), smoothed);
  const weights = weight === undefined ? null : classWeights('crossEntropy', input, classes, weight);
  const rank = input.shape.length;
  const losses = sum(weights ? mul(terms, acrossClasses(weights, rank)) : terms, 1);
  return neg(reduced(losses, reduction));
}

/**
 * Negative log likelihood (`F.nll_loss`): `-weight[y] input[y]`, where `input` holds logarithms of probabilities `[N, C]` or `[N, C, d1, …]` and `target` labels `[N]` or
 * `[N, d1, …]`; the mean is weighted by `weight[y]`. Labels as in `crossEntropy`. Throws ShapeError and ArgumentError where shapes or options do not fit.
 */
export function nllLoss(input: Variable, target: Variable, options: NllLossOptions = {}): Variable {
  const { reduction = 'mean', weight, ignoreIndex = -100 } = options;
  checkReduction('nllLoss', reduction);
  return fromLabels('nllLoss', input, target, {
    reduction,
    ignoreIndex,
    ...(weight === undefined ? {} : { weight }),
  });
}

/**
 * Binary cross entropy of logits (`F.binary_cross_entropy_with_logits`): `max(x, 0) - x t + log(1 + exp(-|x|))`, which overflows nowhere; with `posWeight` p
 * `(1 - t) x + (1 + (p - 1) t) log(1 + exp(-x))`. Input and target have one shape. Throws ShapeError and ArgumentError where shapes or options do not fit.
 */
export function binaryCrossEntropyWithLogits(
  input: Variable,
  target: Variable,
  options: BceOptions = {},
): Variable {
  const { reduction = 'mean', weight, posWeight } = options;
  checkReduction('binaryCrossEntropyWithLogits', reduction);
  expectSameShape('binaryCrossEntropyWithLogits', input, target);
  const t = like(input, target);
  // Softplus is max(x, 0) + log(1 + exp(-|x|)), and smooth at 0, where the parts are not.
  const losses =
    posWeight === undefined
      ? sub(softplus(input), mul(input, t))
      : add(
          mul(sub(input.tracer.scalar(1, input.dtype), t), input),
          mul(add(mul(t, sub(input.tracer.operand(posWeight, input.dtype), 1)), 1), softplus(neg(input))),
        );
  return reduced(weight === undefined ? losses : mul(losses, weight), reduction);
}

/** Squared difference (`F.mse_loss`). Input and target have one shape. Throws ShapeError where they do not, ArgumentError for another reduction. */
export function mseLoss(input: Variable, target: Variable, options: LossOptions = {}): Variable {
  const difference = differenceOf('mseLoss', input, target, options);
  return reduced(mul(difference, difference), options.reduction ?? 'mean');
}

/** Absolute difference (`F.l1_loss`). Input and target have one shape. Throws ShapeError where they do not, ArgumentError for another reduction. */
export function l1Loss(input: Variable, target: Variable, options: LossOptions = {}): Variable {
  return reduced(abs(differenceOf('l1Loss', input, target, options)), options.reduction ?? 'mean');
}

/**
 * `d² / (2 beta)` where the difference d is below `beta` (default 1), else `|d| - beta / 2` (`F.smooth_l1_loss`; Girshick 2015). Input and target have one shape.
 * Throws ShapeError where they do not, ArgumentError for another reduction or a negative `beta`.
 */
export function smoothL1Loss(
  input: Variable,
  target: Variable,
  options: LossOptions & { readonly beta?: number } = {},
): Variable {
  const { reduction = 'mean', beta = 1 } = options;
  if (!(beta >= 0)) throw new ArgumentError(`smoothL1Loss: beta expects a number >= 0, got ${beta}`);
  if (beta === 0) return l1Loss(input, target, { reduction });
  const losses = huber(differenceOf('smoothL1Loss', input, target, options), beta);
  return reduced(beta === 1 ? losses : div(losses, beta), reduction);
}

/**
 * `d² / 2` where the difference d is below `delta` (default 1), else `delta (|d| - delta / 2)` (`F.huber_loss`; Huber 1964). Input and target have one shape.
 * Throws ShapeError where they do not, ArgumentError for another reduction or a `delta` that is not above 0.
 */
export function huberLoss(
  input: Variable,
  target: Variable,
  options: LossOptions & { readonly delta?: number } = {},
): Variable {
  const { reduction = 'mean', delta = 1 } = options;
  if (!(delta > 0)) throw new ArgumentError(`huberLoss: delta expects a number > 0, got ${delta}`);
  return reduced(huber(differenceOf('huberLoss', input, target, options), delta), reduction);
}

function differenceOf(caller: string, input: Variable, target: Variable, options: LossOptions): Variable {
  checkReduction(caller, options.reduction ?? 'mean');
  expectSameShape(caller, input, target);
  return sub(input, like(input, target));
}

/** `m (a - m / 2)` with a = |d| and m = min(a, delta): both branches of Huber's loss without a choice. */
function huber(difference: Variable, delta: number): Variable {
  const size = abs(difference);
  const inner = clamp(size, undefined, delta);
  return mul(inner, sub(size, mul(inner, 0.5)));
}

/** Smallest normal number of the float dtypes. */
const SMALLEST: Partial<Readonly<Record<DType, number>>> = { float16: 2 ** -14, float64: 2 ** -1022 };

/**
 * Kullback-Leibler divergence (`F.kl_div`): `t (log t - input)`, 0 where t is 0; `input` holds logarithms of probabilities, `target` probabilities of the same shape, or their
 * logarithms (`logTarget`). Throws ShapeError where shapes differ, ArgumentError for another reduction.
 */
export function klDiv(input: Variable, target: Variable, options: KlDivOptions = {}): Variable {
  const { reduction = 'mean', logTarget = false } = options;
  checkReduction('klDiv', reduction, ['batchmean']);
  expectSameShape('klDiv', input, target);
  const t = like(input, target);
  // The logarithm of 0 times 0 would be NaN; that of the smallest number times 0 is 0.
  const losses = logTarget
    ? mul(exp(t), sub(t, input))
    : mul(t, sub(log(clamp(t, SMALLEST[input.dtype] ?? 2 ** -126)), input));
  if (reduction !== 'batchmean') return reduced(losses, reduction);
  // The batch's size may be symbolic.
  const axes = [...losses.shape.keys()].slice(1);
  return mean(axes.length === 0 ? losses : sum(losses, axes));
}

/**
 * Knowledge distillation (Hinton et al. 2015): `α T² KL(softmax(teacher / T) || softmax(student / T)) + (1 - α) crossEntropy(student, target)`. `student` and `teacher` hold scores
 * `[N, C]`; the divergence is summed over classes and divided by N. `target` as in `crossEntropy`. Throws ShapeError and ArgumentError where shapes or options do not fit.
 */
export function distillation(
  student: Variable,
  teacher: Variable,
  target: Variable,
  options: DistillationOptions = {},
): Variable {
  const { temperature = 4, alpha = 0.9 } = options;
  if (!(temperature > 0 && temperature < Number.POSITIVE_INFINITY)) {
    throw new ArgumentError(`distillation: temperature expects a number > 0, got ${temperature}`);
  }
  if (!(alpha >= 0 && alpha <= 1)) {
    throw new ArgumentError(`distillation: alpha expects a number in [0, 1], got ${alpha}`);
  }
  classesOf('distillation', student);
  expectSameShape('distillation', student, teacher);
  const hard = alpha === 1 ? null : mul(crossEntropy(student, target), 1 - alpha);
  if (alpha === 0 && hard) return hard;
  const softened = (scores: Variable): Variable => logSoftmax(div(scores, temperature), 1);
  const divergence = klDiv(softened(student), softened(like(student, teacher)), {
    logTarget: true,
    reduction: 'batchmean',
  });
  const soft = mul(divergence, alpha * temperature * temperature);
  return hard ? add(soft, hard) : soft;
}
