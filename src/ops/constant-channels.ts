import { type ChannelsRule, type Unsupported, unsupported } from './operator.ts';

/** A tensor of a size of its own, along which nothing is followed: what it is added to cannot be cut. */
const ownSize: ChannelsRule = () => ({ outputs: [] });

/** Other numbers are drawn for other sizes, and in every run. */
const randomLike: ChannelsRule = (ctx) => {
  ctx.inexact(ctx.channels(0), 'draws other random numbers for fewer channels');
  return { outputs: [ctx.channels(0)] };
};

/** How channels pass through operators that make tensors. */
export const CONSTANT_CHANNELS: Readonly<Record<string, ChannelsRule | Unsupported>> = {
  Constant: ownSize,
  ConstantOfShape: ownSize,
  Range: ownSize,
  RandomNormal: ownSize,
  RandomUniform: ownSize,
  RandomNormalLike: randomLike,
  RandomUniformLike: randomLike,
  Bernoulli: randomLike,
  Multinomial: unsupported('it draws classes, which are counted'),
};
