import { broadcastChannels, sameChannels } from './channels.ts';
import type { ChannelsRule } from './operator.ts';

/** Functions of one tensor. The limits of `Clip` are scalars. */
const OF_ONE = [
  'Abs',
  'Acos',
  'Acosh',
  'Asin',
  'Asinh',
  'Atan',
  'Atanh',
  'BitwiseNot',
  'Ceil',
  'Clip',
  'Cos',
  'Cosh',
  'Erf',
  'Exp',
  'Floor',
  'IsInf',
  'IsNaN',
  'Log',
  'Neg',
  'Not',
  'Reciprocal',
  'Round',
  'Sign',
  'Sin',
  'Sinh',
  'Sqrt',
  'Tan',
] as const;

/** Functions of two or more tensors that broadcast. */
const OF_SEVERAL = [
  'Add',
  'And',
  'BitShift',
  'BitwiseAnd',
  'BitwiseOr',
  'BitwiseXor',
  'Div',
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'Less',
  'LessOrEqual',
  'Max',
  'Mean',
  'Min',
  'Mod',
  'Mul',
  'Or',
  'Pow',
  'Sub',
  'Sum',
  'Where',
  'Xor',
] as const;

/**
 * Every element comes of the elements at its own place, so channels stay where they are, and those that meet go together. What the function makes of zero does not matter: the element of a channel that
 * goes is read by nobody.
 */
export const ELEMENTWISE_CHANNELS: Readonly<Record<string, ChannelsRule>> = Object.fromEntries([
  ...OF_ONE.map((opType) => [opType, sameChannels] as const),
  ...OF_SEVERAL.map((opType) => [opType, broadcastChannels] as const),
]);
