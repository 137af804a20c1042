import { gunzipSync } from 'fflate';
import { crc32 } from '../core/crc32.ts';
import { FormatError } from '../core/errors.ts';

/** Deflate cannot shrink further: 258 bytes take two bits at least. */
const MOST_RATIO = 1032;
/** A header of ten bytes, and a trailer of checksum and size. Source: RFC 1952. */
const HEADER = 10;
const TRAILER = 8;

/** True where bytes begin as gzip does. */
const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

const fail = (message: string, offset: number, options?: ErrorOptions): FormatError =>
  new FormatError('gzip', message, { offset }, options);

/**
 * Unpacks a gzip file of one member; bytes that are no gzip come back as they are. Throws FormatError where the file is cut off or damaged (the
 * checksum is compared), or would take more than `maxBytes` unpacked.
 */
export function gunzipped(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (!isGzip(bytes)) return bytes;
  const trailer = bytes.byteLength - TRAILER;
  if (trailer < HEADER) throw fail('the file is cut off', bytes.byteLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.getUint32(trailer + 4, true);
  if (size > maxBytes) {
    throw fail(
      `the file unpacks to ${size} bytes, more than ${maxBytes}; raise maxBytes if it is to be trusted`,
      trailer + 4,
    );
  }
  // Memory is taken before anything is unpacked: not for sizes that these bytes cannot have.
  if (size > bytes.byteLength * MOST_RATIO) {
    throw fail(
      `the file is announced with ${size} bytes, which its ${bytes.byteLength} cannot hold`,
      trailer + 4,
    );
  }
  let unpacked: Uint8Array;
  try {
    unpacked = gunzipSync(bytes, { out: new Uint8Array(size) });
  } catch (error) {
    throw fail(
      `the packed bytes are damaged: ${error instanceof Error ? error.message : String(error)}`,
      HEADER,
      {
        cause: error,
      },
    );
  }
  if (unpacked.byteLength !== size || crc32(unpacked) !== view.getUint32(trailer, true)) {
    throw fail('the checksum is wrong; the file is damaged', trailer);
  }
  return unpacked;
}
