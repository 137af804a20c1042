import { ArgumentError } from '../../core/errors.ts';
import type { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import { convLayout, convTransposeLayout } from '../../ops/index.ts';
import * as F from '../functional/index.ts';
import { perAxis, type Sizes } from '../functional/operand.ts';
import { Module } from '../module.ts';
import { Parameter } from '../parameter.ts';
import { pyTuple } from '../repr.ts';
import type { Variable } from '../variable.ts';
import { checkSize, resetWeightAndBias } from './linear.ts';

/** How the border is filled before a convolution. */
export type PaddingMode = 'zeros' | 'reflect' | 'replicate' | 'circular';

/** Options of convolutions; sizes a number for all spatial axes or one for each. */
export interface ConvOptions {
  /** Default 1. */
  readonly stride?: Sizes;
  /** Elements added on both sides (default 0); `same` keeps the size, `valid` adds none. */
  readonly padding?: Sizes | 'same' | 'valid';
  /** Default 1. */
  readonly dilation?: Sizes;
  /** Default 1. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Default `zeros`. */
  readonly paddingMode?: PaddingMode;
  /** Draws the initial weights; the default generator by default. */
  readonly generator?: Generator;
}

function checkGroups(layer: string, groups: number, inChannels: number, outChannels: number): void {
  checkSize(layer, 'groups', groups);
  if (inChannels % groups !== 0) {
    throw new ArgumentError(
      `${layer}: inChannels must be divisible by groups, got ${inChannels} and ${groups}`,
    );
  }
  if (outChannels % groups !== 0) {
    throw new ArgumentError(
      `${layer}: outChannels must be divisible by groups, got ${outChannels} and ${groups}`,
    );
  }
}

const allAre = (sizes: readonly number[], value: number): boolean => sizes.every((size) => size === value);

/** What Conv1d and Conv2d share. */
abstract class Conv extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[] | 'same' | 'valid';
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly paddingMode: PaddingMode;
  /** `[outChannels, inChannels / groups, ...kernelSize]` */
  weight: Parameter;
  /** `[outChannels]` */
  bias: Parameter | null;

  /** Throws ArgumentError for sizes that make no convolution. */
  constructor(
    layer: string,
    rank: number,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvOptions,
  ) {
    super();
    const { groups = 1, padding = 0 } = options;
    checkSize(layer, 'inChannels', inChannels, 0);
    checkSize(layer, 'outChannels', outChannels, 0);
    checkGroups(layer, groups, inChannels, outChannels);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = perAxis(layer, 'kernelSize', kernelSize, rank, 1);
    this.stride = perAxis(layer, 'stride', options.stride ?? 1, rank, 1);
    this.padding = typeof padding === 'string' ? padding : perAxis(layer, 'padding', padding, rank, 0);
    this.dilation = perAxis(layer, 'dilation', options.dilation ?? 1, rank, 1);
    this.groups = groups;
    this.paddingMode = options.paddingMode ?? 'zeros';
    if (padding === 'same' && !allAre(this.stride, 1)) {
      throw new ArgumentError(`${layer}: padding='same' is not supported for strided convolutions`);
    }
    this.weight = new Parameter(
      Tensor.zeros('float32', [outChannels, inChannels / groups, ...this.kernelSize]),
      { layout: convLayout(rank, groups) },
    );
    this.bias = (options.bias ?? true) ? new Parameter(Tensor.zeros('float32', [outChannels])) : null;
    this.resetParameters(options.generator);
  }

  /** Draws weight and bias anew. */
  resetParameters(generator?: Generator): void {
    resetWeightAndBias(this.weight, this.bias, generator);
  }

  override extraRepr(): string {
    const { padding, dilation } = this;
    const parts = [
      `${this.inChannels}, ${this.outChannels}`,
      `kernel_size=${pyTuple(this.kernelSize)}`,
      `stride=${pyTuple(this.stride)}`,
    ];
    if (typeof padding === 'string') parts.push(`padding=${padding}`);
    else if (!allAre(padding, 0)) parts.push(`padding=${pyTuple(padding)}`);
    if (!allAre(dilation, 1)) parts.push(`dilation=${pyTuple(dilation)}`);
    if (this.groups !== 1) parts.push(`groups=${this.groups}`);
    if (!this.bias) parts.push('bias=False');
    if (this.paddingMode !== 'zeros') parts.push(`padding_mode=${this.paddingMode}`);
    return parts.join(', ');
  }

  /** The input with its border, where the border is not the zeros that the convolution adds itself, and the padding left to do. */
  protected bordered(x: Variable): { input: Variable; options: F.ConvFunctionOptions } {
    const { padding, paddingMode, stride, dilation, groups } = this;
    if (paddingMode === 'zeros') return { input: x, options: { padding, stride, dilation, groups } };
    // Both sides of each axis, the last axis first; what is odd of 'same' goes behind.
    const sizes = this.kernelSize.flatMap((kernel, axis) => {
      if (padding === 'valid') return [[0, 0]];
      if (padding !== 'same') return [[padding[axis]!, padding[axis]!]];
      const total = dilation[axis]! * (kernel - 1);
      return [[Math.floor(total / 2), Math.ceil(total / 2)]];
    });
    const input = F.pad(x, sizes.reverse().flat(), paddingMode);
    return { input, options: { stride, dilation, groups } };
  }
}

