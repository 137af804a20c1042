import type { Operator } from './operator.ts';

/** Changes of shape and order that keep every element: Reshape, Transpose, Concat, Split and their kin. */
export const LAYOUT: readonly Operator[] = [];
