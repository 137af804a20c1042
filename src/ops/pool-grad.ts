import { sizeOf, Tensor } from '../core/tensor.ts';
import { attr, type Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';
import type { GradContext, GradRule } from './operator.ts';
import { type SettledWindow, settledWindow, windowSpans } from './window.ts';

/** The window of a pooling over its input `[N, C, ...S]`. */
function windowOf({ node, input, shape, unsupported }: GradContext): SettledWindow {
  const kernel = node.ints('kernel_shape');
  if (!kernel) throw unsupported('attribute kernel_shape is missing');
  return settledWindow(node, shape(input(0)).slice(2), kernel);
}

/** True where windows lie side by side: each input element is in one at most. */
const isTiling = ({ kernel, strides, dilations, begin, end }: SettledWindow): boolean =>
  kernel.every((size, axis) => size === strides[axis] && dilations[axis] === 1) &&
  [...begin, ...end].every((size) => size === 0);

/**
 * To the largest element of each window, the first where several are as large, as PyTorch does it. Windows that overlap: the gradient is added up at the indices that MaxPool
 * gives as its second output. Windows side by side: by comparing, which is faster than asking MaxPool for indices.
 */
export const maxPoolGrad: GradRule = (ctx) => {
  const { node, make, grad, shape } = ctx;
  const image = ctx.input(0);
  const window = windowOf(ctx);
  const ceil = node.int('ceil_mode', 0) !== 0;
  if (window.kernel.length === 2 && isTiling(window) && !ceil) return [tiledMaxGrad(ctx, image, window)];
  if (node.int('storage_order', 0) !== 0)
    throw ctx.unsupported('storage_order 1 has no gradient rule; export it with 0');
  const sizes = shape(image);
  const flat = (value: Value): Value => make.reshape(value, [sizeOf(shape(value))]);
  const zeros = make.op('ConstantOfShape', [make.ints([sizeOf(sizes)])]);
  const placed = make.op('ScatterElements', [zeros, flat(ctx.output(1)), flat(grad)], {
    axis: attr.int(0),
    reduction: attr.string('add'),
  });
  return [make.reshape(placed, sizes)];
};

/** What is left of the gradient goes from element to element of the window, until one equals the largest. */
function tiledMaxGrad(ctx: GradContext, image: Value, { kernel }: SettledWindow): Value {
  const { make, grad, shape } = ctx;
  const largest = ctx.output(0);
  const [batch = 1, channels = 1, height = 1, width = 1] = shape(image);
  const [, , outHeight = 1, outWidth = 1] = shape(grad);
  const [tall = 1, wide = 1] = kernel;
  const dtype = make.dtype(grad);
  let left = grad;
  const rows = Array.from({ length: tall }, (_, i) => {
    const row = Array.from({ length: wide }, (__, j) => {
      // The last one gets what is left: no comparison is needed.
      let own = left;
      if (i < tall - 1 || j < wide - 1) {
        const view = make.slice(
          image,
          [i, j],
          [i + (outHeight - 1) * tall + 1, j + (outWidth - 1) * wide + 1],
          [2, 3],
          [tall, wide],
        );
        own = make.mul(left, make.cast(make.equal(view, largest), dtype));
        left = make.sub(left, own);
      }
      return make.reshape(own, [batch, channels, outHeight, outWidth, 1]);
    });
    return make.reshape(make.concat(row, 4), [batch, channels, outHeight, 1, outWidth * wide]);
  });
  const joined = make.reshape(make.concat(rows, 3), [batch, channels, outHeight * tall, outWidth * wide]);
  return make.pad(joined, [0, 0, 0, 0], [0, 0, height - outHeight * tall, width - outWidth * wide]);
}

/** Adds each element of `[N, C, ...O]` to all elements of its window, `[N, C, ...S]`: a transposed convolution with ones. */
function spread(
  make: Expressions,
  value: Value,
  window: SettledWindow,
  spatial: readonly number[],
  weight = 1,
): Value {
  const sizes = make.shape(value);
  const channels = sizes[1] ?? 1;
  const output = sizes.slice(2);
  const spans = windowSpans(window);
  // Without padding first: windows of a rounded-up last place reach beyond the image, and what lies there is cut off.
  const kernel = make.full(weight, make.dtype(value), [channels, 1, ...window.kernel]);
  const whole = make.op('ConvTranspose', [value, kernel], {
    group: attr.int(channels),
    strides: attr.ints(window.strides),
    dilations: attr.ints(window.dilations),
  });
  const reached = output.map((size, axis) => (size - 1) * window.strides[axis]! + spans[axis]!);
  const begin = window.begin.map((size) => -size);
  const end = spatial.map((size, axis) => size - (reached[axis]! - window.begin[axis]!));
  return make.pad(whole, [0, 0, ...begin], [0, 0, ...end]);
}

/** How many elements the mean of each place is over, along one axis. */
function countsAlong(
  window: SettledWindow,
  axis: number,
  size: number,
  places: number,
  withPadding: boolean,
): number[] {
  const [kernel, stride, dilation] = [window.kernel[axis]!, window.strides[axis]!, window.dilations[axis]!];
  const [begin, end] = [window.begin[axis]!, window.end[axis]!];
  return Array.from({ length: places }, (_, place) => {
    let count = 0;
    for (let tap = 0; tap < kernel; tap++) {
      const at = place * stride + tap * dilation - begin;
      if (withPadding ? at < size + end : at >= 0 && at < size) count++;
    }
    return count;
  });
}

/** Means: each place gives its gradient, divided by the number of elements it is over, to each of them. */
export const averagePoolGrad: GradRule = (ctx) => {
  const { node, make, grad, shape } = ctx;
  const spatial = shape(ctx.input(0)).slice(2);
  const output = shape(grad).slice(2);
  const window = windowOf(ctx);
  const withPadding = node.int('count_include_pad', 0) !== 0;
  const counts = output.map((places, axis) => countsAlong(window, axis, spatial[axis]!, places, withPadding));
  if (counts.every((axis) => axis.every((count) => count === axis[0]))) {
    const count = counts.reduce((product, axis) => product * axis[0]!, 1);
    return [spread(make, grad, window, spatial, 1 / count)];
  }
  let shares = [1];
  for (const axis of counts) shares = shares.flatMap((share) => axis.map((count) => share / count));
  const share = make.constant(Tensor.of(Float32Array.from(shares)).reshape([1, 1, ...output]));
  return [spread(make, make.mul(grad, make.cast(share, make.dtype(grad))), window, spatial)];
};

/** The mean over all places gives each the same share. */
export const globalAveragePoolGrad: GradRule = (ctx) => {
  const { make, grad, shape } = ctx;
  const sizes = shape(ctx.input(0));
  return [make.mul(grad, 1 / sizeOf(sizes.slice(2)))];
};

/** To the largest place, the first where several are as large. */
export const globalMaxPoolGrad: GradRule = (ctx) => {
  const { make, grad, shape } = ctx;
  const [batch = 1, channels = 1, ...spatial] = shape(ctx.input(0));
  const places = sizeOf(spatial);
  const rows = make.reshape(ctx.input(0), [batch, channels, places]);
  const first = make.op('ArgMax', [rows], { axis: attr.int(2) });
  const indices = make.constant(Tensor.int64(Array.from({ length: places }, (_, index) => index)));
  const chosen = make.where(make.equal(indices, first), make.reshape(grad, [batch, channels, 1]), 0);
  return [make.reshape(chosen, [batch, channels, ...spatial])];
};

/** d/dx (Σ |x|^p)^(1/p) = sign(x) |x|^(p-1) y^(1-p); 0 where y is 0. `each` brings a value of a place to its elements. */
function lpGrad(ctx: GradContext, each: (value: Value) => Value): Value {
  const { make, grad } = ctx;
  const p = ctx.node.int('p', 2);
  const image = ctx.input(0);
  if (p === 1) return make.mul(make.sign(image), each(grad));
  const norm = ctx.output(0);
  const inner = p === 2 ? image : make.mul(make.sign(image), make.pow(make.abs(image), p - 1));
  const safe = make.where(make.equal(norm, 0), 1, norm);
  return make.mul(inner, each(make.div(grad, p === 2 ? safe : make.pow(safe, p - 1))));
}

/** Lp norm of each window. */
export const lpPoolGrad: GradRule = (ctx) => {
  const spatial = ctx.shape(ctx.input(0)).slice(2);
  const window = windowOf(ctx);
  return [lpGrad(ctx, (value) => spread(ctx.make, value, window, spatial))];
};

/** Lp norm over all places. */
export const globalLpPoolGrad: GradRule = (ctx) => [lpGrad(ctx, (value) => value)];

/** Each element gets the gradient of where it was put. */
export const maxUnpoolGrad: GradRule = (ctx) => {
  const { make, grad, shape } = ctx;
  if (ctx.node.inputs[2])
    throw ctx.unsupported('with an output_shape its indices mean another size; leave output_shape out');
  const sizes = shape(ctx.input(0));
  const flat = make.reshape(grad, [sizeOf(shape(grad))]);
  const indices = make.reshape(ctx.input(1), [sizeOf(sizes)]);
  return [make.reshape(make.op('GatherElements', [flat, indices], { axis: attr.int(0) }), sizes)];
};
