import { normalizeAxis } from '../core/tensor.ts';
import { bundlesAlong, lineUp } from './along-channels.ts';
import { onAxis, renamed, withoutAxes } from './channels.ts';
import type { Bundle, Channels, ChannelsContext, ChannelsRule } from './operator.ts';

/**
 * Labels of input 0 after a reduction of some axes, which stay as size 1 where `keep`. Labels on the others stay; those on the reduced ones end there. Of a matrix of labels the rows or columns that are
 * left stay. `mixes`: how zeros change the result; null where they do not (a sum).
 */
export function reducedChannels(
  ctx: ChannelsContext,
  axes: readonly number[],
  keep: boolean,
  mixes: string | null,
): Channels {
  const ending = bundlesAlong(ctx, 0, axes);
  if (mixes !== null) ctx.inexact(ending, mixes);
  const left = (bundle: Bundle): Channels =>
    bundle.axes
      .filter((axis) => !axes.includes(axis))
      .flatMap((axis) => onAxis(axis, ctx.axisOf([bundle], axis, ctx.shape(0))));
  const channels = [...withoutAxes(ctx.channels(0), axes), ...ending.flatMap(left)];
  if (keep) return channels;
  return renamed(channels, (axis) => axis - axes.filter((other) => other < axis).length);
}

/** Axes of a reduction: an attribute before `inputFrom`, an input after. */
function reducedAxes(ctx: ChannelsContext, inputFrom: number): readonly number[] {
  const rank = ctx.shape(0).length;
  const all = Array.from({ length: rank }, (_, axis) => axis);
  // Axes that are not known leave the sizes of the output open, and nothing is followed then.
  const stated = ctx.opset < inputFrom ? ctx.node.ints('axes') : ctx.numbers(1);
  if (stated && stated.length > 0) return stated.map((axis) => normalizeAxis(axis, rank));
  return ctx.node.int('noop_with_empty_axes', 0) === 0 ? all : [];
}

/** Sums, norms, means and extremes along axes. */
const reduction =
  (mixes: string | null, inputFrom = 18): ChannelsRule =>
  (ctx) => {
    const keep = ctx.node.int('keepdims', 1) === 1;
    return { outputs: [reducedChannels(ctx, reducedAxes(ctx, inputFrom), keep, mixes)] };
  };

/** The result is a place on the axis, which another model would count differently. */
const argument: ChannelsRule = (ctx) => {
  const axis = normalizeAxis(ctx.node.int('axis', 0), ctx.shape(0).length);
  ctx.freeze(bundlesAlong(ctx, 0, [axis]), 'gives places among its channels');
  const channels = withoutAxes(ctx.channels(0), [axis]);
  if (ctx.node.int('keepdims', 1) === 1) return { outputs: [channels] };
  return { outputs: [renamed(channels, (other) => (other > axis ? other - 1 : other))] };
};

/** A running sum over channels: zeros add nothing, so those that stay get the same sums with the others silenced as without them. */
const cumulative: ChannelsRule = (ctx) => {
  const axis = ctx.numbers(1)?.[0];
  if (axis === undefined) ctx.freeze(ctx.channels(0), 'adds along an axis that is not known without running');
  else lineUp(ctx, 0, [normalizeAxis(axis, ctx.shape(0).length)]);
  return { outputs: [ctx.channels(0)] };
};

/** How channels pass through reductions. Zeros add nothing to sums and norms; the others change when channels go that are zero. */
export const REDUCE_CHANNELS: Readonly<Record<string, ChannelsRule>> = {
  ReduceSum: reduction(null, 13),
  ReduceL1: reduction(null),
  ReduceL2: reduction(null),
  ReduceLogSum: reduction(null),
  ReduceSumSquare: reduction(null),
  ReduceMean: reduction('is a mean over channels, whose number changes'),
  ReduceMax: reduction('takes the maximum over channels, to which silenced ones add a zero'),
  ReduceMin: reduction('takes the minimum over channels, to which silenced ones add a zero'),
  ReduceProd: reduction('multiplies channels, and silenced ones make the product zero'),
  ReduceLogSumExp: reduction('adds e^x over channels, which is 1 for silenced ones'),
  ArgMax: argument,
  ArgMin: argument,
  CumSum: cumulative,
};
