import { type Unsupported, unsupported } from './operator.ts';

/** The gradient rule of operators that will have one. */
export const gradLater: Unsupported = unsupported('gradients come with training');

/** The channel rule of operators that will have one. */
export const channelsLater: Unsupported = unsupported('channel coupling comes with structural pruning');

/** The gradient rule of operators on quantized tensors. */
export const integersHaveNoGradient: Unsupported = unsupported(
  'integers have no gradient; train the floating-point model and quantize it after',
);

/** The gradient rule of operators whose output is a truth value, an index, a shape or a code. */
export const notDifferentiable: Unsupported = unsupported(
  'its output does not change smoothly with its inputs',
);
