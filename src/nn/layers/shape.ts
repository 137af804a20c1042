import * as F from '../functional/index.ts';
import { perAxis } from '../functional/operand.ts';
import { Module } from '../module.ts';
import { pyFloat, pyTuple } from '../repr.ts';
import type { Variable } from '../variable.ts';
import { checkSize } from './linear.ts';

/** Axes `startDim` (1) to `endDim` (the last) made one. */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;

  constructor(startDim = 1, endDim = -1) {
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }

  override extraRepr(): string {
    return `start_dim=${this.startDim}, end_dim=${this.endDim}`;
  }

  override forward(x: Variable): Variable {
    return x.flatten(this.startDim, this.endDim);
  }
}

/** An axis split into several, of which one may be -1. */
export class Unflatten extends Module {
  readonly dim: number;
  readonly unflattenedSize: readonly number[];

  constructor(dim: number, unflattenedSize: readonly number[]) {
    super();
    this.dim = dim;
    this.unflattenedSize = [...unflattenedSize];
  }

  override extraRepr(): string {
    return `dim=${this.dim}, unflattened_size=${pyTuple(this.unflattenedSize)}`;
  }

  override forward(x: Variable): Variable {
    const axis = this.dim < 0 ? this.dim + x.dim() : this.dim;
    return x.view([...x.shape.slice(0, axis), ...this.unflattenedSize, ...x.shape.slice(axis + 1)]);
  }
}

/** Resampling of the spatial axes: to a size, or by a factor. */
export class Upsample extends Module {
  readonly size: number | readonly number[] | null;
  readonly scaleFactor: number | readonly number[] | null;
  readonly mode: 'nearest' | 'bilinear' | 'bicubic';
  readonly alignCorners: boolean;

  constructor(options: F.InterpolateOptions) {
    super();
    this.size = options.size ?? null;
    this.scaleFactor = options.scaleFactor ?? null;
    this.mode = options.mode ?? 'nearest';
    this.alignCorners = options.alignCorners ?? false;
  }

  override extraRepr(): string {
    const list = (value: number | readonly number[], float: boolean): string =>
      typeof value === 'number'
        ? float
          ? pyFloat(value)
          : String(value)
        : `(${value.map((item) => (float ? pyFloat(item) : item)).join(', ')})`;
    const what =
      this.scaleFactor !== null
        ? `scale_factor=${list(this.scaleFactor, true)}`
        : `size=${this.size === null ? 'None' : list(this.size, false)}`;
    return `${what}, mode='${this.mode}'`;
  }

  override forward(x: Variable): Variable {
    return F.interpolate(x, this);
  }
}

/** `[N, C r², H, W]` made `[N, C, H r, W r]`. */
export class PixelShuffle extends Module {
  readonly upscaleFactor: number;

  constructor(upscaleFactor: number) {
    super();
    checkSize('PixelShuffle', 'upscaleFactor', upscaleFactor);
    this.upscaleFactor = upscaleFactor;
  }

  override extraRepr(): string {
    return `upscale_factor=${this.upscaleFactor}`;
  }

  override forward(x: Variable): Variable {
    return F.pixelShuffle(x, this.upscaleFactor);
  }
}

/** Zeros around an image: one number for all sides, or `[left, right, top, bottom]`. */
export class ZeroPad2d extends Module {
  readonly padding: readonly number[];

  constructor(padding: number | readonly number[]) {
    super();
    this.padding = perAxis('ZeroPad2d', 'padding', padding, 4, Number.MIN_SAFE_INTEGER);
  }

  override extraRepr(): string {
    return pyTuple(this.padding);
  }

  override forward(x: Variable): Variable {
    return F.pad(x, this.padding);
  }
}
