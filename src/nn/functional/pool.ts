import { ArgumentError } from '../../core/errors.ts';
import { attr } from '../../ir/index.ts';
import type { Variable } from '../variable.ts';
import { expectSpatial, perAxis, type Sizes } from './operand.ts';

/** How a pooling window slides. */
export interface PoolOptions {
  /** Default: the kernel's size. */
  readonly stride?: Sizes | undefined;
  /** Default 0; at most half the kernel. */
  readonly padding?: Sizes;
  /** Count a window that starts inside but ends outside; false by default. */
  readonly ceilMode?: boolean;
}

/** Options of max pooling. */
export interface MaxPoolOptions extends PoolOptions {
  /** Default 1. */
  readonly dilation?: Sizes;
}

/** Options of average pooling. */
export interface AvgPoolOptions extends PoolOptions {
  /** Count padded zeros in the mean; true by default. */
  readonly countIncludePad?: boolean;
}

function windowOf(caller: string, x: Variable, kernelSize: Sizes, options: PoolOptions) {
  expectSpatial(caller, x, 2);
  const kernel = perAxis(caller, 'kernelSize', kernelSize, 2, 1);
  const padding = perAxis(caller, 'padding', options.padding ?? 0, 2, 0);
  if (padding.some((pad, axis) => pad > kernel[axis]! / 2)) {
    throw new ArgumentError(
      `${caller}: pad should be at most half of effective kernel size, but got pad=${padding.join('x')} and kernel size ${kernel.join('x')}`,
    );
  }
  return {
    ceil_mode: attr.int(options.ceilMode ? 1 : 0),
    kernel_shape: attr.ints(kernel),
    pads: attr.ints([...padding, ...padding]),
    strides: attr.ints(perAxis(caller, 'stride', options.stride ?? kernel, 2, 1)),
  };
}

/** Largest element of a window over `[N, C, H, W]`. */
export function maxPool2d(x: Variable, kernelSize: Sizes, options: MaxPoolOptions = {}): Variable {
  const dilations = attr.ints(perAxis('maxPool2d', 'dilation', options.dilation ?? 1, 2, 1));
  return x.tracer.op('MaxPool', [x], {
    attributes: { ...windowOf('maxPool2d', x, kernelSize, options), dilations },
  });
}

/** Mean of a window over `[N, C, H, W]`. */
export function avgPool2d(x: Variable, kernelSize: Sizes, options: AvgPoolOptions = {}): Variable {
  const counted = attr.int((options.countIncludePad ?? true) ? 1 : 0);
  return x.tracer.op('AveragePool', [x], {
    attributes: { ...windowOf('avgPool2d', x, kernelSize, options), count_include_pad: counted },
  });
}

/** Places per axis of an adaptive pooling; null keeps the input's size. */
export type AdaptiveSizes = number | readonly (number | null)[];

/** The window that gives as many places as asked for, `'all'` for one place; null where nothing is to be done. */
function adaptiveWindow(caller: string, x: Variable, outputSize: AdaptiveSizes): number[] | 'all' | null {
  expectSpatial(caller, x, 2);
  const given = typeof outputSize === 'number' ? [outputSize, outputSize] : outputSize;
  if (given.length !== 2 || given.some((size) => size !== null && !(Number.isSafeInteger(size) && size >= 1)))
    throw new ArgumentError(
      `${caller}: outputSize expects a whole number >= 1, or two of them or null, got [${given.join(', ')}]`,
    );
  if (given.every((size) => size === 1)) return 'all';
  const kernel = given.map((size, axis) => {
    if (size === null) return 1;
    const from = x.size(axis + 2);
    if (from % size === 0) return from / size;
    throw new ArgumentError(
      `${caller}: ${size} places do not divide axis ${axis + 2} of [${x.shape.join(', ')}]; ONNX has no pooling windows of unequal size`,
    );
  });
  return kernel.every((size) => size === 1) ? null : kernel;
}

/**
 * Means over a grid of that many places. One place works for every input; more need an input whose sizes they divide, since ONNX has no
 * windows of unequal size. Throws ArgumentError otherwise.
 */
export function adaptiveAvgPool2d(x: Variable, outputSize: AdaptiveSizes): Variable {
  const kernel = adaptiveWindow('adaptiveAvgPool2d', x, outputSize);
  if (kernel === 'all') return x.tracer.op('GlobalAveragePool', [x]);
  return kernel ? avgPool2d(x, kernel) : x;
}

/** Largest elements over a grid of that many places; as `adaptiveAvgPool2d` otherwise. */
export function adaptiveMaxPool2d(x: Variable, outputSize: AdaptiveSizes): Variable {
  const kernel = adaptiveWindow('adaptiveMaxPool2d', x, outputSize);
  if (kernel === 'all') return x.tracer.op('GlobalMaxPool', [x]);
  return kernel ? maxPool2d(x, kernel) : x;
}
