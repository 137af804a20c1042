import type { Bundle, Channels, ChannelsContext } from './operator.ts';

/** The bundles of input `index` that have one of these axes. */
export const bundlesAlong = (ctx: ChannelsContext, index: number, axes: readonly number[]): Channels =>
  ctx.channels(index).filter((bundle) => bundle.axes.some((axis) => axes.includes(axis)));

/** True where an axis that stays comes, in the order of the bundle, after one of `axes`. */
function staysBehind(bundle: Bundle, axes: readonly number[]): boolean {
  const first = bundle.axes.findIndex((axis) => axes.includes(axis));
  return bundle.axes.slice(first).some((axis) => !axes.includes(axis));
}

/**
 * Prepares input `index` for an operator that works along some axes, the others side by side: a running sum, a softmax. Gives the bundles that have one of the axes. Columns of one keep their
 * identity where the work goes from row to row: what is at one column of all rows must stay the same channel.
 */
export function lineUp(ctx: ChannelsContext, index: number, axes: readonly number[]): Channels {
  const bundles = bundlesAlong(ctx, index, axes);
  for (const bundle of bundles) {
    if (staysBehind(bundle, axes)) ctx.grid(bundle, ctx.shape(index));
  }
  return bundles;
}
