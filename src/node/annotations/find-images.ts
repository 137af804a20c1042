import { basename, dirname, extname, resolve, sep } from 'node:path';
import { imagesIn } from '../image-folder.ts';
import type { FoundAnnotation } from './find-annotations.ts';
import { partOfPath } from './part-names.ts';

const segmentsOf = (path: string): string[] =>
  path.split(/[\\/]+/).filter((part) => part !== '' && part !== '.');

/** Number of segments that two paths share at their ends. */
function sharedEnd(a: readonly string[], b: readonly string[]): number {
  let count = 0;
  while (count < Math.min(a.length, b.length) && a.at(-1 - count) === b.at(-1 - count)) count++;
  return count;
}

/** Number of segments that two paths share at their beginnings. */
function sharedStart(a: readonly string[], b: readonly string[]): number {
  let count = 0;
  while (count < Math.min(a.length, b.length) && a[count] === b[count]) count++;
  return count;
}

/**
 * Finds the images of annotations among those of folders: by the name of the annotation file first for VOC, whose `filename` is often wrong, by the name in the annotation otherwise, whatever folders
 * another machine had. Of several images of one name that is taken which shares most folders with that name, lies in the annotation's part of the data set, or lies nearest to the annotation file.
 */
export class ImageFinder {
  /** Images that were found in the folders. */
  readonly count: number;
  readonly #byName = new Map<string, string[]>();
  readonly #byStem = new Map<string, string[]>();

  /** Throws FileError for a folder that cannot be read. */
  constructor(folders: readonly string[]) {
    const paths = [...new Set(folders.flatMap(imagesIn).map((path) => resolve(path)))];
    this.count = paths.length;
    for (const path of paths) {
      const name = basename(path);
      add(this.#byName, name, path);
      add(this.#byStem, name.slice(0, name.length - extname(name).length), path);
    }
  }

  /** Path of the image of an annotation; otherwise why there is none. */
  find(
    annotation: FoundAnnotation,
    format: 'voc' | 'coco',
  ): { readonly path: string } | { readonly reason: string } {
    const { fileName, stem } = annotation;
    const named = fileName === null ? [] : (this.#byName.get(segmentsOf(fileName).at(-1) ?? '') ?? []);
    const alike = this.#byStem.get(stem) ?? [];
    const candidates = format === 'voc' && alike.length > 0 ? alike : named.length > 0 ? named : alike;
    const [first, second] = rank(candidates, annotation);
    if (first === undefined) return { reason: `there is no image '${fileName ?? stem}'` };
    if (second?.score.every((value, at) => value === first.score[at])) {
      return { reason: `several images may be meant: ${first.path}, ${second.path}` };
    }
    return { path: first.path };
  }
}

function add(map: Map<string, string[]>, key: string, path: string): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [path]);
  else known.push(path);
}

interface Ranked {
  readonly path: string;
  readonly score: readonly number[];
}

/** Candidates, the best first. */
function rank(paths: readonly string[], { fileName, source, part }: FoundAnnotation): readonly Ranked[] {
  if (paths.length === 1) return [{ path: paths[0]!, score: [] }];
  const wanted = segmentsOf(fileName ?? '');
  const home = resolve(dirname(source)).split(sep);
  return paths
    .map((path) => {
      const segments = path.split(sep);
      const inPart = part !== null && partOfPath(segments.slice(0, -1)) === part;
      return { path, score: [sharedEnd(segments, wanted), Number(inPart), sharedStart(segments, home)] };
    })
    .sort((a, b) => {
      const at = a.score.findIndex((value, index) => value !== b.score[index]);
      return at < 0 ? 0 : b.score[at]! - a.score[at]!;
    });
}
