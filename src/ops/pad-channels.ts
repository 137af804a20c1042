import { normalizeAxis } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';
import { bundleAt, onAxis } from './channels.ts';
import type { Channels, ChannelsContext, ChannelsRule, CutContext } from './operator.ts';
import {
  keptBefore,
  type Labelled,
  pickedChannels,
  resized,
  upFrom,
  withFrozenAxes,
} from './picking-channels.ts';

/** Elements added before and behind each axis; negative ones are taken away. */
interface Pads {
  readonly before: readonly number[];
  readonly behind: readonly number[];
  /** Place of each axis among the numbers of the node; -1 where it has none. */
  readonly places: readonly number[];
}

/** Null where they are not known without running. */
function padsOf(ctx: ChannelsContext): Pads | null {
  const rank = ctx.shape(0).length;
  const pads = ctx.opset < 11 ? ctx.node.ints(ctx.opset < 2 ? 'paddings' : 'pads') : ctx.numbers(1);
  const given = ctx.opset >= 18 && ctx.has(3);
  const axes = given ? ctx.numbers(3) : upFrom(0, rank);
  if (!pads || !axes) return null;
  const normal = axes.map((axis) => normalizeAxis(axis, rank));
  const places = upFrom(0, rank).map((axis) => normal.indexOf(axis));
  return {
    places,
    before: places.map((place) => (place < 0 ? 0 : pads[place]!)),
    behind: places.map((place) => (place < 0 ? 0 : pads[place + normal.length]!)),
  };
}

const isPlain = (ctx: ChannelsContext): boolean => ctx.node.string('mode', 'constant') === 'constant';

/** Labels of channels that are added, by axis. */
type Added = Map<number, { readonly before: Int32Array; readonly behind: Int32Array }>;

/** Added channels are made of nothing, and go with what they meet (ResNet's shortcut without weights adds its input to a wider one). Where they repeat others, all of the axis stay. */
const pad: ChannelsRule = (ctx) => {
  const pads = padsOf(ctx);
  if (!pads) {
    ctx.freeze(ctx.channels(0), 'adds elements whose number is not known without running');
    return { outputs: [] };
  }
  const shape = ctx.shape(0);
  const padded = upFrom(0, shape.length).filter((axis) => pads.before[axis] !== 0 || pads.behind[axis] !== 0);
  if (!isPlain(ctx)) return { outputs: [withFrozenAxes(ctx, 0, padded, 'repeats elements along it')] };
  const own: Labelled = { channels: ctx.channels(0), shape };
  const added: Added = new Map();
  const result = padded.reduce((left, axis) => padAxis(ctx, left, axis, pads, added), own);
  return { outputs: [result.channels], cut: (cut) => cutPads(cut, own, pads, added) };
};

function padAxis(
  ctx: ChannelsContext,
  { channels, shape }: Labelled,
  axis: number,
  pads: Pads,
  added: Added,
): Labelled {
  const [before, behind] = [pads.before[axis]!, pads.behind[axis]!];
  const first = Math.max(-before, 0);
  const left = Math.max(shape[axis]! - first - Math.max(-behind, 0), 0);
  const cropped = pickedChannels(ctx, { channels, shape }, axis, upFrom(first, left));
  const size = left + Math.max(before, 0) + Math.max(behind, 0);
  const result = resized(shape, axis, size);
  const bundle = bundleAt(cropped, axis);
  if (!bundle || size === left) return { channels: cropped, shape: result };
  const sizes = resized(shape, axis, left);
  const around = { before: ctx.fresh(Math.max(before, 0)), behind: ctx.fresh(Math.max(behind, 0)) };
  added.set(axis, around);
  const separate = bundle.axes.flatMap((other): Channels => {
    const labels = ctx.axisOf([bundle], other, sizes);
    if (other !== axis || !labels) return onAxis(other, labels);
    return onAxis(other, Int32Array.from([...around.before, ...labels, ...around.behind]));
  });
  return { channels: [...cropped.filter((other) => other !== bundle), ...separate], shape: result };
}

/** Pads of channels are counted anew, also those that take away. */
function cutPads(cut: CutContext, own: Labelled, { before, behind, places }: Pads, added: Added): void {
  const { shape } = own;
  const count = places.filter((place) => place >= 0).length;
  const pads = new Array<number | null>(2 * count).fill(null);
  places.forEach((place, axis) => {
    if (place < 0 || !bundleAt(own.channels, axis)) return;
    const kept = (index: number): number => keptBefore(cut, own, axis, index);
    const size = shape[axis]!;
    const around = added.get(axis);
    if (before[axis]! < 0) pads[place] = -kept(-before[axis]!);
    else if (around) pads[place] = cut.kept(around.before);
    if (behind[axis]! < 0) pads[place + count] = kept(size + behind[axis]!) - kept(size);
    else if (around) pads[place + count] = cut.kept(around.behind);
  });
  if (cut.opset >= 11) cut.setNumbers(1, pads);
  else {
    const name = cut.opset < 2 ? 'paddings' : 'pads';
    const stated = cut.node.ints(name, []);
    if (pads.some((number) => number !== null))
      cut.setAttribute(name, attr.ints(pads.map((number, index) => number ?? stated[index]!)));
  }
}

/** Axes that keep their size keep their channels. */
const centerCropPad: ChannelsRule = (ctx) => {
  const [from, to] = [ctx.shape(0), ctx.outputShape(0)];
  const changed = upFrom(0, from.length).filter((axis) => from[axis] !== to[axis]);
  const channels = withFrozenAxes(ctx, 0, changed, 'crops or pads around the middle of it');
  const axes = ctx.node.ints('axes', upFrom(0, from.length)).map((axis) => normalizeAxis(axis, from.length));
  return {
    outputs: [channels],
    cut: (cut) =>
      cut.setNumbers(
        1,
        axes.map((axis) => (bundleAt(channels, axis) ? cut.outputShape(0)[axis]! : null)),
      ),
  };
};

/** How channels pass through operators that add elements around. */
export const PAD_CHANNELS: Readonly<Record<'Pad' | 'CenterCropPad', ChannelsRule>> = {
  Pad: pad,
  CenterCropPad: centerCropPad,
};
