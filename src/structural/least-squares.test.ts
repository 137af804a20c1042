import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Generator } from '../core/random.ts';
import { choleskyInPlace, Moments, ridgeRegression } from './least-squares.ts';

/** Random matrices of samples, and the sums over them. */
function problem(samples: number, features: number, targets: number, seed: number) {
  const random = new Generator(seed);
  const x = Float64Array.from(random.randn(samples * features));
  const y = Float64Array.from(random.randn(samples * targets));
  const moments = new Moments(features, targets);
  for (let row = 0; row < samples; row++) {
    const [a, b] = [
      x.subarray(row * features, (row + 1) * features),
      y.subarray(row * targets, (row + 1) * targets),
    ];
    const outer = (left: Float64Array, right: Float64Array): number[] =>
      [...left].flatMap((one) => [...right].map((two) => one * two));
    moments.add(
      outer(a, a),
      outer(a, b),
      b.reduce((sum, each) => sum + each * each, 0),
    );
  }
  const error = (w: Float64Array): number => {
    let sum = 0;
    for (let row = 0; row < samples; row++) {
      for (let t = 0; t < targets; t++) {
        let rest = y[row * targets + t]!;
        for (let f = 0; f < features; f++) rest -= x[row * features + f]! * w[f * targets + t]!;
        sum += rest * rest;
      }
    }
    return sum;
  };
  return { moments, error };
}

const squares = (values: Float64Array): number => values.reduce((sum, each) => sum + each * each, 0);

describe('ridgeRegression', () => {
  it('is least in what it minimizes', () => {
    fc.assert(
      fc.property(
        fc.record({
          samples: fc.integer({ min: 1, max: 12 }),
          features: fc.integer({ min: 1, max: 6 }),
          targets: fc.integer({ min: 1, max: 3 }),
          seed: fc.nat(1000),
          ridge: fc.constantFrom(1e-3, 0.1, 1),
        }),
        ({ samples, features, targets, seed, ridge }) => {
          const { moments, error } = problem(samples, features, targets, seed);
          const w = ridgeRegression(moments, ridge)!;
          let trace = 0;
          for (let f = 0; f < features; f++) trace += moments.gram[f * features + f]!;
          const total = (weights: Float64Array): number =>
            error(weights) + ((ridge * trace) / features) * squares(weights);
          const least = total(w);
          const random = new Generator(seed + 1);
          for (let attempt = 0; attempt < 5; attempt++) {
            const moved = w.map((value, at) => value + 0.01 * random.randn(w.length)[at]!);
            expect(total(moved)).toBeGreaterThan(least);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('finds the weights that made the targets, and lets the last feature free', () => {
    const moments = new Moments(2, 1);
    // y = 100 + 3 x at x = 1, 2, 3; the second feature is 1.
    for (const x of [1, 2, 3]) {
      const y = 100 + 3 * x;
      moments.add([x * x, x, x, 1], [x * y, y], y * y);
    }
    const exact = ridgeRegression(moments, 0, 1)!;
    expect(exact[0]).toBeCloseTo(3, 9);
    expect(exact[1]).toBeCloseTo(100, 9);
    // A ridge that forbids any slope leaves the mean.
    expect(ridgeRegression(moments, 1e9, 1)![1]).toBeCloseTo(106, 4);
    expect(ridgeRegression(moments, 1e9)![1]).toBeCloseTo(0, 4);
  });

  it('gives features that are always 0 a weight of 0', () => {
    const moments = new Moments(2, 1);
    moments.add([4, 0, 0, 0], [8, 0], 16);
    expect([...ridgeRegression(moments, 0)!]).toEqual([2, 0]);
  });

  it('says where a matrix is singular', () => {
    const moments = new Moments(2, 1);
    moments.add([1, 1, 1, 1], [1, 1], 1);
    expect(ridgeRegression(moments, 0)).toBeNull();
    expect([...ridgeRegression(moments, 1e-6)!].map((each) => each.toFixed(3))).toEqual(['0.500', '0.500']);
  });
});

describe('Moments', () => {
  it('gives the squared error of any weights', () => {
    const { moments, error } = problem(9, 4, 3, 5);
    const w = Float64Array.from(new Generator(6).randn(12));
    expect(moments.error(w)).toBeCloseTo(error(w), 8);
    expect(moments.error(new Float64Array(12))).toBeCloseTo(moments.squares, 8);
  });
});

describe('choleskyInPlace', () => {
  it('factors a positive definite matrix, and refuses others', () => {
    const matrix = Float64Array.of(4, 2, 2, 5);
    expect(choleskyInPlace(matrix, 2)).toBe(true);
    expect([matrix[0], matrix[2], matrix[3]]).toEqual([2, 1, 2]);
    expect(choleskyInPlace(Float64Array.of(1, 2, 2, 1), 2)).toBe(false);
    expect(choleskyInPlace(Float64Array.of(Number.NaN), 1)).toBe(false);
  });
});
