import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChannelGroup } from '../groups.ts';
import {
  type Aggregate,
  Aggregation,
  type Contribution,
  lampScores,
  normalizeScores,
} from './contributions.ts';

const groupOf = (...units: number[]): ChannelGroup => ({
  id: 0,
  name: 'layer',
  layers: ['layer'],
  units: Int32Array.from(units),
  members: [],
});

const says = (scores: readonly (readonly [unit: number, score: number])[]): Contribution => ({
  units: Int32Array.from(scores, ([unit]) => unit),
  scores: Float64Array.from(scores, ([, score]) => score),
});

/** Two members; the second has two indices of unit 2 and none of unit 3. */
const group = groupOf(1, 2, 3);
const contributions = [
  says([
    [1, 4],
    [2, 6],
    [3, 1],
  ]),
  says([
    [2, 1],
    [1, 10],
    [2, 3],
  ]),
];

function aggregated(how: Aggregate): { scores: number[]; missing: number[] } {
  const scores = new Float64Array(5).fill(-1);
  const missing = new Aggregation(5).write(group, contributions, how, scores);
  return { scores: [...scores], missing };
}

describe('Aggregation', () => {
  it('sums the indices of a unit in a member, then takes members together, those that have the unit', () => {
    expect(aggregated('sum').scores).toEqual([-1, 14, 10, 1, -1]);
    expect(aggregated('mean').scores).toEqual([-1, 7, 5, 1, -1]);
    expect(aggregated('max').scores).toEqual([-1, 10, 6, 1, -1]);
    expect(aggregated('first').scores).toEqual([-1, 4, 6, 1, -1]);
    expect(aggregated('sum').missing).toEqual([]);
  });

  it('gives units nothing is said of, with score 0, and starts afresh for each group', () => {
    const aggregation = new Aggregation(5);
    const scores = new Float64Array(5).fill(-1);
    aggregation.write(group, contributions, 'max', scores);
    expect(aggregation.write(groupOf(1, 4), [says([[1, 2]])], 'max', scores)).toEqual([4]);
    expect([...scores]).toEqual([-1, 2, 6, 1, 0]);
  });
});

describe('normalizeScores', () => {
  const normalized = (
    how: 'mean' | 'max' | 'sum' | 'none',
    given: readonly number[] = [9, 1, 2, 5],
  ): number[] => {
    const scores = Float64Array.from(given);
    normalizeScores(scores, Int32Array.of(1, 2, 3), how);
    return [...scores];
  };

  it('divides the scores of the units alone', () => {
    expect(normalized('sum')).toEqual([9, 1 / 8, 2 / 8, 5 / 8]);
    expect(normalized('max')).toEqual([9, 1 / 5, 2 / 5, 1]);
    expect(normalized('mean')).toEqual([9, 1 / (8 / 3), 2 / (8 / 3), 5 / (8 / 3)]);
    expect(normalized('none')).toEqual([9, 1, 2, 5]);
  });

  it('leaves scores that are all 0', () => {
    for (const how of ['sum', 'max', 'mean'] as const)
      expect(normalized(how, [9, 0, 0, 0])).toEqual([9, 0, 0, 0]);
  });
});

describe('lampScores', () => {
  const lamp = (given: readonly number[]): number[] => {
    const scores = Float64Array.from(given);
    lampScores(scores, Int32Array.from(given.keys()));
    return [...scores];
  };

  it('divides each score by the sum of itself and those that are larger', () => {
    expect(lamp([4, 1, 5])).toEqual([4 / 9, 1 / 10, 1]);
  });

  it('takes later ones of equal scores as larger, and leaves 0', () => {
    expect(lamp([2, 2, 0, 2])).toEqual([2 / 6, 2 / 4, 0, 1]);
  });

  it('keeps the order, and makes the largest 1', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), { minLength: 1 }),
        (given) => {
          const found = lamp(given);
          expect(Math.max(...found)).toBe(1);
          const order = (scores: readonly number[]): number[] =>
            [...scores.keys()].sort((a, b) => given[a]! - given[b]!);
          const sorted = order(given).map((index) => found[index]!);
          sorted.slice(1).forEach((score, index) => {
            expect(score).toBeGreaterThan(sorted[index]!);
          });
        },
      ),
    );
  });
});
