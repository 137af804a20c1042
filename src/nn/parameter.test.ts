import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { Parameter } from './parameter.ts';

const METHOD = { tensorName: 'weight' };

/** A parameter's elements after masking. */
function masked(values: readonly number[], mask: readonly number[]): number[] {
  const parameter = new Parameter(Tensor.of(Float32Array.from(values)));
  parameter.setPruning(METHOD, Tensor.of(Float32Array.from(mask)));
  return [...parameter.data.float32];
}

describe('a masked parameter', () => {
  it('holds +0 where the mask is 0, and its own bits elsewhere', () => {
    const value = fc.float({ noDefaultInfinity: false });
    fc.assert(
      fc.property(fc.array(fc.tuple(value, fc.boolean())), (entries) => {
        const result = masked(
          entries.map(([x]) => x),
          entries.map(([, keep]) => (keep ? 1 : 0)),
        );
        entries.forEach(([x, keep], i) => {
          expect(Object.is(result[i], keep ? x : 0)).toBe(true);
        });
      }),
    );
  });

  it('multiplies by masks that are neither 0 nor 1, and takes -0 for 0', () => {
    expect(masked([4, -4, 4, -4, 8, 3], [0.5, 0.5, 2, -1, 0.25, 1])).toEqual([2, -2, 8, 4, 2, 3]);
    expect(masked([-1, Number.NaN, 5], [-0, 0, 1])).toEqual([0, 0, 5]);
  });

  it('leaves its original elements and the mask as they are', () => {
    const data = Tensor.of(Float32Array.of(1, -2, 3));
    const mask = Tensor.of(Float32Array.of(1, 0, 1));
    const parameter = new Parameter(data);
    parameter.setPruning(METHOD, mask);
    expect([...parameter.orig.float32]).toEqual([1, -2, 3]);
    expect([...mask.float32]).toEqual([1, 0, 1]);
    parameter.restore(null);
    expect([...data.float32]).toEqual([1, -2, 3]);
  });
});
