import { renamed } from './channels.ts';
import {
  type Channels,
  type ChannelsContext,
  type ChannelsRule,
  type Unsupported,
  unsupported,
} from './operator.ts';
import { reducedChannels } from './reduce-channels.ts';

const spatialAxes = (ctx: ChannelsContext): readonly number[] => [...ctx.shape(0).keys()].slice(2);

/** Labels of input 0 on the axes of images and channels. Those on other axes alone cannot be cut; where an axis of channels comes with one, it goes as a whole. */
function onChannels(ctx: ChannelsContext, axes: readonly number[], why: string): Channels {
  const channels = ctx.channels(0);
  ctx.freeze(
    channels.filter((bundle) => bundle.axes.every((axis) => axes.includes(axis))),
    why,
  );
  return ctx.collapse(channels, axes, ctx.shape(0));
}

/** A window that slides over the spatial axes of each channel. */
const sliding: ChannelsRule = (ctx) => ({
  outputs: [onChannels(ctx, spatialAxes(ctx), 'slides a window along this axis')],
});

/** Output 1 counts places through all channels of all images, so what it says changes with them. */
const maxPool: ChannelsRule = (ctx) => {
  const indices = ctx.node.outputs[1];
  if (indices && !indices.isUnused)
    ctx.freeze(
      ctx.channels(0),
      'its output 1, which is read, gives places that are counted through all channels',
    );
  const [channels = []] = sliding(ctx).outputs;
  return { outputs: [channels, channels] };
};

/** All spatial axes are reduced to size 1. */
const global =
  (mixes: string | null): ChannelsRule =>
  (ctx) => ({ outputs: [reducedChannels(ctx, spatialAxes(ctx), true, mixes)] });

/** Each region is of one image, `rois` and what goes with them say of which: neither images nor regions are cut. Output 0 is `[regions, channels, …]`. */
const regions: ChannelsRule = (ctx) => {
  const channels = onChannels(ctx, [0, ...spatialAxes(ctx)], 'takes regions of images, which it counts');
  for (const input of [1, 2]) ctx.freeze(ctx.channels(input), 'these are regions of images, not channels');
  return { outputs: [renamed(channels, (axis) => (axis === 1 ? 1 : null))] };
};

/** How channels pass through pooling. */
export const POOL_CHANNELS: Readonly<Record<string, ChannelsRule | Unsupported>> = {
  MaxPool: maxPool,
  AveragePool: sliding,
  LpPool: sliding,
  GlobalAveragePool: global('is a mean over channels, whose number changes'),
  GlobalMaxPool: global('takes the maximum over channels, to which silenced ones add a zero'),
  GlobalLpPool: global(null),
  MaxUnpool: unsupported('it puts elements to places that are counted through all channels'),
  MaxRoiPool: regions,
  RoiAlign: regions,
};
