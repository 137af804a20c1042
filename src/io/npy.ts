import { byteLengthOf, type DType, dtypeInfo } from '../core/dtype.ts';
import { FormatError, UnsupportedError } from '../core/errors.ts';
import { sizeOf, stridesOf, Tensor } from '../core/tensor.ts';
import { swappedBytes } from './byte-order.ts';
import { readZip } from './zip.ts';

/** NumPy's type codes: kind and bytes. Source: numpy.lib.format and the array interface. */
const DTYPES_BY_CODE = new Map<string, DType>([
  ['b1', 'bool'],
  ['i1', 'int8'],
  ['i2', 'int16'],
  ['i4', 'int32'],
  ['i8', 'int64'],
  ['u1', 'uint8'],
  ['u2', 'uint16'],
  ['u4', 'uint32'],
  ['u8', 'uint64'],
  ['f2', 'float16'],
  ['f4', 'float32'],
  ['f8', 'float64'],
  ['c8', 'complex64'],
  ['c16', 'complex128'],
]);

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

const fail = (message: string, offset: number, field?: string): FormatError =>
  new FormatError('npy', message, { offset, ...(field === undefined ? {} : { field }) });

/**
 * Reads a NumPy `.npy` file, versions 1 to 3. Little-endian arrays in C order are views of `bytes`, not copies; big-endian ones
 * are turned, and arrays in Fortran order are transposed into C order (the shape stays).
 *
 * Throws FormatError where the file is cut off or its header is not of the expected form, UnsupportedError for objects,
 * structured types, texts and dates.
 */
export function parseNpy(bytes: Uint8Array): Tensor {
  const file = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  MAGIC.forEach((byte, index) => {
    if (file[index] !== byte) throw fail("the file does not begin with '\\x93NUMPY'", index);
  });
  const version = file[6];
  if (version === undefined || version < 1 || version > 3) {
    throw fail(`the version is ${version ?? 'cut off'}; expected 1, 2 or 3`, 6);
  }
  const start = version === 1 ? 10 : 12;
  if (file.byteLength < start) throw fail('the file is cut off before its header', file.byteLength);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > file.byteLength - start) {
    throw fail(`the header is announced with ${length} bytes, but ${file.byteLength - start} are left`, 8);
  }
  // Versions 1 and 2 are Latin-1, which differs from UTF-8 in field names of structured types only.
  const header = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(
    file.subarray(start, start + length),
  );
  const { descr, fortranOrder, shape } = parseHeader(header, start);
  const { dtype, bigEndian } = parseDescr(descr, start);
  const offset = start + length;
  const expected = byteLengthOf(dtype, sizeOf(shape));
  const found = file.byteLength - offset;
  if (found !== expected) {
    throw fail(
      `${dtype}[${shape.join(', ')}] takes ${expected} bytes, but ${found} follow the header`,
      offset,
    );
  }
  let data = file.subarray(offset);
  const { bits, pairs } = dtypeInfo(dtype);
  if (bigEndian) data = swappedBytes(data, bits / (pairs ? 16 : 8));
  if (fortranOrder && shape.filter((dim) => dim > 1).length > 1) data = transposed(data, shape, bits / 8);
  return new Tensor(dtype, shape, { bytes: data });
}

/** The parts of the header's dictionary. Each matches in linear time: headers come from anywhere. */
const OPEN = /\s*\{\s*/y;
const KEY = /'([^']*)'\s*:\s*/y;
const VALUE = /'[^']*'|True|False|\([\d\sL,]*\)|\[/y;
const COMMA = /\s*(,?)/y;
const CLOSE = /\s*\}\s*$/y;

