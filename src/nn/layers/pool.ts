import * as F from '../functional/index.ts';
import { Module } from '../module.ts';
import { pyBool, pyTuple } from '../repr.ts';
import type { Variable } from '../variable.ts';

/** Sizes as PyTorch prints those it was given: numbers stay numbers. */
const shown = (sizes: F.Sizes): string => (typeof sizes === 'number' ? String(sizes) : pyTuple(sizes));

/** Largest element of each window: `[N, C, H, W]` to `[N, C, H', W']`. */
export class MaxPool2d extends Module {
  readonly kernelSize: F.Sizes;
  readonly stride: F.Sizes;
  readonly padding: F.Sizes;
  readonly dilation: F.Sizes;
  readonly ceilMode: boolean;

  constructor(kernelSize: F.Sizes, options: F.MaxPoolOptions = {}) {
    super();
    this.kernelSize = kernelSize;
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
    this.dilation = options.dilation ?? 1;
    this.ceilMode = options.ceilMode ?? false;
  }

  override extraRepr(): string {
    return `kernel_size=${shown(this.kernelSize)}, stride=${shown(this.stride)}, padding=${shown(this.padding)}, dilation=${shown(this.dilation)}, ceil_mode=${pyBool(this.ceilMode)}`;
  }

  override forward(x: Variable): Variable {
    return F.maxPool2d(x, this.kernelSize, this);
  }
}

/** Mean of each window: `[N, C, H, W]` to `[N, C, H', W']`. */
export class AvgPool2d extends Module {
  readonly kernelSize: F.Sizes;
  readonly stride: F.Sizes;
  readonly padding: F.Sizes;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;

  constructor(kernelSize: F.Sizes, options: F.AvgPoolOptions = {}) {
    super();
    this.kernelSize = kernelSize;
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
    this.ceilMode = options.ceilMode ?? false;
    this.countIncludePad = options.countIncludePad ?? true;
  }

  override extraRepr(): string {
    return `kernel_size=${shown(this.kernelSize)}, stride=${shown(this.stride)}, padding=${shown(this.padding)}`;
  }

  override forward(x: Variable): Variable {
    return F.avgPool2d(x, this.kernelSize, this);
  }
}

/** What the adaptive poolings share. */
abstract class AdaptivePool2d extends Module {
  readonly outputSize: F.AdaptiveSizes;

  constructor(outputSize: F.AdaptiveSizes) {
    super();
    this.outputSize = outputSize;
  }

  override extraRepr(): string {
    const { outputSize } = this;
    if (typeof outputSize === 'number') return `output_size=${outputSize}`;
    return `output_size=(${outputSize.map((size) => size ?? 'None').join(', ')})`;
  }
}

/** Means such that `[N, C, H, W]` becomes `[N, C, ...outputSize]`; the output size must divide the input's. */
export class AdaptiveAvgPool2d extends AdaptivePool2d {
  override forward(x: Variable): Variable {
    return F.adaptiveAvgPool2d(x, this.outputSize);
  }
}

/** Largest elements such that `[N, C, H, W]` becomes `[N, C, ...outputSize]`; the output size must divide the input's. */
export class AdaptiveMaxPool2d extends AdaptivePool2d {
  override forward(x: Variable): Variable {
    return F.adaptiveMaxPool2d(x, this.outputSize);
  }
}
