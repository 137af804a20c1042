import type { Dim, Node } from '../ir/index.ts';
import type { InferContext } from './operator.ts';
import { addDims, ceilDivideDims, divideDims, minDims, multiplyDims } from './symbolic.ts';

/** A window that slides over the spatial axes of an image, as convolutions and poolings state it. One entry per spatial axis. */
export interface Window {
  readonly kernel: readonly Dim[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Explicit padding before and after; 0 where `autoPad` decides. */
  readonly begin: readonly number[];
  readonly end: readonly number[];
  readonly autoPad: AutoPad;
}

const AUTO_PADS = ['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'] as const;

/** How ONNX's `auto_pad` chooses the padding. */
export type AutoPad = (typeof AUTO_PADS)[number];

/** The window a node's attributes describe over `kernel.length` axes. Throws ShapeError for lengths and values that make no window. */
export function readWindow(ctx: InferContext, kernel: readonly Dim[]): Window {
  const { node } = ctx;
  const rank = kernel.length;
  const stated = (node.string('auto_pad') ?? 'NOTSET') || 'NOTSET';
  const autoPad = AUTO_PADS.find((mode) => mode === stated);
  if (!autoPad) throw ctx.error(`auto_pad expects one of ${AUTO_PADS.join(', ')}, got '${stated}'`);
  const strides = perAxis(ctx, 'strides', rank, 1, 1);
  const dilations = perAxis(ctx, 'dilations', rank, 1, 1);
  const pads = perAxis(ctx, 'pads', 2 * rank, 0, 0);
  const explicit = autoPad === 'NOTSET';
  return {
    kernel,
    strides,
    dilations,
    begin: explicit ? pads.slice(0, rank) : strides.map(() => 0),
    end: explicit ? pads.slice(rank) : strides.map(() => 0),
    autoPad,
  };
}

function perAxis(
  ctx: InferContext,
  name: string,
  length: number,
  fallback: number,
  least: number,
): readonly number[] {
  const values = ctx.node.ints(name);
  // Some exporters write empty lists for attributes they leave out.
  if (values === undefined || values.length === 0) return new Array<number>(length).fill(fallback);
  if (values.length !== length) {
    throw ctx.error(`${name} expects ${length} numbers, got ${values.length} ([${values.join(', ')}])`);
  }
  const wrong = values.find((value) => value < least);
  if (wrong !== undefined) throw ctx.error(`${name} expects numbers of at least ${least}, got ${wrong}`);
  return values;
}

/** The attribute `kernel_shape` of a node that must have it. Throws ShapeError where it is missing, of another length, or not positive. */
export function requiredKernel(ctx: InferContext, rank: number): readonly number[] {
  const kernel = ctx.node.ints('kernel_shape');
  if (!kernel) throw ctx.error('attribute kernel_shape is required and missing');
  if (kernel.length !== rank) {
    throw ctx.error(
      `kernel_shape expects ${rank} numbers for ${rank} spatial dimensions, got ${kernel.length}`,
    );
  }
  const wrong = kernel.find((size) => size < 1);
  if (wrong !== undefined) throw ctx.error(`kernel_shape expects numbers of at least 1, got ${wrong}`);
  return kernel;
}

/** Elements a dilated window spans: `dilation * (kernel - 1) + 1`. */
const windowSpan = (kernel: number, dilation: number): number => dilation * (kernel - 1) + 1;

/** Sizes along one axis that decide how many windows there are. */
export interface AxisWindow {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly begin: number;
  readonly end: number;
  readonly autoPad: AutoPad;
}

/**
 * Number of places of a window along an axis of `size` elements: `floor((size + pads - span) / stride) + 1`, or rounded up where `ceil`,
 * then without a last window that would start in the padding behind the image (as PyTorch and onnxruntime have it).
 * `SAME_*` pads so that it is `ceil(size / stride)`. 0 or less where the window does not fit.
 */
export function windowCount(size: Dim, axis: AxisWindow, ceil = false): Dim {
  const { kernel, stride, dilation, begin, end, autoPad } = axis;
  if (isSame(autoPad)) return ceilDivideDims(size, stride);
  const room = addDims(size, begin + end - windowSpan(kernel, dilation));
  if (!ceil) return addDims(divideDims(room, stride), 1);
  // The last start s * i lies before the end of the image: i <= ceil((size + begin) / s) - 1.
  const inside = addDims(ceilDivideDims(addDims(size, begin), stride), -1);
  return addDims(minDims(ceilDivideDims(room, stride), inside), 1);
}

/** Spatial output sizes of a convolution or pooling. Throws ShapeError where the window does not fit. */
export function slide(ctx: InferContext, spatial: readonly Dim[], window: Window, ceil = false): Dim[] {
  return spatial.map((size, index) => {
    const axis = axisWindow(window, index);
    if (!axis) return null;
    const count = windowCount(size, axis, ceil);
    if (typeof size !== 'number' || typeof count !== 'number' || count >= 1) return count;
    const span = windowSpan(axis.kernel, axis.dilation);
    throw ctx.error(
      `the window spans ${span} along spatial axis ${index}, more than the padded input's ${size + axis.begin + axis.end}; use a larger input or more padding`,
    );
  });
}

/**
 * Spatial output sizes of a transposed convolution: `stride * (size - 1) + outputPadding + span - pads`, at most `stride * size` for
 * `SAME_*`, or those asked for. Throws ShapeError where nothing would be left.
 */
export function slideTransposed(
  ctx: InferContext,
  spatial: readonly Dim[],
  window: Window,
  outputPadding: readonly number[],
  asked?: readonly number[],
): Dim[] {
  return spatial.map((size, index) => {
    const target = asked?.[index];
    if (target !== undefined) return target;
    const axis = axisWindow(window, index);
    if (!axis) return null;
    const { stride, begin, end } = axis;
    const grow = windowSpan(axis.kernel, axis.dilation) + outputPadding[index]! - begin - end;
    // SAME_* crops to `stride * size`; it adds nothing where there is less.
    const last = isSame(axis.autoPad) ? Math.min(stride, grow) : grow;
    const count = addDims(multiplyDims(size, stride), last - stride);
    if (typeof count !== 'number' || count >= 1) return count;
    throw ctx.error(
      `pads of ${begin} and ${end} leave ${count} elements along spatial axis ${index}; use smaller pads`,
    );
  });
}

const isSame = (autoPad: AutoPad): boolean => autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER';

function axisWindow(window: Window, index: number): AxisWindow | null {
  const kernel = window.kernel[index];
  if (typeof kernel !== 'number') return null;
  return {
    kernel,
    stride: window.strides[index]!,
    dilation: window.dilations[index]!,
    begin: window.begin[index]!,
    end: window.end[index]!,
    autoPad: window.autoPad,
  };
}

/** A window whose sizes and padding are all known. */
export interface SettledWindow {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begin: readonly number[];
  readonly end: readonly number[];
}

/** Elements a window spans along each axis. */
export const windowSpans = ({ kernel, dilations }: SettledWindow): number[] =>
  kernel.map((size, axis) => windowSpan(size, dilations[axis]!));

/** The window of a node that passed inference, over an image of spatial sizes `spatial`: `auto_pad` is turned into numbers. */
export function settledWindow(
  node: Node,
  spatial: readonly number[],
  kernel: readonly number[],
): SettledWindow {
  const numbers = (name: string, count: number, fallback: number): readonly number[] => {
    const stated = node.ints(name, []);
    return stated.length > 0 ? stated : new Array<number>(count).fill(fallback);
  };
  const rank = kernel.length;
  const strides = numbers('strides', rank, 1);
  const dilations = numbers('dilations', rank, 1);
  const pads = numbers('pads', 2 * rank, 0);
  const autoPad = node.string('auto_pad', 'NOTSET');
  const window = { kernel, strides, dilations, begin: pads.slice(0, rank), end: pads.slice(rank) };
  if (autoPad === 'NOTSET' || autoPad === '') return window;
  const spans = windowSpans(window);
  const total = spatial.map((size, axis) => {
    const stride = strides[axis]!;
    return autoPad === 'VALID'
      ? 0
      : Math.max(0, (Math.ceil(size / stride) - 1) * stride + spans[axis]! - size);
  });
  const half = total.map((size) => (autoPad === 'SAME_LOWER' ? Math.ceil(size / 2) : Math.floor(size / 2)));
  return { ...window, begin: half, end: total.map((size, axis) => size - half[axis]!) };
}
