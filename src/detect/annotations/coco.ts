import { FormatError } from '../../core/errors.ts';
import { isRecord } from '../../core/is-record.ts';
import type { Box, ImageSize } from '../box.ts';
import type { AnnotatedImage, AnnotatedObject } from './annotated-image.ts';

/** An entry of an annotation file that cannot be used. */
export interface BrokenAnnotation {
  /** The image it belongs to, or what it is. */
  readonly entry: string;
  readonly reason: string;
}

/** What a COCO file says. */
export interface CocoAnnotations {
  /** Names of the categories, in the order of their ids, which may leave numbers out. */
  readonly names: readonly string[];
  /** In the order of the file; those without annotations too. */
  readonly images: readonly AnnotatedImage[];
  /** Images with a damaged annotation, and annotations of no image: they are left out. */
  readonly broken: readonly BrokenAnnotation[];
}

type Entry = Readonly<Record<string, unknown>>;

interface OpenImage {
  readonly fileName: string;
  readonly size: ImageSize | null;
  readonly objects: AnnotatedObject[];
  reason: string | null;
}

/**
 * Reads COCO's annotations of objects (`instances_*.json`): boxes and categories. Segmentations, key points and captions are not looked at. A category's id is any number, and those left out make no class.
 *
 * Throws FormatError where the text is no JSON, or has not the lists `images`, `annotations` and `categories`; what is wrong with single entries is listed in `broken`.
 */
export function parseCocoAnnotations(text: string): CocoAnnotations {
  const content = parsed(text);
  const categories = categoriesOf(listOf(content, 'categories'));
  const broken: BrokenAnnotation[] = [];
  const images = new Map<unknown, OpenImage>();
  listOf(content, 'images').forEach((entry, index) => {
    const image = imageOf(entry);
    if (typeof image === 'string') broken.push({ entry: `images[${index}]`, reason: image });
    else if (images.has(entry.id)) {
      broken.push({ entry: image.fileName, reason: `a second image of the id ${shown(entry.id)}` });
    } else images.set(entry.id, image);
  });
  listOf(content, 'annotations').forEach((entry, index) => {
    const image = images.get(entry.image_id);
    if (image === undefined) {
      broken.push({
        entry: `annotations[${index}]`,
        reason: `there is no image of the id ${shown(entry.image_id)}`,
      });
      return;
    }
    const object = objectOf(entry, categories);
    if (typeof object === 'string') image.reason ??= `annotations[${index}]: ${object}`;
    else image.objects.push(object);
  });
  const whole: AnnotatedImage[] = [];
  for (const { reason, ...image } of images.values()) {
    if (reason === null) whole.push(image);
    else broken.push({ entry: image.fileName, reason });
  }
  return { names: [...new Set(categories.values())], images: whole, broken };
}

function parsed(text: string): Entry {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new FormatError('COCO annotations', `are no JSON: ${error.message}`, {}, { cause: error });
  }
  if (isRecord(content)) return content;
  throw new FormatError(
    'COCO annotations',
    "expected an object with the lists 'images', 'annotations' and 'categories'",
  );
}

function listOf(content: Entry, key: 'images' | 'annotations' | 'categories'): readonly Entry[] {
  const list = content[key];
  if (!Array.isArray(list)) {
    throw new FormatError(
      'COCO annotations',
      `expected a list, ${list === undefined ? 'but there is none' : `got ${typeof list}`}`,
      { field: key },
    );
  }
  // What is no object has none of the fields either, and is told as such.
  return list.map((entry: unknown) => (isRecord(entry) ? entry : {}));
}

const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 100) ?? 'undefined';

/** Names by id, in the order of the ids. */
function categoriesOf(list: readonly Entry[]): ReadonlyMap<unknown, string> {
  const found = list.map(({ id, name }, index) => {
    if (typeof id !== 'number' || typeof name !== 'string' || name.trim() === '') {
      throw new FormatError(
        'COCO annotations',
        `expected a category with a number 'id' and a 'name', got ${shown(list[index])}`,
        { field: `categories[${index}]` },
      );
    }
    return [id, name.trim()] as const;
  });
  const names = new Map<number, string>();
  for (const [id, name] of found.sort(([a], [b]) => a - b)) {
    const other = names.get(id);
    if (other !== undefined && other !== name) {
      throw new FormatError('COCO annotations', `the id ${id} is both '${other}' and '${name}'`, {
        field: 'categories',
      });
    }
    names.set(id, name);
  }
  return names;
}

/** An image, or what is wrong with it. */
function imageOf({ file_name, coco_url, width, height }: Entry): OpenImage | string {
  // LVIS leaves the file's name to the address.
  const name = file_name ?? (typeof coco_url === 'string' ? coco_url.split('/').at(-1) : undefined);
  if (typeof name !== 'string' || name === '') return "has no 'file_name'";
  const isKnown = typeof width === 'number' && typeof height === 'number' && width > 0 && height > 0;
  return { fileName: name, size: isKnown ? { height, width } : null, objects: [], reason: null };
}

/** An object, or what is wrong with it. */
function objectOf(
  { bbox, category_id, iscrowd }: Entry,
  categories: ReadonlyMap<unknown, string>,
): AnnotatedObject | string {
  const name = categories.get(category_id);
  if (name === undefined) return `there is no category of the id ${shown(category_id)}`;
  const isBox = Array.isArray(bbox) && bbox.length === 4 && bbox.every((value) => Number.isFinite(value));
  if (!isBox) return `the bbox is ${shown(bbox)}; expected [x, y, width, height]`;
  const [x, y, width, height] = bbox as [number, number, number, number];
  const box: Box = [x, y, x + width, y + height];
  return { name, box, mark: iscrowd === 1 || iscrowd === true ? 'crowd' : null };
}
