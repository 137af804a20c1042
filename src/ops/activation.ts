import type { Operator } from './operator.ts';

/** Activations. */
export const ACTIVATION: readonly Operator[] = [];
