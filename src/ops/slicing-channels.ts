import { normalizeAxis } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';
import { bundleAt } from './channels.ts';
import type { Channels, ChannelsContext, ChannelsRule, CutContext } from './operator.ts';
import { keptBefore, type Labelled, pickedChannels, resized, upFrom } from './picking-channels.ts';
import { sliceRange } from './slicing.ts';

/** Sizes of the parts of a Split, as stated or even. */
function splitSizes(ctx: ChannelsContext, size: number): readonly number[] {
  const { node } = ctx;
  const stated = ctx.opset < 13 ? node.ints('split') : ctx.numbers(1);
  const count = node.outputs.length;
  const even = Math.ceil(size / count);
  return stated ?? upFrom(0, count).map((part) => Math.min(even, Math.max(size - even * part, 0)));
}

/** Sizes are counted anew; where an even split is no longer one, they are written down. */
const split: ChannelsRule = (ctx) => {
  const own: Labelled = { channels: ctx.channels(0), shape: ctx.shape(0) };
  const axis = normalizeAxis(ctx.node.int('axis', 0), own.shape.length);
  const sizes = splitSizes(ctx, own.shape[axis]!);
  let end = 0;
  const outputs = sizes.map((size) => {
    end += size;
    return pickedChannels(ctx, own, axis, upFrom(end - size, size));
  });
  return { outputs, cut: (cut) => cutSplit(cut, own, axis, sizes) };
};

function cutSplit(cut: CutContext, own: Labelled, axis: number, sizes: readonly number[]): void {
  const { node, opset } = cut;
  let end = 0;
  // Counted by labels also where an output is left out.
  const parts = sizes.map((size) => {
    end += size;
    return keptBefore(cut, own, axis, end) - keptBefore(cut, own, axis, end - size);
  });
  const stated = opset < 13 ? node.ints('split') : node.inputs[1];
  const total = cut.shape(0)[axis]!;
  const even = Math.ceil(total / parts.length);
  const last = parts.length - 1;
  if (!stated && parts.every((part, index) => part === (index < last ? even : total - even * last))) return;
  // Sizes may not be given beside their number.
  node.attributes.delete('num_outputs');
  if (opset < 13) cut.setAttribute('split', attr.ints(parts));
  else cut.setNumbers(1, parts);
}

interface SliceArguments {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Counted from the front. */
  readonly axes: readonly number[];
  readonly steps: readonly number[];
}

/** Null where they are not known without running. */
function sliceArguments(ctx: ChannelsContext): SliceArguments | null {
  const { node, opset } = ctx;
  const given = (index: number, name: string): readonly number[] | undefined =>
    opset < 10 ? node.ints(name) : ctx.numbers(index);
  const [starts, ends] = [given(1, 'starts'), given(2, 'ends')];
  if (!starts || !ends) return null;
  const optional = (index: number, name: string, otherwise: readonly number[]) =>
    opset >= 10 && ctx.has(index) ? ctx.numbers(index) : (opset < 10 && node.ints(name)) || otherwise;
  const axes = optional(3, 'axes', upFrom(0, starts.length));
  const steps = optional(4, 'steps', new Array<number>(starts.length).fill(1));
  if (!axes || !steps) return null;
  const rank = ctx.shape(0).length;
  return { starts, ends, steps, axes: axes.map((axis) => normalizeAxis(axis, rank)) };
}

/** Where every `step`-th channel is taken, those from one to the next go together: then it is every `step`-th still. */
function tieSteps(ctx: ChannelsContext, { channels, shape }: Labelled, axis: number, step: number): void {
  const labels = ctx.axisOf(channels, axis, shape);
  if (!labels) return;
  const behind = [...labels.keys()].filter((index) => index % step !== 0);
  ctx.tie(
    Int32Array.from(behind, (index) => labels[index]!),
    Int32Array.from(behind, (index) => labels[index - (index % step)]!),
  );
}

/** Bounds are counted anew where they are no longer right. */
const slice: ChannelsRule = (ctx) => {
  const args = sliceArguments(ctx);
  if (!args) {
    ctx.freeze(ctx.channels(0), 'has bounds that are not known without running');
    return { outputs: [] };
  }
  const own: Labelled = { channels: ctx.channels(0), shape: ctx.shape(0) };
  let left = own;
  args.axes.forEach((axis, at) => {
    const { start, step, length } = sliceRange(
      own.shape[axis]!,
      args.starts[at]!,
      args.ends[at]!,
      args.steps[at]!,
    ) as { readonly start: number; readonly step: number; readonly length: number };
    if (step > 1) tieSteps(ctx, left, axis, step);
    if (step < -1) ctx.freeze(bundleAt(left.channels, axis)?.labels ?? null, 'steps backward over channels');
    const indices = upFrom(0, length).map((index) => start + index * step);
    const channels: Channels = pickedChannels(ctx, left, axis, indices);
    left = { channels, shape: resized(left.shape, axis, length) };
  });
  return { outputs: [left.channels], cut: (cut) => cutSlice(cut, own, args) };
};

function cutSlice(cut: CutContext, own: Labelled, args: SliceArguments): void {
  const bounds = args.axes.map((axis, at) => newBounds(cut, own, args, axis, at));
  if (bounds.every((bound) => bound === null)) return;
  const starts = bounds.map((bound) => bound?.start ?? null);
  const ends = bounds.map((bound) => bound?.end ?? null);
  if (cut.opset < 10) {
    cut.setAttribute('starts', attr.ints(starts.map((start, at) => start ?? args.starts[at]!)));
    cut.setAttribute('ends', attr.ints(ends.map((end, at) => end ?? args.ends[at]!)));
  } else {
    cut.setNumbers(1, starts);
    cut.setNumbers(2, ends);
  }
}

/** Start and end of entry `at`, after the cut; null where its axis carries no labels. */
function newBounds(
  cut: CutContext,
  own: Labelled,
  { starts, ends, steps }: SliceArguments,
  axis: number,
  at: number,
): { readonly start: number; readonly end: number } | null {
  if (!bundleAt(own.channels, axis)) return null;
  const [size, step] = [cut.shape(0)[axis]!, steps[at]!];
  const count = cut.outputShape(0)[axis]!;
  const before = sliceRange(own.shape[axis]!, starts[at]!, ends[at]!, step);
  const now = sliceRange(size, starts[at]!, ends[at]!, step);
  const first = before.start as number;
  let start: number;
  if (step > 0) {
    // Those of the same step go together: the place within them stays.
    const within = first % step;
    start = keptBefore(cut, own, axis, first - within) + within;
  } else {
    const last = first + step * ((before.length as number) - 1);
    start = keptBefore(cut, own, axis, last) - step * (count - 1);
  }
  // Computed bounds may have moved with the sizes: what stood there is demanded all the same.
  if (now.start === start && now.length === count) return { start: starts[at]!, end: ends[at]! };
  const end = start + step * (count - 1) + Math.sign(step);
  // An end before the first element cannot be written as -1, which is the last one.
  return { start, end: end < 0 ? -size - 1 : end };
}

/** How channels pass through operators that take ranges of axes. */
export const SLICING_CHANNELS: Readonly<Record<'Split' | 'Slice', ChannelsRule>> = {
  Split: split,
  Slice: slice,
};
