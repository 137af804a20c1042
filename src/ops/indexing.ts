import type { Operator } from './operator.ts';

/** Picking and placing elements: Gather, Slice, Pad, ScatterND and their kin. */
export const INDEXING: readonly Operator[] = [];
