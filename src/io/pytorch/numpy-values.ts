import { byteLengthOf, type DType } from '../../core/dtype.ts';
import { toFloat32 } from '../../core/float16.ts';
import { sizeOf, Tensor } from '../../core/tensor.ts';
import type { MemoryBudget } from './budget.ts';
import { wholeNumber } from './pickle-text.ts';
import { isSequence, isWhole, PickledObject, type PickleValue } from './pickle-values.ts';
import { StoredTensor, TensorStorage } from './stored-tensor.ts';

/** NumPy's type codes. Source: `numpy.dtype.str` without the byte order. */
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
]);

/** What makes arrays: before protocol 5, and from it on. */
const RECONSTRUCT = ['numpy.core.multiarray._reconstruct', 'numpy._core.multiarray._reconstruct'];
const FROM_BUFFER = ['numpy.core.numeric._frombuffer', 'numpy._core.numeric._frombuffer'];

/** The parts of an array: shape, dtype, whether it is in Fortran order, raw data. Source: `ndarray.__reduce__`. */
function partsOfArray({
  type,
  args,
  state,
}: PickledObject): readonly (PickleValue | undefined)[] | undefined {
  if (FROM_BUFFER.includes(type.path)) {
    const [data, dtype, shape, order] = args;
    return [shape, dtype, order === 'F', data];
  }
  // A version stands in front.
  return RECONSTRUCT.includes(type.path) && isSequence(state) ? state.slice(1) : undefined;
}

interface NumpyType {
  readonly dtype: DType;
  readonly bigEndian: boolean;
}

/** What a pickled `numpy.dtype` says; undefined where it is none of plain numbers. */
function typeOf(value: PickleValue | undefined): NumpyType | undefined {
  if (!(value instanceof PickledObject) || value.type.path !== 'numpy.dtype') return undefined;
  const [code] = value.args;
  const dtype = typeof code === 'string' ? DTYPES_BY_CODE.get(code) : undefined;
  const order = isSequence(value.state) ? value.state[1] : undefined;
  return dtype && { dtype, bigEndian: order === '>' };
}

/** Bytes of the largest number. */
const MOST_SCALAR = 8;

/** Raw data of Python 2 is a text there, and was read as one where it is UTF-8. */
function bytesOf(value: PickleValue | undefined): Uint8Array | undefined {
  return typeof value === 'string'
    ? new TextEncoder().encode(value)
    : value instanceof Uint8Array
      ? value
      : undefined;
}

/** `numpy.core.multiarray.scalar(dtype, bytes)` as a plain number; undefined where JavaScript has none like it. */
export function numpyScalar(args: readonly PickleValue[]): number | bigint | boolean | undefined {
  const type = typeOf(args[0]);
  const raw = args[1];
  const bytes = typeof raw === 'string' && raw.length > MOST_SCALAR ? undefined : bytesOf(raw);
  if (!type || bytes?.byteLength !== byteLengthOf(type.dtype, 1)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = !type.bigEndian;
  switch (type.dtype) {
    case 'bool':
      return view.getUint8(0) !== 0;
    case 'int8':
      return view.getInt8(0);
    case 'uint8':
      return view.getUint8(0);
    case 'int16':
      return view.getInt16(0, little);
    case 'uint16':
      return view.getUint16(0, little);
    case 'int32':
      return view.getInt32(0, little);
    case 'uint32':
      return view.getUint32(0, little);
    case 'int64':
      return wholeNumber(view.getBigInt64(0, little));
    case 'uint64':
      return wholeNumber(view.getBigUint64(0, little));
    case 'float32':
      return view.getFloat32(0, little);
    case 'float64':
      return view.getFloat64(0, little);
    case 'float16':
      return toFloat32(new Tensor('float16', [], Uint16Array.of(view.getUint16(0, little)))).float32[0];
    default:
      return undefined;
  }
}

/**
 * A pickled NumPy array of plain numbers as a tensor; undefined where the value is none, or of a type or byte order that is not read.
 * What is made anew is charged to the budget.
 */
export function tensorOfArray(value: PickledObject, budget: MemoryBudget): StoredTensor | undefined {
  const [shape, dtype, fortran, data] = partsOfArray(value) ?? [];
  const type = typeOf(dtype);
  if (typeof data === 'string') budget.charge(3 * data.length, { field: 'array' });
  const bytes = bytesOf(data);
  if (!type || !bytes || !isSequence(shape) || shape.length > 64) return undefined;
  const dims = shape.filter((dim) => isWhole(dim) && dim >= 0) as number[];
  const size = sizeOf(dims);
  const width = byteLengthOf(type.dtype, 1);
  if (dims.length !== shape.length || size * width !== bytes.byteLength) return undefined;
  if (type.bigEndian && width > 1) return undefined;
  const element = { name: `numpy ${type.dtype}`, dtype: type.dtype, bytes: width };
  const strides = new Array<number>(dims.length).fill(1);
  const axes = dims.map((_, axis) => (fortran === true ? axis : dims.length - 1 - axis));
  let step = 1;
  for (const axis of axes) {
    strides[axis] = step;
    step *= dims[axis]!;
  }
  return new StoredTensor(new TensorStorage('array', element, size, () => bytes), element, 0, dims, strides);
}
