import type { ChannelGroups } from '../groups.ts';
import { whyFrozen } from './group-map.ts';
import { colored } from './palette.ts';

/** How groups look. */
export interface Looks {
  /** The colour of a group, as the style rules name it: a digit, or `x` where nothing of it can be cut. */
  color(group: number): string;
  /** Why nothing of a group can be cut; null where something can. */
  frozen(group: number): string | null;
  /** Style rules that let everything else fade where the pointer rests on a group. */
  readonly hoverRules: string;
}

/** Class of everything that shows a group. */
export const groupClass = (group: number): string => `g${group}`;

/** Gives colours to groups: others to those that meet. The groups of most layers choose first. `meetings` are lists of groups. */
export function looksOf(groups: ChannelGroups, meetings: readonly (readonly number[])[]): Looks {
  const { groups: list } = groups;
  const reasons = list.map((group) => whyFrozen(groups, group));
  const neighbors = list.map(() => new Set<number>());
  for (const meeting of meetings) {
    for (const one of meeting) for (const other of meeting) if (one !== other) neighbors[one]!.add(other);
  }
  const order = list
    .flatMap(({ layers }, group) => (reasons[group] === null ? [{ group, layers: layers.length }] : []))
    .sort((a, b) => b.layers - a.layers || a.group - b.group)
    .map(({ group }) => group);
  const colors = colored(list.length, neighbors, order);
  return {
    color: (group) => (colors[group]! < 0 ? 'x' : String(colors[group])),
    frozen: (group) => reasons[group] ?? null,
    hoverRules: list
      .map((_, group) => {
        const name = groupClass(group);
        return `svg:has(.${name}:hover) :is(.box,.w,.key):not(.${name}){opacity:.18}`;
      })
      .join('\n'),
  };
}
