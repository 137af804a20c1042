import { ArgumentError } from './errors.ts';

/** Typed arrays that hold a tensor's elements. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** How the elements of a dtype lie in memory. */
export type Storage =
  | 'float32'
  | 'float64'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'bigint64'
  | 'biguint64'
  | 'string';

/** What is known of an element type. */
export interface DTypeInfo {
  /** Code of `TensorProto.DataType` in ONNX. */
  readonly onnx: number;
  /** Bits per element in raw data; 0 for strings. */
  readonly bits: number;
  /** Typed array in which the elements are held; packed and small floats are held as raw bits. */
  readonly storage: Storage;
  /** Storage elements per tensor element where it is not one (complex numbers are pairs). */
  readonly pairs?: true;
  readonly kind: 'float' | 'int' | 'uint' | 'bool' | 'complex' | 'string';
}

/**
 * Every element type of ONNX 1.19, with its wire code and its memory layout: the one place for these facts.
 * Source: `TensorProto.DataType` of onnx.proto.
 */
export const DTYPES = {
  float32: { onnx: 1, bits: 32, storage: 'float32', kind: 'float' },
  uint8: { onnx: 2, bits: 8, storage: 'uint8', kind: 'uint' },
  int8: { onnx: 3, bits: 8, storage: 'int8', kind: 'int' },
  uint16: { onnx: 4, bits: 16, storage: 'uint16', kind: 'uint' },
  int16: { onnx: 5, bits: 16, storage: 'int16', kind: 'int' },
  int32: { onnx: 6, bits: 32, storage: 'int32', kind: 'int' },
  int64: { onnx: 7, bits: 64, storage: 'bigint64', kind: 'int' },
  string: { onnx: 8, bits: 0, storage: 'string', kind: 'string' },
  bool: { onnx: 9, bits: 8, storage: 'uint8', kind: 'bool' },
  float16: { onnx: 10, bits: 16, storage: 'uint16', kind: 'float' },
  float64: { onnx: 11, bits: 64, storage: 'float64', kind: 'float' },
  uint32: { onnx: 12, bits: 32, storage: 'uint32', kind: 'uint' },
  uint64: { onnx: 13, bits: 64, storage: 'biguint64', kind: 'uint' },
  complex64: { onnx: 14, bits: 64, storage: 'float32', pairs: true, kind: 'complex' },
  complex128: { onnx: 15, bits: 128, storage: 'float64', pairs: true, kind: 'complex' },
  bfloat16: { onnx: 16, bits: 16, storage: 'uint16', kind: 'float' },
  float8e4m3fn: { onnx: 17, bits: 8, storage: 'uint8', kind: 'float' },
  float8e4m3fnuz: { onnx: 18, bits: 8, storage: 'uint8', kind: 'float' },
  float8e5m2: { onnx: 19, bits: 8, storage: 'uint8', kind: 'float' },
  float8e5m2fnuz: { onnx: 20, bits: 8, storage: 'uint8', kind: 'float' },
  uint4: { onnx: 21, bits: 4, storage: 'uint8', kind: 'uint' },
  int4: { onnx: 22, bits: 4, storage: 'uint8', kind: 'int' },
  float4e2m1: { onnx: 23, bits: 4, storage: 'uint8', kind: 'float' },
  float8e8m0: { onnx: 24, bits: 8, storage: 'uint8', kind: 'float' },
  uint2: { onnx: 25, bits: 2, storage: 'uint8', kind: 'uint' },
  int2: { onnx: 26, bits: 2, storage: 'uint8', kind: 'int' },
} as const satisfies Record<string, DTypeInfo>;

/** Name of an element type, in NumPy's and PyTorch's words. */
export type DType = keyof typeof DTYPES;

/** Facts about a dtype. */
export const dtypeInfo = (dtype: DType): DTypeInfo => DTYPES[dtype];

const byCode = new Map<number, DType>(
  (Object.keys(DTYPES) as DType[]).map((dtype) => [DTYPES[dtype].onnx, dtype]),
);

/** The dtype of an ONNX `TensorProto.DataType` code, or undefined where the code is unknown. */
export const dtypeOfCode = (code: number): DType | undefined => byCode.get(code);

/** Bytes that `count` elements of `dtype` take in raw data (packed types round up to whole bytes). */
export const byteLengthOf = (dtype: DType, count: number): number =>
  Math.ceil((count * DTYPES[dtype].bits) / 8);

const CONSTRUCTORS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  bigint64: BigInt64Array,
  biguint64: BigUint64Array,
} as const;

/** The typed array class that holds elements of `dtype`. Throws ArgumentError for strings. */
export function typedArrayOf(dtype: DType): (typeof CONSTRUCTORS)[keyof typeof CONSTRUCTORS] {
  const { storage } = DTYPES[dtype];
  if (storage === 'string') throw new ArgumentError("dtype 'string' has no typed array; read its `strings`");
  return CONSTRUCTORS[storage];
}

/** The dtype that a typed array naturally holds, such as float32 for a Float32Array. */
export function dtypeOfArray(array: TypedArray): DType {
  if (array instanceof Float32Array) return 'float32';
  if (array instanceof Float64Array) return 'float64';
  if (array instanceof Int8Array) return 'int8';
  if (array instanceof Uint8Array) return 'uint8';
  if (array instanceof Int16Array) return 'int16';
  if (array instanceof Uint16Array) return 'uint16';
  if (array instanceof Int32Array) return 'int32';
  if (array instanceof Uint32Array) return 'uint32';
  if (array instanceof BigInt64Array) return 'int64';
  return 'uint64';
}
