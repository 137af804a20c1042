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
 * one product else, a product per tap for depthwise kernels, or a convolution with image and gradient in each other's place.
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
    const dense = window.dilations.every((size) => size === 1) && channels > 8;
    const [stride = 1] = window.strides;
    const alike = window.strides.every((size) => size === stride);
    if (dense && alike && output.length === 2) {
      return stride === 1 ? byShifts(make, of, sizes) : byPhases(make, of, sizes, stride);
    }
    return byColumns(make, of, sizes);
  }
  if (channels !== groups) return byColumns(make, of, sizes);
  const strided = window.strides.some((size) => size > 1);
  return strided || sizes.places <= 144 ? bySwapping(make, of, sizes) : byTaps(make, of, sizes);
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
  const grads = Array.from({ length: tall }, (_, i) =>
    make.pad(grad, [0, 0, i, 0], [0, 0, rows - outHeight - i, 0]),
  );
  const images = Array.from({ length: wide }, (_, j) =>
    make.pad(image, [0, 0, top, left - j], [0, 0, rows - height - top, outWidth - width - (left - j)]),
  );
  const product = shiftedProduct(make, grads, images, [batch, filters, channels], rows * outWidth);
  // [kh, K, kw, C] to [K, C, kh, kw].
  return make.transpose(make.reshape(product, [tall, filters, wide, channels]), [1, 3, 0, 2]);
}

/** `Σ over n of concat(grads)[n] concat(images)[n]ᵀ`: `[grads * K, images * C]`. */
function shiftedProduct(
  make: Expressions,
  grads: readonly Value[],
  images: readonly Value[],
  [batch, filters, channels]: readonly [number, number, number],
  places: number,
): Value {
  const left = make.reshape(make.concat(grads, 1), [batch, grads.length * filters, places]);
  const right = make.reshape(make.concat(images, 1), [batch, images.length * channels, places]);
  return make.reduceSum(make.matmul(left, make.transposeMatrix(right)), [0], false);
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
  const deep = stride * stride * channels;
  const product = shiftedProduct(make, grads, images, [batch, filters, deep], rows * outWidth);
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

/** Depthwise kernels on large maps: each tap is a product of maps and its sum. */
function byTaps(make: Expressions, { image, grad, window, groups }: ConvWeightGrad, sizes: Sizes): Value {
  const { batch, filters, output } = sizes;
  const multiplier = filters / groups;
  const spatial = output.map((_, axis) => axis + 2);
  const sums = views(make, image, window, output).map((view) => {
    const product =
      multiplier === 1
        ? make.mul(grad, view)
        : make.reshape(
            make.mul(
              make.reshape(grad, [batch, groups, multiplier, ...output]),
              make.reshape(view, [batch, groups, 1, ...output]),
            ),
            [batch, filters, ...output],
          );
    return make.reshape(make.reduceSum(product, [0, ...spatial], false), [filters, 1]);
  });
  return make.reshape(make.concat(sums, 1), [filters, 1, ...window.kernel]);
}

/** Image and gradient in each other's place: batch becomes channels, and the gradient is the kernel, dilated by the stride. */
function bySwapping(make: Expressions, { image, grad, window, groups }: ConvWeightGrad, sizes: Sizes): Value {
  const { batch, channels, filters, input } = sizes;
  const perGroup = channels / groups;
  const spatial = input.map((_, axis) => axis + 2);
  const grouped = make.reshape(image, [batch, groups, perGroup, ...input]);
  const x = make.reshape(make.transpose(grouped, [2, 1, 0, ...spatial.map((axis) => axis + 1)]), [
    perGroup,
    groups * batch,
    ...input,
  ]);
  const spans = windowSpans(window);
  // What the last window does not reach is cut off, so that the result has the kernel's size.
  const end = sizes.output.map(
    (size, axis) => (size - 1) * window.strides[axis]! + spans[axis]! - input[axis]! - window.begin[axis]!,
  );
  const padded = make.pad(x, [0, 0, ...window.begin], [0, 0, ...end]);
  const product = make.op('Conv', [padded, make.transpose(grad, [1, 0, ...spatial])], {
    group: attr.int(groups),
    dilations: attr.ints(window.strides),
    strides: attr.ints(window.dilations),
  });
  return make.reshape(make.transpose(product, [1, 0, ...spatial]), [filters, perGroup, ...window.kernel]);
}
