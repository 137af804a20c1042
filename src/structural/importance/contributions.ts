import type { ChannelGroup } from '../groups.ts';

/** What is said of units of a group: one number for each index of a member, or place of a value, that belongs to a unit. Those of one unit are summed. */
export interface Contribution {
  readonly units: Int32Array;
  /** As long as `units`. */
  readonly scores: Float64Array;
}

/** How the numbers that the members of a group have for a unit become one. */
export type Aggregate =
  | 'sum'
  /** Their sum divided by how many members have the unit. */
  | 'mean'
  | 'max'
  /** That of the first member that has it: the first layer that makes the channels. */
  | 'first';

/** What the scores of a group are divided by: their mean, their largest, their sum, or nothing. */
export type Normalize = 'mean' | 'max' | 'sum' | 'none';

/** All ways to aggregate. */
export const AGGREGATES: readonly Aggregate[] = ['sum', 'mean', 'max', 'first'];
/** All ways to normalize. */
export const NORMALIZATIONS: readonly Normalize[] = ['mean', 'max', 'sum', 'none'];

/** Puts contributions together, group by group, in arrays that are used again. */
export class Aggregation {
  readonly #own: Float64Array;
  /** The last contribution that had a unit. */
  readonly #seenBy: Int32Array;
  readonly #count: Int32Array;
  #serial = 0;

  constructor(unitCount: number) {
    this.#own = new Float64Array(unitCount);
    this.#seenBy = new Int32Array(unitCount);
    this.#count = new Int32Array(unitCount);
  }

  /** Writes the scores of a group's units into `scores`; gives the units of which no contribution says anything, whose score is 0. */
  write(
    group: ChannelGroup,
    contributions: readonly Contribution[],
    how: Aggregate,
    scores: Float64Array,
  ): number[] {
    const count = this.#count;
    for (const unit of group.units) {
      scores[unit] = 0;
      count[unit] = 0;
    }
    for (const contribution of contributions) {
      for (const unit of this.#summed(contribution)) {
        const own = this.#own[unit]!;
        const before = scores[unit]!;
        const isFirst = count[unit] === 0;
        if (how === 'max') scores[unit] = isFirst ? own : Math.max(before, own);
        else if (how !== 'first') scores[unit] = before + own;
        else if (isFirst) scores[unit] = own;
        count[unit]!++;
      }
    }
    const missing: number[] = [];
    for (const unit of group.units) {
      if (count[unit] === 0) missing.push(unit);
      else if (how === 'mean') scores[unit]! /= count[unit]!;
    }
    return missing;
  }

  /** Sums a contribution by unit; gives its units, each once. */
  #summed({ units, scores }: Contribution): number[] {
    const serial = ++this.#serial;
    const own = this.#own;
    const seenBy = this.#seenBy;
    const distinct: number[] = [];
    for (let at = 0; at < units.length; at++) {
      const unit = units[at]!;
      if (seenBy[unit] === serial) own[unit]! += scores[at]!;
      else {
        seenBy[unit] = serial;
        own[unit] = scores[at]!;
        distinct.push(unit);
      }
    }
    return distinct;
  }
}

/** Divides the scores of some units by their mean, largest or sum. Where that is 0 all of them are, and stay so. */
export function normalizeScores(scores: Float64Array, units: Int32Array, how: Normalize): void {
  if (how === 'none') return;
  let sum = 0;
  let largest = 0;
  for (const unit of units) {
    const score = scores[unit]!;
    sum += score;
    if (score > largest) largest = score;
  }
  const divisor = how === 'max' ? largest : how === 'sum' ? sum : sum / units.length;
  if (divisor === 0) return;
  for (const unit of units) scores[unit]! /= divisor;
}

/**
 * Layer-adaptive magnitude (LAMP; Lee et al. 2021, "Layer-adaptive sparsity for the magnitude-based pruning") of units in place of single weights: each score divided by the sum of itself and all larger ones, so that the largest is 1. Of
 * equal scores those listed later count as larger, as the paper's order has it; scores of 0 stay 0.
 */
export function lampScores(scores: Float64Array, units: Int32Array): void {
  const order = units.toSorted((a, b) => scores[b]! - scores[a]! || b - a);
  let sum = 0;
  for (const unit of order) {
    const score = scores[unit]!;
    sum += score;
    if (score !== 0) scores[unit] = score / sum;
  }
}
