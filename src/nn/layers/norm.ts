import { ArgumentError } from '../../core/errors.ts';
import { Tensor } from '../../core/tensor.ts';
import { channelLayout } from '../../ops/index.ts';
import * as F from '../functional/index.ts';
import * as init from '../init.ts';
import { Module } from '../module.ts';
import { Parameter } from '../parameter.ts';
import { pyBool, pyFloat, pyTuple } from '../repr.ts';
import type { Variable } from '../variable.ts';
import { checkSize } from './linear.ts';

/** Options of batch norms. */
export interface BatchNormOptions {
  /** Added to the variance; default 1e-5. */
  readonly eps?: number;
  /** Share of the batch's statistics in the running ones, 0.1 by default; null averages over all batches so far. */
  readonly momentum?: number | null;
  /** With weight and bias; default true. */
  readonly affine?: boolean;
  /** With bias, where there is a weight; default true. */
  readonly bias?: boolean;
  /** With running statistics; default true. Without, the batch's are used in evaluation too. */
  readonly trackRunningStats?: boolean;
}

/** A vector of the channels. */
const vector = (size: number): Parameter =>
  new Parameter(Tensor.zeros('float32', [size]), { layout: channelLayout() });

/** What the batch norms share. */
abstract class BatchNorm extends Module {
  readonly numFeatures: number;
  eps: number;
  momentum: number | null;
  readonly trackRunningStats: boolean;
  /** `[numFeatures]` */
  weight: Parameter | null;
  /** `[numFeatures]` */
  bias: Parameter | null;

  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super();
    checkSize(this.typeName, 'numFeatures', numFeatures, 0);
    const affine = options.affine ?? true;
    this.numFeatures = numFeatures;
    this.eps = options.eps ?? 1e-5;
    this.momentum = options.momentum === undefined ? 0.1 : options.momentum;
    this.trackRunningStats = options.trackRunningStats ?? true;
    this.weight = affine ? vector(numFeatures) : null;
    this.bias = affine && (options.bias ?? true) ? vector(numFeatures) : null;
    if (this.trackRunningStats) {
      this.registerBuffer('running_mean', Tensor.full([numFeatures], 0));
      this.registerBuffer('running_var', Tensor.full([numFeatures], 1));
      this.registerBuffer('num_batches_tracked', Tensor.int64(0));
    }
    this.resetParameters();
  }

  /** Running mean; null where statistics are not tracked. */
  get runningMean(): Tensor | null {
    return this.trackRunningStats ? this.getBuffer('running_mean') : null;
  }

  /** Running variance; null where statistics are not tracked. */
  get runningVar(): Tensor | null {
    return this.trackRunningStats ? this.getBuffer('running_var') : null;
  }

  /** Number of batches seen in training, an int64 scalar; null where statistics are not tracked. */
  get numBatchesTracked(): Tensor | null {
    return this.trackRunningStats ? this.getBuffer('num_batches_tracked') : null;
  }

  /** Running statistics as they start: mean 0, variance 1. */
  resetRunningStats(): void {
    this.runningMean?.float32.fill(0);
    this.runningVar?.float32.fill(1);
    this.numBatchesTracked?.setData(BigInt64Array.of(0n));
  }

  /** Running statistics, weight (1) and bias (0) as they start. */
  resetParameters(): void {
    this.resetRunningStats();
    if (this.weight) init.ones_(this.weight);
    if (this.bias) init.zeros_(this.bias);
  }

  override extraRepr(): string {
    const momentum = this.momentum === null ? 'None' : pyFloat(this.momentum);
    return `${this.numFeatures}, eps=${pyFloat(this.eps)}, momentum=${momentum}, affine=${pyBool(this.weight !== null)}, bias=${pyBool(this.bias !== null)}, track_running_stats=${pyBool(this.trackRunningStats)}`;
  }

  /** Ranks of input the layer takes. */
  protected abstract readonly ranks: readonly number[];

  override forward(x: Variable): Variable {
    if (!this.ranks.includes(x.dim())) {
      throw new ArgumentError(
        `${this.typeName}: expects an input of ${this.ranks.join(' or ')} dimensions, got ${x.dim()} ([${x.shape.join(', ')}])`,
      );
    }
    const { weight, bias, eps, runningMean, runningVar, numBatchesTracked } = this;
    const training = this.training || !this.trackRunningStats;
    // A layer without running statistics has none to blend.
    let momentum: number | Variable = this.momentum ?? 0;
    if (this.training && numBatchesTracked) {
      const count = x.tracer.state(numBatchesTracked).add(1);
      x.tracer.update(numBatchesTracked, count);
      if (this.momentum === null) momentum = count.to(x.dtype).reciprocal();
    }
    return F.batchNorm(x, runningMean, runningVar, { weight, bias, training, momentum, eps });
  }
}

