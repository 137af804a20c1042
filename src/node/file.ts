import { constants as bufferConstants } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FileError } from '../core/errors.ts';

/** Node moves less than 2 GiB in one call. */
const MOST_AT_ONCE = 2 ** 30;

const REASONS = new Map<string, string>([
  ['ENOENT', 'there is no such file or folder'],
  ['EACCES', 'permission is denied'],
  ['EPERM', 'permission is denied'],
  ['EISDIR', 'it is a folder, not a file'],
  ['ENOTDIR', 'a part of the path is not a folder'],
  ['ENOSPC', 'the disk is full'],
  ['EROFS', 'the disk is read-only'],
  ['ELOOP', 'its links lead in a circle'],
]);

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'code' in error && typeof error.code === 'string';

/** Runs a file operation; errors of the system become FileErrors that name the path. */
export function withPath<T>(path: string, what: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    if (error instanceof FileError || !isSystemError(error)) throw error;
    throw new FileError(path, `${what}: ${REASONS.get(error.code ?? '') ?? error.message}`, { cause: error });
  }
}

/**
 * Reads a whole file, of any size memory holds, into one array. Throws FileError with the path where that fails.
 */
export function readBytes(path: string): Uint8Array {
  return withPath(path, 'cannot be read', () => {
    const file = openSync(path, 'r');
    try {
      const stat = fstatSync(file);
      if (!stat.isFile()) throw new FileError(path, 'cannot be read: it is not a regular file');
      if (stat.size > bufferConstants.MAX_LENGTH) {
        throw new FileError(
          path,
          `cannot be read: ${stat.size} bytes are more than this Node holds in one array`,
        );
      }
      // Memory that is written in full below need not be zeroed before. The slow kind is not shared with others.
      const { buffer } = Buffer.allocUnsafeSlow(stat.size);
      const bytes = new Uint8Array(buffer, 0, stat.size);
      for (let offset = 0; offset < bytes.byteLength; ) {
        const count = readSync(
          file,
          bytes,
          offset,
          Math.min(bytes.byteLength - offset, MOST_AT_ONCE),
          offset,
        );
        if (count === 0)
          throw new FileError(path, `cannot be read: it became shorter than ${stat.size} bytes meanwhile`);
        offset += count;
      }
      return bytes;
    } finally {
      closeSync(file);
    }
  });
}

/** Options of what writes files. */
export interface WriteOptions {
  /** Write over a file that is there. Default false. */
  readonly force?: boolean;
}

/** A file to be written. */
export interface FileContent {
  readonly path: string;
  readonly chunks: readonly Uint8Array[];
}

/**
 * Writes a file that appears whole or not at all: beside its place under another name, flushed to disk, then renamed. A file that is
 * there is left alone unless `force` is given; its permissions are kept then, and a link is followed.
 * Throws FileError with the path where the file exists or cannot be written; nothing is left behind.
 */
export function writeFileAtomic(
  path: string,
  chunks: readonly Uint8Array[],
  options: WriteOptions = {},
): void {
  writeFilesAtomic([{ path, chunks }], options);
}

/** As `writeFileAtomic`, for files that belong together: all are written before the first is renamed. */
export function writeFilesAtomic(files: readonly FileContent[], options: WriteOptions = {}): void {
  const force = options.force ?? false;
  for (const { path } of files) {
    if (!existsSync(path)) continue;
    if (!force) throw alreadyThere(path);
    if (!statSync(path).isFile())
      throw new FileError(path, 'cannot be written over: it is not a regular file');
  }
  const waiting: { temporary: string; target: string; path: string }[] = [];
  try {
    for (const { path, chunks } of files) {
      withPath(path, 'cannot be written', () => {
        const target = existsSync(path) ? realpathSync(path) : path;
        const temporary = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`);
        waiting.push({ temporary, target, path });
        writeAll(temporary, chunks, existsSync(target) ? statSync(target).mode : undefined);
      });
    }
    for (const { temporary, target, path } of waiting) {
      withPath(path, 'cannot be written', () => {
        if (force) renameSync(temporary, target);
        else moveIfFree(temporary, target, path);
      });
    }
  } finally {
    for (const { temporary } of waiting) rmSync(temporary, { force: true });
  }
  for (const folder of new Set(waiting.map(({ target }) => dirname(target)))) flushFolder(folder);
}

const alreadyThere = (path: string, options?: ErrorOptions): FileError =>
  new FileError(path, 'exists already and is not written over; pass force (--force) to replace it', options);

function writeAll(path: string, chunks: readonly Uint8Array[], mode: number | undefined): void {
  const file = openSync(path, 'wx');
  try {
    if (mode !== undefined) fchmodSync(file, mode);
    for (const chunk of chunks) {
      for (let offset = 0; offset < chunk.byteLength; ) {
        offset += writeSync(file, chunk, offset, Math.min(chunk.byteLength - offset, MOST_AT_ONCE));
      }
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Gives the finished file its name unless another took it meanwhile: a hard link fails where a rename would replace. */
function moveIfFree(temporary: string, target: string, path: string): void {
  try {
    linkSync(temporary, target);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (error.code === 'EEXIST') throw alreadyThere(path, { cause: error });
    // Some file systems have no hard links.
    if (existsSync(target)) throw alreadyThere(path, { cause: error });
    renameSync(temporary, target);
  }
}

/** Makes the new name itself survive a power cut, where the platform lets a folder be flushed. */
function flushFolder(path: string): void {
  try {
    const folder = openSync(path, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    // Windows and some network file systems refuse; the files themselves are flushed already.
    if (!isSystemError(error)) throw error;
  }
}
