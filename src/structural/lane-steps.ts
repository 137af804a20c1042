import { ArgumentError } from '../core/errors.ts';
import type { ChannelGroups, Lane } from './groups.ts';
import { Sets } from './sets.ts';

/** What a lane loses at once. */
export interface Step {
  readonly lane: number;
  /** Counted from 0; those of a lane go in order. */
  readonly number: number;
  /** Mean score of its units. */
  readonly score: number;
  readonly units: Int32Array;
}

/**
 * All steps that lanes can make, least important first. Each takes from every cell of its lane the units with the lowest scores that are left; of equal scores the lower index stays. Steps are ranked by
 * the mean score of their units; of equal ones goes first that of the lane that has lost the smaller share by then, so that a tie does not empty one layer, and then that of the later lane.
 * Throws ArgumentError where there is not one finite score a unit.
 */
export function rankSteps(groups: ChannelGroups, scores: Float64Array): readonly Step[] {
  checkScores(groups, scores);
  const steps = groups.lanes.flatMap((lane, index) => stepsOf(lane, index, scores));
  const share = ({ lane, number }: Step): number => number / groups.lanes[lane]!.maxSteps;
  return steps.sort((a, b) => a.score - b.score || share(a) - share(b) || b.lane - a.lane);
}

function checkScores(groups: ChannelGroups, scores: Float64Array): void {
  if (scores.length !== groups.unitCount) {
    throw new ArgumentError(
      `decide: expected a score for each of ${groups.unitCount} units, got ${scores.length}`,
    );
  }
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad < 0) return;
  const layer = groups.groups[groups.groupOf[bad]!]?.name;
  throw new ArgumentError(
    `decide: the score of unit ${bad} ('${layer}') is ${scores[bad]}; expected finite numbers`,
  );
}

function stepsOf({ cells, drop, maxSteps }: Lane, lane: number, scores: Float64Array): Step[] {
  const sorted = cells.map((units) => units.toSorted((a, b) => scores[a]! - scores[b]! || b - a));
  const unitsAt = (number: number): Int32Array => {
    const taken = sorted.map((cell, index) =>
      cell.subarray(number * drop[index]!, (number + 1) * drop[index]!),
    );
    return taken.length === 1 ? taken[0]! : Int32Array.from(taken.flatMap((units) => [...units]));
  };
  return Array.from({ length: maxSteps }, (_, number) => {
    const units = unitsAt(number);
    const score = units.reduce((sum, unit) => sum + scores[unit]!, 0) / units.length;
    return { lane, number, score, units };
  });
}

/** Groups that lanes tie to each other: what is decided for one bears on the others. Most are one group. */
export interface Cluster {
  /** Ids of the groups, ascending. */
  readonly groups: readonly number[];
  /** Its steps, least important first. */
  readonly steps: readonly Step[];
}

/** The clusters of all groups, in the order of their first groups. */
export function clustersOf(groups: ChannelGroups, steps: readonly Step[]): readonly Cluster[] {
  const sets = new Sets(groups.groups.length);
  const groupOfLane = groups.lanes.map(({ cells }) => {
    const own = cells.flatMap((units) => Array.from(units, (unit) => groups.groupOf[unit]!));
    for (const group of own) sets.union(own[0]!, group);
    return own[0] ?? 0;
  });
  const clusters = new Map<number, { groups: number[]; steps: Step[] }>();
  groups.groups.forEach((_, id) => {
    const root = sets.find(id);
    const known = clusters.get(root);
    if (known) known.groups.push(id);
    else clusters.set(root, { groups: [id], steps: [] });
  });
  for (const step of steps) clusters.get(sets.find(groupOfLane[step.lane]!))?.steps.push(step);
  return [...clusters.values()];
}
