import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { rectangularBatches } from './index.ts';

const size = (width: number, height: number) => ({ width, height });

describe('rectangularBatches', () => {
  it('puts wide images into wide batches and high ones into high', () => {
    const sizes = [size(480, 640), size(640, 480), size(640, 320), size(300, 600)];
    expect(rectangularBatches(sizes, { size: 640, batchSize: 2 })).toEqual([
      { indices: [2, 1], shape: [512, 672] },
      { indices: [0, 3], shape: [672, 512] },
    ]);
  });

  it('makes squares of batches with both, and of square images', () => {
    const sizes = [size(480, 640), size(640, 480)];
    expect(rectangularBatches(sizes, { size: 640 })).toEqual([{ indices: [1, 0], shape: [672, 672] }]);
    expect(rectangularBatches([size(5, 5)], { size: 64, pad: 0 })).toEqual([
      { indices: [0], shape: [64, 64] },
    ]);
    expect(rectangularBatches([], { size: 640 })).toEqual([]);
  });

  it('refuses numbers that are none', () => {
    expect(() => rectangularBatches([], { size: 640, batchSize: 0 })).toThrow(
      new ArgumentError('rectangularBatches: batchSize expects a whole number of at least 1, got 0'),
    );
    expect(() => rectangularBatches([], { size: 0.5 })).toThrow(ArgumentError);
    expect(() => rectangularBatches([], { size: 640, stride: 0 })).toThrow(ArgumentError);
  });
});
