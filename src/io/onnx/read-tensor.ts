import { byteLengthOf, type DType, dtypeInfo } from '../../core/dtype.ts';
import { ArgumentError } from '../../core/errors.ts';
import { type SparseTensor, sizeOf, Tensor, type TensorData } from '../../core/tensor.ts';
import { concatBytes } from '../chunks.ts';
import { locationProblem } from './external.ts';
import { EXTERNAL, SPARSE_TENSOR, TENSOR } from './fields.ts';
import { keepFields, keepNotes } from './kept.ts';
import { readEntry, readUniqueEntry } from './read-entries.ts';
import { readDType } from './read-type.ts';
import { decodeUtf8, type WireReader } from './wire-reader.ts';

/** Gives the bytes of a file of external data, by its location relative to the model. */
export type ExternalData = (location: string) => Uint8Array;

/** A tensor with what its message says beside its elements. */
export interface ReadTensor {
  readonly tensor: Tensor;
  readonly name: string;
  readonly docString: string;
  readonly metadata: Map<string, string>;
}

interface TypedData {
  readonly floats: Uint8Array[];
  readonly doubles: Uint8Array[];
  readonly int32s: number[];
  readonly int64s: bigint[];
  readonly uint64s: bigint[];
  readonly strings: Uint8Array[];
}

/** Reads a `TensorProto` into a tensor; raw, external and packed float elements are not copied. */
export function readTensor(reader: WireReader, externalData: ExternalData | undefined): ReadTensor {
  const dims: bigint[] = [];
  let dtype: DType | null = null;
  let name = '';
  let docString = '';
  let location = 0;
  let raw: Uint8Array | null = null;
  const typed: TypedData = { floats: [], doubles: [], int32s: [], int64s: [], uint64s: [], strings: [] };
  const external = new Map<string, string>();
  const metadata = new Map<string, string>();
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case TENSOR.dims:
        reader.int64s(dims);
        break;
      case TENSOR.data_type:
        dtype = readDType(reader);
        break;
      case TENSOR.float_data:
        reader.fixed(4, typed.floats);
        break;
      case TENSOR.double_data:
        reader.fixed(8, typed.doubles);
        break;
      case TENSOR.int32_data:
        reader.int32s(typed.int32s);
        break;
      case TENSOR.int64_data:
        reader.int64s(typed.int64s);
        break;
      case TENSOR.uint64_data:
        reader.int64s(typed.uint64s);
        break;
      case TENSOR.string_data:
        typed.strings.push(reader.bytes());
        break;
      case TENSOR.raw_data:
        raw = reader.bytes();
        break;
      case TENSOR.name:
        name = reader.string();
        break;
      case TENSOR.doc_string:
        docString = reader.string();
        break;
      case TENSOR.external_data: {
        const entry = readEntry(reader, external.size);
        if (external.has(entry.key)) throw reader.fail(`the key '${entry.key}' is given twice`);
        external.set(entry.key, entry.value);
        break;
      }
      case TENSOR.data_location:
        location = reader.int32();
        break;
      case TENSOR.metadata_props:
        readUniqueEntry(reader, metadata);
        break;
      case TENSOR.segment:
        throw reader.fail(`tensor '${name}' is one segment of a larger tensor, which is not supported`);
      default:
        unknown.push(reader.raw());
    }
  }
  if (dtype === null) throw reader.failHere(`tensor '${name}' has no element type`, 'data_type');
  const shape = readShape(reader, name, dims);
  let data: TensorData;
  if (location === EXTERNAL) {
    if (raw !== null || countTyped(typed) > 0) {
      throw reader.failHere(
        `tensor '${name}' has elements both in the file and outside of it`,
        'data_location',
      );
    }
    data = { bytes: readExternal(reader, name, dtype, shape, external, externalData) };
  } else if (location !== 0) {
    throw reader.failHere(`tensor '${name}' lies at the unknown location ${location}`, 'data_location');
  } else {
    data = elements(reader, name, dtype, raw, typed);
  }
  const tensor = makeTensor(reader, name, dtype, shape, data);
  keepFields(tensor, unknown);
  return { tensor, name, docString, metadata };
}

/** Reads a tensor that is not an initializer; its name, doc string and metadata stay with it. */
export function readNotedTensor(reader: WireReader, externalData: ExternalData | undefined): Tensor {
  const { tensor, name, docString, metadata } = readTensor(reader, externalData);
  keepNotes(tensor, { name, docString, metadata });
  return tensor;
}

