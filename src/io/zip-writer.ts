import { crc32 } from '../core/crc32.ts';

/** A file for an archive. */
export interface ZipFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What fits into a field of 32 bits of a record; what does not stands in an extra field of 64 bits. */
const MOST_NARROW = 0xffff_ffff;
/** Entries that a directory counts in 16 bits. */
const MOST_COUNTED = 0xffff;

/** Marks an extra field as nothing but padding, as PyTorch's own: 'FB'. */
const PADDING = 0x4246;
const EXTRA64 = 1;
/** Version of the format that is needed to read 64-bit sizes. */
const VERSION64 = 45;
const VERSION = 20;
/** Names are UTF-8. */
const UTF8 = 0x0800;
/** 1980-01-01, the first day the format knows: the same tensors give the same bytes. */
const DATE = 0x0021;

interface Written {
  readonly name: Uint8Array;
  readonly size: number;
  readonly crc: number;
  readonly offset: number;
}

/** Collects the numbers of a record. */
class RecordBytes {
  readonly #parts: number[] = [];

  u16(...values: readonly number[]): this {
    for (const value of values) this.#parts.push(value & 0xff, (value >>> 8) & 0xff);
    return this;
  }

  u32(...values: readonly number[]): this {
    for (const value of values) this.u16(value & 0xffff, (value >>> 16) & 0xffff);
    return this;
  }

  u64(...values: readonly number[]): this {
    for (const value of values) this.u32(value >>> 0, Math.floor(value / 2 ** 32));
    return this;
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#parts);
  }
}

/**
 * A zip archive whose files are stored as they are, each beginning at a multiple of `alignment` bytes; a list of chunks to be written one after
 * another, in which the files' bytes are passed on, not copied. `narrow` is the largest size and place that stands in 32 bits.
 * Source: PKWARE's APPNOTE 6.3.10.
 */
export function storeZip(
  files: readonly ZipFile[],
  alignment: number,
  narrow: number = MOST_NARROW,
): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  const add = (bytes: Uint8Array): void => {
    chunks.push(bytes);
    at += bytes.byteLength;
  };
  const written: Written[] = [];
  for (const { name: text, bytes } of files) {
    const name = new TextEncoder().encode(text);
    const entry = { name, size: bytes.byteLength, crc: crc32(bytes), offset: at };
    add(localHeader(entry, alignment, narrow));
    add(bytes);
    written.push(entry);
  }
  const start = at;
  for (const entry of written) add(directoryEntry(entry, narrow));
  for (const record of directoryEnd(written.length, at - start, start, narrow)) add(record);
  return chunks;
}

const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
};

/** The record in front of a file, with an extra field of such a length that the file begins at a multiple of `alignment`. */
function localHeader({ name, size, crc, offset }: Written, alignment: number, narrow: number): Uint8Array {
  const isWide = size > narrow;
  const wide = isWide ? new RecordBytes().u16(EXTRA64, 16).u64(size, size).bytes() : new Uint8Array(0);
  const fixed = offset + 30 + name.byteLength + wide.byteLength + 4;
  const padding = (alignment - (fixed % alignment)) % alignment;
  const short = isWide ? MOST_NARROW : size;
  const head = new RecordBytes()
    .u32(0x04034b50)
    .u16(isWide ? VERSION64 : VERSION, UTF8, 0, 0, DATE)
    .u32(crc, short, short)
    .u16(name.byteLength, wide.byteLength + 4 + padding)
    .bytes();
  const filler = new Uint8Array(padding).fill(0x5a);
  return joined(head, name, wide, new RecordBytes().u16(PADDING, padding).bytes(), filler);
}

function directoryEntry({ name, size, crc, offset }: Written, narrow: number): Uint8Array {
  const wide = [...(size > narrow ? [size, size] : []), ...(offset > narrow ? [offset] : [])];
  const extra =
    wide.length === 0
      ? new Uint8Array(0)
      : new RecordBytes()
          .u16(EXTRA64, 8 * wide.length)
          .u64(...wide)
          .bytes();
  const version = wide.length === 0 ? VERSION : VERSION64;
  const short = size > narrow ? MOST_NARROW : size;
  const head = new RecordBytes()
    .u32(0x02014b50)
    .u16(version, version, UTF8, 0, 0, DATE)
    .u32(crc, short, short)
    .u16(name.byteLength, extra.byteLength, 0, 0, 0)
    .u32(0, offset > narrow ? MOST_NARROW : offset)
    .bytes();
  return joined(head, name, extra);
}

/** The records behind the directory: where it begins, how long it is, how many entries it has. */
function directoryEnd(count: number, size: number, start: number, narrow: number): Uint8Array[] {
  const isWide = count > MOST_COUNTED || size > narrow || start > narrow;
  const wide = isWide
    ? [
        new RecordBytes()
          .u32(0x06064b50)
          .u64(44)
          .u16(VERSION64, VERSION64)
          .u32(0, 0)
          .u64(count, count, size, start)
          .bytes(),
        new RecordBytes()
          .u32(0x07064b50, 0)
          .u64(start + size)
          .u32(1)
          .bytes(),
      ]
    : [];
  const counted = isWide ? MOST_COUNTED : count;
  const end = new RecordBytes()
    .u32(0x06054b50)
    .u16(0, 0, counted, counted)
    .u32(isWide ? MOST_NARROW : size, isWide ? MOST_NARROW : start)
    .u16(0)
    .bytes();
  return [...wide, end];
}
