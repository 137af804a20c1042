import { describe, expect, it } from 'vitest';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { channelNorms, type NormOrder } from './norm.ts';
import { nuclearNorm } from './nuclear.ts';
import { randn } from './testdata/layers.ts';
import data from './testdata/norms.json' with { type: 'json' };

const orderOf = (p: string): NormOrder =>
  p === 'fro' || p === 'nuc' ? p : Number(p.replace('inf', 'Infinity'));

describe('norms of channels', () => {
  it("equal PyTorch's to the bit for orders 0, 1, 2, ±infinity and Frobenius", () => {
    const exact = data.cases.filter(({ bits }) => bits !== undefined);
    expect(exact.length).toBeGreaterThan(80);
    for (const { seed, shape, axis, p, bits } of exact) {
      const norms = channelNorms(randn(shape, seed), axis, orderOf(p));
      expect([...new Int32Array(norms.buffer)], `${shape} axis ${axis} p ${p}`).toEqual(bits);
    }
  });

  it("equal PyTorch's but for the last bit for other orders and the nuclear norm", () => {
    for (const { seed, shape, axis, p, values } of data.cases) {
      if (!values) continue;
      const norms = channelNorms(randn(shape, seed), axis, orderOf(p));
      values.forEach((value, channel) => {
        expect(Math.abs(norms[channel]! / value - 1)).toBeLessThan(5e-7);
      });
    }
  });

  it('give NaN where a channel holds one', () => {
    const t = new Tensor('float32', [2, 2], Float32Array.of(1, Number.NaN, 3, 4));
    for (const p of [1, 2, 3, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const [first, second] = channelNorms(t, 0, p);
      expect(first).toBeNaN();
      expect(second).not.toBeNaN();
    }
  });

  it('refuse matrix norms over other than two axes', () => {
    expect(() => channelNorms(randn([2, 3, 2, 2]), 0, 'nuc')).toThrow(
      "norm 'nuc': is a matrix norm, over exactly two axes; the channels of float32[2, 3, 2, 2] along axis 0 have the axes 1, 2, 3",
    );
    expect(() => channelNorms(randn([2, 3, 2, 2]), 1, 'fro')).toThrow('have the axes 0, 2, 3');
    expect(() => channelNorms(randn([2, 3]), 0, 'nuc')).toThrow('have the axes 1');
  });
});

describe('nuclear norm', () => {
  it('is the sum of the magnitudes on the diagonal of a diagonal matrix', () => {
    expect(nuclearNorm(Float32Array.of(3, 0, 0, 0, -4, 0), 2, 3)).toBeCloseTo(7, 12);
  });

  it('is the same for a matrix and its transpose', () => {
    const [rows, columns] = [4, 7];
    const matrix = randn([rows, columns]).float32;
    const transposed = matrix.map((_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)]!);
    expect(nuclearNorm(transposed, columns, rows)).toBeCloseTo(nuclearNorm(matrix, rows, columns), 10);
  });

  it('is 0 for zeros', () => {
    expect(nuclearNorm(new Float32Array(sizeOf([3, 4])), 3, 4)).toBe(0);
  });
});