/** Convolution over signals: `[N, inChannels, L]` to `[N, outChannels, L']`. */
export class Conv1d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvOptions = {}) {
    super('Conv1d', 1, inChannels, outChannels, kernelSize, options);
  }

  override forward(x: Variable): Variable {
    const { input, options } = this.bordered(x);
    return F.conv1d(input, this.weight, this.bias, options);
  }
}

/** Convolution over images: `[N, inChannels, H, W]` to `[N, outChannels, H', W']`. */
export class Conv2d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvOptions = {}) {
    super('Conv2d', 2, inChannels, outChannels, kernelSize, options);
  }

  override forward(x: Variable): Variable {
    const { input, options } = this.bordered(x);
    return F.conv2d(input, this.weight, this.bias, options);
  }
}

/** Options of transposed convolutions. */
export interface ConvTransposeOptions {
  /** Default 1. */
  readonly stride?: Sizes;
  /** Rows and columns taken away on both sides of the result; default 0. */
  readonly padding?: Sizes;
  /** Rows and columns added behind; default 0. */
  readonly outputPadding?: Sizes;
  /** Default 1. */
  readonly dilation?: Sizes;
  /** Default 1. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Draws the initial weights; the default generator by default. */
  readonly generator?: Generator;
}

/** What the transposed convolutions share. */
abstract class ConvTranspose extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
  /** `[inChannels, outChannels / groups, ...kernelSize]` */
  weight: Parameter;
  /** `[outChannels]` */
  bias: Parameter | null;

  /** Throws ArgumentError for sizes that make no convolution. */
  constructor(
    layer: string,
    rank: number,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeOptions,
  ) {
    super();
    const { groups = 1 } = options;
    checkSize(layer, 'inChannels', inChannels, 0);
    checkSize(layer, 'outChannels', outChannels, 0);
    checkGroups(layer, groups, inChannels, outChannels);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = perAxis(layer, 'kernelSize', kernelSize, rank, 1);
    this.stride = perAxis(layer, 'stride', options.stride ?? 1, rank, 1);
    this.padding = perAxis(layer, 'padding', options.padding ?? 0, rank, 0);
    this.outputPadding = perAxis(layer, 'outputPadding', options.outputPadding ?? 0, rank, 0);
    this.dilation = perAxis(layer, 'dilation', options.dilation ?? 1, rank, 1);
    this.groups = groups;
    this.weight = new Parameter(
      Tensor.zeros('float32', [inChannels, outChannels / groups, ...this.kernelSize]),
      { layout: convTransposeLayout(rank, groups) },
    );
    this.bias = (options.bias ?? true) ? new Parameter(Tensor.zeros('float32', [outChannels])) : null;
    this.resetParameters(options.generator);
  }

  /** Draws weight and bias anew. */
  resetParameters(generator?: Generator): void {
    resetWeightAndBias(this.weight, this.bias, generator);
  }

  override extraRepr(): string {
    const parts = [
      `${this.inChannels}, ${this.outChannels}`,
      `kernel_size=${pyTuple(this.kernelSize)}`,
      `stride=${pyTuple(this.stride)}`,
    ];
    if (!allAre(this.padding, 0)) parts.push(`padding=${pyTuple(this.padding)}`);
    if (!allAre(this.dilation, 1)) parts.push(`dilation=${pyTuple(this.dilation)}`);
    if (!allAre(this.outputPadding, 0)) parts.push(`output_padding=${pyTuple(this.outputPadding)}`);
    if (this.groups !== 1) parts.push(`groups=${this.groups}`);
    if (!this.bias) parts.push('bias=False');
    return parts.join(', ');
  }
}

/** Transposed convolution over signals: `[N, inChannels, L]` to `[N, outChannels, L']`. */
export class ConvTranspose1d extends ConvTranspose {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeOptions = {},
  ) {
    super('ConvTranspose1d', 1, inChannels, outChannels, kernelSize, options);
  }

  override forward(x: Variable): Variable {
    return F.convTranspose1d(x, this.weight, this.bias, this);
  }
}

/** Transposed convolution over images: `[N, inChannels, H, W]` to `[N, outChannels, H', W']`. */
export class ConvTranspose2d extends ConvTranspose {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    options: ConvTransposeOptions = {},
  ) {
    super('ConvTranspose2d', 2, inChannels, outChannels, kernelSize, options);
  }

  override forward(x: Variable): Variable {
    return F.convTranspose2d(x, this.weight, this.bias, this);
  }
}
