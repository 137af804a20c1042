import { sizeOf, stridesOf } from '../core/tensor.ts';
import { stridedOffsets } from './broadcast.ts';
import type { AxisLabels, Bundle, Channels, ChannelsRule } from './operator.ts';

/** Labels on one axis; nothing where there are none. */
export const onAxis = (axis: number, labels: AxisLabels): Channels =>
  labels ? [{ axes: [axis], labels }] : [];

/** The bundle an axis is in. */
export const bundleAt = (channels: Channels, axis: number): Bundle | undefined =>
  channels.find(({ axes }) => axes.includes(axis));

/** Labels with every axis renamed; a bundle with an axis that goes (null) is left out: `collapse` or `freeze` it first. */
export function renamed(channels: Channels, to: (axis: number) => number | null): Channels {
  return channels.flatMap(({ axes, labels }) => {
    const moved = axes.map(to);
    return moved.every((axis) => axis !== null) ? [{ axes: moved as number[], labels }] : [];
  });
}

/** The bundles that have none of these axes. */
export const withoutAxes = (channels: Channels, gone: readonly number[]): Channels =>
  channels.filter(({ axes }) => !axes.some((axis) => gone.includes(axis)));

/** Sizes of a bundle's axes. */
export const bundleSizes = ({ axes }: Bundle, shape: readonly number[]): number[] =>
  axes.map((axis) => shape[axis]!);

/** The labels of a bundle with its axes in another order (`order[i]`: place of the new axis i in the old list). */
export function reordered(bundle: Bundle, order: readonly number[], shape: readonly number[]): Bundle {
  if (order.every((place, index) => place === index)) return bundle;
  const sizes = bundleSizes(bundle, shape);
  const strides = stridesOf(sizes);
  const offsets = stridedOffsets(
    order.map((place) => sizes[place]!),
    order.map((place) => strides[place]!),
  );
  return {
    axes: order.map((place) => bundle.axes[place]!),
    labels: Int32Array.from(offsets, (offset) => bundle.labels[offset]!),
  };
}

/** The labels of a bundle at some indices of one of its axes, in that order: `Slice`, `Split`, `Gather`. */
export function picked(
  bundle: Bundle,
  axis: number,
  indices: readonly number[],
  shape: readonly number[],
): Bundle {
  const sizes = bundleSizes(bundle, shape);
  const place = bundle.axes.indexOf(axis);
  const outer = sizeOf(sizes.slice(0, place));
  const inner = sizeOf(sizes.slice(place + 1));
  const size = sizes[place]!;
  const labels = new Int32Array(outer * indices.length * inner);
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (const index of indices) {
      const from = (row * size + index) * inner;
      labels.set(bundle.labels.subarray(from, from + inner), at);
      at += inner;
    }
  }
  return { axes: bundle.axes, labels };
}

/** Labels of output 0 are those of input 0: elementwise functions of one argument, and what only moves along axes without labels. */
export const sameChannels: ChannelsRule = (ctx) => ({ outputs: [ctx.channels(0)] });

/** Labels of output 0 by broadcasting all inputs: elementwise operators. */
export const broadcastChannels: ChannelsRule = (ctx) => ({ outputs: [ctx.broadcast()] });
