import type { Operator } from './operator.ts';

/** Recurrent layers. */
export const RECURRENT: readonly Operator[] = [];
