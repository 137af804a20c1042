import { ArgumentError } from '../core/errors.ts';
import { namePattern } from '../core/name-pattern.ts';

/**
 * Tells whether a layer is meant by a pattern over layer names, as `include` and `exclude` of weight pruning take them: `*` stands for any characters, `?` for one, and the text must match the whole
 * name (`model.24.m.*`) or that of a module the layer stands in (`model.24`).
 */
export function layerPattern(pattern: string): (layer: string) => boolean {
  const expression = namePattern(pattern, { within: true });
  return (layer) => expression.test(layer);
}

/** Most layers that an error lists. */
const MOST_LISTED = 12;

/** As `layerPattern`. Throws ArgumentError where none of the layers is meant: a slip of the pen must not go unnoticed. */
export function matchingPattern(
  who: string,
  pattern: string,
  layers: readonly string[],
): (layer: string) => boolean {
  const matches = layerPattern(pattern);
  if (layers.some(matches)) return matches;
  const more = layers.length > MOST_LISTED ? `, … (${layers.length} in all)` : '';
  throw new ArgumentError(
    `${who}: no layer matches '${pattern}'; layers are ${layers.slice(0, MOST_LISTED).join(', ') || 'none'}${more}`,
  );
}
