import { ArgumentError } from '../../core/errors.ts';
import { Generator } from '../../core/random.ts';
import type { YoloSplit } from '../yolo-data.ts';
import { type FoundAnnotation, readNames } from './find-annotations.ts';

/** How images are divided among the parts of a data set. */
export interface DivideOptions {
  /** Files that list the images of a part, one on a line. They come before what folders, file names and VOC's own lists say; what none of them lists is left out. */
  readonly lists?: Readonly<Partial<Record<YoloSplit, string>>>;
  /** Shares of the images to validate and test with, where nothing says which are. The first also of the training images where that says which are these, but not which validate. Default 0.2 and 0. */
  readonly valShare?: number;
  readonly testShare?: number;
  /** Which images these are. Default 0. */
  readonly seed?: number;
}

/** An annotation and the part it goes to. */
export interface PlacedAnnotation {
  readonly annotation: FoundAnnotation;
  readonly part: YoloSplit;
}

/** Throws ArgumentError for shares that are none, or leave nothing to train with. */
export function checkShares({ valShare = 0.2, testShare = 0 }: DivideOptions): void {
  for (const [name, share] of Object.entries({ valShare, testShare })) {
    if (share >= 0 && share < 1) continue;
    throw new ArgumentError(`convertLabels: ${name} expects a share from 0 to below 1, got ${share}`);
  }
  if (valShare + testShare >= 1) {
    throw new ArgumentError(
      `convertLabels: valShare ${valShare} and testShare ${testShare} leave nothing to train with`,
    );
  }
}

/** Puts each image into a part; those that lists leave out are not in the result. Throws FileError for lists that cannot be read. */
export function divideParts(
  images: readonly FoundAnnotation[],
  options: DivideOptions,
): readonly PlacedAnnotation[] {
  const { valShare = 0.2, testShare = 0, seed = 0 } = options;
  const listed = listedParts(options.lists ?? {});
  const placed: PlacedAnnotation[] = [];
  const open: FoundAnnotation[] = [];
  for (const annotation of images) {
    const part = listed === null ? annotation.part : (listed.get(annotation.stem) ?? 'unlisted');
    if (part === null) open.push(annotation);
    else if (part !== 'unlisted') placed.push({ annotation, part });
  }
  placed.push(...byShares(open, valShare, testShare, seed));
  const training = placed.filter(({ part }) => part === 'train').map(({ annotation }) => annotation);
  if (valShare === 0 || training.length === 0 || placed.some(({ part }) => part === 'val')) return placed;
  return [...placed.filter(({ part }) => part !== 'train'), ...byShares(training, valShare, 0, seed)];
}

function listedParts(
  lists: Readonly<Partial<Record<YoloSplit, string>>>,
): ReadonlyMap<string, YoloSplit> | null {
  const entries = Object.entries(lists) as [YoloSplit, string][];
  if (entries.length === 0) return null;
  const parts = new Map<string, YoloSplit>();
  for (const [part, path] of entries) for (const stem of readNames(path)) parts.set(stem, part);
  return parts;
}

const keyOf = ({ source, fileName, stem }: FoundAnnotation): string => `${fileName ?? stem}\n${source}`;

/** The same images for the same seed, in whatever order they come. At least one validates where a share does and there are two. */
function byShares(
  images: readonly FoundAnnotation[],
  valShare: number,
  testShare: number,
  seed: number,
): PlacedAnnotation[] {
  const sorted = images.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const count = (share: number): number =>
    share === 0 || sorted.length < 2 ? 0 : Math.max(1, Math.round(sorted.length * share));
  const validating = count(valShare);
  const testing = Math.min(count(testShare), sorted.length - validating);
  const order = Array.from(new Generator(seed).randperm(sorted.length));
  const parts = new Array<YoloSplit>(sorted.length).fill('train');
  order.forEach((index, rank) => {
    if (rank < validating) parts[index] = 'val';
    else if (rank < validating + testing) parts[index] = 'test';
  });
  return sorted.map((annotation, index) => ({ annotation, part: parts[index]! }));
}
