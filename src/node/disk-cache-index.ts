import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { FileError } from '../core/errors.ts';
import { isRecord } from '../core/is-record.ts';
import type { ImageScale } from '../detect/index.ts';
import { readBytes, writeFileAtomic } from './file.ts';

/** How a file of cached images begins; then comes the identity that its index has too. */
export const MAGIC = 'secateur images ';

/** Length of an identity, a UUID. */
const ID_BYTES = 36;

const FORMAT = 'secateur images';
const VERSION = 1;

/** Where an image lies in a cache, and what file it was made of. */
export interface CachedImage {
  readonly height: number;
  readonly width: number;
  /** Of the first of height * width * 3 bytes. */
  readonly offset: number;
  /** CRC-32 of the bytes. */
  readonly crc: number;
  /** Milliseconds since 1970 at which the image file was changed last, */
  readonly modified: number;
  /** and its size. */
  readonly bytes: number;
}

/** What lies in a cache. */
export interface CacheIndex {
  readonly id: string;
  /** By the paths of the image files. */
  readonly images: ReadonlyMap<string, CachedImage>;
}

/** Path of a cache's index. */
export const indexPath = (path: string): string => `${path}.json`;

/** Writes the index of a cache, over another. Throws FileError where that fails. */
export function writeCacheIndex(path: string, { id, images }: CacheIndex, scale: Required<ImageScale>): void {
  const { longest, shrinking } = scale;
  const content = {
    format: FORMAT,
    version: VERSION,
    id,
    longest,
    shrinking,
    images: Object.fromEntries(images),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(content));
  writeFileAtomic(indexPath(path), [bytes], { force: true });
}

/** Reads the index of a cache. Null where there is none, it is damaged, it does not belong to the file, or images are of another scale. */
export function readCacheIndex(path: string, scale: Required<ImageScale>): CacheIndex | null {
  if (!existsSync(path) || !existsSync(indexPath(path))) return null;
  try {
    const content: unknown = JSON.parse(new TextDecoder().decode(readBytes(indexPath(path))));
    const index = parsed(content, scale);
    const file = headOf(path);
    if (index === null || file.id !== index.id) return null;
    const isInside = [...index.images.values()].every(
      ({ offset, height, width }) =>
        offset >= MAGIC.length + ID_BYTES && offset + height * width * 3 <= file.bytes,
    );
    return isInside ? index : null;
  } catch (error) {
    // What cannot be read is no cache: it is made anew.
    if (error instanceof SyntaxError || error instanceof FileError) return null;
    throw error;
  }
}

function headOf(path: string): { readonly id: string; readonly bytes: number } {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(MAGIC.length + ID_BYTES);
    const text = head.toString('latin1', 0, readSync(file, head, 0, head.length, 0));
    return { id: text.startsWith(MAGIC) ? text.slice(MAGIC.length) : '', bytes: fstatSync(file).size };
  } finally {
    closeSync(file);
  }
}

function parsed(content: unknown, { longest, shrinking }: Required<ImageScale>): CacheIndex | null {
  if (!isRecord(content) || content.format !== FORMAT || content.version !== VERSION) return null;
  if (content.longest !== longest || content.shrinking !== shrinking) return null;
  const { id, images } = content;
  if (typeof id !== 'string' || id.length !== ID_BYTES || !isRecord(images)) return null;
  const entries = new Map<string, CachedImage>();
  for (const [path, entry] of Object.entries(images)) {
    if (!isEntry(entry)) return null;
    entries.set(path, entry);
  }
  return { id, images: entries };
}

function isEntry(value: unknown): value is CachedImage {
  if (!isRecord(value)) return false;
  const whole = (field: unknown, least: number): boolean =>
    Number.isSafeInteger(field) && (field as number) >= least;
  const { height, width, offset, crc, modified, bytes } = value;
  return (
    whole(height, 1) &&
    whole(width, 1) &&
    whole(offset, 0) &&
    whole(crc, 0) &&
    whole(bytes, 0) &&
    typeof modified === 'number'
  );
}
