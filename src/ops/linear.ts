import type { Operator } from './operator.ts';

/** Linear layers and matrix products. */
export const LINEAR: readonly Operator[] = [];
