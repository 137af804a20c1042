import { normalizeAxis } from '../core/tensor.ts';
import { bundleAt, onAxis, picked, renamed, sameChannels } from './channels.ts';
import { CONCAT_CHANNELS } from './concat-channels.ts';
import type { Channels, ChannelsContext, ChannelsRule, Unsupported } from './operator.ts';
import { withFrozenAxes } from './picking-channels.ts';
import { RESHAPE_CHANNELS } from './reshape-channels.ts';
import { SLICING_CHANNELS } from './slicing-channels.ts';

/** Axes get other numbers; the labels stay as they are. */
const transpose: ChannelsRule = (ctx) => {
  const rank = ctx.shape(0).length;
  const order = ctx.node.ints('perm') ?? [...ctx.shape(0).keys()].reverse();
  const to = new Array<number>(rank);
  order.forEach((axis, index) => {
    to[normalizeAxis(axis, rank)] = index;
  });
  return { outputs: [renamed(ctx.channels(0), (axis) => to[axis]!)] };
};

/** Axes that are repeated carry none. The target is counted anew, but for a 1, which takes the input's own size. */
const expand: ChannelsRule = (ctx) => {
  const [from, to] = [ctx.shape(0), ctx.outputShape(0)];
  const ahead = to.length - from.length;
  const channels = renamed(ctx.channels(0), (axis) => axis + ahead);
  const stated = ctx.numbers(1);
  return {
    outputs: [channels],
    cut: (cut) => {
      const after = cut.outputShape(0);
      const count = cut.shape(1)[0] ?? 0;
      const first = to.length - count;
      cut.setNumbers(
        1,
        Array.from({ length: count }, (_, index) => {
          const axis = first + index;
          const repeats = to[axis] !== 1 && (from[axis - ahead] ?? 1) === 1;
          const open = stated?.[index] === 1 || !(repeats || bundleAt(channels, axis));
          return open ? null : after[axis]!;
        }),
      );
    },
  };
};

/** Repeated labels; the repeats stay. */
const tile: ChannelsRule = (ctx) => {
  const [from, to] = [ctx.shape(0), ctx.outputShape(0)];
  let channels = ctx.channels(0);
  const shape = [...from];
  to.forEach((size, axis) => {
    const own = from[axis]!;
    const bundle = bundleAt(channels, axis);
    if (bundle && size !== own) {
      const repeated = picked(
        bundle,
        axis,
        Array.from({ length: size }, (_, index) => index % own),
        shape,
      );
      channels = channels.map((other) => (other === bundle ? repeated : other));
    }
    shape[axis] = size;
  });
  return { outputs: [channels] };
};

/** Labels of images whose pixels are moved between channels and space: those of batch and channels, each by itself. */
function ofImages(ctx: ChannelsContext): { readonly batch: Channels; readonly channels: Int32Array | null } {
  const [own, shape] = [withFrozenAxes(ctx, 0, [2, 3], 'moves pixels along it'), ctx.shape(0)];
  return { batch: onAxis(0, ctx.axisOf(own, 0, shape)), channels: ctx.axisOf(own, 1, shape) };
}

/** Channel c of the input comes `blocksize²` times, once for each place in a block. Source: ONNX, SpaceToDepth. */
const spaceToDepth: ChannelsRule = (ctx) => {
  const { batch, channels } = ofImages(ctx);
  const count = ctx.outputShape(0)[1]!;
  const repeated = channels && Int32Array.from({ length: count }, (_, at) => channels[at % channels.length]!);
  return { outputs: [[...batch, ...onAxis(1, repeated)]] };
};

/** The `blocksize²` channels that become one go together: in mode DCR they lie apart, in CRD side by side. Source: ONNX, DepthToSpace. */
const depthToSpace: ChannelsRule = (ctx) => {
  const { batch, channels } = ofImages(ctx);
  const count = ctx.outputShape(0)[1]!;
  if (!channels || count === 1) {
    ctx.freeze(channels, 'makes one channel of all');
    return { outputs: [batch] };
  }
  const places = channels.length / count;
  const isCRD = ctx.node.string('mode', 'DCR') === 'CRD';
  const merged = ctx.collapse(
    [{ axes: [0, 1], labels: channels }],
    [isCRD ? 1 : 0],
    isCRD ? [count, places] : [places, count],
  );
  return { outputs: [[...batch, ...renamed(merged, () => 1)]] };
};

/** Lengths are counted in steps of the time axis, one for each of the batch. */
const reverseSequence: ChannelsRule = (ctx) => {
  const rank = ctx.shape(0).length;
  const moved = [
    normalizeAxis(ctx.node.int('time_axis', 0), rank),
    normalizeAxis(ctx.node.int('batch_axis', 1), rank),
  ];
  ctx.freeze(ctx.channels(1), 'takes lengths of sequences from it');
  return { outputs: [withFrozenAxes(ctx, 0, moved, 'reverses sequences along it')] };
};

/** Sizes are no channels, and count themselves anew. */
const sizes: ChannelsRule = () => ({ outputs: [] });

/** How channels pass through operators that move elements. */
export const LAYOUT_CHANNELS: Readonly<Record<string, ChannelsRule | Unsupported>> = {
  ...RESHAPE_CHANNELS,
  ...CONCAT_CHANNELS,
  Split: SLICING_CHANNELS.Split,
  Transpose: transpose,
  Expand: expand,
  Tile: tile,
  Identity: sameChannels,
  SpaceToDepth: spaceToDepth,
  DepthToSpace: depthToSpace,
  ReverseSequence: reverseSequence,
  Shape: sizes,
  Size: sizes,
};
