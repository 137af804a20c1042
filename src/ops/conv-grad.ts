import { attr, type Value } from '../ir/index.ts';
import { convWeightGrad } from './conv-weight-grad.ts';
import type { Expressions } from './expressions.ts';
import type { GradContext, GradRule } from './operator.ts';
import { type SettledWindow, settledWindow, windowSpans } from './window.ts';

/** Axes of a map `[N, C, ...S]` but that of the channels. */
const allButChannels = (rank: number): number[] =>
  Array.from({ length: rank }, (_, axis) => axis).filter((axis) => axis !== 1);

/** Sum of `[N, K, ...O]` for each channel. */
const biasGrad = ({ make, grad, shape }: GradContext): Value =>
  make.reduceSum(grad, allButChannels(shape(grad).length), false);

/**
 * Convolution `[N, C, ...S] -> [N, K, ...O]`. To the image: a convolution of the gradient with the kernel turned round where the stride is 1, which is faster in
 * onnxruntime, else a transposed convolution. To the weight: see `convWeightGrad`.
 */
export const convGrad: GradRule = (ctx) => {
  const { node, make, grad, shape } = ctx;
  const image = ctx.input(0);
  const weight = ctx.input(1);
  const spatial = shape(image).slice(2);
  const window = settledWindow(node, spatial, shape(weight).slice(2));
  const groups = node.int('group', 1);
  return [
    ctx.needs(0) ? imageGrad(make, grad, weight, window, groups, spatial) : null,
    ctx.needs(1) ? convWeightGrad(make, { image, grad, window, groups }) : null,
    ctx.needs(2) ? biasGrad(ctx) : null,
  ];
};

function imageGrad(
  make: Expressions,
  grad: Value,
  weight: Value,
  window: SettledWindow,
  groups: number,
  spatial: readonly number[],
): Value {
  const spans = windowSpans(window);
  const unit = window.strides.every((stride) => stride === 1);
  const begin = spans.map((span, axis) => span - 1 - window.begin[axis]!);
  const end = spans.map((span, axis) => span - 1 - window.end[axis]!);
  if (unit && [...begin, ...end].every((size) => size >= 0)) {
    return make.op('Conv', [grad, turned(make, weight, groups)], {
      ...(groups > 1 ? { group: attr.int(groups) } : {}),
      pads: attr.ints([...begin, ...end]),
      dilations: attr.ints(window.dilations),
    });
  }
  const output = make.shape(grad).slice(2);
  const reached = output.map(
    (size, axis) =>
      (size - 1) * window.strides[axis]! + spans[axis]! - window.begin[axis]! - window.end[axis]!,
  );
  return make.op('ConvTranspose', [grad, weight], {
    group: attr.int(groups),
    strides: attr.ints(window.strides),
    dilations: attr.ints(window.dilations),
    pads: attr.ints([...window.begin, ...window.end]),
    // What the last window did not reach has no gradient.
    output_padding: attr.ints(spatial.map((size, axis) => size - reached[axis]!)),
  });
}

/** Kernels `[K, C / groups, ...]` with input and output channels swapped within each group, `[C, K / groups, ...]`, and every spatial axis turned round. */
function turned(make: Expressions, weight: Value, groups: number): Value {
  const [filters = 1, perGroup = 1, ...kernel] = make.shape(weight);
  const spatial = kernel.map((_, axis) => axis + 2);
  const axes = spatial.filter((_, index) => kernel[index] !== 1);
  const flipped =
    axes.length === 0
      ? weight
      : make.slice(
          weight,
          axes.map(() => -1),
          axes.map(() => Number.MIN_SAFE_INTEGER),
          axes,
          axes.map(() => -1),
        );
  const each = filters / groups;
  if (perGroup === 1 && each === 1) return flipped;
  const split = make.reshape(flipped, [groups, each, perGroup, ...kernel]);
  const swapped = make.transpose(split, [0, 2, 1, ...spatial.map((axis) => axis + 1)]);
  return make.reshape(swapped, [groups * perGroup, each, ...kernel]);
}

/**
 * Transposed convolution `[N, C, ...S] -> [N, K, ...O]`, the image gradient of a convolution from O to S: its own gradients are that convolution, and its weight
 * gradient with image and gradient in each other's place.
 */
export const convTransposeGrad: GradRule = (ctx) => {
  const { node, make, grad, shape } = ctx;
  const image = ctx.input(0);
  const weight = ctx.input(1);
  const input = shape(image).slice(2);
  const output = shape(grad).slice(2);
  const kernel = shape(weight).slice(2);
  const window = transposedWindow(ctx, input, output, kernel);
  const groups = node.int('group', 1);
  // Rows of the output that no window of the convolution back reaches (output_padding) are cut off by a negative end.
  const reach = windowSpans(window).map((span, axis) => (input[axis]! - 1) * window.strides[axis]! + span);
  const end = reach.map((size, axis) => size - output[axis]! - window.begin[axis]!);
  const padded = make.pad(grad, [0, 0, ...window.begin], [0, 0, ...end]);
  const open = { ...window, begin: kernel.map(() => 0), end: kernel.map(() => 0) };
  const toImage = (): Value =>
    make.op('Conv', [padded, weight], {
      group: attr.int(groups),
      strides: attr.ints(window.strides),
      dilations: attr.ints(window.dilations),
    });
  return [
    ctx.needs(0) ? toImage() : null,
    ctx.needs(1) ? convWeightGrad(make, { image: padded, grad: image, window: open, groups }) : null,
    ctx.needs(2) ? biasGrad(ctx) : null,
  ];
};

/** The window of a transposed convolution; with `auto_pad` or `output_shape` the padding follows from the sizes. */
function transposedWindow(
  { node }: GradContext,
  input: readonly number[],
  output: readonly number[],
  kernel: readonly number[],
): SettledWindow {
  const window = settledWindow(node, input, kernel);
  const autoPad = node.string('auto_pad', 'NOTSET');
  if ((autoPad === 'NOTSET' || autoPad === '') && node.ints('output_shape', []).length === 0) return window;
  const padding = node.ints('output_padding', []);
  // total = stride * (size - 1) + output_padding + span - output; ONNX: SAME_UPPER puts the smaller half in front, all others the larger.
  const total = windowSpans(window).map((span, axis) =>
    Math.max(0, window.strides[axis]! * (input[axis]! - 1) + (padding[axis] ?? 0) + span - output[axis]!),
  );
  const begin = total.map((size) => (autoPad === 'SAME_UPPER' ? Math.floor(size / 2) : Math.ceil(size / 2)));
  return { ...window, begin, end: total.map((size, axis) => size - begin[axis]!) };
}
