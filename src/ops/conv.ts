import type { Operator } from './operator.ts';

/** Convolutions. */
export const CONV: readonly Operator[] = [];
