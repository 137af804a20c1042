import type { Operator } from './operator.ts';

/** Pooling. */
export const POOL: readonly Operator[] = [];
