import type { YoloSplit } from '../yolo-data.ts';

/** Words for the parts of a data set, as folders and files of annotations have them, years behind them left out. */
const WORDS: Readonly<Record<string, YoloSplit>> = {
  train: 'train',
  training: 'train',
  val: 'val',
  valid: 'val',
  validation: 'val',
  test: 'test',
  testing: 'test',
};

const wordsOf = (name: string): string[] => name.toLowerCase().split(/[^a-z]+/);

/** The part that a name speaks of: `instances_train2017.json`, `valid`. Null where it speaks of none, or of several. */
export function partOfName(name: string): YoloSplit | null {
  const parts = new Set(wordsOf(name).flatMap((word) => (Object.hasOwn(WORDS, word) ? [WORDS[word]!] : [])));
  const [part = null] = parts;
  return parts.size === 1 ? part : null;
}

/** The part that the last of the folders and files of a path speaks of; null where none does. */
export function partOfPath(segments: readonly string[]): YoloSplit | null {
  for (const segment of segments.toReversed()) {
    const part = partOfName(segment);
    if (part !== null) return part;
  }
  return null;
}
