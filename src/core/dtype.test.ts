import { describe, expect, it } from 'vitest';
import {
  byteLengthOf,
  DTYPES,
  type DType,
  dtypeInfo,
  dtypeOfArray,
  dtypeOfCode,
  typedArrayOf,
} from './dtype.ts';
import { ArgumentError } from './errors.ts';

const dtypes = Object.keys(DTYPES) as DType[];

describe('dtypes', () => {
  it("have ONNX's codes, each one its own", () => {
    for (const dtype of dtypes) expect(dtypeOfCode(dtypeInfo(dtype).onnx)).toBe(dtype);
    expect(new Set(dtypes.map((dtype) => DTYPES[dtype].onnx)).size).toBe(dtypes.length);
    // `TensorProto.DataType` of onnx.proto.
    expect(dtypeOfCode(1)).toBe('float32');
    expect(dtypeOfCode(7)).toBe('int64');
    expect(dtypeOfCode(16)).toBe('bfloat16');
    expect(dtypeOfCode(0)).toBeUndefined();
    expect(dtypeOfCode(99)).toBeUndefined();
  });

  it('are held in typed arrays whose elements are as wide as theirs', () => {
    for (const dtype of dtypes) {
      const { bits, storage, pairs }: { bits: number; storage: string; pairs?: true } = dtypeInfo(dtype);
      if (storage === 'string') continue;
      expect(typedArrayOf(dtype).BYTES_PER_ELEMENT * 8, dtype).toBe(Math.max(8, pairs ? bits / 2 : bits));
    }
    expect(() => typedArrayOf('string')).toThrow("dtype 'string' has no typed array; read its `strings`");
    expect(() => typedArrayOf('string')).toThrow(ArgumentError);
  });

  it('take whole bytes, packed ones rounded up', () => {
    expect(byteLengthOf('float32', 3)).toBe(12);
    expect(byteLengthOf('complex128', 2)).toBe(32);
    expect(byteLengthOf('int4', 3)).toBe(2);
    expect(byteLengthOf('uint2', 5)).toBe(2);
    expect(byteLengthOf('bool', 0)).toBe(0);
  });

  it('are known from a typed array', () => {
    const arrays: DType[] = [
      'float32',
      'float64',
      'int8',
      'uint8',
      'int16',
      'uint16',
      'int32',
      'uint32',
      'int64',
      'uint64',
    ];
    for (const dtype of arrays) expect(dtypeOfArray(new (typedArrayOf(dtype))(1))).toBe(dtype);
  });
});
