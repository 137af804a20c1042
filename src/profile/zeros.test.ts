import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import { channelLayout, convLayout, convTransposeLayout, linearLayout } from '../ops/index.ts';
import { addSparsity, countZeros, granularSparsity } from './zeros.ts';

/** A weight of ones with zeros where `isZero` says. */
function weight(shape: readonly number[], isZero: (...index: number[]) => boolean): Tensor {
  const tensor = Tensor.full(shape, 1);
  const data = tensor.float32;
  for (let flat = 0; flat < data.length; flat++) {
    let rest = flat;
    const index = shape.map(() => 0);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    if (isZero(...index)) data[flat] = 0;
  }
  return tensor;
}

describe('countZeros', () => {
  it('counts zeros of either sign, in every real dtype', () => {
    const tensor = Tensor.of(Float32Array.of(0, -0, 1, Number.NaN, 1e-40, -2));
    expect(countZeros(tensor)).toBe(2);
    const rounded = Tensor.of(Float32Array.of(0, -0, 1, -2));
    for (const dtype of ['float16', 'bfloat16', 'float64', 'int8', 'int64', 'bool'] as const) {
      expect(countZeros(fromFloat32(rounded, dtype)), dtype).toBe(2);
    }
    expect(countZeros(new Tensor('string', [1], ['']))).toBe(0);
  });

  it('counts what compares equal to 0, whatever the bits', () => {
    const element = fc.oneof(fc.constantFrom(0, -0), fc.float());
    fc.assert(
      fc.property(fc.array(element, { maxLength: 40 }), fc.nat(3), (elements, start) => {
        const all = Float32Array.from(elements).subarray(start);
        expect(countZeros(Tensor.of(all))).toBe(all.filter((value) => value === 0).length);
      }),
    );
  });
});

describe('granularSparsity', () => {
  it('counts rows, columns, kernels, filters and channels of a convolution as by hand', () => {
    // Filter 0 whole; of filter 1 the kernel of channel 2; of filter 2, channel 0, the first row and the last column.
    const tensor = weight(
      [3, 4, 3, 3],
      (o, i, y, x) => o === 0 || (o === 1 && i === 2) || (o === 2 && i === 0 && (y === 0 || x === 2)),
    );
    expect(granularSparsity(tensor, convLayout(2))).toEqual({
      weights: { zero: 36 + 9 + 5, total: 108 },
      rows: { zero: 12 + 3 + 1, total: 36 },
      columns: { zero: 12 + 3 + 1, total: 36 },
      kernels: { zero: 4 + 1, total: 12 },
      filters: { zero: 1, total: 3 },
      channels: { zero: 0, total: 4 },
      patterns: {
        // Filter 0 meets every pattern; others have 4 of 4 alive, 3 in filter 1, and 3 at five places of filter 2.
        '2:4': { zero: 9, total: 27 },
        '1:4': { zero: 9, total: 27 },
      },
    });
  });

  it('counts N:M groups along input channels, for either order of axes', () => {
    const isZero = (o: number, i: number): boolean => (o === 0 ? i % 4 < 2 : i % 4 !== 0);
    const outFirst = weight([2, 8], isZero);
    const inFirst = weight([8, 2], (i, o) => isZero(o, i));
    const expected = { '2:4': { zero: 4, total: 4 }, '1:4': { zero: 2, total: 4 } };
    expect(granularSparsity(outFirst, linearLayout()).patterns).toEqual(expected);
    expect(granularSparsity(inFirst, linearLayout(true)).patterns).toEqual(expected);
    expect(granularSparsity(outFirst, linearLayout()).kernels).toBeUndefined();
  });

  it('finds the filters of a transposed convolution on its second axis', () => {
    const tensor = weight([2, 3, 2, 2], (_, o) => o === 1);
    const sparsity = granularSparsity(tensor, convTransposeLayout(2));
    expect(sparsity.filters).toEqual({ zero: 1, total: 3 });
    expect(sparsity.channels).toEqual({ zero: 0, total: 2 });
  });

  it('knows weights alone of what is no matrix', () => {
    expect(granularSparsity(Tensor.full([3], 0), channelLayout())).toEqual({
      weights: { zero: 3, total: 3 },
    });
    expect(granularSparsity(Tensor.full([3, 3], 0), null)).toEqual({ weights: { zero: 9, total: 9 } });
  });

  it('counts whole units that were zeroed, whichever they are', () => {
    const dim = fc.integer({ min: 1, max: 5 });
    const masks = fc.tuple(fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }), dim, dim, dim);
    fc.assert(
      fc.property(masks, ([gone, channels, height, width]) => {
        const tensor = weight([gone.length, channels, height, width], (o) => gone[o]!);
        const { filters, kernels, weights } = granularSparsity(tensor, convLayout(2));
        const count = gone.filter(Boolean).length;
        expect(filters).toEqual({ zero: count, total: gone.length });
        expect(kernels).toEqual({ zero: count * channels, total: gone.length * channels });
        expect(weights.zero).toBe(count * channels * height * width);
      }),
    );
  });
});

describe('addSparsity', () => {
  it('sums units over the weights that have them', () => {
    const conv = granularSparsity(Tensor.full([2, 4, 3, 3], 0), convLayout(2));
    const linear = granularSparsity(Tensor.full([5, 4], 1), linearLayout());
    const sum = addSparsity([conv, linear]);
    expect(sum.weights).toEqual({ zero: 72, total: 92 });
    expect(sum.kernels).toEqual({ zero: 8, total: 8 });
    expect(sum.filters).toEqual({ zero: 2, total: 7 });
    expect(sum.patterns?.['2:4']).toEqual({ zero: 18, total: 18 + 5 });
    expect(addSparsity([])).toEqual({ weights: { zero: 0, total: 0 } });
  });
});
