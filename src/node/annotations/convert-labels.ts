import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ArgumentError, FileError } from '../../core/errors.ts';
import { type ImageSize, yoloLabelText } from '../../detect/index.ts';
import type { WriteOptions } from '../file.ts';
import type { BrokenImage } from '../image-folder.ts';
import { loadSharp, readImageSize, type Sharp } from '../image-folder-decode.ts';
import type { YoloSplit } from '../yolo-data.ts';
import { checkShares, type DivideOptions, divideParts } from './divide-parts.ts';
import { type AnnotationFormat, type FoundAnnotation, findAnnotations } from './find-annotations.ts';
import { ImageFinder } from './find-images.ts';
import { checkYoloFolder, type ImageMode, PARTS, writeYoloData, type YoloEntry } from './write-yolo-data.ts';

/** Options of `convertLabels`. */
export interface ConvertLabelsOptions extends WriteOptions, DivideOptions {
  /** 'voc' or 'coco'. By default what the endings of the files say: .xml or .json. */
  readonly format?: AnnotationFormat;
  /** Folders the images are in. By default the source, or the folder of a source that is a file and the one above it. */
  readonly imageFolders?: readonly string[];
  /** Link the images into the new folder (the default), copy them, or leave them where they are: in its folder `images`. */
  readonly images?: ImageMode;
  /** Names of the classes, in order; objects of others are left out. By default those that are there: COCO's categories by id, VOC's names sorted. */
  readonly names?: readonly string[];
  /** Keep objects that VOC marks difficult. Default false. */
  readonly difficult?: boolean;
  /** Keep COCO's boxes around crowds. Default false. */
  readonly crowd?: boolean;
  /** VOC: number of the first pixel of a row. Default 1. */
  readonly origin?: 0 | 1;
  /** Called with the share of the images that are looked at. */
  readonly onProgress?: (done: number) => void;
}

/** What `convertLabels` wrote of a part. */
export interface ConvertedPart {
  readonly images: number;
  readonly boxes: number;
  /** Images with nothing in them: backgrounds, to train on as well. */
  readonly empty: number;
}

/** What `convertLabels` wrote, and what it left out. */
export interface ConvertedLabels {
  readonly format: AnnotationFormat;
  /** Path of the data yaml. */
  readonly yaml: string;
  readonly names: readonly string[];
  readonly parts: Readonly<Partial<Record<YoloSplit, ConvertedPart>>>;
  /** Boxes that were cut off at the edges of their image. */
  readonly clipped: number;
  /** Boxes of no size, or outside of their image: left out. */
  readonly emptyBoxes: number;
  /** Objects left out for their marks. */
  readonly difficult: number;
  readonly crowd: number;
  /** Objects left out since `names` does not name their class, by name. */
  readonly otherClasses: Readonly<Record<string, number>>;
  /** VOC: boxes that begin before the first pixel, at 0 where pixels count from 1. If there are any, the file counts from 0. */
  readonly beforeFirst: number;
  /** Images that the lists do not name: left out. */
  readonly unlisted: number;
  /** Annotations that cannot be used, and images that are missing or damaged: left out. */
  readonly broken: readonly BrokenImage[];
}

/** Headers of images read at a time. */
const AT_ONCE = 64;

/** Sides may differ by so much in proportion: images are scaled to whole pixels. */
const TOLERANCE = 0.02;

/**
 * Converts annotations of Pascal VOC (XML) or COCO (JSON) to a YOLO data set: `labels/`, `images/`, a list of images for each part, and `data.yaml`. Broken files and missing images are left out and listed.
 *
 * @param source A .json or .xml file, or a folder of them and the images. Parts are told by folders and file names (`train`, `val` or `valid`, `test`), by VOC's `ImageSets/Main`, by `lists`, or by shares.
 *
 * Throws FileError where there is nothing to convert, or the folder has a data set already; ArgumentError for shares or names that cannot be; EngineError where the package `sharp`, which reads the images' sizes, is not installed.
 */
