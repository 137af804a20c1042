import { describe, expect, it } from 'vitest';
import { fromFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import { differenceOf, worseOf } from './difference.ts';

const floats = (...values: number[]): Tensor => Tensor.of(Float32Array.from(values));
const integers = (...values: number[]): Tensor => Tensor.int64(values);

describe('differenceOf', () => {
  it('measures floats against the largest magnitude of the reference', () => {
    expect(differenceOf(floats(1, -8, 0), floats(1, -7, 0.5))).toEqual({
      maxError: 1,
      scale: 8,
      relativeError: 0.125,
      why: null,
    });
  });

  it('finds nothing where all is the same, zeros and empty tensors too', () => {
    expect(differenceOf(floats(0, 0), floats(0, 0)).relativeError).toBe(0);
    expect(differenceOf(floats(), floats())).toMatchObject({ relativeError: 0, why: null });
  });

  it('takes anything beside zeros for a difference without measure', () => {
    expect(differenceOf(floats(0, 0), floats(0, 1e-9)).relativeError).toBe(Number.POSITIVE_INFINITY);
  });

  it('lets NaN equal NaN and infinity itself, and nothing else', () => {
    const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
    expect(differenceOf(floats(1, nan, inf, -inf), floats(1, nan, inf, -inf)).maxError).toBe(0);
    for (const [was, is] of [
      [nan, 1],
      [1, nan],
      [inf, -inf],
      [inf, 3],
      [3, -inf],
    ] as const) {
      expect(differenceOf(floats(2, was), floats(2, is)).maxError).toBe(inf);
    }
    // NaN does not hide what comes after it, nor what came before.
    expect(differenceOf(floats(2, 3, 4), floats(2, nan, 5)).maxError).toBe(inf);
  });

  it('does not take NaN everywhere for agreement', () => {
    expect(differenceOf(floats(Number.NaN), floats(Number.NaN))).toMatchObject({
      relativeError: Number.POSITIVE_INFINITY,
      why: 'is NaN or infinite everywhere on this input; give data',
    });
  });

  it('names other shapes and dtypes', () => {
    expect(differenceOf(floats(1, 2), floats(1, 2, 3))).toMatchObject({
      relativeError: Number.POSITIVE_INFINITY,
      why: 'is float32[3] in the cut model, float32[2] before',
    });
    expect(differenceOf(floats(1), integers(1)).why).toBe('is int64[1] in the cut model, float32[1] before');
  });

  it('counts integers, truth values and texts that differ', () => {
    expect(differenceOf(integers(100, 2, 3, 4), integers(90, 2, 3, 4))).toMatchObject({
      maxError: 10,
      relativeError: 0.25,
    });
    const bits = (...values: number[]): Tensor =>
      new Tensor('bool', [values.length], Uint8Array.from(values));
    expect(differenceOf(bits(0, 1), bits(1, 1)).relativeError).toBe(0.5);
    const texts = (...values: string[]): Tensor => new Tensor('string', [values.length], values);
    expect(differenceOf(texts('a', 'b'), texts('a', 'c'))).toMatchObject({ maxError: 1, relativeError: 0.5 });
  });

  it('reads half floats as numbers, not bits', () => {
    const half = (...values: number[]): Tensor => fromFloat32(floats(...values), 'float16');
    expect(differenceOf(half(2, 4), half(2, 3))).toMatchObject({ maxError: 1, scale: 4 });
    const doubles = (x: number): Tensor => Tensor.of(Float64Array.of(x));
    expect(differenceOf(doubles(1), doubles(1 + 1e-12)).maxError).toBeCloseTo(1e-12, 15);
  });
});

describe('worseOf', () => {
  it('keeps the largest of everything, and why the worse one was not compared', () => {
    const near = differenceOf(floats(100), floats(101));
    const far = differenceOf(floats(1), floats(2));
    const other = differenceOf(floats(1), floats(1, 2));
    expect(worseOf(near, far)).toEqual({ maxError: 1, scale: 100, relativeError: 1, why: null });
    expect(worseOf(other, near).why).toBe(other.why);
    expect(worseOf(near, other).why).toBe(other.why);
  });
});