/** Reads the dictionary of the header, a Python literal; its keys may stand in any order. */
function parseHeader(
  text: string,
  offset: number,
): { descr: string; fortranOrder: boolean; shape: number[] } {
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) {
      throw fail(
        `the header reads ${JSON.stringify(text.slice(at, at + 60))} here; expected a dictionary with descr, fortran_order and shape`,
        offset + at,
      );
    }
    at = pattern.lastIndex;
    return match;
  };
  const fields = new Map<string, string>();
  take(OPEN);
  for (let more = true; more && text[at] === "'"; ) {
    const key = take(KEY)[1]!;
    if (fields.has(key)) throw fail(`the header has more than one '${key}'`, offset + at, key);
    const start = at;
    const [value] = take(VALUE);
    if (value === '[') {
      throw new UnsupportedError(
        `npy: structured arrays (${text.slice(start, start + 80)}…) are not read; save each field by itself`,
      );
    }
    fields.set(key, value);
    more = take(COMMA)[1] === ',';
    while (/\s/.test(text[at] ?? '')) at++;
  }
  take(CLOSE);
  const field = (name: string, begin: RegExp): string => {
    const value = fields.get(name);
    if (value !== undefined && begin.test(value)) return value;
    throw fail(`the header has ${value === undefined ? 'no' : 'no readable'} '${name}'`, offset, name);
  };
  const descr = field('descr', /^'/);
  const fortranOrder = field('fortran_order', /^[TF]/) === 'True';
  const tuple = field('shape', /^\(/).slice(1, -1).replace(/\s/g, '');
  const dims = tuple === '' ? [] : tuple.replace(/,$/, '').split(',');
  if (!dims.every((dim) => /^\d+L?$/.test(dim)) || (dims.length === 1 && !tuple.endsWith(','))) {
    throw fail(`the shape is (${tuple.slice(0, 60)}); expected a tuple of whole numbers`, offset, 'shape');
  }
  const shape = dims.map((dim) => Number.parseInt(dim, 10));
  if (!Number.isSafeInteger(sizeOf(shape.filter((dim) => dim !== 0)))) {
    throw fail(`the shape (${tuple.slice(0, 60)}) has more elements than can be counted`, offset, 'shape');
  }
  return { descr, fortranOrder, shape };
}

function parseDescr(descr: string, offset: number): { dtype: DType; bigEndian: boolean } {
  const match = /^'([<>=|]?)([a-zA-Z?])(\d*)(.*)'$/.exec(descr);
  if (!match) throw fail(`the type is ${descr}; expected one such as '<f4'`, offset, 'descr');
  const [, order, kind, size] = match;
  const code = kind === '?' ? 'b1' : `${kind}${size}`;
  const dtype = DTYPES_BY_CODE.get(code);
  if (dtype === undefined) {
    throw new UnsupportedError(
      `npy: arrays of type ${descr} are not read; expected booleans, whole numbers, floats or complex numbers${kind === 'O' ? ' (objects are pickled Python code)' : ''}`,
    );
  }
  return { dtype, bigEndian: order === '>' };
}

/** Elements in Fortran order (first axis fastest), put into C order. */
function transposed(bytes: Uint8Array, shape: readonly number[], width: number): Uint8Array {
  const result = new Uint8Array(bytes.byteLength);
  const count = sizeOf(shape);
  const strides = stridesOf([...shape].reverse()).reverse();
  const place = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < count; to++) {
    const source = from * width;
    for (let index = 0; index < width; index++) result[to * width + index] = bytes[source + index]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = place[axis]! + 1;
      from += strides[axis]!;
      if (next < shape[axis]!) {
        place[axis] = next;
        break;
      }
      from -= next * strides[axis]!;
      place[axis] = 0;
    }
  }
  return result;
}

/** Options of `parseNpz`. */
export interface ParseNpzOptions {
  /** Most bytes all arrays may take when unpacked. Default 2 GiB. */
  readonly maxBytes?: number;
}

/**
 * Reads a NumPy `.npz` file: arrays by name (without `.npy`), in the order of the archive.
 *
 * Throws FormatError where the archive or an array is damaged, or where it would unpack to more than `maxBytes`;
 * UnsupportedError as `parseNpy` does.
 */
export function parseNpz(bytes: Uint8Array, options: ParseNpzOptions = {}): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const { name, bytes: file, offset } of readZip(bytes, options.maxBytes ?? 2 ** 31)) {
    const key = name.replace(/\.npy$/, '');
    if (tensors.has(key)) throw new FormatError('npz', 'two arrays have this name', { offset, field: key });
    try {
      tensors.set(key, parseNpy(file));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new FormatError('npz', error.message, { offset, field: name }, { cause: error });
    }
  }
  return tensors;
}
