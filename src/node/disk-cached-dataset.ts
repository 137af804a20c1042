import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  openSync,
  read,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { FileError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import {
  type DetectionSample,
  type ImageScale,
  type ScaledDataset,
  scaledDataset,
  scaledLabels,
} from '../detect/index.ts';
import { type CachedImage, indexPath, MAGIC, readCacheIndex, writeCacheIndex } from './disk-cache-index.ts';
import { withPath } from './file.ts';
import type { YoloDataset } from './yolo-data.ts';

/** Options of `diskCachedDataset`. */
export interface DiskCacheOptions extends ImageScale {
  /** Of the file of images, one for each part of a data set and each size; beside it comes its index, with `.json` at the end. */
  readonly path: string;
  /** Told while images are decoded. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A data set whose images lie scaled in a file. */
export interface DiskCachedDataset extends ScaledDataset {
  /** Images that lay in the file when it was opened, and are as they were. */
  readonly reused: number;
  /** Closes the file; images are decoded anew from then on. */
  close(): void;
}

/** Images decoded before some are written. */
const AT_ONCE = 16;

const readAt = promisify(read);

/**
 * A data set with its images scaled and kept as raw bytes in a file, so that they are decoded once and not in each epoch. All are decoded at first, but for those that the file holds from another time: an image is known again by its path, size
 * and time of change. A cache that is damaged, of another scale, or belongs to other images is made anew; where the damage shows later, by the checksum of an image, that image is decoded instead, and the cache
 * made anew the next time. The file appears whole or not at all.
 *
 * Throws ArgumentError for a length that is none, FileError where the file cannot be written or `path` holds something else.
 */
export async function diskCachedDataset(
  dataset: YoloDataset,
  options: DiskCacheOptions,
): Promise<DiskCachedDataset> {
  const { path, onProgress } = options;
  const scaled = scaledDataset(dataset, options);
  requireOwn(path);
  const stamps = dataset.images.map((image) => stampOf(image.path));
  const old = readCacheIndex(path, scaled);
  const isKnown = (entry: CachedImage | undefined, index: number): entry is CachedImage => {
    const { height, width } = scaled.sizes[index]!;
    const { modified, bytes } = stamps[index]!;
    return (
      entry?.height === height &&
      entry.width === width &&
      entry.modified === modified &&
      entry.bytes === bytes
    );
  };
  const known = dataset.images.map((image, index) => {
    const entry = old?.images.get(image.path);
    return isKnown(entry, index) ? entry : null;
  });
  const reused = known.filter((entry) => entry !== null).length;
  let entries: readonly (CachedImage | null)[] = known;
  // An image that cannot be read has no place in the file, and is no reason to write it again.
  if (reused < dataset.length && (old === null || (await anyWhole(scaled, known))))
    entries = await write(path, dataset, scaled, stamps, known, onProgress);
  return opened(path, dataset, scaled, entries, reused);
}

async function anyWhole(scaled: ScaledDataset, known: readonly (CachedImage | null)[]): Promise<boolean> {
  for (const [index, entry] of known.entries())
    if (entry === null && (await scaled.get(index)) !== null) return true;
  return false;
}

/** Throws FileError where something else than a cache lies at the path. */
function requireOwn(path: string): void {
  if (!existsSync(path)) return;
  const start = withPath(path, 'cannot be read', () => {
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(MAGIC.length);
      return bytes.toString('latin1', 0, readSync(file, bytes, 0, MAGIC.length, 0));
    } finally {
      closeSync(file);
    }
  });
  // What a crash left of a cache may be empty, or hold zeros.
  if (start === MAGIC || start === '' || existsSync(indexPath(path))) return;
  throw new FileError(path, 'is no cache of images and is not written over; name another file');
}

interface Stamp {
  readonly modified: number;
  readonly bytes: number;
}

/** Of a file that is gone: nothing is known of it, and reading it will tell. */
function stampOf(path: string): Stamp {
  const stat = statSync(path, { throwIfNoEntry: false });
  return { modified: stat?.mtimeMs ?? -1, bytes: stat?.size ?? -1 };
}

/** Writes the file anew, with what of the old one can be used. */
async function write(
  path: string,
  dataset: YoloDataset,
  scaled: ScaledDataset,
  stamps: readonly Stamp[],
  known: readonly (CachedImage | null)[],
  onProgress: DiskCacheOptions['onProgress'],
): Promise<(CachedImage | null)[]> {
  const id = randomUUID();
  const temporary = join(dirname(path), `.${basename(path)}.${id}.tmp`);
  const old = known.some((entry) => entry !== null) ? openSync(path, 'r') : null;
  const entries: (CachedImage | null)[] = [];
  const images = new Map<string, CachedImage>();
  try {
    const file = withPath(path, 'cannot be written', () => openSync(temporary, 'wx'));
    try {
      let offset = append(path, file, Buffer.from(MAGIC + id, 'latin1'), 0);
      for (let start = 0; start < dataset.length; start += AT_ONCE) {
        const some = Array.from({ length: Math.min(AT_ONCE, dataset.length - start) }, (_, at) => start + at);
        const all = await Promise.all(some.map((index) => pixelsAt(old, known[index]!, scaled, index)));
        for (const [at, pixels] of all.entries()) {
          const index = start + at;
          if (pixels === null) {
            entries.push(null);
            continue;
          }
          const entry = { ...scaled.sizes[index]!, ...stamps[index]!, offset, crc: crc32(pixels) };
          offset = append(path, file, pixels, offset);
          entries.push(entry);
          images.set(dataset.images[index]!.path, entry);
        }
        onProgress?.(Math.min(start + AT_ONCE, dataset.length), dataset.length);
      }
    } finally {
      closeSync(file);
    }
    withPath(path, 'cannot be written', () => renameSync(temporary, path));
    writeCacheIndex(path, { id, images }, scaled);
  } finally {
    if (old !== null) closeSync(old);
    rmSync(temporary, { force: true });
  }
  return entries;
}

function append(path: string, file: number, bytes: Uint8Array, offset: number): number {
  return withPath(path, 'cannot be written', () => {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done);
    return offset + bytes.length;
  });
}

