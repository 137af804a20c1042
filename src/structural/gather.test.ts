import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UnsupportedError } from '../core/errors.ts';
import { sizeOf, stridesOf, Tensor } from '../core/tensor.ts';
import { gatherAxis, gatherParts } from './gather.ts';

const counting = (shape: readonly number[]): Tensor =>
  Tensor.of(
    Float32Array.from({ length: sizeOf(shape) }, (_, index) => index),
    shape,
  );

describe('gatherAxis', () => {
  it('picks what indexing picks, on any axis', () => {
    const cases = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }).chain((shape) =>
      fc.nat(shape.length - 1).chain((axis) =>
        fc.record({
          shape: fc.constant(shape),
          axis: fc.constant(axis),
          indices: fc.array(fc.nat(shape[axis]! - 1), { maxLength: 6 }),
        }),
      ),
    );
    fc.assert(
      fc.property(cases, ({ shape, axis, indices }) => {
        const result = gatherAxis(counting(shape), axis, indices);
        const wanted = shape.map((size, own) => (own === axis ? indices.length : size));
        expect(result.shape).toEqual(wanted);
        const [to, from] = [stridesOf(wanted), stridesOf(shape)];
        for (let at = 0; at < result.size; at++) {
          const index = wanted.map((size, own) => Math.floor(at / to[own]!) % size);
          index[axis] = indices[index[axis]!]!;
          expect(result.data[at]).toBe(index.reduce((sum, own, place) => sum + own * from[place]!, 0));
        }
      }),
    );
  });

  it('takes any dtype of whole bytes', () => {
    const bytes = gatherAxis(Tensor.of(Uint8Array.of(1, 2, 3)), 0, [2, 0]);
    expect([...bytes.data]).toEqual([3, 1]);
    expect([...gatherAxis(Tensor.int64([5, 6, 7]), 0, [1]).data]).toEqual([6n]);
  });

  it('refuses elements below a byte and texts', () => {
    const packed = Tensor.zeros('int4', [4]);
    expect(() => gatherAxis(packed, 0, [1])).toThrow(UnsupportedError);
    expect(() => gatherAxis(packed, 0, [1])).toThrow(
      'Tensor of int4: its elements are not whole bytes and cannot be picked; convert it first',
    );
    expect(() => gatherAxis(Tensor.zeros('string', [2]), 0, [1])).toThrow('Tensor of string');
  });
});

describe('gatherParts', () => {
  it('picks other positions for each part of another axis', () => {
    // Two groups of two filters with three inputs each.
    const weight = counting([4, 3]);
    const result = gatherParts(weight, 1, 0, [
      [0, 2],
      [1, 2],
    ]);
    expect(result.shape).toEqual([4, 2]);
    expect([...result.data]).toEqual([0, 2, 3, 5, 7, 8, 10, 11]);
  });

  it('does so where the other axis is not the first', () => {
    const result = gatherParts(counting([2, 3, 2]), 1, 2, [[0], [2]]);
    expect(result.shape).toEqual([2, 1, 2]);
    expect([...result.data]).toEqual([0, 5, 6, 11]);
  });
});
