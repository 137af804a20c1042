import type { Operator } from './operator.ts';

/** Elementwise arithmetic, comparison and logic, with broadcasting. */
export const ELEMENTWISE: readonly Operator[] = [];
