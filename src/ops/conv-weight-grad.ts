import { sizeOf } from '../core/tensor.ts';
import { attr, type Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';
import { type SettledWindow, windowSpans } from './window.ts';

/** What the gradient of a convolution's weight is made from. */
export interface ConvWeightGrad {
  /** `[N, C, ...S]` */
  readonly image: Value;
  /** `[N, K, ...O]` */
  readonly grad: Value;
  readonly window: SettledWindow;
  readonly groups: number;
}

/** The sizes of `ConvWeightGrad`, read once. */
interface Sizes {
  readonly batch: number;
  readonly channels: number;
  readonly filters: number;
  readonly input: readonly number[];
  readonly output: readonly number[];
  /** Elements of an output map. */
  readonly places: number;
  /** Elements of the kernel. */
  readonly taps: number;
}

/**
 * Gradient of a convolution's weight: `dW[k, c, i] = Σ over n, o of grad[n, k, o] * image[n, c, o * stride + i * dilation - pad]`, of shape `[K, C / groups, ...kernel]`.
 * onnxruntime's CPU build has no kernel for it. It is composed in whichever way was fastest there for such sizes: a batched product for 1x1 kernels, shifted copies and
 * one product else, and for depthwise kernels a convolution with the gradient as its kernel.
 */
export function convWeightGrad(make: Expressions, of: ConvWeightGrad): Value {
  const { window, groups } = of;
  const [batch = 1, channels = 1, ...input] = make.shape(of.image);
  const [, filters = 1, ...output] = make.shape(of.grad);
  const sizes = {
    batch,
    channels,
    filters,
    input,
    output,
    places: sizeOf(output),
    taps: sizeOf(window.kernel),
  };
  const padded = [...window.begin, ...window.end].some((size) => size > 0);
  if (groups === 1) {
    if (sizes.taps === 1 && !padded) return pointwise(make, of, sizes);
    const dense = window.dilations.every((size) => size === 1);
    const [stride = 1] = window.strides;
    const alike = window.strides.every((size) => size === stride);
    // With few channels the shifted copies of the gradient outweigh those of the image.
    if (dense && alike && output.length === 2 && (stride > 1 || channels > 8)) {
      return stride === 1 ? byShifts(make, of, sizes) : byPhases(make, of, sizes, stride);
    }
    return byColumns(make, of, sizes);
  }
  return channels === groups && filters === groups ? bySwapping(make, of, sizes) : byColumns(make, of, sizes);
}

/** A 1x1 kernel: `Σ over n of grad[n] image[n]ᵀ`, without any copy. */
function pointwise(make: Expressions, { image, grad, window }: ConvWeightGrad, sizes: Sizes): Value {
  const { batch, channels, filters, output, places, input } = sizes;
  const axes = output.map((_, axis) => axis + 2);
  const x = make.slice(
    image,
    axes.map(() => 0),
    input,
    axes,
    window.strides,
  );
  const kernel = window.kernel.map(() => 1);
  if (places < 16) {
    // Short rows make poor matrix products: images are laid side by side.
    const rows = (value: Value, count: number): Value =>
      make.reshape(make.transpose(make.reshape(value, [batch, count, places]), [0, 2, 1]), [
        batch * places,
        count,
      ]);
    return make.reshape(make.gemm(rows(grad, filters), rows(x, channels), { transA: true }), [
      filters,
      channels,
      ...kernel,
    ]);
  }
  const product = make.matmul(
    make.reshape(grad, [batch, filters, places]),
    make.transposeMatrix(make.reshape(x, [batch, channels, places])),
  );
  return make.reshape(make.reduceSum(product, [0], false), [filters, channels, ...kernel]);
}

/** The image as each tap of the kernel sees it: `[…, ...O]` slices of an image padded on its last axes. */
function views(make: Expressions, image: Value, window: SettledWindow, output: readonly number[]): Value[] {
  const rank = make.shape(image).length;
  const lead = new Array<number>(rank - output.length).fill(0);
  const axes = output.map((_, axis) => axis + lead.length);
  const padded = make.pad(image, [...lead, ...window.begin], [...lead, ...window.end]);
  return tapsOf(window.kernel).map((tap) => {
    const starts = tap.map((index, axis) => index * window.dilations[axis]!);
    const ends = starts.map((start, axis) => start + (output[axis]! - 1) * window.strides[axis]! + 1);
    return make.slice(padded, starts, ends, axes, window.strides);
  });
}

/** Index of every element of a kernel, in row-major order. */
function tapsOf(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (taps, size) => taps.flatMap((tap) => Array.from({ length: size }, (_, index) => [...tap, index])),
    [[]],
  );
}

/** Any convolution: one shifted copy of the image for each tap, side by side, and one product for each group. */
function byColumns(make: Expressions, { image, grad, window, groups }: ConvWeightGrad, sizes: Sizes): Value {
  const { batch, channels, filters, output, places, taps, input } = sizes;
  const swap = [1, 0, ...input.map((_, axis) => axis + 2)];
  const perGroup = channels / groups;
  const copies = views(make, make.transpose(image, swap), window, output).map((view) =>
    make.reshape(view, [groups, 1, perGroup, batch * places]),
  );
  const rows = taps * perGroup;
  const columns = make.concat(copies, 1);
  const gradient = make.transpose(grad, swap);
  const product =
    groups === 1
      ? make.gemm(
          make.reshape(columns, [rows, batch * places]),
          make.reshape(gradient, [filters, batch * places]),
          { transB: true },
        )
      : make.matmul(
          make.reshape(columns, [groups, rows, batch * places]),
          make.transposeMatrix(make.reshape(gradient, [groups, filters / groups, batch * places])),
        );
  // [groups, taps, C / groups, K / groups] to [K, C / groups, taps].
  const ordered = make.transpose(
    make.reshape(product, [groups, taps, perGroup, filters / groups]),
    [0, 3, 2, 1],
  );
  return make.reshape(ordered, [filters, perGroup, ...window.kernel]);
}

