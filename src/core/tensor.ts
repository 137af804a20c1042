import {
  byteLengthOf,
  DTYPES,
  type DType,
  dtypeInfo,
  dtypeOfArray,
  type TypedArray,
  typedArrayOf,
} from './dtype.ts';
import { ArgumentError } from './errors.ts';

/** Number of elements of a shape: the product of its dimensions, 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

/** Row-major strides of a shape, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  }
  return strides;
}

/** `axis` counted from the front; negative axes count from the back. Throws ArgumentError when out of range. */
export function normalizeAxis(axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new ArgumentError(
      `axis ${axis} is out of range for rank ${rank}; expected ${-rank} to ${rank - 1}`,
    );
  }
  return axis < 0 ? axis + rank : axis;
}

/** Raw little-endian bytes of a tensor's elements, as ONNX's `raw_data` lays them out. */
export interface RawBytes {
  readonly bytes: Uint8Array;
}

/** What a tensor can be made over, none of it copied: a typed array, strings, or raw bytes. */
export type TensorData = TypedArray | readonly string[] | RawBytes;

const isStrings = (data: TensorData): data is readonly string[] => Array.isArray(data);
const isBytes = (data: TensorData): data is RawBytes => 'bytes' in data;

/**
 * A dense, contiguous, row-major tensor: dtype, shape and elements.
 *
 * Elements lie in memory as ONNX's raw data does: little-endian; float16, bfloat16 and smaller floats as their bits;
 * 4-bit types packed two to a byte, low half first; complex numbers as pairs. `data` and `bytes` show the same memory: a tensor read
 * from a file points into the file's buffer, and copies nothing until a typed view is asked for at an unaligned offset.
 * A Tensor is also a box: graphs and parameters that share one see the same elements, also after `setData`.
 */
