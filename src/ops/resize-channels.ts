import { normalizeAxis } from '../core/tensor.ts';
import { bundleAt } from './channels.ts';
import type { ChannelsContext, ChannelsRule } from './operator.ts';
import { withFrozenAxes } from './picking-channels.ts';

const changedAxes = (ctx: ChannelsContext): number[] =>
  [...ctx.shape(0).keys()].filter((axis) => ctx.shape(0)[axis] !== ctx.outputShape(0)[axis]);

const resamples = 'resamples along it';

/** Axes of Resize, counted from the front: those of its sizes. */
const resizedAxes = (ctx: ChannelsContext): readonly number[] => {
  const rank = ctx.shape(0).length;
  const given = ctx.opset >= 18 ? ctx.node.ints('axes') : undefined;
  return given?.map((axis) => normalizeAxis(axis, rank)) ?? [...ctx.shape(0).keys()];
};

/** Channels stay on axes that keep their size; those are counted anew among `sizes`. */
const resize: ChannelsRule = (ctx) => {
  const axes = resizedAxes(ctx);
  const isRegion = ctx.node.string('coordinate_transformation_mode', '') === 'tf_crop_and_resize';
  const isFitted = ctx.opset >= 18 && ctx.node.string('keep_aspect_ratio_policy', 'stretch') !== 'stretch';
  const resampled = isRegion || isFitted ? axes : changedAxes(ctx);
  const channels = withFrozenAxes(ctx, 0, resampled, resamples);
  const bySizes = ctx.opset >= 11 && ctx.has(3) && ctx.shape(3)[0] !== 0;
  return {
    outputs: [channels],
    ...(bySizes
      ? {
          cut: (cut) =>
            cut.setNumbers(
              3,
              axes.map((axis) => (bundleAt(channels, axis) ? cut.outputShape(0)[axis]! : null)),
            ),
        }
      : {}),
  };
};

const upsample: ChannelsRule = (ctx) => ({
  outputs: [withFrozenAxes(ctx, 0, changedAxes(ctx), resamples)],
});

/** How channels pass through resampling. */
export const RESIZE_CHANNELS: Readonly<Record<string, ChannelsRule>> = { Resize: resize, Upsample: upsample };
