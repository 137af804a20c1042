import type { Operator } from './operator.ts';

/** Changes of element type, and quantization. */
export const CAST: readonly Operator[] = [];
