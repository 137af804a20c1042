import { readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { ArgumentError, FileError } from '../core/errors.ts';
import type { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import {
  type Dataset,
  type Normalization,
  normalize,
  type Sample,
  type Size,
  sizeOfImage,
  type Transform,
} from '../data/index.ts';
import { withPath } from './file.ts';
import {
  type DecodeOptions,
  decodeImage,
  loadSharp,
  readImageSize,
  type Sharp,
} from './image-folder-decode.ts';

/** Endings of the files that are taken for images, in either case. */
export const IMAGE_EXTENSIONS: readonly string[] = [
  '.jpg',
  '.jpeg',
  '.png',
  '.webp',
  '.gif',
  '.tif',
  '.tiff',
  '.avif',
];

/** Endings of images that YOLOv5's and torchvision's loaders read and sharp does not: they are told as broken, not passed over in silence. */
const OTHER_EXTENSIONS: readonly string[] = ['.bmp', '.dng', '.mpo', '.pfm', '.ppm', '.pgm'];

/** Headers read at a time: enough to keep every thread busy. */
const AT_ONCE = 64;

/** An image that could not be read. */
export interface BrokenImage {
  readonly path: string;
  /** What the decoder says. */
  readonly reason: string;
}

/** Options of `imageFolder`. */
export interface ImageFolderOptions {
  /** What all images are made to: [height, width], or one number for both. */
  readonly size: Size;
  /** 'cover': fill the size and cut off what stands over; 'contain': fit in, with black edges; 'fill': stretch. Default 'cover'. */
  readonly fit?: 'cover' | 'contain' | 'fill';
  /** 3: grey images become RGB; 1: colours become grey. Default 3. */
  readonly channels?: 1 | 3;
  /** Figures per channel, such as `IMAGENET_NORMALIZATION`; false leaves values in [0, 1]. Default false. */
  readonly normalize?: false | Normalization;
  /** Read every file's header at first, and leave out those that are no images. Default true; takes about a quarter of a millisecond each. */
  readonly verify?: boolean;
  /** Told once of each image that cannot be read, when that is found. */
  readonly onBroken?: (image: BrokenImage) => void;
}

/** An image and its class. */
export interface ImageFile {
  readonly path: string;
  /** Index into the classes. */
  readonly label: number;
}

interface Reader {
  readonly sharp: Sharp;
  readonly options: DecodeOptions;
  readonly transform: Transform | null;
}

/**
 * A folder of class folders as a data set: float32[channels, height, width], in [0, 1] where nothing is normalized, and int64[]. Images are read and decoded when they are
 * asked for.
 *
 * An image whose pixels turn out to be damaged is noted in `broken`, and the next image of its class stands in for it, the same each time: a run does not
 * die of one bad file.
 */
export interface ImageFolder extends Dataset {
  readonly classes: readonly string[];
  /** The images, class by class. */
  readonly files: readonly ImageFile[];
  /** [channels, height, width]. */
  readonly inputShape: readonly [number, number, number];
  /** The images that could not be read so far. */
  readonly broken: readonly BrokenImage[];
  /** The image at `index`. Throws ArgumentError where there is none, FileError where no image of its class can be read. */
  get(index: number, random: Generator): Promise<Sample>;
}

/** Not exported, so that the declarations of this file need none of sharp's. */
class OpenFolder implements ImageFolder {
  readonly length: number;
  readonly classes: readonly string[];
  readonly files: readonly ImageFile[];
  readonly inputShape: readonly [number, number, number];
  readonly #broken: Map<string, BrokenImage>;
  readonly #reader: Reader;
  readonly #onBroken: ((image: BrokenImage) => void) | undefined;
  /** Where the files of each class lie, one behind the other. */
  readonly #ranges = new Map<number, { first: number; count: number }>();

  constructor(
    classes: readonly string[],
    files: readonly ImageFile[],
    reader: Reader,
    broken: readonly BrokenImage[],
    onBroken: ((image: BrokenImage) => void) | undefined,
  ) {
    this.length = files.length;
    this.classes = classes;
    this.files = files;
    this.inputShape = [reader.options.channels, reader.options.height, reader.options.width];
    this.#broken = new Map(broken.map((image) => [image.path, image]));
    this.#reader = reader;
    this.#onBroken = onBroken;
    files.forEach(({ label }, index) => {
      const range = this.#ranges.get(label);
      if (range === undefined) this.#ranges.set(label, { first: index, count: 1 });
      else range.count++;
    });
  }

  get broken(): readonly BrokenImage[] {
    return [...this.#broken.values()];
  }

  async get(index: number, random: Generator): Promise<Sample> {
    const file = this.files[index];
    if (file === undefined) {
      throw new ArgumentError(`imageFolder: there is no image ${index}, there are ${this.length}`);
    }
    const { first, count } = this.#ranges.get(file.label)!;
    for (let step = 0; step < count; step++) {
      const { path } = this.files[first + ((index - first + step) % count)]!;
      if (this.#broken.has(path)) continue;
      const image = await this.#decoded(path);
      if (image === null) continue;
      const { transform } = this.#reader;
      return {
        input: transform === null ? image : transform(image, random),
        target: Tensor.int64(file.label),
      };
    }
    throw new FileError(
      file.path,
      `cannot be read, nor can any other image of the class '${this.classes[file.label]}': ${this.#broken.get(file.path)?.reason}`,
    );
  }

  async #decoded(path: string): Promise<Tensor | null> {
    const { sharp, options } = this.#reader;
    try {
      return await decodeImage(sharp, path, options);
    } catch (error) {
      // Another call may have come here first.
      if (!this.#broken.has(path)) {
        const image = { path, reason: reasonOf(error) };
        this.#broken.set(path, image);
        this.#onBroken?.(image);
      }
      return null;
    }
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Of what links lead to; links that lead nowhere are nothing. */
const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** Is it the name of an image, also of one that cannot be read here? */
export const isImagePath = (name: string): boolean =>
  [...IMAGE_EXTENSIONS, ...OTHER_EXTENSIONS].includes(extname(name).toLowerCase());

/**
 * Opens a folder of class folders, `directory/<class>/…/<image>`: classes in the order of their names and images in that of their paths, as
 * torchvision's `ImageFolder`. Folders whose names begin with a dot are left out, and so are files whose endings are no images'.
 *
 * Needs the package `sharp`. Images are turned as EXIF says; transparency is dropped. Files that are no images are told to `onBroken`, listed in `broken` and
 * left out.
 *
 * Throws FileError where the folder cannot be read, holds no class folders, a class has no images, or none is readable; EngineError where sharp is
 * not installed; ArgumentError for options that do not fit.
 */
export async function imageFolder(directory: string, options: ImageFolderOptions): Promise<ImageFolder> {
  const reader = await readerOf(options);
  const classes = classFolders(directory);
  const paths = classes.map((name) => imagesIn(join(directory, name)));
  const files = paths.flatMap((own, label) => own.map((path) => ({ path, label })));
  const empty = classes.filter((_, label) => paths[label]!.length === 0);
  if (classes.length === 0 || empty.length > 0) {
    throw new FileError(
      directory,
      classes.length === 0
        ? 'holds no class folders; expected <class>/<image>'
        : `no images in the class folders ${empty.join(', ')}; expected files that end in ${IMAGE_EXTENSIONS.join(', ')}`,
    );
  }
  const broken = options.verify === false ? [] : await findBroken(reader.sharp, files);
  for (const image of broken) options.onBroken?.(image);
  const out = new Set(broken.map(({ path }) => path));
  const readable = files.filter(({ path }) => !out.has(path));
  if (readable.length === 0) {
    throw new FileError(directory, `none of its ${files.length} images can be read: ${broken[0]!.reason}`);
  }
  return new OpenFolder(classes, readable, reader, broken, options.onBroken);
}

async function readerOf(options: ImageFolderOptions): Promise<Reader> {
  const { size, fit = 'cover', channels = 3, normalize: normalization = false } = options;
  const [height, width] = sizeOfImage('imageFolder', size);
  if (!['cover', 'contain', 'fill'].includes(fit)) {
    throw new ArgumentError(`imageFolder: expected fit 'cover', 'contain' or 'fill', got '${fit}'`);
  }
  if (channels !== 1 && channels !== 3) {
    throw new ArgumentError(`imageFolder: expected 1 or 3 channels, got ${String(channels)}`);
  }
  if (normalization !== false && normalization.mean.length !== channels) {
    throw new ArgumentError(
      `imageFolder: the images have ${channels} channels, the mean to normalize by has ${normalization.mean.length}`,
    );
  }
  const transform = normalization === false ? null : normalize(normalization.mean, normalization.std);
  return { sharp: await loadSharp('imageFolder'), options: { height, width, fit, channels }, transform };
}

/** Names of the folders in a folder, sorted; those that begin with a dot are none. Throws FileError where it cannot be read. */
export function classFolders(directory: string): string[] {
  return withPath(directory, 'cannot be read', () =>
    readdirSync(directory)
      .filter((name) => !name.startsWith('.') && isFolder(join(directory, name)))
      .sort(),
  );
}

/** Paths of the images in a folder and the folders in it, those of a folder together. */
export function imagesIn(directory: string): string[] {
  return withPath(directory, 'cannot be read', () => {
    const entries = readdirSync(directory, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    );
    // A link to a file is a file; links to folders are not followed, since they may lead in a circle.
    const files = entries.filter(
      (entry) =>
        isImagePath(entry.name) &&
        (entry.isFile() || (entry.isSymbolicLink() && isFile(join(directory, entry.name)))),
    );
    const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
    return [
      ...files.map(({ name }) => join(directory, name)),
      ...folders.flatMap(({ name }) => imagesIn(join(directory, name))),
    ];
  });
}

/** The files whose headers are not those of images. */
async function findBroken(sharp: Sharp, files: readonly ImageFile[]): Promise<BrokenImage[]> {
  const broken: BrokenImage[] = [];
  for (let start = 0; start < files.length; start += AT_ONCE) {
    const some = files.slice(start, start + AT_ONCE);
    const results = await Promise.allSettled(some.map(({ path }) => readImageSize(sharp, path)));
    results.forEach((result, index) => {
      if (result.status === 'rejected')
        broken.push({ path: some[index]!.path, reason: reasonOf(result.reason) });
    });
  }
  return broken;
}
