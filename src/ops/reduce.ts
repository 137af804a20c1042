import type { Operator } from './operator.ts';

/** Reductions and searches along axes. */
export const REDUCE: readonly Operator[] = [];