/** Batch normalization of `[N, C]` or `[N, C, L]`. */
export class BatchNorm1d extends BatchNorm {
  protected override get ranks(): readonly number[] {
    return [2, 3];
  }
}

/** Batch normalization of `[N, C, H, W]`. */
export class BatchNorm2d extends BatchNorm {
  protected override get ranks(): readonly number[] {
    return [4];
  }
}

/** Options of `LayerNorm`. */
export interface LayerNormOptions {
  /** Default 1e-5. */
  readonly eps?: number;
  /** With weight and bias; default true. */
  readonly elementwiseAffine?: boolean;
  /** With bias, where there is a weight; default true. */
  readonly bias?: boolean;
}

/** Normalization over the last axes. */
export class LayerNorm extends Module {
  readonly normalizedShape: readonly number[];
  readonly eps: number;
  /** `[...normalizedShape]` */
  weight: Parameter | null;
  /** `[...normalizedShape]` */
  bias: Parameter | null;

  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    super();
    const shape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
    for (const size of shape) checkSize('LayerNorm', 'normalizedShape', size);
    const affine = options.elementwiseAffine ?? true;
    const scale = (): Parameter =>
      new Parameter(Tensor.zeros('float32', shape), { layout: shape.length === 1 ? channelLayout() : null });
    this.normalizedShape = shape;
    this.eps = options.eps ?? 1e-5;
    this.weight = affine ? scale() : null;
    this.bias = affine && (options.bias ?? true) ? scale() : null;
    this.resetParameters();
  }

  /** Weight (1) and bias (0) as they start. */
  resetParameters(): void {
    if (this.weight) init.ones_(this.weight);
    if (this.bias) init.zeros_(this.bias);
  }

  override extraRepr(): string {
    return `${pyTuple(this.normalizedShape)}, eps=${pyFloat(this.eps)}, elementwise_affine=${pyBool(this.weight !== null)}, bias=${pyBool(this.bias !== null)}`;
  }

  override forward(x: Variable): Variable {
    return F.layerNorm(x, this.normalizedShape, this.weight, this.bias, this.eps);
  }
}

/** Options of `GroupNorm`. */
export interface GroupNormOptions {
  /** Default 1e-5. */
  readonly eps?: number;
  /** With weight and bias; default true. */
  readonly affine?: boolean;
  /** With bias, where there is a weight; default true. */
  readonly bias?: boolean;
}

/** Normalization of groups of channels of `[N, C, ...]`. */
export class GroupNorm extends Module {
  readonly numGroups: number;
  readonly numChannels: number;
  readonly eps: number;
  /** `[numChannels]` */
  weight: Parameter | null;
  /** `[numChannels]` */
  bias: Parameter | null;

  /** Throws ArgumentError where the groups do not divide the channels. */
  constructor(numGroups: number, numChannels: number, options: GroupNormOptions = {}) {
    super();
    checkSize('GroupNorm', 'numGroups', numGroups);
    checkSize('GroupNorm', 'numChannels', numChannels);
    if (numChannels % numGroups !== 0) {
      throw new ArgumentError(
        `GroupNorm: numChannels must be divisible by numGroups, got ${numChannels} and ${numGroups}`,
      );
    }
    this.numGroups = numGroups;
    this.numChannels = numChannels;
    this.eps = options.eps ?? 1e-5;
    const affine = options.affine ?? true;
    this.weight = affine ? vector(numChannels) : null;
    this.bias = affine && (options.bias ?? true) ? vector(numChannels) : null;
    this.resetParameters();
  }

  /** Weight (1) and bias (0) as they start. */
  resetParameters(): void {
    if (this.weight) init.ones_(this.weight);
    if (this.bias) init.zeros_(this.bias);
  }

  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${pyFloat(this.eps)}, affine=${pyBool(this.weight !== null)}, bias=${pyBool(this.bias !== null)}`;
  }

  override forward(x: Variable): Variable {
    return F.groupNorm(x, this.numGroups, this.weight, this.bias, this.eps);
  }
}
