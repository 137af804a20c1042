import type { ChannelGroup, ChannelGroups } from '../groups.ts';

/** How many channels the layers of a group make, before and after a cut. */
export interface LayerCut {
  /** Number of the group. */
  readonly group: number;
  /** Name of the first layer that makes the channels. */
  readonly name: string;
  /** Names of all layers that make them. */
  readonly layers: readonly string[];
  /** Channels of the first layer that are of this group. */
  readonly before: number;
  readonly after: number;
}

/** Counts the channels of each group before and after some units (1 in `removed`) go. */
export const layerCuts = ({ groups }: ChannelGroups, removed: Uint8Array): LayerCut[] =>
  groups.map((group) => ({
    group: group.id,
    name: group.name,
    layers: group.layers,
    ...countsOf(group, removed),
  }));

function countsOf({ units, members }: ChannelGroup, removed: Uint8Array): { before: number; after: number } {
  // A unit may hold several channels of a layer: a head.
  const channels = members.find(({ role }) => role === 'out')?.units ?? units;
  return {
    before: channels.length,
    after: channels.reduce((count, unit) => count + (removed[unit] === 1 ? 0 : 1), 0),
  };
}