/**
 * Stride 1 in two dimensions: shifts along the width are copies of the image, shifts along the height are copies of the gradient, which makes
 * `kh + kw` copies in place of `kh * kw`, and a squarer product.
 */
function byShifts(make: Expressions, { image, grad, window }: ConvWeightGrad, sizes: Sizes): Value {
  const { batch, channels, filters } = sizes;
  const [height = 1, width = 1] = sizes.input;
  const [outHeight = 1, outWidth = 1] = sizes.output;
  const [tall = 1, wide = 1] = window.kernel;
  const [top = 0, left = 0] = window.begin;
  const rows = height + top + (window.end[0] ?? 0);
  // Row r of shift i is row r - i of the gradient: all shifts are one Gather of rows.
  const framed = make.pad(grad, [0, 0, tall - 1, 0], [0, 0, rows - outHeight, 0]);
  const order = Array.from({ length: tall }, (_, i) =>
    Array.from({ length: rows }, (__, r) => tall - 1 - i + r),
  );
  const grads = make.op('Gather', [framed, make.ints(order.flat())], { axis: attr.int(2) });
  const images = Array.from({ length: wide }, (_, j) =>
    make.pad(image, [0, 0, top, left - j], [0, 0, rows - height - top, outWidth - width - (left - j)]),
  );
  const product = shiftedProduct(make, grads, make.concat(images, 1), batch, rows * outWidth);
  // [K, kh, kw, C] to [K, C, kh, kw].
  return make.transpose(make.reshape(product, [filters, tall, wide, channels]), [0, 3, 1, 2]);
}

/** `Σ over n of grads[n] images[n]ᵀ`, where each has rows of `places` elements. */
function shiftedProduct(
  make: Expressions,
  grads: Value,
  images: Value,
  batch: number,
  places: number,
): Value {
  const rows = (value: Value): Value =>
    make.reshape(value, [batch, sizeOf(make.shape(value)) / batch / places, places]);
  return make.reduceSum(make.matmul(rows(grads), make.transposeMatrix(rows(images))), [0], false);
}

/** Stride s in two dimensions: the image falls into s x s phases, each of which meets the gradient with stride 1 and a kernel of `ceil(k / s)`. */
function byPhases(
  make: Expressions,
  { image, grad, window }: ConvWeightGrad,
  sizes: Sizes,
  stride: number,
): Value {
  const { batch, channels, filters } = sizes;
  const [outHeight = 1, outWidth = 1] = sizes.output;
  const [tall = 1, wide = 1] = window.kernel.map((size) => Math.ceil(size / stride));
  const rows = outHeight + tall - 1;
  const columns = outWidth + wide - 1;
  const room = [rows * stride, columns * stride].map(
    (size, axis) => size - sizes.input[axis]! - window.begin[axis]!,
  );
  const padded = make.pad(image, [0, 0, ...window.begin], [0, 0, ...room]);
  const phases = make.op('SpaceToDepth', [padded], { blocksize: attr.int(stride) });
  const grads = Array.from({ length: tall }, (_, i) => make.pad(grad, [0, 0, i, 0], [0, 0, tall - 1 - i, 0]));
  const images = Array.from({ length: wide }, (_, j) => make.slice(phases, [j], [j + outWidth], [3]));
  const product = shiftedProduct(make, make.concat(grads, 1), make.concat(images, 1), batch, rows * outWidth);
  // [i, K, j, phase row, phase column, C] to [K, C, i, phase row, j, phase column].
  const split = make.reshape(product, [tall, filters, wide, stride, stride, channels]);
  const joined = make.reshape(make.transpose(split, [1, 5, 0, 3, 2, 4]), [
    filters,
    channels,
    tall * stride,
    wide * stride,
  ]);
  return make.slice(joined, [0, 0], window.kernel, [2, 3]);
}

/**
 * Depthwise kernels: each map of the image is convolved with its map of the gradient, dilated by the stride, as the kernel; the results are added up over the batch.
 */
function bySwapping(make: Expressions, { image, grad, window }: ConvWeightGrad, sizes: Sizes): Value {
  const { batch, channels, input, output, taps } = sizes;
  const maps = batch * channels;
  const spans = windowSpans(window);
  // The padding behind is such that the result has the kernel's size: what the last window does not reach is cut off.
  const end = output.map(
    (size, axis) => (size - 1) * window.strides[axis]! + spans[axis]! - input[axis]! - window.begin[axis]!,
  );
  const cut = end.map((size) => Math.min(0, size));
  const maps1 = make.pad(
    make.reshape(image, [1, maps, ...input]),
    [0, 0, ...input.map(() => 0)],
    [0, 0, ...cut],
  );
  const product = make.op('Conv', [maps1, make.reshape(grad, [maps, 1, ...output])], {
    group: attr.int(maps),
    dilations: attr.ints(window.strides),
    strides: attr.ints(window.dilations),
    pads: attr.ints([...window.begin, ...end.map((size) => Math.max(0, size))]),
  });
  const sum = make.reduceSum(make.reshape(product, [batch, channels * taps]), [0], false);
  return make.reshape(sum, [channels, 1, ...window.kernel]);
}