export async function convertLabels(
  source: string,
  folder: string,
  options: ConvertLabelsOptions = {},
): Promise<ConvertedLabels> {
  checkShares(options);
  checkYoloFolder(folder, options);
  if (options.names !== undefined) checkNames(options.names);
  const sharp = await loadSharp('convertLabels');
  const found = findAnnotations(source, options);
  const names = options.names ?? found.names ?? namesIn(found.images);
  if (names.length === 0) throw new FileError(source, 'holds no objects, so there are no classes');
  const finder = finderFor(source, options.imageFolders);
  const placed = divideParts(found.images, options);

  const classes = new Map(names.map((name, label) => [name, label]));
  const broken: BrokenImage[] = [...found.broken];
  const entries: YoloEntry[] = [];
  const counts = { clipped: 0, emptyBoxes: 0, difficult: 0, crowd: 0, beforeFirst: 0 };
  const parts = new Map<YoloSplit, ConvertedPart>();
  const otherClasses = new Map<string, number>();
  const used = new Map<string, string>();
  for (let start = 0; start < placed.length; start += AT_ONCE) {
    const some = placed.slice(start, start + AT_ONCE);
    const opened = await Promise.all(
      some.map(({ annotation }) => open(sharp, finder, annotation, found.format)),
    );
    some.forEach(({ annotation, part }, index) => {
      const image = opened[index]!;
      const tell = (reason: string): void => void broken.push({ path: annotation.source, reason });
      if ('reason' in image) {
        tell(image.reason);
        return;
      }
      const other = used.get(image.path);
      if (other !== undefined) {
        tell(`${image.path} has annotations in ${other} already`);
        return;
      }
      used.set(image.path, annotation.source);
      const written = yoloLabelText(annotation.objects, image.size, classes, options);
      entries.push({ image: image.path, part, text: written.text });
      counts.clipped += written.clipped;
      counts.emptyBoxes += written.empty;
      counts.difficult += written.difficult;
      counts.crowd += written.crowd;
      if (found.format === 'voc') {
        counts.beforeFirst += annotation.objects.filter(({ box }) => box[0] === -1 || box[1] === -1).length;
      }
      for (const name of written.otherClasses) otherClasses.set(name, (otherClasses.get(name) ?? 0) + 1);
      const before = parts.get(part) ?? { images: 0, boxes: 0, empty: 0 };
      parts.set(part, {
        images: before.images + 1,
        boxes: before.boxes + written.boxes,
        empty: before.empty + Number(written.boxes === 0),
      });
    });
    options.onProgress?.(Math.min(1, (start + AT_ONCE) / placed.length));
  }
  if (entries.length === 0) {
    const [first] = broken;
    const why = first === undefined ? 'the lists name none of them' : `${first.path}: ${first.reason}`;
    throw new FileError(source, `none of the images can be used: ${why}`);
  }
  const { yaml } = writeYoloData(folder, entries, names, options);
  return {
    format: found.format,
    yaml,
    names,
    parts: Object.fromEntries(PARTS.flatMap((part) => (parts.has(part) ? [[part, parts.get(part)]] : []))),
    ...counts,
    otherClasses: Object.fromEntries([...otherClasses].sort(([a], [b]) => (a < b ? -1 : 1))),
    unlisted: found.images.length - placed.length,
    broken,
  };
}

function checkNames(names: readonly string[]): void {
  if (names.length === 0) throw new ArgumentError('convertLabels: names is empty; expected names of classes');
  const wrong = names.find((name, index) => name.trim() === '' || names.indexOf(name) !== index);
  if (wrong === undefined) return;
  throw new ArgumentError(`convertLabels: the name '${wrong}' is empty, or in names twice`);
}

/** Names of the objects, sorted by the units of their text. */
const namesIn = (images: readonly FoundAnnotation[]): string[] =>
  [...new Set(images.flatMap(({ objects }) => objects.map(({ name }) => name)))].sort();

/** Throws FileError where the folders hold no images. */
function finderFor(source: string, given: readonly string[] | undefined): ImageFinder {
  const isFolder = statSync(source).isDirectory();
  // Files of COCO lie in a folder beside that of the images.
  const attempts =
    given !== undefined ? [given] : isFolder ? [[source]] : [[dirname(source)], [dirname(dirname(source))]];
  for (const folders of attempts) {
    const finder = new ImageFinder(folders);
    if (finder.count > 0) return finder;
  }
  const last = attempts.at(-1)!.join(', ');
  throw new FileError(last, 'holds no images; say where they are, by imageFolders (--image-folder)');
}

type Opened = { readonly path: string; readonly size: ImageSize } | { readonly reason: string };

/** Path of an annotation's image and the size its boxes were drawn on; otherwise why it cannot be used. */
async function open(
  sharp: Sharp,
  finder: ImageFinder,
  annotation: FoundAnnotation,
  format: AnnotationFormat,
): Promise<Opened> {
  const image = finder.find(annotation, format);
  if ('reason' in image) return image;
  const { path } = image;
  let there: ImageSize;
  try {
    there = await readImageSize(sharp, path);
  } catch (error) {
    return { reason: `${path}: ${error instanceof Error ? error.message : String(error)}` };
  }
  const size = annotation.size ?? there;
  const proportion = (size.width * there.height) / (size.height * there.width);
  if (Math.abs(Math.log(proportion)) <= TOLERANCE) return { path, size };
  return {
    reason: `boxes were drawn on ${size.width} x ${size.height} pixels, ${path} has ${there.width} x ${there.height}; is it turned, or cut?`,
  };
}
