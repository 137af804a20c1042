import { type Unsupported, unsupported } from './operator.ts';

/** The gradient rule of operators that will have one. */
export const gradLater: Unsupported = unsupported('gradients come with training');

/** The channel rule of operators that will have one. */
export const channelsLater: Unsupported = unsupported('channel coupling comes with structural pruning');