/** Reads a `SparseTensorProto`, whose name is its values'. */
export function readSparseTensor(
  reader: WireReader,
  externalData: ExternalData | undefined,
): { sparse: SparseTensor; values: ReadTensor } {
  let values: ReadTensor | null = null;
  let indices: Tensor | null = null;
  const dims: bigint[] = [];
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case SPARSE_TENSOR.values:
        if (values !== null) throw reader.fail('the values are given twice');
        values = readTensor(reader.message(TENSOR), externalData);
        break;
      case SPARSE_TENSOR.indices:
        if (indices !== null) throw reader.fail('the indices are given twice');
        indices = readNotedTensor(reader.message(TENSOR), externalData);
        break;
      case SPARSE_TENSOR.dims:
        reader.int64s(dims);
        break;
      default:
        unknown.push(reader.raw());
    }
  }
  if (values === null) throw reader.failHere('a sparse tensor has no values', 'values');
  if (indices === null) throw reader.failHere(`sparse tensor '${values.name}' has no indices`, 'indices');
  const shape = readShape(reader, values.name, dims);
  checkSparse(reader, values, indices, shape);
  const sparse: SparseTensor = { values: values.tensor, indices, dims: shape };
  keepFields(sparse, unknown);
  return { sparse, values };
}

function checkSparse(
  reader: WireReader,
  { tensor: values, name }: ReadTensor,
  indices: Tensor,
  dims: readonly number[],
): void {
  const count = values.size;
  const linear = indices.shape.length === 1;
  const expected = linear ? `int64[${count}]` : `int64[${count}, ${dims.length}]`;
  const width = linear ? 1 : dims.length;
  if (
    values.shape.length !== 1 ||
    indices.dtype !== 'int64' ||
    indices.shape.length > 2 ||
    indices.shape[0] !== count ||
    (!linear && indices.shape[1] !== width)
  ) {
    throw reader.failHere(
      `sparse tensor '${name}' of shape [${dims.join(', ')}] has ${values} values and ${indices} indices; expected ${expected}`,
      'indices',
    );
  }
  const places = indices.toNumbers();
  places.forEach((place, index) => {
    const size = linear ? sizeOf(dims) : dims[index % width]!;
    if (place < 0 || place >= size) {
      throw reader.failHere(
        `sparse tensor '${name}' has the index ${place}; expected 0 to ${size - 1}`,
        'indices',
      );
    }
  });
}

function readShape(reader: WireReader, name: string, dims: readonly bigint[]): number[] {
  const shape = dims.map(Number);
  for (const dim of shape) {
    if (dim < 0) throw reader.failHere(`tensor '${name}' has the negative dimension ${dim}`, 'dims');
  }
  // With a zero among them, the others still have to be counted exactly.
  const size = sizeOf(shape.filter((dim) => dim !== 0));
  if (!Number.isSafeInteger(size)) {
    throw reader.failHere(
      `tensor '${name}' of shape [${dims.join(', ')}] has more elements than can be counted`,
      'dims',
    );
  }
  return shape;
}

function makeTensor(
  reader: WireReader,
  name: string,
  dtype: DType,
  shape: readonly number[],
  data: TensorData,
): Tensor {
  try {
    return new Tensor(dtype, shape, data);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw reader.failHere(
      `tensor '${name}' has not as many elements as its shape says: ${error.message}`,
      undefined,
      {
        cause: error,
      },
    );
  }
}

const countTyped = (typed: TypedData): number =>
  Object.values(typed).filter((list: readonly unknown[]) => list.length > 0).length;

