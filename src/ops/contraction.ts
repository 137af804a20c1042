import { sizeOf } from '../core/tensor.ts';
import { bundleAt, bundleSizes, reordered } from './channels.ts';
import type { AxisLabels, Bundle, Channels, ChannelsContext } from './operator.ts';

/** An operand of a sum of products: the input it is, and the index that each of its axes runs over, each but once. */
export interface Factor {
  readonly input: number;
  readonly indices: readonly string[];
}

/** A bundle of a factor with the indices its axes run over. */
interface Part {
  readonly factor: Factor;
  readonly bundle: Bundle;
  readonly indices: readonly string[];
}

const NOT_CUT = 'is multiplied with what cannot be cut';

/**
 * Ties the channels of a sum of products, such as a matrix product or an Einsum, and gives those of the output, whose axes run over `output`. An axis of size 1 is repeated along its index. What several
 * operands share is tied: element by element where both carry matrices of labels over the same indices (heads and their widths, of queries and keys), else axis by axis. An index that only one operand
 * has makes output channels where that operand is a weight. A matrix of labels whose indices all reach the output goes there whole (heads and widths of values).
 */
export function sumOfProducts(
  ctx: ChannelsContext,
  factors: readonly Factor[],
  output: readonly string[],
): Channels {
  const joined = tieMatrices(ctx, factors);
  for (const index of new Set(factors.flatMap(({ indices }) => indices))) {
    const [first, ...others] = carriers(ctx, factors, index);
    for (const other of others) {
      if (joined(first!, other, index)) continue;
      const [a, b] = [first!.indices.indexOf(index), other.indices.indexOf(index)];
      if (output.includes(index)) {
        ctx.tie(ctx.axis(first!.input, a), ctx.axis(other.input, b), NOT_CUT);
      } else {
        ctx.contract(first!.input, a, other.input, b);
      }
    }
  }
  return outputChannels(ctx, factors, output);
}

/** The factors that vary along an index. */
const carriers = (ctx: ChannelsContext, factors: readonly Factor[], index: string): Factor[] =>
  factors.filter(({ input, indices }) => {
    const axis = indices.indexOf(index);
    return axis >= 0 && ctx.shape(input)[axis] !== 1;
  });

const partsOf = (ctx: ChannelsContext, factor: Factor): Part[] =>
  ctx.channels(factor.input).map((bundle) => ({
    factor,
    bundle,
    indices: bundle.axes.map((axis) => factor.indices[axis]!),
  }));

const isMatrix = ({ indices }: Part): boolean => indices.length > 1;

/** Ties matrices of which one has all indices of the other. Gives whether two factors need no more ties along an index. */
function tieMatrices(
  ctx: ChannelsContext,
  factors: readonly Factor[],
): (a: Factor, b: Factor, index: string) => boolean {
  const parts = factors.map((factor) => partsOf(ctx, factor).filter(isMatrix));
  const done: { readonly a: Factor; readonly b: Factor; readonly index: string }[] = [];
  parts.forEach((own, at) => {
    for (const other of parts.slice(at + 1).flat()) {
      for (const part of own) {
        const [wide, narrow] = part.indices.length >= other.indices.length ? [part, other] : [other, part];
        if (!narrow.indices.every((index) => wide.indices.includes(index))) continue;
        if (!tieMatrix(ctx, wide, narrow)) continue;
        // Rows have labels of their own, which the output may carry: they are tied as an axis.
        for (const index of narrow.indices.slice(1)) {
          done.push({ a: part.factor, b: other.factor, index });
        }
      }
    }
  });
  return (a, b, index) => done.some((known) => known.a === a && known.b === b && known.index === index);
}

