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

/** A layer that makes channels of a group, and the unit of each. */
export interface LayerUnits {
  readonly group: number;
  readonly name: string;
  readonly units: Int32Array;
}

/** The layers that make channels, group by group: one that makes channels of several groups is there for each. */
export function layerUnits({ groups, coupling }: ChannelGroups): LayerUnits[] {
  const names = new Map<Value, string>();
  for (const { value, name } of coupling.sources) if (!names.has(value)) names.set(value, name);
  return groups.flatMap(({ id, members }) =>
    members.flatMap(({ value, role, units }) => {
      const name = names.get(value);
      return role === 'out' && name !== undefined ? [{ group: id, name, units }] : [];
    }),
  );
}

/** How many channels stay where some units (1 in `removed`) go. */
export const staying = (units: Int32Array, removed: Uint8Array): number =>
  units.reduce((count, unit) => count + (removed[unit] === 1 ? 0 : 1), 0);

/**
 * Counts the channels that layers make, before and after some units (1 in `removed`) go, group by group. Mostly the layers of a group make equally many and are told together; where the stream of a residual network grows, each
 * width is told by itself.
 */
export function layerCuts(groups: ChannelGroups, removed: Uint8Array): LayerCut[] {
  const cuts = new Map<string, LayerCut & { layers: string[] }>();
  for (const { group, name, units } of layerUnits(groups)) {
    const after = staying(units, removed);
    const key = `${group} ${units.length} ${after}`;
    const cut = cuts.get(key) ?? { group, name, layers: [], before: units.length, after };
    cuts.set(key, cut);
    if (!cut.layers.includes(name)) cut.layers.push(name);
  }
  return [...cuts.values()];
}

/** The unit of each channel of the first layer that makes a group's channels. A unit may hold several of them: a head. */
export const firstChannels = ({ units, members }: ChannelGroup): Int32Array =>
  members.find(({ role }) => role === 'out')?.units ?? units;
