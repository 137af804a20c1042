import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DType } from './dtype.ts';
import { ArgumentError } from './errors.ts';
import { fromFloat32, isPlainFloat, roundedTo, toFloat32 } from './float16.ts';
import { Tensor } from './tensor.ts';

const bitsOf = (dtype: DType, patterns: number[]): Tensor =>
  new Tensor(dtype, [patterns.length], {
    bytes: new Uint8Array((dtype.startsWith('float8') ? Uint8Array : Uint16Array).from(patterns).buffer),
  });
const values = (dtype: DType, ...patterns: number[]): number[] => [
  ...toFloat32(bitsOf(dtype, patterns)).float32,
];
const patterns = (dtype: DType, ...numbers: number[]): number[] =>
  Array.from<number | bigint, number>(fromFloat32(Tensor.of(Float32Array.from(numbers)), dtype).data, Number);

describe('toFloat32', () => {
  it('reads half precision: normal, subnormal, infinite, NaN', () => {
    expect(values('float16', 0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x7c00, 0xfc00, 0x8000)).toEqual(
      [1, -2, 65504, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, Infinity, -Infinity, -0],
    );
    expect(values('float16', 0x7e00)[0]).toBeNaN();
  });

  it('reads bfloat16 as the upper half of a float32', () => {
    const all = Array.from({ length: 65536 }, (_, i) => i);
    const read = toFloat32(bitsOf('bfloat16', all)).float32;
    const upper = new Uint32Array(all.map((pattern) => pattern << 16));
    const expected = new Float32Array(upper.buffer);
    for (const i of all)
      if (!Object.is(read[i], expected[i])) expect.fail(`pattern ${i}: ${read[i]}, not ${expected[i]}`);
  });

  it('reads the float8 types at their ends', () => {
    expect(values('float8e4m3fn', 0x7e, 0x01, 0x38)).toEqual([448, 2 ** -9, 1]);
    expect(values('float8e4m3fn', 0x7f, 0xff)).toEqual([NaN, NaN]);
    expect(values('float8e4m3fnuz', 0x7f, 0x01, 0x40)).toEqual([240, 2 ** -10, 1]);
    expect(values('float8e4m3fnuz', 0x80)).toEqual([NaN]);
    expect(values('float8e5m2', 0x7b, 0x7c, 0x01)).toEqual([57344, Infinity, 2 ** -16]);
    expect(values('float8e5m2fnuz', 0x7f, 0x80)).toEqual([57344, NaN]);
  });

  it('converts integers, booleans and float64, and gives float32 back uncopied', () => {
    const tensor = Tensor.of(Float32Array.of(1, 2));
    expect(toFloat32(tensor)).toBe(tensor);
    expect([...toFloat32(Tensor.int64([3, -4])).float32]).toEqual([3, -4]);
    expect([...toFloat32(Tensor.of(Float64Array.of(0.1))).float32]).toEqual([Math.fround(0.1)]);
    expect([...toFloat32(new Tensor('bool', [2], Uint8Array.of(0, 1))).float32]).toEqual([0, 1]);
  });

  it('refuses strings, complex numbers and packed types', () => {
    for (const dtype of ['string', 'complex64', 'int4', 'float4e2m1'] as const) {
      expect(() => toFloat32(Tensor.zeros(dtype, [2]))).toThrow(ArgumentError);
      expect(() => fromFloat32(Tensor.zeros('float32', [2]), dtype)).toThrow(/fromFloat32: .* cannot hold/);
    }
    expect(() => toFloat32(Tensor.zeros('int4', [2]))).toThrow('toFloat32: int4[2] has no float32 form');
  });
});

describe('fromFloat32', () => {
  it('gives back every bit pattern it read, for every small float', () => {
    const formats: DType[] = [
      'float16',
      'bfloat16',
      'float8e4m3fn',
      'float8e4m3fnuz',
      'float8e5m2',
      'float8e5m2fnuz',
    ];
    for (const dtype of formats) {
      const count = dtype.startsWith('float8') ? 256 : 65536;
      const all = Array.from({ length: count }, (_, i) => i);
      const floats = toFloat32(bitsOf(dtype, all));
      const again = fromFloat32(floats, dtype).data;
      for (const i of all) {
        if (!Number.isNaN(floats.float32[i]) && Number(again[i]) !== i)
          expect.fail(`${dtype} ${i} became ${again[i]}`);
      }
    }
  });

  it('rounds halves to even and overflows to infinity', () => {
    // 2049 lies between 2048 and 2050, 2051 between 2050 and 2052.
    expect(patterns('float16', 2049, 2051, 65519, 65520, 2 ** -25, 2 ** -25 * 1.0001)).toEqual([
      0x6800, 0x6802, 0x7bff, 0x7c00, 0, 1,
    ]);
    expect(patterns('float8e4m3fn', 464, 465)).toEqual([0x7e, 0x7f]);
    expect(patterns('float8e4m3fnuz', -0, 1000)).toEqual([0, 0x80]);
  });

  it('picks the nearest half-precision number', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -65504, max: 65504 }), (x) => {
        const [pattern] = patterns('float16', x);
        const distance = (p: number): number => Math.abs(values('float16', p)[0]! - x);
        const own = distance(pattern!);
        for (const near of [pattern! - 1, pattern! + 1]) {
          if (near >= 0 && (near & 0x7fff) <= 0x7bff && distance(near) < own) return false;
        }
        return true;
      }),
    );
  });

  it('cuts off towards zero for integers', () => {
    expect(patterns('int64', 2.9, -2.9)).toEqual([2, -2]);
    expect(patterns('int8', 2.9, -2.9)).toEqual([2, -2]);
    expect(patterns('bool', 0, 0.5)).toEqual([0, 1]);
  });
});

describe('roundedTo', () => {
  it('gives the nearest number of a dtype, halves to even', () => {
    expect(roundedTo(0.1, 'float64')).toBe(0.1);
    expect(roundedTo(0.1, 'float32')).toBe(Math.fround(0.1));
    expect(roundedTo(2049, 'float16')).toBe(2048);
    expect(roundedTo(1e6, 'float16')).toBe(Number.POSITIVE_INFINITY);
    expect(roundedTo(257, 'bfloat16')).toBe(256);
    expect(roundedTo(-0.3, 'float8e4m3fn')).toBe(-0.3125);
  });

  it('is for dtypes of plain numbers', () => {
    expect((['float16', 'float64', 'float8e5m2'] as const).map(isPlainFloat)).toEqual([true, true, true]);
    expect((['float8e8m0', 'float4e2m1', 'int8', 'bool'] as const).map(isPlainFloat)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});
