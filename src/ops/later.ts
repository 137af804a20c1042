import { type Unsupported, unsupported } from './operator.ts';

/** What stands in an entry until its family's rules are put in; none of the table keeps it. */
export const noGradRule: Unsupported = unsupported('no gradient rule is written for it');

/** As `noGradRule`, for the channel rule. */
export const noChannelsRule: Unsupported = unsupported('no channel rule is written for it');

/** The gradient rule of operators on quantized tensors. */
export const integersHaveNoGradient: Unsupported = unsupported(
  'integers have no gradient; train the floating-point model and quantize it after',
);

/** The gradient rule of operators whose output is a truth value, an index, a shape or a code. */
export const notDifferentiable: Unsupported = unsupported(
  'its output does not change smoothly with its inputs',
);
