import { attr, type Value } from '../ir/index.ts';
import { expectRank } from './expect.ts';
import type { Expressions } from './expressions.ts';
import {
  type InferContext,
  type InferRule,
  type Operator,
  type RewriteContext,
  type Unsupported,
  unsupported,
} from './operator.ts';
import { readWindow, slide } from './window.ts';

/** onnxruntime's own domain for images whose channels lie in blocks, `[N, C / B, H, W, B]`. */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

const written: Unsupported = unsupported(
  'it is written when a session is made, after everything else is done',
);

const inferReorderOutput: InferRule = (ctx) => {
  const { dtype, shape } = expectRank(ctx, 0, 'the input', 4);
  return [{ dtype, shape: [shape[0]!, ctx.node.int('channels', 0), ...shape.slice(2)] }];
};

/** Channels are rounded up to whole blocks, whose size depends on the processor: with the number of blocks known only there, the channels are not. */
const inferReorderInput: InferRule = (ctx) => {
  const { dtype, shape } = expectRank(ctx, 0, 'the input', 4);
  return [{ dtype, shape: [shape[0]!, null, ...shape.slice(2)] }];
};

function inferBlockedConv(ctx: InferContext): ReturnType<InferRule> {
  const { dtype, shape } = expectRank(ctx, 0, 'the input', 4);
  const weight = expectRank(ctx, 1, 'weight', 4).shape;
  const spatial = slide(ctx, shape.slice(2), readWindow(ctx, weight.slice(2)));
  return [{ dtype, shape: [shape[0]!, weight[0]!, ...spatial] }];
}

const blocked = (opType: string, summary: string, infer: InferRule): Operator => ({
  domain: BLOCKED_DOMAIN,
  opType,
  opsets: [1, 1],
  summary,
  infer,
  cost: written,
  grad: written,
  channels: written,
  layer: null,
});

/** onnxruntime's operators on blocked images, for processors that have kernels for them. */
export const BLOCKED: readonly Operator[] = [
  blocked('ReorderInput', 'Puts the channels of an image into blocks.', inferReorderInput),
  blocked('Conv', 'Convolution of an image in blocks, with its weight in blocks too.', inferBlockedConv),
  blocked('ReorderOutput', 'Takes the channels of an image out of their blocks.', inferReorderOutput),
];

const roundUp = (size: number, block: number): number => Math.ceil(size / block) * block;

/** The first axes of a tensor filled up with zeros to these sizes. */
function filledUp(make: Expressions, value: Value, ...sizes: readonly number[]): Value {
  const shape = make.shape(value);
  const zeros = shape.map(() => 0);
  return make.pad(
    value,
    zeros,
    shape.map((size, axis) => (sizes[axis] ?? size) - size),
  );
}

const reorderInput = (make: Expressions, value: Value): Value =>
  make.ops('ReorderInput', [value], { domain: BLOCKED_DOMAIN })[0]!;

/**
 * A convolution on blocks of `block` channels, with the images put into blocks and taken out again. onnxruntime does so itself where the weight is constant; in training it is not. Null where it
 * would not be faster or cannot be done: only images of two dimensions, dense and depthwise kernels, and numbers of channels that 4 divides. 1x1 kernels are a matrix product already.
 */
export function blockedConv(ctx: RewriteContext, block: number): Value | null {
  const { node, make, shape } = ctx;
  const image = ctx.input(0);
  const weight = ctx.input(1);
  const [, channels = 0] = shape(image);
  const [filters = 0, perGroup = 0, ...kernel] = shape(weight);
  const groups = node.int('group', 1);
  const depthwise = perGroup === 1 && groups === channels && filters === channels;
  const explicit = ['', 'NOTSET'].includes(node.string('auto_pad', ''));
  const float32 = make.dtype(image) === 'float32' && make.dtype(weight) === 'float32';
  if (kernel.length !== 2 || !explicit || !float32 || channels % 4 !== 0 || filters % 4 !== 0) return null;
  if (!depthwise && (groups !== 1 || kernel.every((size) => size === 1) || Math.min(channels, filters) < 8))
    return null;
  const wide = roundUp(filters, block);
  const bias = node.inputs[2] ? filledUp(make, ctx.input(2), wide) : null;
  const inBlocks = depthwise ? depthwiseWeight(make, weight, kernel) : denseWeight(make, weight, block);
  const [output] = make.ops('Conv', [reorderInput(make, image), inBlocks, ...(bias ? [bias] : [])], {
    domain: BLOCKED_DOMAIN,
    attributes: {
      kernel_shape: attr.ints(kernel),
      strides: attr.ints(node.ints('strides', [1, 1])),
      dilations: attr.ints(node.ints('dilations', [1, 1])),
      pads: attr.ints(node.ints('pads', [0, 0, 0, 0])),
      group: attr.int(depthwise ? wide : 1),
    },
  });
  return make.ops('ReorderOutput', [output!], {
    domain: BLOCKED_DOMAIN,
    attributes: { channels: attr.int(filters) },
  })[0]!;
}

/** `[K, C, kh, kw]` as `[K / B, C / B, kh, kw, B of C, B of K]`. */
function denseWeight(make: Expressions, weight: Value, block: number): Value {
  const [filters = 0, channels = 0, ...kernel] = make.shape(weight);
  const sizes = [roundUp(filters, block), roundUp(channels, block)] as const;
  const split = make.reshape(filledUp(make, weight, ...sizes), [
    sizes[0] / block,
    block,
    sizes[1] / block,
    block,
    ...kernel,
  ]);
  return make.reshape(make.transpose(split, [0, 2, 4, 5, 3, 1]), [...sizes, ...kernel]);
}

/** `[C, 1, kh, kw]` as `[C / B, 1, kh, kw, B]`: what an image of one sample becomes in blocks. */
function depthwiseWeight(make: Expressions, weight: Value, kernel: readonly number[]): Value {
  const [channels = 0] = make.shape(weight);
  const image = reorderInput(make, make.reshape(weight, [1, channels, ...kernel]));
  // The channels are now whole blocks, the shape is for the convolution to read.
  return make.op('Reshape', [image, make.ints([-1, 1, ...kernel])]);
}
