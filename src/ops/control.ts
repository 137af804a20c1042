import type { Operator } from './operator.ts';

/** Control flow and sequences. */
export const CONTROL: readonly Operator[] = [];
