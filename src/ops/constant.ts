import type { Operator } from './operator.ts';

/** Constants and generated tensors: Constant, Shape, Range, random numbers. */
export const CONSTANT: readonly Operator[] = [];