/** Ties each element of `wide` with that of `narrow` at the same indices. False where their axes come in another order: what is a row here is a column there, and axes must be tied. */
function tieMatrix(ctx: ChannelsContext, wide: Part, narrow: Part): boolean {
  const common = narrow.indices.map((index) => wide.indices.indexOf(index));
  if (common.some((place, at) => at > 0 && place < common[at - 1]!)) return false;
  const rest = wide.indices.flatMap((index, place) => (narrow.indices.includes(index) ? [] : [place]));
  const shape = ctx.shape(wide.factor.input);
  const { labels } = reordered(wide.bundle, [...common, ...rest], shape);
  const times = labels.length / narrow.bundle.labels.length;
  const repeated =
    times === 1
      ? narrow.bundle.labels
      : Int32Array.from(labels, (_, at) => narrow.bundle.labels[Math.floor(at / times)]!);
  ctx.tie(labels, repeated);
  return true;
}

/** Labels of the output: matrices that reach it whole, then those that lose their last axes to the sum, then axes one by one. */
function outputChannels(
  ctx: ChannelsContext,
  factors: readonly Factor[],
  output: readonly string[],
): Channels {
  const result: Bundle[] = [];
  const taken = new Set<string>();
  const take = (indices: readonly string[], labels: AxisLabels): void => {
    if (!labels) return;
    for (const index of indices) taken.add(index);
    result.push({ axes: indices.map((index) => output.indexOf(index)), labels });
  };
  const isOpen = (index: string): boolean => output.includes(index) && !taken.has(index);
  // The last first: of attention's weights and values, it is the values whose matrix is kept.
  const matrices = [...factors].reverse().flatMap((factor) => partsOf(ctx, factor).filter(isMatrix));
  for (const { indices, bundle } of matrices) if (indices.every(isOpen)) take(indices, bundle.labels);
  for (const part of matrices) {
    const open = part.indices.filter(isOpen);
    const leading = part.indices.slice(0, open.length);
    if (open.length > 1 && leading.every(isOpen)) take(open, rowLabels(ctx, part, open.length));
  }
  for (const index of output.filter(isOpen)) {
    const having = carriers(ctx, factors, index);
    const labels = having.map((factor) => axisLabels(ctx, factor, index, having.length === 1));
    take([index], labels.find((found) => found !== null) ?? null);
  }
  return result;
}

/** Labels of what the first `count` axes of a matrix run over together: the rows of all that lies behind. */
function rowLabels(ctx: ChannelsContext, { bundle, factor }: Part, count: number): AxisLabels {
  const sizes = bundleSizes(bundle, ctx.shape(factor.input));
  const matrix = { axes: [0, 1], labels: bundle.labels };
  return ctx.axisOf([matrix], 0, [sizeOf(sizes.slice(0, count)), sizeOf(sizes.slice(count))]);
}

function axisLabels(
  ctx: ChannelsContext,
  { input, indices }: Factor,
  index: string,
  alone: boolean,
): AxisLabels {
  const axis = indices.indexOf(index);
  const bundle = bundleAt(ctx.channels(input), axis);
  return alone && bundle?.axes.length === 1 ? ctx.source(input, axis) : ctx.axis(input, axis);
}

/**
 * Ties an input that is broadcast to a result, such as a bias, with the result's labels, axis by axis. `from`: the axis of the result that is the input's first one; by default they align at the
 * last axis.
 */
export function tieToResult(
  ctx: ChannelsContext,
  result: Channels,
  shape: readonly number[],
  input: number,
  from?: number,
): void {
  if (!ctx.has(input)) return;
  const own = ctx.shape(input);
  const ahead = from ?? shape.length - own.length;
  own.forEach((size, axis) => {
    if (size === 1) return;
    ctx.tie(
      ctx.axisOf(result, axis + ahead, shape),
      ctx.axis(input, axis),
      'is combined with what cannot be cut',
    );
  });
}

/**
 * Says that channels of a quantized input are mixed where its zero point (input `zeroPoint`, 0 where left out) is not known to be 0: a silenced channel holds the number 0, which then stands for something
 * else.
 */
export function inexactZeroPoint(ctx: ChannelsContext, input: number, axis: number, zeroPoint: number): void {
  if (!ctx.has(zeroPoint) || ctx.numbers(zeroPoint)?.every((value) => value === 0)) return;
  const bundle = bundleAt(ctx.channels(input), axis);
  if (bundle) ctx.inexact([bundle], 'reads channels whose zero point is not 0');
}
