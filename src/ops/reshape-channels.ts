import { sizeOf, stridesOf, Tensor } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';
import { bundleSizes, renamed, reordered } from './channels.ts';
import type { Bundle, Channels, ChannelsContext, ChannelsRule, CutContext } from './operator.ts';

/** Axes of the input and axes of the output that hold the same elements. */
export interface Block {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Most labels a bundle is spread to where it is flattened together with axes that carry none. */
const MOST_SPREAD = 1 << 23;

/** The smallest sets of axes of equal product in both shapes, in order; axes of size 1 are in none. Both shapes have as many elements, and more than 0. */
export function reshapeBlocks(from: readonly number[], to: readonly number[]): readonly Block[] {
  const [before, after] = [from, to].map((shape) => [...shape.keys()].filter((axis) => shape[axis] !== 1));
  const blocks: Block[] = [];
  let [own, other] = [0, 0];
  while (own < before!.length) {
    const block: { from: number[]; to: number[] } = {
      from: [before![own++]!],
      to: [after![other++]!],
    };
    let [left, right] = [from[block.from[0]!]!, to[block.to[0]!]!];
    while (left !== right) {
      if (left < right) {
        const axis = before![own++]!;
        block.from.push(axis);
        left *= from[axis]!;
      } else {
        const axis = after![other++]!;
        block.to.push(axis);
        right *= to[axis]!;
      }
    }
    blocks.push(block);
  }
  return blocks;
}

/** The block of an axis that carries labels, which is not of size 1. */
const blockOf = (blocks: readonly Block[], axis: number): Block =>
  blocks.find(({ from }) => from.includes(axis))!;

/** The labels of a bundle over these axes, its own among them in its order, row-major: repeated along the others. */
function spread(bundle: Bundle, axes: readonly number[], shape: readonly number[]): Int32Array {
  const strides = stridesOf(bundleSizes(bundle, shape));
  const steps = axes.map((axis) => (bundle.axes.includes(axis) ? strides[bundle.axes.indexOf(axis)]! : 0));
  const sizes = axes.map((axis) => shape[axis]!);
  const result = new Int32Array(sizeOf(sizes));
  const index = new Array<number>(sizes.length).fill(0);
  let offset = 0;
  for (let at = 0; at < result.length; at++) {
    result[at] = bundle.labels[offset]!;
    for (let place = sizes.length - 1; place >= 0; place--) {
      offset += steps[place]!;
      if (++index[place]! < sizes[place]!) break;
      offset -= steps[place]! * sizes[place]!;
      index[place] = 0;
    }
  }
  return result;
}

/**
 * Bundles, with a matrix in place of two vectors whose axes lie in one block: an element goes exactly where its row or its column goes (heads, and widths within a head that are the same in all of them). As many elements are labelled
 * as the matrix has.
 */
function crossed(
  ctx: ChannelsContext,
  channels: Channels,
  blocks: readonly Block[],
  shape: readonly number[],
): Channels {
  let result = channels;
  for (const { from } of blocks) {
    const within = result.filter(({ axes }) => axes.some((axis) => from.includes(axis)));
    if (within.length !== 2 || within.some(({ axes }) => axes.length !== 1)) continue;
    const axes = within.flatMap((bundle) => bundle.axes).sort((a, b) => a - b);
    const count = sizeOf(axes.map((axis) => shape[axis]!));
    if (count > MOST_SPREAD) continue;
    const matrix: Bundle = { axes, labels: ctx.fresh(count) };
    for (const { axes: own, labels } of within) ctx.tie(ctx.axisOf([matrix], own[0]!, shape), labels);
    result = [...result.filter((bundle) => !within.includes(bundle)), matrix];
  }
  return result;
}

/**
 * Labels of a value after its elements are put under another shape, `from` to `to` (Reshape, Flatten, Squeeze, Unsqueeze). The axes fall into blocks of equal product. A bundle is spread over the blocks its
 * axes lie in, repeated along axes there that carry none, and is then seen along the block's axes of the output. Where it lies in several blocks, each is mapped by itself.
 *
 * Two vectors that meet in a block become a matrix. Channels are frozen where an index would need labels of other two bundles, or where there would be too many labels. Sub-pixels, axes behind the first of a bundle that are merged with unlabelled ones, are tied together.
 */
function reshapedChannels(
  ctx: ChannelsContext,
  channels: Channels,
  from: readonly number[],
  to: readonly number[],
): Channels {
  if (sizeOf(from) === 0) {
    ctx.freeze(channels, 'has no elements');
    return [];
  }
  const blocks = reshapeBlocks(from, to);
  const counts = new Map<Block, number>();
  const bundles = crossed(ctx, channels, blocks, from);
  for (const { axes } of bundles) {
    for (const block of new Set(axes.map((axis) => blockOf(blocks, axis)))) {
      counts.set(block, (counts.get(block) ?? 0) + 1);
    }
  }
  return bundles.flatMap((bundle): Channels => {
    if (bundle.axes.some((axis) => counts.get(blockOf(blocks, axis))! > 1)) {
      ctx.freeze(bundle.labels, 'merges axes with independent channels into one');
      return [];
    }
    return reshapedBundle(ctx, bundle, blocks, from, to);
  });
}

function reshapedBundle(
  ctx: ChannelsContext,
  bundle: Bundle,
  blocks: readonly Block[],
  from: readonly number[],
  to: readonly number[],
): Channels {
  const touched = [...new Set(bundle.axes.map((axis) => blockOf(blocks, axis)))];
  if (touched.every((block) => block.from.length === 1 && block.to.length === 1)) {
    return renamed([bundle], (axis) => blockOf(blocks, axis).to[0]!);
  }
  const own = (block: Block): number[] => block.from.filter((axis) => bundle.axes.includes(axis));
  const size = (block: Block): number => sizeOf(block.from.map((axis) => from[axis]!));
  const spreads = (block: Block): boolean => own(block).length < block.from.length;
  const tooLarge = sizeOf(touched.map(size)) > MOST_SPREAD;
  if (touched.length === 1 && tooLarge) {
    ctx.freeze(bundle.labels, 'spreads its channels over too many elements to follow');
    return [];
  }
  // The first of a bundle stays, so that something is left of it.
  const beside = touched.filter(
    (block, index) =>
      spreads(block) && !isLeading(bundle, own(block)) && (index > 0 || !touched.every(spreads)),
  );
  const tied = beside.length > 0 ? beside : tooLarge ? touched.filter(spreads).slice(0, 1) : [];
  if (touched.length > 1 && tied.length > 0) {
    return ctx
      .collapse([bundle], tied.flatMap(own), from)
      .flatMap((rest) => reshapedBundle(ctx, rest, blocks, from, to));
  }
  const order = touched.flatMap(own).map((axis) => bundle.axes.indexOf(axis));
  const merges = order.some((place, index) => place !== index);
  // What is kept must stay in its order also where rows and columns change places.
  if (merges) ctx.grid(bundle, from);
  const turned = reordered(bundle, order, from);
  const labels = spread(
    turned,
    touched.flatMap((block) => block.from),
    from,
  );
  return [{ axes: touched.flatMap((block) => block.to), labels }];
}

/** True for the rows of a bundle where they also come first in the value: heads beside a batch, not the sub-pixels of an image. */
const isLeading = (bundle: Bundle, axes: readonly number[]): boolean =>
  axes.includes(bundle.axes[0]!) && bundle.axes.every((axis) => axes.includes(axis) || axis > axes[0]!);

/** Axes of the output whose size may change: those that hold elements of labelled axes. */
const touchedAxes = (
  channels: Channels,
  from: readonly number[],
  to: readonly number[],
): readonly number[] => {
  const blocks = sizeOf(from) === 0 ? [] : reshapeBlocks(from, to);
  return blocks
    .filter((block) => channels.some(({ axes }) => axes.some((axis) => block.from.includes(axis))))
    .flatMap((block) => block.to);
};

/** The target of a Reshape, counted anew where it holds elements of labelled axes; -1 stays, and a 0 that copies the right size. */
const reshape: ChannelsRule = (ctx) => {
  const [from, to] = [ctx.shape(0), ctx.outputShape(0)];
  const channels = ctx.channels(0);
  const stated = ctx.opset < 5 ? ctx.node.ints('shape') : ctx.numbers(1);
  const touched = touchedAxes(channels, from, to);
  const copies = ctx.node.int('allowzero', 0) === 0;
  const wanted = (cut: CutContext): (number | null)[] => {
    const [before, after] = [cut.shape(0), cut.outputShape(0)];
    return to.map((_, axis) => {
      const old = stated?.[axis];
      const right = old === -1 || (old === 0 && copies && before[axis] === after[axis]);
      return touched.includes(axis) && !right ? after[axis]! : null;
    });
  };
  return {
    outputs: [reshapedChannels(ctx, channels, from, to)],
    cut: (cut) => {
      const target = wanted(cut);
      if (cut.opset < 5) {
        cut.setAttribute('shape', attr.ints(target.map((size, axis) => size ?? stated![axis]!)));
        return;
      }
      const given = cut.node.inputs[1];
      cut.setNumbers(1, target);
      if (given?.producer && cut.node.inputs[1] !== given)
        cut.setConstant(1, Tensor.int64(openTarget(cut, target, stated, copies)));
    },
  };
};

/** A constant in place of a target that was computed: sizes that other inputs may have otherwise (a batch) are copied, or left open where it is one. */
function openTarget(
  cut: CutContext,
  target: readonly (number | null)[],
  stated: readonly number[] | undefined,
  copies: boolean,
): number[] {
  const [before, after] = [cut.shape(0), cut.outputShape(0)];
  const aligned = (axis: number): boolean =>
    after[axis] === before[axis] && sizeOf(after.slice(0, axis)) === sizeOf(before.slice(0, axis));
  const numbers = after.map((size, axis) => {
    if (target[axis] !== null) return size;
    if (stated?.[axis] === -1) return -1;
    return copies && aligned(axis) ? 0 : size;
  });
  const others = after.flatMap((size, axis) =>
    target[axis] === null && numbers[axis] === size ? [axis] : [],
  );
  const [open] = others;
  if (open !== undefined && others.length === 1 && !numbers.includes(-1)) numbers[open] = -1;
  return numbers;
}

const sameElements: ChannelsRule = (ctx) => ({
  outputs: [reshapedChannels(ctx, ctx.channels(0), ctx.shape(0), ctx.outputShape(0))],
});

/** Without axes every axis of size 1 goes; one that the cut leaves at size 1 must not. */
const squeeze: ChannelsRule = (ctx) => {
  const given = ctx.opset < 13 ? ctx.node.ints('axes') : ctx.node.inputs[1];
  if (given) return sameElements(ctx);
  const from = ctx.shape(0);
  const axes = [...from.keys()].filter((axis) => from[axis] === 1);
  // No list says that none goes: an empty one means all.
  if (axes.length === 0) ctx.freeze(ctx.channels(0), 'would drop an axis with one channel');
  return {
    ...sameElements(ctx),
    cut: (cut) => {
      if (cut.shape(0).every((size, axis) => size !== 1 || from[axis] === 1)) return;
      if (cut.opset < 13) cut.setAttribute('axes', attr.ints(axes));
      else cut.setNumbers(1, axes);
    },
  };
};

/** How channels pass where elements stay in their order and the shape changes. */
export const RESHAPE_CHANNELS: Readonly<Record<string, ChannelsRule>> = {
  Reshape: reshape,
  Flatten: sameElements,
  Squeeze: squeeze,
  Unsqueeze: sameElements,
};
