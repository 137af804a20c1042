import { inflateSync } from 'fflate';
import { crc32 } from '../core/crc32.ts';
import { FormatError } from '../core/errors.ts';

/** A file of a zip archive, unpacked. */
export interface ZipEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Where its packed bytes begin in the archive. */
  readonly offset: number;
}

/** A file of a zip archive as its directory gives it, not unpacked yet. */
export interface ZipMember {
  readonly name: string;
  /** Bytes it takes unpacked, as announced. */
  readonly size: number;
  /** True where the archive holds its bytes as they are: unpacking copies nothing. */
  readonly stored: boolean;
  /** Checksum as announced. */
  readonly crc: number;
  /** Where its packed bytes begin in the archive. */
  readonly offset: number;
  /** Its bytes. Throws FormatError where it is encrypted, packed otherwise than by deflate, or damaged. */
  unpack(options?: { readonly checksum?: boolean }): Uint8Array;
}

/** Signatures and sizes of zip's records. Source: PKWARE's APPNOTE 6.3.10, sections 4.3.7 to 4.3.16. */
const LOCAL = { signature: 0x04034b50, size: 30 } as const;
const CENTRAL = { signature: 0x02014b50, size: 46 } as const;
const END = { signature: 0x06054b50, size: 22 } as const;
const END64 = { signature: 0x06064b50, size: 56 } as const;
const LOCATOR64 = { signature: 0x07064b50, size: 20 } as const;
const EXTRA64 = 1;

/** Deflate cannot shrink further: 258 bytes take two bits at least. */
const MOST_RATIO = 1032;

const fail = (message: string, offset: number, field?: string, options?: ErrorOptions): FormatError =>
  new FormatError('zip', message, { offset, ...(field === undefined ? {} : { field }) }, options);

/**
 * Reads a zip archive's files, stored or deflated, in the order of its directory. Stored files are views of `bytes`, not copies.
 * Throws FormatError where a record lies outside the archive, a checksum is wrong, a file is encrypted or packed
 * otherwise, or where the files take more than `maxBytes` unpacked.
 */
export function readZip(bytes: Uint8Array, maxBytes: number): ZipEntry[] {
  const entries: ZipEntry[] = [];
  let total = 0;
  for (const member of zipMembers(bytes)) {
    total += member.size;
    if (total > maxBytes) {
      throw fail(
        `the archive unpacks to more than ${maxBytes} bytes; raise maxBytes if it is to be trusted`,
        member.offset,
        member.name,
      );
    }
    entries.push({ name: member.name, bytes: member.unpack(), offset: member.offset });
  }
  return entries;
}

/**
 * The files of a zip archive one by one, in the order of its directory, folders left out. Nothing is unpacked.
 * Throws FormatError where a record lies outside the archive, or files overlap.
 */
export function* zipMembers(bytes: Uint8Array): Generator<ZipMember, void, undefined> {
  const file = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const { count, start } = findDirectory(view);
  let at = start;
  let taken = 0;
  for (let index = 0; index < count; index++) {
    need(view, at, CENTRAL.size, 'the directory');
    if (view.getUint32(at, true) !== CENTRAL.signature)
      throw fail(`entry ${index} of the directory is missing`, at);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const commentLength = view.getUint16(at + 32, true);
    need(view, at, CENTRAL.size + nameLength + extraLength + commentLength, 'the directory');
    const name = new TextDecoder().decode(file.subarray(at + CENTRAL.size, at + CENTRAL.size + nameLength));
    const sizes = readSizes(view, at, at + CENTRAL.size + nameLength, extraLength, name);
    if (!name.endsWith('/')) {
      const record = at;
      const encrypted = (view.getUint16(at + 8, true) & 1) !== 0;
      const method = view.getUint16(at + 10, true);
      const crc = view.getUint32(at + 16, true);
      const { packed, offset } = packedBytes(file, view, sizes, name);
      // Unpacking bytes again and again under other names can make any amount of memory and work of a small archive.
      taken += packed.byteLength;
      if (taken > file.byteLength) throw fail('the files of the archive overlap', record, name);
      yield {
        name,
        size: sizes.unpacked,
        stored: method === 0,
        crc,
        offset,
        unpack: ({ checksum = true } = {}) => {
          if (encrypted) throw fail('the file is encrypted', record, name);
          const unpacked = unpack(packed, method, sizes.unpacked, name, offset);
          if (checksum && crc32(unpacked) !== crc)
            throw fail('the checksum is wrong; the file is damaged', offset, name);
          return unpacked;
        },
      };
    }
    at += CENTRAL.size + nameLength + extraLength + commentLength;
  }
}

