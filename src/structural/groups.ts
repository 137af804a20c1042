import type { Node, Value } from '../ir/index.ts';
import type { Coupling } from './coupling.ts';

/** What a parameter is to a group of coupled channels. */
export type Role =
  /** Its axis makes the channels: a filter. */
  | 'out'
  /** Its axis reads them. */
  | 'in'
  /** It goes along: bias, scale, running mean. */
  | 'side';

/** An axis of a parameter that a group's channels are on, or some of its indices. */
export interface Member {
  /** The initializer. */
  readonly value: Value;
  /** Its name, as PyTorch's: `model.0.conv.weight`. */
  readonly name: string;
  readonly axis: number;
  readonly role: Role;
  /** The first node that reads it. */
  readonly node: Node;
  /** Indices along the axis that belong to the group, ascending. */
  readonly indices: Int32Array;
  /** The unit of each of these indices. */
  readonly units: Int32Array;
  /**
   * Set where the axis holds other channels for each of `count` equal parts of axis `along` (a grouped convolution's input axis): an index is then `part * size + position`, `size` being that of
   * `axis`.
   */
  readonly parts?: { readonly along: number; readonly count: number };
}

/** Channels that are tied layer by layer. A unit is what can only go together: one residual channel with all that hangs on it, or a head. */
export interface ChannelGroup {
  readonly id: number;
  /** Name of the first layer that makes these channels: `model.0.conv`. */
  readonly name: string;
  /** Names of all layers that make them. */
  readonly layers: readonly string[];
  /** Units by number, over all groups. */
  readonly units: Int32Array;
  readonly members: readonly Member[];
}

/**
 * Units of which equally many must go from each cell, so that every matrix of labels stays a rectangle: at each step `drop[i]` units of `cells[i]`. Most lanes are one cell of a group's free units, one
 * going at a time; a grouped convolution's have a cell for each group.
 */
export interface Lane {
  readonly cells: readonly Int32Array[];
  readonly drop: readonly number[];
  /** Steps that leave at least one unit in each row. */
  readonly maxSteps: number;
}

/** How channels are put together into units. */
export interface GroupOptions {
  /**
   * Where an axis was split in rows that an operator works on one by one (heads of attention, groups of a convolution): `width` takes equally many channels from each, `whole` takes rows as wholes.
   * Default `width`.
   */
  readonly heads?: 'width' | 'whole';
}

/** The coupled channels of a graph, ready to be ranked, chosen and cut. */
export interface ChannelGroups {
  readonly coupling: Coupling;
  readonly heads: 'width' | 'whole';
  readonly unitCount: number;
  /** The group of each unit. */
  readonly groupOf: Int32Array;
  readonly groups: readonly ChannelGroup[];
  /** Each unit that can go is in one lane. */
  readonly lanes: readonly Lane[];
  /** Sets of units of which at least one must stay: else an axis of some value would be empty. */
  readonly needed: readonly Int32Array[];
  /** Why a unit cannot go; null where it can. */
  readonly whyNot: readonly (string | null)[];
  /** The unit that each label goes with; -1 where it stays whatever goes. */
  readonly unitOfLabel: Int32Array;
  /** For each label 1 where it stays when these units (1: removed) go, with all that follows from it. */
  keptLabels(removed: Uint8Array): Uint8Array;
  /** Why these units cannot go together, a sentence each; none where they can. */
  problems(removed: Uint8Array): readonly string[];
}