/** Bytes of a scaled image: of the old file where they are whole there, else decoded. Null where the image cannot be read. */
async function pixelsAt(
  old: number | null,
  entry: CachedImage | null,
  scaled: ScaledDataset,
  index: number,
): Promise<Uint8Array | null> {
  const kept = old === null || entry === null ? null : await readPixels(old, entry, true);
  if (kept !== null) return kept;
  return (await scaled.get(index))?.image.bytes ?? null;
}

/** Null where the file is too short or, with `check`, the bytes are others than were written. */
async function readPixels(file: number, entry: CachedImage, check: boolean): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(entry.height * entry.width * 3);
  const { bytesRead } = await readAt(file, bytes, 0, bytes.length, entry.offset);
  if (bytesRead !== bytes.length || (check && crc32(bytes) !== entry.crc)) return null;
  return bytes;
}

function opened(
  path: string,
  dataset: YoloDataset,
  scaled: ScaledDataset,
  entries: readonly (CachedImage | null)[],
  reused: number,
): DiskCachedDataset {
  let file: number | null = entries.some((entry) => entry !== null) ? openSync(path, 'r') : null;
  const checked = new Set<number>();
  const damaged = new Set<number>();
  const get = async (index: number): Promise<DetectionSample | null> => {
    const entry = entries[index] ?? null;
    if (file === null || entry === null || damaged.has(index)) return scaled.get(index);
    const pixels = await readPixels(file, entry, !checked.has(index));
    if (pixels === null) {
      damaged.add(index);
      // Without its index the cache is made anew the next time.
      rmSync(indexPath(path), { force: true });
      return scaled.get(index);
    }
    checked.add(index);
    const { height, width } = entry;
    return {
      image: new Tensor('uint8', [height, width, 3], pixels),
      labels: scaledLabels(dataset.images[index]!.labels, dataset.sizes[index]!, entry),
    };
  };
  return {
    ...scaled,
    isCached: true,
    reused,
    get,
    close: () => {
      if (file !== null) closeSync(file);
      file = null;
    },
  };
}
