import type { ChannelGroup, Member } from '../groups.ts';
import { axisSums } from './axis-sums.ts';
import type { Contribution } from './contributions.ts';
import { AxisScores, axesOf, batchNormScales, countedMembers } from './member-axes.ts';

/** What a method says of the units of a group, by member. */
export type ContributionsOf = (group: ChannelGroup) => readonly Contribution[];

/**
 * Magnitude: for each member Σ |w|^p over all elements at an index, p = 1 (Li et al. 2017, "Pruning Filters for Efficient ConvNets") or p = 2, without a root, as Torch-Pruning's `GroupMagnitudeImportance` with its defaults. Each weight is
 * read once, also where two groups share it.
 */
export function magnitudes(
  groups: readonly ChannelGroup[],
  power: 1 | 2,
  which: 'out' | 'out-in',
): ContributionsOf {
  return ofMembers(groups, (group) => countedMembers(group, which), power);
}

/** Scale of batch norm |γ| (network slimming; Liu et al. 2017, "Learning Efficient Convolutional Networks through Network Slimming"). */
export const batchNormMagnitudes = (groups: readonly ChannelGroup[]): ContributionsOf =>
  ofMembers(groups, batchNormScales, 1);

function ofMembers(
  groups: readonly ChannelGroup[],
  membersOf: (group: ChannelGroup) => readonly Member[],
  power: 1 | 2,
): ContributionsOf {
  const members = new Map(groups.map((group) => [group, membersOf(group)]));
  const scores = new AxisScores();
  for (const [value, axes] of axesOf([...members.values()].flat())) {
    if (!value.initializer) continue;
    axisSums(value.initializer, axes, power).forEach((vector, index) => {
      scores.set(value, axes[index]!, vector);
    });
  }
  return (group) => (members.get(group) ?? []).flatMap((member) => scores.of(member));
}
