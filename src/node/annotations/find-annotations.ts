import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, relative, sep } from 'node:path';
import { FileError, FormatError, SecateurError } from '../../core/errors.ts';
import { type AnnotatedImage, parseCocoAnnotations, parseVocAnnotation } from '../../detect/index.ts';
import { readBytes, withPath } from '../file.ts';
import type { BrokenImage } from '../image-folder.ts';
import type { YoloSplit } from '../yolo-data.ts';
import { decodeXml } from './decode-xml.ts';
import { partOfPath } from './part-names.ts';

/** Kinds of annotation files: Pascal VOC's XML, one for each image, and COCO's JSON for many. */
export type AnnotationFormat = 'voc' | 'coco';

/** An annotated image, and where that is written. */
export interface FoundAnnotation extends AnnotatedImage {
  /** Path of the annotation file. */
  readonly source: string;
  /** What the file is called without folders and ending: by that the lists of a VOC data set, and its images, know it. */
  readonly stem: string;
  /** Part of the data set that folders, names or VOC's lists say; null where they say none. */
  readonly part: YoloSplit | 'unlisted' | null;
}

/** The annotations of a file or folder. */
export interface FoundAnnotations {
  readonly format: AnnotationFormat;
  /** In the order of the paths. */
  readonly images: readonly FoundAnnotation[];
  /** Categories of COCO files in the order of their ids, also those that no object has; null for VOC, which lists none. */
  readonly names: readonly string[] | null;
  /** Files and entries that cannot be used. */
  readonly broken: readonly BrokenImage[];
}

const EXTENSIONS: Readonly<Record<AnnotationFormat, string>> = { voc: '.xml', coco: '.json' };

/** Of what COCO publishes, the files with boxes of all classes. */
const INSTANCES = /^instances_/i;

/**
 * Reads the annotations of a file, or of a folder and those in it. Files that cannot be read as such are listed in `broken`.
 *
 * @param format By default what the endings of the files say.
 *
 * Throws FileError where there is no such place, none of the files are annotations, or they are of both kinds and `format` does not say which.
 */
export function findAnnotations(
  source: string,
  options: { readonly format?: AnnotationFormat; readonly origin?: 0 | 1 } = {},
): FoundAnnotations {
  const isFolder = withPath(source, 'cannot be read', () => statSync(source)).isDirectory();
  const files = isFolder ? filesIn(source) : [source];
  const format = options.format ?? formatOf(source, files);
  const own = files.filter((path) => extname(path).toLowerCase() === EXTENSIONS[format]);
  if (own.length === 0) {
    throw new FileError(source, `holds no annotations that end in ${EXTENSIONS[format]}`);
  }
  const root = isFolder ? source : dirname(source);
  const found = format === 'voc' ? fromVoc(root, own, options.origin ?? 1) : fromCoco(root, own);
  if (found.images.length === 0) {
    const [first] = found.broken;
    const why = first === undefined ? 'they name no images' : `${first.path}: ${first.reason}`;
    throw new FileError(source, `none of the annotations can be used: ${why}`);
  }
  return { format, ...found };
}

/** Paths of the annotation files in a folder and those in it, sorted; links to folders are not followed. */
function filesIn(folder: string): string[] {
  const endings = Object.values(EXTENSIONS);
  return withPath(folder, 'cannot be read', () =>
    readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => !name.startsWith('.'))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) return filesIn(path);
        return endings.includes(extname(entry.name).toLowerCase()) ? [path] : [];
      }),
  );
}

function formatOf(source: string, files: readonly string[]): AnnotationFormat {
  const kinds = (['voc', 'coco'] as const).filter((kind) =>
    files.some((path) => extname(path).toLowerCase() === EXTENSIONS[kind]),
  );
  const [first, second] = kinds;
  if (first === undefined) {
    throw new FileError(
      source,
      'holds no annotations; expected .xml files of Pascal VOC or .json files of COCO',
    );
  }
  if (second !== undefined) {
    throw new FileError(
      source,
      'holds both .xml and .json files; say which, by format (--format voc or coco)',
    );
  }
  return first;
}

const stemOf = (path: string): string => basename(path, extname(path));

/** What a file gives, or null and a note in `broken`. */
function tried<T>(path: string, broken: BrokenImage[], read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SecateurError)) throw error;
    broken.push({ path, reason: error instanceof FileError ? withoutPath(error) : error.message });
    return null;
  }
}

const withoutPath = ({ message, path }: FileError): string =>
  message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message;

function fromVoc(root: string, files: readonly string[], origin: 0 | 1): Omit<FoundAnnotations, 'format'> {
  const broken: BrokenImage[] = [];
  const lists = new Map<string, ReadonlyMap<string, YoloSplit>>();
  const images = files.flatMap((source): FoundAnnotation[] => {
    const image = tried(source, broken, () => parseVocAnnotation(decodeXml(readBytes(source)), { origin }));
    if (image === null) return [];
    const stem = stemOf(source);
    const folders = relative(root, dirname(source)).split(sep);
    const listed = listsFor(dirname(source), lists);
    const part = listed.size === 0 ? partOfPath(folders) : (listed.get(stem) ?? 'unlisted');
    return [{ ...image, source, stem, part }];
  });
  return { images, names: null, broken };
}

/** Lists of a VOC data set that divide it, each before those that it may be a union of. */
const LISTS: readonly (readonly [name: string, part: YoloSplit])[] = [
  ['train.txt', 'train'],
  ['val.txt', 'val'],
  ['test.txt', 'test'],
  ['trainval.txt', 'train'],
];

/** Parts of the annotations in a folder, by their stems, as `ImageSets/Main` beside the folder says. */
function listsFor(
  folder: string,
  known: Map<string, ReadonlyMap<string, YoloSplit>>,
): ReadonlyMap<string, YoloSplit> {
  const place = join(dirname(folder), 'ImageSets', 'Main');
  const before = known.get(place);
  if (before !== undefined) return before;
  const parts = new Map<string, YoloSplit>();
  for (const [name, part] of LISTS) {
    const path = join(place, name);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) continue;
    for (const stem of readNames(path)) if (!parts.has(stem)) parts.set(stem, part);
  }
  known.set(place, parts);
  return parts;
}

/** Names in a list, one on a line, without folders and endings of images. */
export function readNames(path: string): string[] {
  return new TextDecoder()
    .decode(readBytes(path))
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) =>
      line
        .split(/[\\/]/)
        .at(-1)!
        .replace(/\.(jpe?g|png|webp|gif|tiff?|avif|bmp|xml)$/i, ''),
    );
}

function fromCoco(root: string, files: readonly string[]): Omit<FoundAnnotations, 'format'> {
  const broken: BrokenImage[] = [];
  const names = new Set<string>();
  const instances = files.filter((path) => INSTANCES.test(basename(path)));
  const images = (instances.length > 0 ? instances : files).flatMap((source): FoundAnnotation[] => {
    const content = tried(source, broken, () => parseCocoAnnotations(jsonText(readBytes(source))));
    if (content === null) return [];
    for (const name of content.names) names.add(name);
    for (const { entry, reason } of content.broken)
      broken.push({ path: source, reason: `${entry}: ${reason}` });
    const part = partOfPath(relative(root, source).split(sep));
    return content.images.map((image) => ({
      ...image,
      source,
      stem: stemOf(image.fileName!.split(/[\\/]/).at(-1)!),
      part,
    }));
  });
  return { images, names: [...names], broken };
}

function jsonText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new FormatError(
      'COCO annotations',
      `${bytes.length} bytes that are no UTF-8, or more than a text holds`,
      {},
      { cause: error },
    );
  }
}
