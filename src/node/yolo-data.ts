import { existsSync, statSync } from 'node:fs';
import { dirname, extname, isAbsolute, resolve, sep } from 'node:path';
import { ArgumentError, FileError, FormatError } from '../core/errors.ts';
import { isRecord } from '../core/is-record.ts';
import type { DetectionDataset, DetectionSample, ImageSize, LabelledBox } from '../detect/index.ts';
import { readImage } from './decode-rgb.ts';
import { readBytes, withPath } from './file.ts';
import { type BrokenImage, IMAGE_EXTENSIONS, imagesIn, isImagePath } from './image-folder.ts';
import { loadSharp, readImageSize } from './image-folder-decode.ts';
import { readYaml } from './yaml.ts';
import { parseYoloLabels } from './yolo-labels.ts';

/** Parts of a YOLO data set. */
export type YoloSplit = 'train' | 'val' | 'test';

/** What a YOLO data yaml says. */
export interface YoloData {
  /** Path of the yaml. */
  readonly path: string;
  /** Names of the classes. */
  readonly names: readonly string[];
  /** Folders of images and lists of them, by part; those that are not named are left out. */
  readonly splits: Readonly<Partial<Record<YoloSplit, readonly string[]>>>;
}

const SPLITS: readonly YoloSplit[] = ['train', 'val', 'test'];

/** Files with names of images in them, one on a line. */
const LIST_EXTENSION = '.txt';

/** Images with fewer pixels on a side are taken for broken, as in YOLOv5. */
const LEAST_SIDE = 10;

/** Headers and label files read at a time. */
const AT_ONCE = 64;

/**
 * Reads a YOLO data yaml: `names` (a list, or a map from numbers), `train`, `val` and `test` (a folder of images, a .txt file that lists them, or a list of those), relative to `path`, and that to the
 * folder of the yaml. Nothing is downloaded.
 *
 * Throws FileError where the file cannot be read, FormatError where it is no yaml of this kind.
 */
export function readYoloData(path: string): YoloData {
  const content = readYaml(path);
  if (!isRecord(content)) {
    throw new FormatError(path, "expected the keys 'names', 'train' and 'val' of a YOLO data set");
  }
  const { path: root = '.' } = content;
  if (typeof root !== 'string') throw new FormatError(path, "'path' is no text; expected a folder");
  const base = resolve(dirname(path), root);
  const splits: Partial<Record<YoloSplit, readonly string[]>> = {};
  for (const split of SPLITS) {
    const places = content[split] ?? [];
    const list: readonly unknown[] = Array.isArray(places) ? places : [places];
    if (!list.every((place): place is string => typeof place === 'string' && place !== '')) {
      throw new FormatError(path, `'${split}' is no path, nor a list of paths`);
    }
    if (list.length > 0) splits[split] = list.map((place) => placeOf(base, place));
  }
  return { path, names: namesOf(path, content), splits };
}

/** Ultralytics' files are also written from a sibling of the root; a path that leads nowhere is tried from inside. */
function placeOf(base: string, place: string): string {
  const found = resolve(base, place);
  if (existsSync(found) || !place.startsWith('../')) return found;
  return resolve(base, place.slice(3));
}

function namesOf(path: string, { names, nc }: Record<string, unknown>): readonly string[] {
  const entries: readonly (readonly [string, unknown])[] =
    Array.isArray(names) || isRecord(names) ? Object.entries(names) : [];
  const list: string[] = [];
  for (const [key, name] of entries) {
    // A yaml reads `1: yes` and `2: 7` as what they look like.
    if (!/^\d+$/.test(key) || !['string', 'number', 'boolean'].includes(typeof name)) {
      throw new FormatError(
        path,
        `'names' has ${key}: ${JSON.stringify(name)}; expected a number and a name`,
      );
    }
    if (Number(key) >= entries.length) {
      throw new FormatError(
        path,
        `'names' has ${entries.length} classes, and one of number ${key}; expected the numbers 0 to ${entries.length - 1}`,
      );
    }
    list[Number(key)] = String(name);
  }
  if (list.length === 0) throw new FormatError(path, "'names' is missing; expected the names of the classes");
  if (typeof nc === 'number' && nc !== list.length) {
    throw new FormatError(path, `'nc' says ${nc} classes, 'names' names ${list.length}`);
  }
  return list;
}

/** Path of the labels of an image: in `labels` where the image is in `images`, the last of the path, with the ending .txt. */
export function labelPath(image: string): string {
  const [from, to] = [`${sep}images${sep}`, `${sep}labels${sep}`];
  const at = image.lastIndexOf(from);
  const place = at < 0 ? image : `${image.slice(0, at)}${to}${image.slice(at + from.length)}`;
  return `${place.slice(0, place.length - extname(place).length)}.txt`;
}

/** Options of `yoloDataset`. */
export interface YoloDatasetOptions {
  /** Told once of each image or label file that is left out, when that is found. */
  readonly onBroken?: (image: BrokenImage) => void;
  /** Only the first images. */
  readonly limit?: number;
}

/** An image file of a YOLO data set. */
export interface YoloImage extends ImageSize {
  readonly path: string;
  /** In pixels of the image. */
  readonly labels: readonly LabelledBox[];
}

