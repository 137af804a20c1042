import type { Operator } from './operator.ts';

/** Operators of onnxruntime's own domains. */
export const CONTRIB: readonly Operator[] = [];
