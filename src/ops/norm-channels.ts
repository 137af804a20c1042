import { normalizeAxis } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';
import { lineUp } from './along-channels.ts';
import { onAxis } from './channels.ts';
import { tieToResult } from './contraction.ts';
import { rowsOf } from './conv-channels.ts';
import type { ChannelsContext, ChannelsRule } from './operator.ts';
import { reducedChannels } from './reduce-channels.ts';

/** Marks what input 0 carries along the axes that are normalized, and lines it up for that. */
function normalizes(ctx: ChannelsContext, axes: readonly number[], over: string): void {
  ctx.inexact(lineUp(ctx, 0, axes), `normalizes over ${over}`);
}

/** Axes `from` to the last of input 0. */
const axesFrom = (ctx: ChannelsContext, from: number): number[] =>
  ctx.shape(0).flatMap((_, axis) => (axis >= from ? [axis] : []));

/** BatchNormalization: scale, bias, mean and variance belong to the channels; until opset 8 they might belong to the places of the image too. */
export const batchNormChannels: ChannelsRule = (ctx) => {
  const channels = ctx.channels(0);
  for (const input of [1, 2, 3, 4]) tieToResult(ctx, channels, ctx.shape(0), input, 1);
  if (ctx.node.int('training_mode', 0) !== 0) {
    const others = ctx.shape(0).flatMap((_, axis) => (axis === 1 ? [] : [axis]));
    normalizes(ctx, others, 'batch and image');
  }
  const statistics = onAxis(0, ctx.axis(0, 1));
  return { outputs: [channels, ...ctx.node.outputs.slice(1).map(() => statistics)] };
};

/** InstanceNormalization: each channel by itself, so that only what else is labelled in the image is mixed (a GroupNorm written with Reshapes around it). */
export const instanceNormChannels: ChannelsRule = (ctx) => {
  const channels = ctx.channels(0);
  for (const input of [1, 2]) tieToResult(ctx, channels, ctx.shape(0), input, 1);
  normalizes(ctx, axesFrom(ctx, 2), 'channels');
  return { outputs: [channels] };
};

/** LayerNormalization and RMSNormalization: the axes from `axis` on; outputs 1 and 2 are statistics. */
export const layerNormChannels: ChannelsRule = (ctx) => {
  const shape = ctx.shape(0);
  const channels = ctx.channels(0);
  const axes = axesFrom(ctx, normalizeAxis(ctx.node.int('axis', -1), shape.length));
  for (const input of [1, 2]) tieToResult(ctx, channels, shape, input);
  normalizes(ctx, axes, 'channels');
  const statistics = reducedChannels(ctx, axes, true, null);
  return { outputs: [channels, ...ctx.node.outputs.slice(1).map(() => statistics)] };
};

/** GroupNormalization: groups lose equally many channels, or go whole. */
export const groupNormChannels: ChannelsRule = (ctx) => {
  const shape = ctx.shape(0);
  const channels = ctx.channels(0);
  const groups = ctx.node.int('num_groups', 1);
  const rows = rowsOf(ctx, ctx.axis(0, 1), [groups, shape[1]! / groups]);
  for (const input of [1, 2]) {
    // Opset 18 scaled groups, from 21 on channels are scaled.
    if (ctx.opset >= 21) tieToResult(ctx, channels, shape, input, 1);
    else if (groups > 1) ctx.tie(rows, ctx.axis(input, 0), 'has groups that cannot be cut');
  }
  const mixed = groups === shape[1] ? axesFrom(ctx, 2) : axesFrom(ctx, 1);
  normalizes(ctx, mixed, 'groups of channels');
  return {
    outputs: [channels],
    ...(rows ? { cut: (cut) => cut.setAttribute('num_groups', attr.int(cut.kept(rows))) } : {}),
  };
};

/** LpNormalization: what is 0 adds nothing to a norm, so nothing is inexact. */
export const lpNormChannels: ChannelsRule = (ctx) => {
  lineUp(ctx, 0, [normalizeAxis(ctx.node.int('axis', -1), ctx.shape(0).length)]);
  return { outputs: [ctx.channels(0)] };
};

/** LRN: a channel meets other neighbours where one between them goes. */
export const lrnChannels: ChannelsRule = (ctx) => {
  normalizes(ctx, [1], 'neighbouring channels');
  return { outputs: [ctx.channels(0)] };
};

/** MeanVarianceNormalization: over `axes`, of which none is that of channels by default. */
export const meanVarianceChannels: ChannelsRule = (ctx) => {
  const rank = ctx.shape(0).length;
  const axes = ctx.node.ints('axes', [0, 2, 3]).map((axis) => normalizeAxis(axis, rank));
  normalizes(ctx, axes, 'channels');
  return { outputs: [ctx.channels(0)] };
};

/** Dropout: data and mask alike. */
export const dropoutChannels: ChannelsRule = (ctx) => ({ outputs: [ctx.channels(0), ctx.channels(0)] });