/** What was found of a part of a data set, as YOLOv5's train.py prints it. */
export interface YoloSummary {
  /** Images that have a label file, empty and damaged ones too. */
  readonly found: number;
  /** Images without one: nothing is in them. */
  readonly missing: number;
  /** Images whose label file is empty: nothing is in them either. */
  readonly empty: number;
  /** Images and label files that were left out so far. */
  readonly corrupt: number;
  /** Boxes of all images. */
  readonly objects: number;
}

/** A part of a YOLO data set: images are read when they are asked for, labels at first. */
export interface YoloDataset extends DetectionDataset {
  readonly summary: YoloSummary;
  readonly images: readonly YoloImage[];
  /** Images and label files that were left out so far. */
  readonly broken: readonly BrokenImage[];
}

/**
 * Opens a part of a YOLO data set: every image's header and labels are read, in the order of the paths. An image without a label file has nothing in it. What is broken is told to `onBroken`, listed in `broken` and left
 * out: images that cannot be read or are smaller than ten pixels, and those whose label file is damaged.
 *
 * Throws FormatError where the yaml does not name the part, FileError where its images are missing or none is whole, EngineError where the package `sharp` is not installed.
 */
export async function yoloDataset(
  data: YoloData,
  split: YoloSplit,
  options: YoloDatasetOptions = {},
): Promise<YoloDataset> {
  const places = data.splits[split];
  if (places === undefined) {
    const known = Object.keys(data.splits);
    throw new FormatError(
      data.path,
      `names no images for '${split}'; it has ${known.length === 0 ? 'none' : known.join(', ')}`,
    );
  }
  // As Python sorts: by the units of the text.
  const paths = [...new Set(places.flatMap(imagePaths))].sort().slice(0, options.limit);
  if (paths.length === 0) {
    throw new FileError(
      places.join(', '),
      `no images; expected files that end in ${IMAGE_EXTENSIONS.join(', ')}`,
    );
  }
  const broken = new Map<string, BrokenImage>();
  const tell = (path: string, reason: string): void => {
    if (broken.has(path)) return;
    broken.set(path, { path, reason });
    options.onBroken?.({ path, reason });
  };
  const sharp = await loadSharp('yoloDataset');
  const images: YoloImage[] = [];
  const counts = { found: 0, missing: 0, empty: 0, objects: 0 };
  for (let start = 0; start < paths.length; start += AT_ONCE) {
    const some = paths.slice(start, start + AT_ONCE);
    const sizes = await Promise.allSettled(some.map((path) => readImageSize(sharp, path)));
    sizes.forEach((result, index) => {
      const path = some[index]!;
      if (result.status === 'rejected') {
        tell(path, reasonOf(result.reason));
        return;
      }
      const { height, width } = result.value;
      if (Math.min(height, width) < LEAST_SIDE) {
        tell(path, `${width} x ${height} pixels; expected at least ${LEAST_SIDE} on a side`);
        return;
      }
      const labels = labelsOf(path, { height, width }, data.names.length);
      if (labels === null) counts.missing++;
      else counts.found++;
      if (labels !== null && 'reason' in labels) {
        tell(labelPath(path), labels.reason);
        return;
      }
      if (labels?.length === 0) counts.empty++;
      counts.objects += labels?.length ?? 0;
      images.push({ path, height, width, labels: labels ?? [] });
    });
  }
  if (images.length === 0) {
    const [first] = broken.values();
    throw new FileError(
      places.join(', '),
      `none of the ${paths.length} images can be used: ${first!.path}: ${first!.reason}`,
    );
  }
  return {
    length: images.length,
    names: data.names,
    sizes: images,
    labels: images.map(({ labels }) => labels),
    images,
    get broken() {
      return [...broken.values()];
    },
    get summary() {
      return { ...counts, corrupt: broken.size };
    },
    get: async (index): Promise<DetectionSample | null> => {
      const image = images[index];
      if (image === undefined) {
        throw new ArgumentError(`yoloDataset: there is no image ${index}, there are ${images.length}`);
      }
      try {
        return { image: await readImage(image.path), labels: image.labels };
      } catch (error) {
        tell(image.path, reasonOf(error));
        return null;
      }
    },
  };
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Images of a folder, or those that a list names. */
function imagePaths(place: string): string[] {
  const stat = withPath(place, 'cannot be read', () => statSync(place));
  if (stat.isDirectory()) return imagesIn(place);
  if (extname(place).toLowerCase() !== LIST_EXTENSION) return [place].filter(isImagePath);
  const folder = dirname(place);
  return new TextDecoder()
    .decode(readBytes(place))
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter(isImagePath)
    .map((line) => (isAbsolute(line) ? line : resolve(folder, line)));
}

/** Null where there is no label file. */
function labelsOf(
  path: string,
  size: ImageSize,
  classes: number,
): readonly LabelledBox[] | { readonly reason: string } | null {
  const file = labelPath(path);
  if (!existsSync(file)) return null;
  try {
    return parseYoloLabels(new TextDecoder().decode(readBytes(file)), size, classes);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return { reason: error.message };
  }
}
