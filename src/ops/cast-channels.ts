import { normalizeAxis } from '../core/tensor.ts';
import { sameChannels } from './channels.ts';
import type { ChannelsContext, ChannelsRule } from './operator.ts';

const scaled = 'has a scale for each channel, which cannot be cut';

/** Ties scale or zero point: none for one number, on `axis` for a vector, on all axes but that one for blocks along it. */
function tieScale(ctx: ChannelsContext, index: number): void {
  if (!ctx.has(index)) return;
  const rank = ctx.shape(0).length;
  const sizes = ctx.shape(index);
  if (sizes.every((size) => size === 1)) return;
  const axis = normalizeAxis(ctx.node.int('axis', 1), rank);
  if (sizes.length === 1) {
    ctx.tie(ctx.axis(0, axis), ctx.axis(index, 0), scaled);
    return;
  }
  for (let own = 0; own < rank; own++) {
    if (own !== axis) {
      ctx.tie(ctx.axis(0, own), ctx.axis(index, own), scaled);
      continue;
    }
    const why = 'is scaled block by block along this axis';
    ctx.freeze(ctx.axis(0, own), why);
    ctx.freeze(ctx.axis(index, own), why);
  }
}

const perAxis: ChannelsRule = (ctx) => {
  tieScale(ctx, 1);
  tieScale(ctx, 2);
  return { outputs: [ctx.channels(0)] };
};

/** How channels pass through changes of type. The range that `DynamicQuantizeLinear` takes its scale from has zero in it, so silenced channels do not change it. */
export const CAST_CHANNELS: Readonly<Record<string, ChannelsRule>> = {
  Cast: sameChannels,
  CastLike: sameChannels,
  QuantizeLinear: perAxis,
  DequantizeLinear: perAxis,
  DynamicQuantizeLinear: sameChannels,
};