export class Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Number of elements. */
  readonly size: number;
  #storage: TensorData;

  /** Throws ArgumentError where `data` is of another type or length than dtype and shape say. */
  constructor(dtype: DType, shape: readonly number[], data: TensorData) {
    for (const dim of shape) {
      if (!Number.isSafeInteger(dim) || dim < 0) {
        throw new ArgumentError(
          `Tensor: shape [${shape.join(', ')}] has the dimension ${dim}; expected whole numbers >= 0`,
        );
      }
    }
    this.dtype = dtype;
    this.shape = Object.freeze([...shape]);
    this.size = sizeOf(shape);
    if (!Number.isSafeInteger(this.size)) {
      throw new ArgumentError(`Tensor: shape [${shape.join(', ')}] has more elements than can be counted`);
    }
    this.#storage = this.#checked(data);
  }

  /** A tensor filled with zeros (empty strings for 'string'). */
  static zeros(dtype: DType, shape: readonly number[]): Tensor {
    const size = sizeOf(shape);
    if (dtype === 'string') return new Tensor(dtype, shape, new Array<string>(size).fill(''));
    return new Tensor(dtype, shape, { bytes: new Uint8Array(byteLengthOf(dtype, size)) });
  }

  /** A float32 tensor filled with `value`. */
  static full(shape: readonly number[], value: number): Tensor {
    return new Tensor('float32', shape, new Float32Array(sizeOf(shape)).fill(value));
  }

  /** A tensor over a typed array, of the array's own dtype; one axis unless a shape is given. */
  static of(data: TypedArray, shape: readonly number[] = [data.length]): Tensor {
    return new Tensor(dtypeOfArray(data), shape, data);
  }

  /** An int64 tensor of whole numbers, as ONNX wants shapes and axes; a bare number gives a scalar. */
  static int64(values: number | readonly number[]): Tensor {
    return typeof values === 'number'
      ? new Tensor('int64', [], BigInt64Array.of(BigInt(values)))
      : new Tensor('int64', [values.length], BigInt64Array.from(values, BigInt));
  }

  /**
   * The elements as the dtype's typed array (a live view: writing to it writes to the tensor).
   * Packed and small floats give their bits. Throws ArgumentError for strings.
   */
  get data(): TypedArray {
    const storage = this.#storage;
    if (isStrings(storage))
      throw new ArgumentError("Tensor: dtype 'string' has no typed array; read `strings`");
    if (!isBytes(storage)) return storage;
    const Type = typedArrayOf(this.dtype);
    const { buffer, byteOffset, byteLength } = storage.bytes;
    const view =
      byteOffset % Type.BYTES_PER_ELEMENT === 0
        ? new Type(buffer as ArrayBuffer, byteOffset, byteLength / Type.BYTES_PER_ELEMENT)
        : // Not `slice`: that of Node's Buffer shares memory.
          new Type(new Uint8Array(storage.bytes).buffer);
    this.#storage = view;
    return view;
  }

  /** The elements of a float32 tensor (live). Throws ArgumentError for another dtype. */
  get float32(): Float32Array {
    const data = this.dtype === 'float32' ? this.data : undefined;
    if (data instanceof Float32Array) return data;
    throw new ArgumentError(`Tensor: expected float32, got ${this.dtype}; convert it first`);
  }

  /** The elements' raw bytes (live). Throws ArgumentError for strings. */
  get bytes(): Uint8Array {
    const storage = this.#storage;
    if (isStrings(storage))
      throw new ArgumentError("Tensor: dtype 'string' has no raw bytes; read `strings`");
    if (isBytes(storage)) return storage.bytes;
    return new Uint8Array(storage.buffer, storage.byteOffset, storage.byteLength);
  }

  /** The elements of a string tensor. Throws ArgumentError for another dtype. */
  get strings(): readonly string[] {
    const storage = this.#storage;
    if (isStrings(storage)) return storage;
    throw new ArgumentError(`Tensor: expected strings, got ${this.dtype}`);
  }

  /** Bytes the elements take; for strings, the sum of their lengths in UTF-8. */
  get byteLength(): number {
    const storage = this.#storage;
    if (!isStrings(storage)) return isBytes(storage) ? storage.bytes.byteLength : storage.byteLength;
    const encoder = new TextEncoder();
    return storage.reduce((sum, text) => sum + encoder.encode(text).byteLength, 0);
  }

  /** Puts other elements in place, not copied; everyone who shares this tensor sees them. Throws ArgumentError where they do not fit. */
  setData(data: TensorData): void {
    this.#storage = this.#checked(data);
  }

  /**
   * The elements as JavaScript numbers, for small integer and float tensors such as shapes and axes.
   * Whole numbers beyond 2^53 are rounded. Throws ArgumentError for dtypes held as bits.
   */
  toNumbers(): number[] {
    const { kind, bits } = DTYPES[this.dtype];
    if (kind === 'string' || kind === 'complex' || bits < 8 || (kind === 'float' && bits < 32)) {
      throw new ArgumentError(`Tensor: ${this.dtype} elements are not plain numbers`);
    }
    return Array.from<number | bigint, number>(this.data, Number);
  }

  /** The same elements under another shape of the same size (memory is shared). Throws ArgumentError where the size differs. */
  reshape(shape: readonly number[]): Tensor {
    return new Tensor(this.dtype, shape, this.#storage);
  }

  /** A copy with memory of its own. */
  clone(): Tensor {
    const storage = this.#storage;
    if (isStrings(storage)) return new Tensor(this.dtype, this.shape, [...storage]);
    return new Tensor(
      this.dtype,
      this.shape,
      isBytes(storage) ? { bytes: new Uint8Array(storage.bytes) } : storage.slice(),
    );
  }

  /** `float32[16, 3, 3, 3]` */
  toString(): string {
    return `${this.dtype}[${this.shape.join(', ')}]`;
  }

  #checked(data: TensorData): TensorData {
    const { bits, storage, pairs } = dtypeInfo(this.dtype);
    if (storage === 'string') {
      if (isStrings(data) && data.length === this.size) return data;
      throw new ArgumentError(`Tensor: ${this} takes ${this.size} strings, got ${describe(data)}`);
    }
    if (!isStrings(data)) {
      const expected = byteLengthOf(this.dtype, this.size);
      const found = isBytes(data) ? data.bytes.byteLength : data.byteLength;
      const rightType = isBytes(data) || data instanceof typedArrayOf(this.dtype);
      if (rightType && found === expected) return data;
    }
    const count = pairs ? this.size * 2 : bits < 8 ? byteLengthOf(this.dtype, this.size) : this.size;
    throw new ArgumentError(
      `Tensor: ${this} takes a ${typedArrayOf(this.dtype).name} of ${count} or ${byteLengthOf(this.dtype, this.size)} raw bytes, got ${describe(data)}`,
    );
  }
}

function describe(data: TensorData): string {
  if (isStrings(data)) return `${data.length} strings`;
  return isBytes(data)
    ? `${data.bytes.byteLength} raw bytes`
    : `a ${data.constructor.name} of ${data.length}`;
}

/** A sparse tensor in coordinate format, as ONNX's `SparseTensorProto` holds it. */
export interface SparseTensor {
  /** The non-zero elements: `[NNZ]`. */
  readonly values: Tensor;
  /** Their places, int64: `[NNZ]` linear or `[NNZ, rank]`. */
  readonly indices: Tensor;
  /** Shape of the dense tensor. */
  readonly dims: readonly number[];
}
