import type { Graph } from '../ir/index.ts';
import type { Anchors } from '../models/index.ts';
import { printClassNames } from './class-names.ts';

/** What a detector's file says of it. */
export interface DetectorMetadata {
  readonly names: readonly string[] | null;
  readonly strides: readonly number[];
  readonly anchors: Anchors;
}

/** Writes into a graph's metadata what Ultralytics' exports say, names of the classes and the largest stride, and the anchors in pixels, which those leave out. */
export function setDetectorMetadata(graph: Graph, { names, strides, anchors }: DetectorMetadata): void {
  const { metadata } = graph.meta;
  metadata.set('stride', String(Math.max(...strides)));
  if (names !== null) metadata.set('names', printClassNames(names));
  metadata.set('anchors', JSON.stringify(anchors));
}

/**
 * Anchors as `secateur` writes them into ONNX metadata: JSON of a list for each map, in pixels, `[[10, 13, …], …]`. Null where the text is none.
 */
export function parseAnchors(text: string): Anchors | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Whatever another program calls so.
    return null;
  }
  const isSizes = (sizes: unknown): sizes is number[] =>
    Array.isArray(sizes) &&
    sizes.length > 0 &&
    sizes.length % 2 === 0 &&
    sizes.every((size) => typeof size === 'number' && Number.isFinite(size) && size > 0);
  return Array.isArray(value) && value.length > 0 && value.every(isSizes) ? value : null;
}