function elements(
  reader: WireReader,
  name: string,
  dtype: DType,
  raw: Uint8Array | null,
  typed: TypedData,
): TensorData {
  const filled = countTyped(typed);
  // An empty raw_data beside a filled list is what some writers leave of an unset field.
  if (filled > 1 || (filled === 1 && raw !== null && raw.byteLength > 0)) {
    throw reader.failHere(`tensor '${name}' has its elements in more than one field`);
  }
  const { storage, bits, kind } = dtypeInfo(dtype);
  if (filled === 0) {
    if (storage !== 'string') return { bytes: raw ?? new Uint8Array(0) };
    if (raw === null || raw.byteLength === 0) return [];
    throw reader.failHere(`tensor '${name}' holds strings, which cannot lie in raw_data`, 'raw_data');
  }
  const field = fieldOf(dtype);
  const wrong = (found: string): Error =>
    reader.failHere(
      `tensor '${name}' of ${dtype} has its elements in ${found}; expected ${field} or raw_data`,
      found,
    );
  if (typed.strings.length > 0) {
    if (field !== 'string_data') throw wrong('string_data');
    return typed.strings.map((bytes, index) => {
      const text = decodeUtf8(bytes);
      if (text === undefined) {
        throw reader.failHere(
          `string ${index} of tensor '${name}' is not valid UTF-8`,
          `string_data[${index}]`,
        );
      }
      return text;
    });
  }
  if (typed.floats.length > 0) {
    if (field !== 'float_data') throw wrong('float_data');
    return { bytes: typed.floats.length === 1 ? typed.floats[0]! : concatBytes(typed.floats) };
  }
  if (typed.doubles.length > 0) {
    if (field !== 'double_data') throw wrong('double_data');
    return { bytes: typed.doubles.length === 1 ? typed.doubles[0]! : concatBytes(typed.doubles) };
  }
  if (typed.int64s.length > 0) {
    if (field !== 'int64_data') throw wrong('int64_data');
    return BigInt64Array.from(typed.int64s);
  }
  if (typed.uint64s.length > 0) {
    if (field !== 'uint64_data') throw wrong('uint64_data');
    if (dtype === 'uint64') return BigUint64Array.from(typed.uint64s);
    const outside = typed.uint64s.find((value) => value < 0n || value > 0xffff_ffffn);
    if (outside !== undefined) {
      throw reader.failHere(
        `tensor '${name}' of uint32 has the element ${BigInt.asUintN(64, outside)}`,
        'uint64_data',
      );
    }
    return Uint32Array.from(typed.uint64s, Number);
  }
  if (field !== 'int32_data') throw wrong('int32_data');
  if (kind === 'bool') return Uint8Array.from(typed.int32s, (value) => (value === 0 ? 0 : 1));
  // Elements of fewer than 8 bits are packed: a number holds a byte of them.
  const width = Math.max(bits, 8);
  const outside = typed.int32s.find(
    (value) => width < 32 && (value < -(2 ** (width - 1)) || value >= 2 ** width),
  );
  if (outside !== undefined) {
    throw reader.failHere(
      `tensor '${name}' of ${dtype} has the element ${outside}, wider than ${width} bits`,
      'int32_data',
    );
  }
  switch (storage) {
    case 'int8':
      return Int8Array.from(typed.int32s);
    case 'uint8':
      return Uint8Array.from(typed.int32s);
    case 'int16':
      return Int16Array.from(typed.int32s);
    case 'uint16':
      return Uint16Array.from(typed.int32s);
    default:
      return Int32Array.from(typed.int32s);
  }
}

/** Name of the field that holds a dtype's elements one by one. */
function fieldOf(dtype: DType): string {
  switch (dtypeInfo(dtype).storage) {
    case 'float32':
      return 'float_data';
    case 'float64':
      return 'double_data';
    case 'string':
      return 'string_data';
    case 'bigint64':
      return 'int64_data';
    case 'uint32':
    case 'biguint64':
      return 'uint64_data';
    default:
      return 'int32_data';
  }
}

function readExternal(
  reader: WireReader,
  name: string,
  dtype: DType,
  shape: readonly number[],
  entries: ReadonlyMap<string, string>,
  externalData: ExternalData | undefined,
): Uint8Array {
  const fail = (message: string): Error =>
    reader.failHere(`external data of tensor '${name}': ${message}`, 'external_data');
  const location = entries.get('location');
  if (location === undefined) throw fail('no location is given');
  const problem = locationProblem(location);
  if (problem !== undefined)
    throw fail(`the location '${location}' ${problem}; expected a file beside the model`);
  if (dtype === 'string') throw fail('strings cannot lie outside of the model file');
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
      throw fail(`${key} is '${text}', no whole number`);
    return value;
  };
  const expected = byteLengthOf(dtype, sizeOf(shape));
  const offset = number('offset') ?? 0;
  const length = number('length') ?? expected;
  if (length !== expected) {
    throw fail(`${length} bytes are announced; ${dtype}[${shape.join(', ')}] takes ${expected}`);
  }
  if (externalData === undefined) {
    throw fail(
      `it lies in '${location}'; give parseOnnx the option externalData, which returns that file's bytes`,
    );
  }
  const bytes = externalData(location);
  if (offset > bytes.byteLength || length > bytes.byteLength - offset) {
    throw fail(
      `bytes ${offset} to ${offset + length} of '${location}' are needed, which has ${bytes.byteLength}`,
    );
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset + offset, length);
}
