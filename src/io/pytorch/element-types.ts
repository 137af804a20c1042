import { type DType, dtypeInfo } from '../../core/dtype.ts';
import type { PickledGlobal } from './pickle-values.ts';
import type { ElementType } from './stored-tensor.ts';

/** Storage classes by what their elements are. Source: `torch.storage._dtype_to_storage_type_map`. */
const STORAGES: Readonly<Record<string, DType>> = {
  FloatStorage: 'float32',
  DoubleStorage: 'float64',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  ComplexFloatStorage: 'complex64',
  ComplexDoubleStorage: 'complex128',
  // Bytes without a type: the tensor says what they are.
  UntypedStorage: 'uint8',
};

/** Storage classes of elements that have no place here, and their bytes. */
const REFUSED_STORAGES: Readonly<Record<string, number>> = {
  QInt8Storage: 1,
  QUInt8Storage: 1,
  QInt32Storage: 4,
  QUInt4x2Storage: 1,
  QUInt2x4Storage: 1,
  ComplexHalfStorage: 4,
};

/** `torch.dtype` names. Source: torch/csrc/utils/tensor_dtypes.cpp. */
const DTYPES_BY_NAME: Readonly<Record<string, DType>> = {
  float32: 'float32',
  float64: 'float64',
  float16: 'float16',
  bfloat16: 'bfloat16',
  int64: 'int64',
  int32: 'int32',
  int16: 'int16',
  int8: 'int8',
  uint8: 'uint8',
  uint16: 'uint16',
  uint32: 'uint32',
  uint64: 'uint64',
  bool: 'bool',
  complex64: 'complex64',
  complex128: 'complex128',
  float8_e4m3fn: 'float8e4m3fn',
  float8_e4m3fnuz: 'float8e4m3fnuz',
  float8_e5m2: 'float8e5m2',
  float8_e5m2fnuz: 'float8e5m2fnuz',
  float8_e8m0fnu: 'float8e8m0',
};

const isTorch = ({ module }: PickledGlobal): boolean => module === 'torch' || module.startsWith('torch.');

const typeOf = (name: string, dtype: DType): ElementType => ({
  name,
  dtype,
  bytes: dtypeInfo(dtype).bits / 8,
});

/** The elements of a storage class, such as `torch.FloatStorage` or `torch.cuda.HalfStorage`; undefined where it is none. */
export function typeOfStorage(global: PickledGlobal): ElementType | undefined {
  if (!isTorch(global)) return undefined;
  const { path, name } = global;
  if (Object.hasOwn(STORAGES, name)) return typeOf(path, STORAGES[name]!);
  if (!Object.hasOwn(REFUSED_STORAGES, name)) return undefined;
  return { name: path, dtype: null, bytes: REFUSED_STORAGES[name]! };
}

/** The elements that a name such as `torch.uint16` stands for; of unknown ones only the name is known. */
export function typeOfDType(global: PickledGlobal): ElementType {
  const known = global.module === 'torch' && Object.hasOwn(DTYPES_BY_NAME, global.name);
  return known
    ? typeOf(global.path, DTYPES_BY_NAME[global.name]!)
    : { name: global.path, dtype: null, bytes: 1 };
}

/** `torch.FloatStorage` for float32; null where PyTorch has no storage class for the dtype. */
export function storageClassOf(dtype: DType): string | null {
  return (
    Object.entries(STORAGES).find(([name, held]) => held === dtype && name !== 'UntypedStorage')?.[0] ?? null
  );
}

/** `uint16` of `torch.uint16`; null where PyTorch does not have the dtype. */
export function torchNameOf(dtype: DType): string | null {
  return Object.entries(DTYPES_BY_NAME).find(([, held]) => held === dtype)?.[0] ?? null;
}
