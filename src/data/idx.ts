import { byteLengthOf, type DType, dtypeInfo, typedArrayOf } from '../core/dtype.ts';
import { FormatError } from '../core/errors.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { gunzipped } from './gzip.ts';

/** Type codes, the third byte of the file. Source: "The IDX file format" of LeCun's page of MNIST. */
const DTYPES_BY_CODE = new Map<number, DType>([
  [0x08, 'uint8'],
  [0x09, 'int8'],
  [0x0b, 'int16'],
  [0x0c, 'int32'],
  [0x0d, 'float32'],
  [0x0e, 'float64'],
]);

const fail = (message: string, offset: number, field?: string): FormatError =>
  new FormatError('idx', message, { offset, ...(field === undefined ? {} : { field }) });

/** Options of `readIdx`. */
export interface ReadIdxOptions {
  /** Most bytes a packed file may take when unpacked. Default 2 GiB. */
  readonly maxBytes?: number;
}

/**
 * Reads an idx file, the format of MNIST, packed by gzip or not. Arrays of bytes are views of the file, not copies; others are turned from
 * big-endian. Throws FormatError where the file is damaged, cut off or goes on behind its array.
 */
export function readIdx(bytes: Uint8Array, options: ReadIdxOptions = {}): Tensor {
  const plain = gunzipped(bytes, options.maxBytes ?? 2 ** 31);
  // Node's Buffer is wrapped anew, so that `slice` below is a copy.
  const file = new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
  if (file.byteLength < 4) throw fail('the file is cut off before its header', file.byteLength);
  if (file[0] !== 0 || file[1] !== 0) throw fail('the file does not begin with two zero bytes', 0);
  const code = file[2]!;
  const dtype = DTYPES_BY_CODE.get(code);
  if (dtype === undefined) {
    throw fail(`the type code is ${code}; expected 8, 9, 11, 12, 13 or 14`, 2, 'type');
  }
  const rank = file[3]!;
  const start = 4 + 4 * rank;
  if (file.byteLength < start) throw fail(`the file is cut off before its ${rank} sizes`, file.byteLength);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis, false));
  // A size of 0 makes the product 0; the other sizes are looked at all the same.
  if (!Number.isSafeInteger(sizeOf(shape.filter((dim) => dim > 0)))) {
    throw fail(`the sizes ${shape.join(', ')} are more elements than can be counted`, 4, 'sizes');
  }
  const expected = byteLengthOf(dtype, sizeOf(shape));
  const found = file.byteLength - start;
  if (found !== expected) {
    throw fail(
      `${dtype}[${shape.join(', ')}] takes ${expected} bytes, but ${found} follow the header`,
      start,
    );
  }
  const data = file.subarray(start);
  if (dtypeInfo(dtype).bits === 8) return new Tensor(dtype, shape, { bytes: data });
  return new Tensor(dtype, shape, littleEndian(data, dtype));
}

/** Turned whole, and then the elements back into their order: each element's bytes are turned. */
function littleEndian(data: Uint8Array, dtype: DType): InstanceType<ReturnType<typeof typedArrayOf>> {
  const Type = typedArrayOf(dtype);
  const elements = new Type(data.slice().reverse().buffer);
  elements.reverse();
  return elements;
}
