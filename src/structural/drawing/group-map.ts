import type { Node, Value } from '../../ir/index.ts';
import type { ChannelGroup, ChannelGroups } from '../groups.ts';

/** What a value carries of groups. */
export interface Carried {
  /** Groups by number, in the order it carries them. */
  readonly groups: readonly number[];
  /** Channels of them. */
  readonly channels: number;
}

/** Tells where groups are in a graph. */
export interface GroupMap {
  carriedBy(value: Value): Carried;
  /** Groups of the channels that a layer makes, also where these are not followed any further. */
  madeBy(node: Node): readonly number[];
}

/** Finds where groups are in their graph. */
export function groupMap({ coupling, groups }: ChannelGroups): GroupMap {
  const groupOf = new Map<number, number>();
  const labelsAt = new Map<Value, Map<number, Int32Array>>();
  for (const { value, axis, labels } of coupling.sources) {
    const axes = labelsAt.get(value) ?? new Map<number, Int32Array>();
    labelsAt.set(value, axes.set(axis, labels));
  }
  for (const { id, members } of groups) {
    for (const { value, axis, role, indices } of members) {
      const labels = role === 'out' ? labelsAt.get(value)?.get(axis) : undefined;
      if (labels) for (const index of indices) groupOf.set(coupling.find(labels[index]!), id);
    }
  }
  const made = new Map<Node, Set<number>>();
  for (const { node, labels } of coupling.sources) {
    const own = made.get(node) ?? new Set<number>();
    made.set(node, own);
    for (const label of labels) {
      const group = groupOf.get(coupling.find(label));
      if (group !== undefined) own.add(group);
    }
  }
  const known = new Map<Value, Carried>();
  const carriedBy = (value: Value): Carried => {
    const before = known.get(value);
    if (before) return before;
    const found = new Set<number>();
    let channels = 0;
    for (const { labels } of coupling.channels(value)) {
      for (const label of labels) {
        const group = groupOf.get(coupling.find(label));
        if (group === undefined) continue;
        found.add(group);
        channels++;
      }
    }
    const carried = { groups: [...found], channels };
    known.set(value, carried);
    return carried;
  };
  return { carriedBy, madeBy: (node) => [...(made.get(node) ?? [])] };
}

/** Why nothing of a group can be cut; null where something can. */
export function whyFrozen({ whyNot }: ChannelGroups, { units }: ChannelGroup): string | null {
  let why: string | null = null;
  for (const unit of units) {
    const reason = whyNot[unit] ?? null;
    if (reason === null) return null;
    why ??= reason;
  }
  return why;
}
