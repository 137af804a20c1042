import { normalizeAxis } from '../core/tensor.ts';
import { lineUp } from './along-channels.ts';
import { sameChannels } from './channels.ts';
import type { ChannelsContext, ChannelsRule } from './operator.ts';

/** Axes whose elements belong together: from opset 13 on one, before that all from `axis` on, which may be the rank (then none). */
function normalizedAxes(ctx: ChannelsContext): readonly number[] {
  const rank = ctx.shape(0).length;
  const stated = ctx.node.int('axis', ctx.opset < 13 ? 1 : -1);
  if (ctx.opset >= 13) return [normalizeAxis(stated, rank)];
  const first = stated === rank ? rank : normalizeAxis(stated, rank);
  return Array.from({ length: rank - first }, (_, place) => first + place);
}

/** The elements along the axis stay what they are, but their values come of all of them: a zero counts as e^0 in a softmax, and may be the largest. */
const shareOut: ChannelsRule = (ctx) => {
  const mixed = lineUp(ctx, 0, normalizedAxes(ctx));
  ctx.inexact(mixed, 'compares all channels with each other, those that go too');
  return { outputs: [ctx.channels(0)] };
};

/** The slope is broadcast to the input; before opset 7 a vector of slopes was one for each channel. */
const prelu: ChannelsRule = (ctx) => {
  const slope = ctx.shape(1);
  if (ctx.opset < 7 && slope.length === 1 && slope[0] !== 1) {
    ctx.tie(ctx.axis(0, 1), ctx.axis(1, 0), 'has a slope for each channel, which cannot be cut');
    return { outputs: [ctx.channels(0)] };
  }
  return { outputs: [ctx.broadcast([0, 1])] };
};

const OF_ONE = [
  'Celu',
  'Elu',
  'Gelu',
  'HardSigmoid',
  'HardSwish',
  'LeakyRelu',
  'Mish',
  'Relu',
  'Selu',
  'Shrink',
  'Sigmoid',
  'Softplus',
  'Softsign',
  'Swish',
  'Tanh',
  'ThresholdedRelu',
] as const;

/** How channels pass through activations. */
export const ACTIVATION_CHANNELS: Readonly<Record<string, ChannelsRule>> = {
  ...Object.fromEntries(OF_ONE.map((opType) => [opType, sameChannels])),
  PRelu: prelu,
  Softmax: shareOut,
  LogSoftmax: shareOut,
  Hardmax: shareOut,
};
