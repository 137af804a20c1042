import type { Operator } from './operator.ts';

/** Normalizations. */
export const NORM: readonly Operator[] = [];
