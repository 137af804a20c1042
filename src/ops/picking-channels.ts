import { sizeOf } from '../core/tensor.ts';
import { bundleAt, bundleSizes, picked } from './channels.ts';
import type { AxisLabels, Bundle, Channels, ChannelsContext, CutContext } from './operator.ts';

/** Labels and the sizes of the value they are on. */
export interface Labelled {
  readonly channels: Channels;
  readonly shape: readonly number[];
}

/** `count` numbers from `start` on. */
export const upFrom = (start: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => start + index);

/** A shape with another size of one axis. */
export const resized = (shape: readonly number[], axis: number, size: number): number[] =>
  shape.map((own, other) => (other === axis ? size : own));

/** Labels of the rows of a bundle: what is at one index of the axes before `axis`. Null where there are none before. */
function rowsBefore(
  ctx: ChannelsContext,
  { axes, labels }: Bundle,
  axis: number,
  shape: readonly number[],
): AxisLabels {
  const long = axes.filter((own) => shape[own] !== 1);
  const before = long.filter((own) => axes.indexOf(own) < axes.indexOf(axis));
  const [first] = before;
  if (first === undefined) return null;
  if (before.length === 1 && long.length > 1) return ctx.axisOf([{ axes: long, labels }], first, shape);
  // Rows of one element are rows still: the element may not stand for its row.
  const rows = sizeOf(before.map((own) => shape[own]!));
  return ctx.axisOf([{ axes: [0, 1], labels }], 0, [rows, labels.length / rows]);
}

/**
 * Says that bundles that differ along `axis` have the same rows before it: where a row goes, it goes from all. Each then has equally many indices along `axis` in every row, even where different ones.
 */
export function tieRows(
  ctx: ChannelsContext,
  axis: number,
  parts: readonly { readonly bundle: Bundle; readonly shape: readonly number[] }[],
): void {
  const [first, ...others] = parts.map(({ bundle, shape }) => rowsBefore(ctx, bundle, axis, shape));
  for (const other of others) if (first && other) ctx.tie(first, other);
}

/**
 * Labels of a value at some indices of `axis`, which stays as an axis of as many. Where the indices are a range, columns of a matrix need no identity: each row has as many in the range and before it; for
 * others, ask for that axis first (`axisOf`). One that is taken alone must stay.
 */
export function pickedChannels(
  ctx: ChannelsContext,
  { channels, shape }: Labelled,
  axis: number,
  indices: readonly number[],
): Channels {
  const bundle = bundleAt(channels, axis);
  if (!bundle || (indices.length === shape[axis] && indices.every((from, at) => from === at))) {
    return channels;
  }
  const others = channels.filter((other) => other !== bundle);
  const [only] = indices;
  if (only === undefined) {
    ctx.freeze(bundle.labels, 'takes none of its channels');
    return others;
  }
  if (indices.length === 1) {
    const alone = ctx.axisOf([bundle], axis, shape)?.subarray(only, only + 1) ?? null;
    ctx.freeze(alone, 'takes one of its channels alone');
  }
  const part = picked(bundle, axis, indices, shape);
  if (bundle.axes[0] !== axis) {
    const first = Math.min(...indices);
    const isRange = indices.every((from, at) => Math.abs(from - only) === at);
    const before = picked(bundle, axis, upFrom(0, first), shape);
    tieRows(ctx, axis, [
      { bundle, shape },
      { bundle: part, shape: resized(shape, axis, indices.length) },
      ...(isRange && first > 0 ? [{ bundle: before, shape: resized(shape, axis, first) }] : []),
    ]);
  }
  return [...others, part];
}

/** How many of the first `count` indices of `axis` stay: counted in the row where most do, for other rows are gone. */
export function keptBefore(
  cut: CutContext,
  { channels, shape }: Labelled,
  axis: number,
  count: number,
): number {
  const bundle = bundleAt(channels, axis);
  if (!bundle || count === 0) return count;
  const part = picked(bundle, axis, upFrom(0, count), shape);
  const inner = sizeOf(bundleSizes(bundle, shape).slice(bundle.axes.indexOf(axis) + 1));
  const keeps = cut.keeps(part.labels);
  let most = 0;
  for (let row = 0; row < keeps.length; row += count * inner) {
    let alive = 0;
    for (let at = row; at < row + count * inner; at += inner) {
      if (keeps.slice(at, at + inner).some(Boolean)) alive++;
    }
    most = Math.max(most, alive);
  }
  return most;
}

/** For each index of `axis`, whether anything at it stays; undefined where the axis carries no labels. */
export function aliveAlong(
  cut: CutContext,
  { channels, shape }: Labelled,
  axis: number,
): readonly boolean[] | undefined {
  const bundle = bundleAt(channels, axis);
  if (!bundle) return undefined;
  const size = shape[axis]!;
  const inner = sizeOf(bundleSizes(bundle, shape).slice(bundle.axes.indexOf(axis) + 1));
  const alive = new Array<boolean>(size).fill(false);
  cut.keeps(bundle.labels).forEach((stays, at) => {
    if (stays) alive[Math.floor(at / inner) % size] = true;
  });
  return alive;
}

/**
 * Labels of input `index` for an operator that moves or mixes what lies along some axes: what is on these axes must stay, for the reason given. A matrix that has others, too, goes on with those: there all that lies
 * along these goes together.
 */
export function withFrozenAxes(
  ctx: ChannelsContext,
  index: number,
  axes: readonly number[],
  why: string,
): Channels {
  return ctx.channels(index).flatMap((bundle): Channels => {
    if (!bundle.axes.some((axis) => axes.includes(axis))) return [bundle];
    if (bundle.axes.some((axis) => !axes.includes(axis)))
      return ctx.collapse([bundle], axes, ctx.shape(index));
    ctx.freeze(bundle.labels, why);
    return [];
  });
}
