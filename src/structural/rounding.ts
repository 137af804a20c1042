import type { Choice } from './choice.ts';
import type { ChannelGroup, Member } from './groups.ts';
import type { Cluster, Step } from './lane-steps.ts';

/**
 * The number whose multiples may stay of a group's units so that each of its layers keeps a multiple of `roundTo` channels: where a unit is several channels of a layer (a head of 64), fewer units do.
 * Where units are different numbers of channels in one layer, units themselves are counted.
 */
export function unitMultiple(group: ChannelGroup, roundTo: number): number {
  return group.members
    .filter(({ role }) => role === 'out')
    .map((member) => roundTo / commonDivisor(roundTo, channelsEach(member)))
    .reduce((multiple, own) => (multiple * own) / commonDivisor(multiple, own), 1);
}

/** Channels of a layer that one unit is; 1 where that differs. */
function channelsEach({ units }: Member): number {
  const counts = new Map<number, number>();
  for (const unit of units) counts.set(unit, (counts.get(unit) ?? 0) + 1);
  const [first = 1, ...others] = new Set(counts.values());
  return others.length === 0 ? first : 1;
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

/** What moving whole clusters needs to know. */
export interface RoundingRules {
  /** For each group, the number whose multiples may stay where it is cut at all; 1: any. */
  readonly multiples: Int32Array;
  /** For each group, how many units may go. */
  readonly most: Int32Array;
}

/** True where every group of a cluster is whole, or keeps a multiple. */
const isRound = (choice: Choice, { groups }: Cluster, { multiples }: RoundingRules): boolean =>
  groups.every((id) => {
    const lost = choice.lost[id]!;
    return lost === 0 || (choice.groups.groups[id]!.units.length - lost) % multiples[id]! === 0;
  });

/** Takes the cluster's least important step that can still be taken; gives it, or null where there is none. */
function takeNext(choice: Choice, { steps }: Cluster, { most }: RoundingRules): Step | null {
  const next = steps.find((step) => choice.isNext(step) && choice.refusal(step, most) === null);
  if (next) choice.take(next);
  return next ?? null;
}

/** Undoes the cluster's most important step that was taken; gives it, or null where there is none. */
function undoLast(choice: Choice, { steps }: Cluster): Step | null {
  const last = steps.findLast((step) => choice.isLast(step));
  if (last) choice.undo(last);
  return last ?? null;
}

const sizeOfSteps = (steps: readonly Step[]): number =>
  steps.reduce((sum, { units }) => sum + units.length, 0);

/** Takes steps of a cluster until it keeps multiples, at least one step where `least` is 1. Gives them; where it comes to no multiple, nothing has changed and it gives null. */
export function cutToMultiple(
  choice: Choice,
  cluster: Cluster,
  rules: RoundingRules,
  least = 0,
): readonly Step[] | null {
  const steps: Step[] = [];
  while (steps.length < least || !isRound(choice, cluster, rules)) {
    const step = takeNext(choice, cluster, rules);
    if (step) {
      steps.push(step);
      continue;
    }
    for (const taken of steps.reverse()) choice.undo(taken);
    return null;
  }
  return steps;
}

/** Undoes steps of a cluster until it keeps multiples, at least `least` of them; gives those that were undone. A cluster that is whole always is round. */
export function keepToMultiple(
  choice: Choice,
  cluster: Cluster,
  rules: RoundingRules,
  least = 0,
): readonly Step[] {
  const steps: Step[] = [];
  while (steps.length < least || !isRound(choice, cluster, rules)) {
    const step = undoLast(choice, cluster);
    if (!step) break;
    steps.push(step);
  }
  return steps;
}

/**
 * Lets every group of a cluster that is cut keep a multiple: `up` keeps more, `nearest` goes to the nearer multiple (to the larger one where both are as near) and never to nothing.
 */
export function roundCluster(
  choice: Choice,
  cluster: Cluster,
  rules: RoundingRules,
  rounding: 'up' | 'nearest',
): void {
  const undone = keepToMultiple(choice, cluster, rules);
  if (rounding === 'up' || undone.length === 0) return;
  for (const step of undone.toReversed()) choice.take(step);
  const more = cutToMultiple(choice, cluster, rules);
  if (more && sizeOfSteps(more) < sizeOfSteps(undone)) return;
  for (const step of more?.toReversed() ?? []) choice.undo(step);
  for (const step of undone) choice.undo(step);
}
