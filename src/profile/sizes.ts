import { ArgumentError } from '../core/errors.ts';
import { byteLengthOfChunks } from '../io/index.ts';

/** A way to compress, of which only the resulting size is wanted. */
export interface Compressor {
  /** Its setting, for reports: `level 6`. */
  readonly setting: string;
  /** Bytes that the joined chunks take compressed. Rejects with the signal's reason where it is aborted. */
  readonly size: (chunks: readonly Uint8Array[], signal?: AbortSignal) => Promise<number>;
}

/** The formats web servers send; null where the platform cannot make one. */
export interface Compressors {
  readonly gzip: Compressor | null;
  readonly brotli: Compressor | null;
}

/** Bytes of a file as it is and as a web server would send it; null where that was not measured. */
export interface FileSizes {
  readonly raw: number;
  readonly gzip: number | null;
  readonly brotli: number | null;
  /** Settings of the compressors, by format. */
  readonly settings: { readonly gzip: string | null; readonly brotli: string | null };
}

/**
 * What every platform has: gzip by `CompressionStream`. There is no brotli there; in Node, `nodeCompressors` of `secateur/node` has both.
 */
export const webCompressors: Compressors = {
  gzip: { setting: 'default level', size: gzipSize },
  brotli: null,
};

/**
 * Sizes of a file given as chunks (what `serializeOnnx` gives): as it is, with gzip and with brotli. Nothing is joined or kept.
 * Throws ArgumentError where there are no bytes.
 */
export async function fileSizes(
  chunks: readonly Uint8Array[],
  options: { readonly compressors?: Compressors; readonly signal?: AbortSignal } = {},
): Promise<FileSizes> {
  const { compressors = webCompressors, signal } = options;
  const raw = byteLengthOfChunks(chunks);
  if (raw === 0) throw new ArgumentError('fileSizes: there are no bytes to measure');
  const { gzip, brotli } = compressors;
  const [gzipped, brotlied] = await Promise.all([
    gzip?.size(chunks, signal) ?? null,
    brotli?.size(chunks, signal) ?? null,
  ]);
  return {
    raw,
    gzip: gzipped,
    brotli: brotlied,
    settings: { gzip: gzip?.setting ?? null, brotli: brotli?.setting ?? null },
  };
}

/** Bytes handed to the compressor at once: few enough that it can be stopped soon. */
const PIECE = 1 << 22;

async function gzipSize(chunks: readonly Uint8Array[], signal?: AbortSignal): Promise<number> {
  signal?.throwIfAborted();
  const { readable, writable } = new CompressionStream('gzip');
  const writer = writable.getWriter();
  const write = async (): Promise<void> => {
    try {
      for (const chunk of chunks) {
        for (let start = 0; start < chunk.byteLength; start += PIECE) {
          signal?.throwIfAborted();
          // Typed arrays over shared memory are refused there; those of files and tensors are over their own.
          await writer.write(chunk.subarray(start, start + PIECE) as Uint8Array<ArrayBuffer>);
        }
      }
      await writer.close();
    } catch (error) {
      await writer.abort(error);
      throw error;
    }
  };
  const count = async (): Promise<number> => {
    let size = 0;
    const reader = readable.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read())
      size += part.value.byteLength;
    return size;
  };
  const [size] = await Promise.all([count(), write()]);
  return size;
}
