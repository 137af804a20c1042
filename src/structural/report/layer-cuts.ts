import type { Value } from '../../ir/index.ts';
import type { ChannelGroup, ChannelGroups } from '../groups.ts';

/** How many channels of a group some layers make, before and after a cut. */
export interface LayerCut {
  /** Number of the group. */
  readonly group: number;
  /** Name of the first of the layers. */
  readonly name: string;
  /** Names of all layers that make as many channels of the group, and keep as many. */
  readonly layers: readonly string[];
  /** Channels of one of these layers that are of this group. */
  readonly before: number;
  readonly after: number;
}

/**
 * Counts the channels that layers make, before and after some units (1 in `removed`) go, group by group. Mostly the layers of a group make equally many and are told together; where the stream of a residual network grows, each
 * width is told by itself.
 */
export function layerCuts({ groups, coupling }: ChannelGroups, removed: Uint8Array): LayerCut[] {
  const names = new Map<Value, string>();
  for (const { value, name } of coupling.sources) if (!names.has(value)) names.set(value, name);
  return groups.flatMap((group) => {
    const cuts = new Map<string, LayerCut & { layers: string[] }>();
    for (const { value, role, units } of group.members) {
      const name = names.get(value);
      if (role !== 'out' || name === undefined) continue;
      const after = units.reduce((count, unit) => count + (removed[unit] === 1 ? 0 : 1), 0);
      const key = `${units.length} ${after}`;
      const cut = cuts.get(key) ?? { group: group.id, name, layers: [], before: units.length, after };
      cuts.set(key, cut);
      if (!cut.layers.includes(name)) cut.layers.push(name);
    }
    return [...cuts.values()];
  });
}

/** The unit of each channel of the first layer that makes a group's channels. A unit may hold several of them: a head. */
export const firstChannels = ({ units, members }: ChannelGroup): Int32Array =>
  members.find(({ role }) => role === 'out')?.units ?? units;
