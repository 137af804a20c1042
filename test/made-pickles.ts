import { concatBytes } from '../src/io/chunks.ts';
import { storeZip } from '../src/io/zip-writer.ts';

// Pickles written opcode by opcode, and PyTorch's archives around them: what no PyTorch would write.

/** Latin-1 text as bytes. */
const latin1 = (content: string): Uint8Array => Uint8Array.from(Buffer.from(content, 'latin1'));

/** A pickle of protocol 2 in Latin-1. */
export const pickle = (content: string): Uint8Array => latin1(`\x80\x02${content}.`);

/** A checkpoint of the zip format. */
export const archive = (data: string, files: Record<string, Uint8Array> = {}): Uint8Array =>
  concatBytes(
    storeZip(
      [
        { name: 'a/data.pkl', bytes: pickle(data) },
        ...Object.entries(files).map(([name, bytes]) => ({ name: `a/${name}`, bytes })),
      ],
      64,
    ),
  );

/** Four bytes, little-endian. */
export const int32 = (value: number): string =>
  String.fromCharCode(...[0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff));

export const text = (content: string): string => `X${int32(content.length)}${content}`;

/** A persistent id: storage class, key and number of elements. */
export const storage = (kind = 'FloatStorage', key = '0', count = 4): string =>
  `(${text('storage')}ctorch\n${kind}\n${text(key)}${text('cpu')}K${String.fromCharCode(count)}tQ`;

export const tuple = (...values: number[]): string =>
  `(${values.map((value) => `K${String.fromCharCode(value)}`).join('')}t`;

/** `{'w': _rebuild_tensor_v2(…)}` */
export const dictOf = (tensor: string): string => `}${text('w')}${tensor}s`;

/** `_rebuild_tensor_v2(…)`; `more`: arguments behind the usual ones. */
export const tensorOf = (
  held = storage(),
  offset = 0,
  shape = tuple(4),
  strides = tuple(1),
  more = '',
): string =>
  `ctorch._utils\n_rebuild_tensor_v2\n(${held}K${String.fromCharCode(offset)}${shape}${strides}\x89}${more}tR`;

/** The storage of `tensorOf`. */
export const data = { 'data/0': new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) };
