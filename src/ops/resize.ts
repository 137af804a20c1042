import type { Operator } from './operator.ts';

/** Resizing and rearrangement of images. */
export const RESIZE: readonly Operator[] = [];
