import type { Anchors } from '../models/index.ts';

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
