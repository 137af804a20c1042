import { attr } from '../ir/index.ts';
import { onAxis } from './channels.ts';
import type { AxisLabels, Channels, ChannelsContext, ChannelsRule } from './operator.ts';

const BIAS = 3;
const PEEPHOLES = 7;

/** Initial hidden and cell state, `[directions, batch, hidden]` or batch first. */
const STATES = [5, 6] as const;

/** Axis `axis` of an input holds blocks of hidden channels, one for each gate: the same channel goes from all of them. */
function tieBlocks(ctx: ChannelsContext, labels: AxisLabels, hidden: AxisLabels, width: number): void {
  if (!labels) {
    ctx.freeze(hidden, 'its weights, biases or peepholes cannot be cut');
    return;
  }
  for (let start = 0; start < labels.length; start += width)
    ctx.tie(labels.subarray(start, start + width), hidden, 'has one hidden channel, which it needs');
}

/**
 * A hidden channel is a row of each gate in W `[directions, gates * hidden, features]` and R `[directions, gates * hidden, hidden]`, a column of R, an element of each gate in both halves of the bias, and one
 * of the initial states. Both directions lie in one tensor, so they lose the same ones. Steps and batch are not followed.
 */
export const recurrentChannels: ChannelsRule = (ctx) => {
  const hidden = ctx.axis(2, 2);
  const width = ctx.shape(2)[2]!;
  for (const axis of [0, 1]) ctx.freeze(ctx.axis(0, axis), 'runs along this axis, or takes it for the batch');
  for (const index of [1, 2, BIAS, PEEPHOLES]) ctx.freeze(ctx.axis(index, 0), 'runs in these directions');
  ctx.contract(0, 2, 1, 2);
  ctx.contract(2, 2, 2, 2);
  tieBlocks(ctx, ctx.source(1, 1), hidden, width);
  tieBlocks(ctx, ctx.source(2, 1), hidden, width);
  for (const index of [BIAS, PEEPHOLES])
    if (ctx.has(index)) tieBlocks(ctx, ctx.axis(index, 1), hidden, width);
  for (const index of STATES) {
    if (!ctx.has(index)) continue;
    ctx.tie(ctx.axis(index, 2), hidden, 'starts from a state that cannot be cut');
    for (const axis of [0, 1]) ctx.freeze(ctx.axis(index, axis), 'takes this axis for the batch');
  }
  const last: Channels = onAxis(2, hidden);
  return {
    outputs: [onAxis(3, hidden), last, last],
    cut: ({ node, shape, setAttribute }) => {
      if (node.int('hidden_size') !== undefined) setAttribute('hidden_size', attr.int(shape(2)[2]!));
    },
  };
};