function need(view: DataView, at: number, count: number, what: string): void {
  if (at < 0 || count > view.byteLength - at) {
    throw fail(`${what} needs ${count} bytes here, the archive has ${view.byteLength} in all`, at);
  }
}

/** Where the directory begins and how many entries it has: told by a record at the end, behind which a comment may stand. */
function findDirectory(view: DataView): { count: number; start: number } {
  const last = view.byteLength - END.size;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (
      view.getUint32(at, true) !== END.signature ||
      at + END.size + view.getUint16(at + 20, true) !== view.byteLength
    ) {
      continue;
    }
    let count = view.getUint16(at + 10, true);
    let start = view.getUint32(at + 16, true);
    const locator = at - LOCATOR64.size;
    if (locator >= 0 && view.getUint32(locator, true) === LOCATOR64.signature) {
      const end64 = Number(view.getBigUint64(locator + 8, true));
      need(view, end64, END64.size, 'the end of the directory');
      if (view.getUint32(end64, true) !== END64.signature)
        throw fail('the end of the directory is missing', end64);
      count = Number(view.getBigUint64(end64 + 32, true));
      start = Number(view.getBigUint64(end64 + 48, true));
    }
    need(view, start, count * CENTRAL.size, `a directory of ${count} entries`);
    return { count, start };
  }
  throw fail('the archive has no directory; it is cut off, or no zip file', Math.max(0, last));
}

interface Sizes {
  readonly packed: number;
  readonly unpacked: number;
  readonly local: number;
}

/** Sizes and place of an entry; numbers that need more than 32 bits stand in an extra field. */
function readSizes(view: DataView, at: number, extra: number, extraLength: number, name: string): Sizes {
  const narrow = [
    view.getUint32(at + 24, true),
    view.getUint32(at + 20, true),
    view.getUint32(at + 42, true),
  ];
  if (narrow.includes(0xffff_ffff)) {
    for (let field = extra; field + 4 <= extra + extraLength; ) {
      const size = view.getUint16(field + 2, true);
      if (view.getUint16(field, true) === EXTRA64) {
        let place = field + 4;
        const end = Math.min(place + size, extra + extraLength);
        const wide = narrow.map((value) => {
          if (value !== 0xffff_ffff) return value;
          if (place + 8 > end) throw fail('a 64-bit size is missing', field, name);
          place += 8;
          return Number(view.getBigUint64(place - 8, true));
        });
        return { unpacked: wide[0]!, packed: wide[1]!, local: wide[2]! };
      }
      field += 4 + size;
    }
  }
  return { unpacked: narrow[0]!, packed: narrow[1]!, local: narrow[2]! };
}

function packedBytes(
  file: Uint8Array,
  view: DataView,
  { packed, local }: Sizes,
  name: string,
): { packed: Uint8Array; offset: number } {
  need(view, local, LOCAL.size, `the file '${name}'`);
  if (view.getUint32(local, true) !== LOCAL.signature)
    throw fail('the file is not where the directory says', local, name);
  const offset = local + LOCAL.size + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  need(view, offset, packed, `the file '${name}'`);
  return { packed: file.subarray(offset, offset + packed), offset };
}

function unpack(packed: Uint8Array, method: number, size: number, name: string, offset: number): Uint8Array {
  if (method === 0) {
    if (size !== packed.byteLength) {
      throw fail(
        `the file is stored in ${packed.byteLength} bytes, its size is announced as ${size}`,
        offset,
        name,
      );
    }
    return packed;
  }
  if (method !== 8)
    throw fail(`the file is packed by method ${method}; expected stored or deflated`, offset, name);
  if (size > packed.byteLength * MOST_RATIO) {
    throw fail(`${packed.byteLength} packed bytes cannot unpack to the announced ${size}`, offset, name);
  }
  let unpacked: Uint8Array;
  try {
    unpacked = inflateSync(packed, { out: new Uint8Array(size) });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw fail(`the packed bytes are damaged: ${error.message}`, offset, name, { cause: error });
  }
  if (unpacked.byteLength !== size) {
    throw fail(
      `the file unpacks to ${unpacked.byteLength} bytes, its size is announced as ${size}`,
      offset,
      name,
    );
  }
  return unpacked;
}
