import type { ChannelGroups, Lane, Member } from './groups.ts';
import type { Cluster } from './lane-steps.ts';

/** Layers of a group that make the same channels: they keep as many as each other, whatever goes. */
export interface Width {
  readonly group: number;
  /** Channels of such a layer. */
  readonly channels: number;
  /** How many of them a unit is, for each unit it has. */
  readonly each: ReadonlyMap<number, number>;
  /** Numbers of the lanes that hold units of it. */
  readonly lanes: readonly number[];
}

/** The widths of a cluster that are brought to a multiple. */
export interface ClusterWidths {
  /** Those that fewer lanes make come first: what they keep is settled before that of wider layers, which have more lanes to settle it with. */
  readonly widths: readonly Width[];
  /** For each lane, how many of these widths it holds units of. */
  readonly shared: ReadonlyMap<number, number>;
}

/**
 * The widths of each cluster. Where a lane's units are different numbers of channels in one layer (a few channels that only some layers have), the order in which they go says what that layer keeps. Such widths are not listed, or
 * only the widest where there is no other: several could mostly be even at once with nothing cut at all.
 */
export function clusterWidths(
  { groups, lanes }: ChannelGroups,
  clusters: readonly Cluster[],
): ReadonlyMap<Cluster, ClusterWidths> {
  const laneOf = new Map<number, number>();
  lanes.forEach(({ cells }, lane) => {
    for (const units of cells) for (const unit of units) laneOf.set(unit, lane);
  });
  return new Map(
    clusters.map((cluster) => {
      const all = cluster.groups.flatMap((id) => widthsOf(id, groups[id]!.members, laneOf));
      const steady = all.filter((width) => width.lanes.every((lane) => isSteady(width, lanes[lane]!)));
      const settled = new Set(steady.flatMap((width) => width.lanes));
      const widest = all
        .filter((width) => !width.lanes.some((lane) => settled.has(lane)))
        .reduce<Width | null>((a, b) => (a && a.channels >= b.channels ? a : b), null);
      const widths = [...steady, ...(widest ? [widest] : [])].sort(
        (a, b) => a.lanes.length - b.lanes.length || a.channels - b.channels,
      );
      const shared = new Map<number, number>();
      for (const { lanes: own } of widths) {
        for (const lane of own) shared.set(lane, (shared.get(lane) ?? 0) + 1);
      }
      return [cluster, { widths, shared }];
    }),
  );
}

function widthsOf(group: number, members: readonly Member[], laneOf: ReadonlyMap<number, number>): Width[] {
  const widths = new Map<string, Width>();
  for (const { role, parts, units } of members) {
    if (role !== 'out' || parts) continue;
    const key = units.toSorted().join();
    if (widths.has(key)) continue;
    const each = new Map<number, number>();
    for (const unit of units) each.set(unit, (each.get(unit) ?? 0) + 1);
    const lanes = new Set([...each.keys()].flatMap((unit) => laneOf.get(unit) ?? []));
    widths.set(key, { group, channels: units.length, each, lanes: [...lanes] });
  }
  return [...widths.values()];
}

/** True where every step of a lane takes as many channels of a width. */
const isSteady = ({ each }: Width, { cells }: Lane): boolean =>
  cells.every((units) => units.every((unit) => each.get(unit) === each.get(units[0]!)));
