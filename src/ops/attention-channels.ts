import { attr } from '../ir/index.ts';
import { bundleAt, onAxis, picked } from './channels.ts';
import { rowsOf } from './conv-channels.ts';
import type { AxisLabels, ChannelsContext, ChannelsRule, CutContext } from './operator.ts';

/** Queries, keys or values of all heads: labels of `heads * width` channels, or none. */
interface Projected {
  readonly labels: AxisLabels;
  readonly width: number;
}

interface Heads {
  readonly count: number;
  readonly query: Projected;
  readonly key: Projected;
  readonly value: Projected;
}

const NOT_CUT = 'attends with what cannot be cut';

/** Labels `from` to `to` of a vector. */
const part = (labels: AxisLabels, from: number, to: number): AxisLabels => labels?.slice(from, to) ?? null;

/** Queries and keys are multiplied element by element; a head goes with its queries, keys and values. Gives the labels of heads. */
function tieHeads(ctx: ChannelsContext, { count, query, key, value }: Heads): AxisLabels {
  ctx.tie(query.labels, key.labels, NOT_CUT);
  const rows = [query, key, value].map(({ labels, width }) => rowsOf(ctx, labels, [count, width]));
  for (const other of rows.slice(1)) ctx.tie(rows[0]!, other, NOT_CUT);
  return rows.find((labels) => labels !== null) ?? null;
}

/** A bias of scores `[batch, heads, queries, keys]`. */
function tieScores(ctx: ChannelsContext, heads: AxisLabels, input: number): void {
  if (!ctx.has(input) || ctx.shape(input)[1] === 1) return;
  ctx.tie(heads, ctx.axis(input, 1), NOT_CUT);
}

/** What is kept for the next step holds heads whose sizes the caller knows. */
function freezeState(ctx: ChannelsContext, inputs: readonly number[], { key, value }: Heads): void {
  const { outputs } = ctx.node;
  const used = outputs.slice(1).some((output) => output !== null && !output.isUnused);
  if (!used && !inputs.some((input) => ctx.has(input))) return;
  for (const { labels } of [key, value]) ctx.freeze(labels, 'keeps keys and values for the next step');
}

/** Steps of the sequence and masks over it are no channels. */
function freezeSequence(ctx: ChannelsContext, sequences: readonly number[], masks: readonly number[]): void {
  for (const input of sequences) ctx.freeze(ctx.axis(input, 1), 'attends along this axis');
  for (const input of masks) ctx.freeze(ctx.channels(input), 'masks by them');
}

/** Counts heads anew, and keeps the scale, which is that of the original width where nothing says it. */
function countHeads(cut: CutContext, heads: AxisLabels, { query, count }: Heads): void {
  const stay = heads ? cut.kept(heads) : count;
  cut.setAttribute('num_heads', attr.int(stay));
  const { labels, width } = query;
  const changed = labels !== null && cut.kept(labels) !== stay * width;
  if (changed && cut.node.float('scale', 0) === 0) {
    cut.setAttribute('scale', attr.float(1 / Math.sqrt(width)));
  }
}

/** Attention of com.microsoft: weights `[features, queries + keys + values]` project an input `[batch, steps, features]`. */
export const attentionChannels: ChannelsRule = (ctx) => {
  const count = ctx.node.int('num_heads', 1);
  const [, columns] = ctx.shape(1);
  const stated = ctx.node.ints('qkv_hidden_sizes', []);
  const [q = 0, k = 0, v = 0] = stated.length > 0 ? stated : [1, 1, 1].map((share) => (columns! * share) / 3);
  ctx.contract(0, 2, 1, 0);
  const all = ctx.source(1, 1);
  if (ctx.has(2)) ctx.tie(all, ctx.axis(2, 0), 'adds a bias to what cannot be cut');
  const heads: Heads = {
    count,
    query: { labels: part(all, 0, q), width: q / count },
    key: { labels: part(all, q, q + k), width: k / count },
    value: { labels: part(all, q + k, q + k + v), width: v / count },
  };
  const rows = tieHeads(ctx, heads);
  tieScores(ctx, rows, 5);
  freezeState(ctx, [4], heads);
  freezeSequence(ctx, [0], [3, 4]);
  if (ctx.node.int('do_rotary', 0) !== 0) {
    // Pairs of queries are turned by angles that follow from the width: heads may go, their width may not change.
    const { labels, width } = heads.query;
    if (labels) ctx.collapse([{ axes: [0, 1], labels }], [1], [count, width]);
  }
  return {
    outputs: [[...ctx.moved(0, 0, 0), ...onAxis(2, heads.value.labels)]],
    cut: (cut) => {
      countHeads(cut, rows, heads);
      const sizes = [heads.query, heads.key, heads.value].map(({ labels }, at) =>
        labels ? cut.kept(labels) : [q, k, v][at]!,
      );
      if (stated.length > 0 || sizes.some((size) => size !== sizes[0])) {
        cut.setAttribute('qkv_hidden_sizes', attr.ints(sizes));
      }
    },
  };
};

/** Queries, keys and values as inputs of their own, `[batch, steps, heads * width]`, or packed in the first, `[batch, steps, heads, 3, width]`. */
function projections(ctx: ChannelsContext, count: number): Heads {
  const shape = ctx.shape(0);
  if (shape.length < 5) {
    const of = (input: number): Projected => ({
      labels: ctx.axis(input, 2),
      width: ctx.shape(input)[2]! / count,
    });
    return { count, query: of(0), key: of(1), value: of(2) };
  }
  const bundle = bundleAt(ctx.channels(0), 2);
  const width = shape[4]!;
  if (bundle?.axes.join() !== '2,3,4') {
    for (const axis of [2, 3, 4]) ctx.freeze(ctx.axis(0, axis), 'has queries, keys and values on one axis');
    return {
      count,
      query: { labels: null, width },
      key: { labels: null, width },
      value: { labels: null, width },
    };
  }
  const of = (index: number): Projected => ({ labels: picked(bundle, 3, [index], shape).labels, width });
  const heads = { count, query: of(0), key: of(1), value: of(2) };
  ctx.tie(ctx.axis(0, 2), rowsOf(ctx, heads.query.labels, [count, width]));
  return heads;
}

/** MultiHeadAttention of com.microsoft. */
export const multiHeadAttentionChannels: ChannelsRule = (ctx) => {
  const heads = projections(ctx, ctx.node.int('num_heads', 1));
  const rows = tieHeads(ctx, heads);
  if (ctx.has(3)) {
    // The biases of queries, keys and values, one after the other.
    const bias = ctx.axis(3, 0);
    let from = 0;
    for (const { labels, width } of [heads.query, heads.key, heads.value]) {
      const to = from + heads.count * width;
      ctx.tie(labels, part(bias, from, to), 'adds a bias to what cannot be cut');
      from = to;
    }
  }
  tieScores(ctx, rows, 5);
  freezeState(ctx, [6, 7], heads);
  const inputs = ctx.shape(0).length < 5 ? [0, 1, 2] : [0];
  freezeSequence(ctx, inputs, [4, 6, 7]);
  for (const input of inputs.slice(1)) ctx.tie(ctx.axis(0, 0), ctx.axis(input, 0), NOT_CUT);
  return {
    outputs: [[...ctx.moved(0, 0, 0), ...onAxis(2, heads.value.labels)]],
    cut: (cut) => countHeads(cut, rows, heads),
  };
};
