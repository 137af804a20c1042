import { dtypeInfo } from '../../core/dtype.ts';
import type { Node, Value } from '../../ir/index.ts';
import { bundleAt, constantSource } from '../../ops/index.ts';
import type { Coupling } from '../coupling.ts';
import type { ChannelGroup, ChannelGroups, Member } from '../groups.ts';

/** A value that carries channels, and which. */
export interface ChannelValue {
  readonly value: Value;
  /** The axes they are on, in the order of `units`: row-major over their sizes. */
  readonly axes: readonly number[];
  /** The unit of each place; -1 where it is in none. */
  readonly units: Int32Array;
}

/** Tells values and their axes apart. */
export const keyOfValue = ({ value, axes }: Pick<ChannelValue, 'value' | 'axes'>): string =>
  `${value.name} ${axes.join()}`;

/** Finds where the channels of groups are in a graph, ahead of what reads them. */
export class ChannelValues {
  readonly #groups: ChannelGroups;
  readonly #coupling: Coupling;
  /** The unit of each label that stands for others; -1 where it is in none. */
  readonly #unitOf: Int32Array;
  readonly #units = new Map<Int32Array, Int32Array>();
  #lastOf: ReadonlyMap<number, readonly ChannelValue[]> | null = null;

  constructor(groups: ChannelGroups) {
    this.#groups = groups;
    this.#coupling = groups.coupling;
    this.#unitOf = new Int32Array(this.#coupling.labelCount).fill(-1);
    for (const { members } of groups.groups) for (const member of members) this.#note(member);
  }

  /** What a member that reads channels is multiplied with: values that carry channels of its units into nodes that contract the two. Empty where these have none. */
  readBy(member: Member): readonly ChannelValue[] {
    const { consumers, partedAxes } = this.#coupling;
    const group = this.#groups.groupOf[member.units[0] ?? -1];
    const nodes = [...consumers, ...partedAxes].flatMap(({ node, value, axis }) =>
      value === member.value && axis === member.axis ? [node] : [],
    );
    return [...new Set(nodes)].flatMap((node) =>
      computedInputs(node).flatMap((input) => this.#carriedBy(input, group)),
    );
  }

  /** The last values that carry a group's channels: what its weights read, and for units that none of these read, what nodes read whose outputs do not carry them on (queries and keys of attention). */
  ahead(group: ChannelGroup): readonly ChannelValue[] {
    const read = group.members.flatMap((member) => (member.role === 'in' ? this.readBy(member) : []));
    const covered = new Set(read.flatMap(({ units }) => [...units]));
    const found = new Map(read.map((each) => [keyOfValue(each), each]));
    if (group.units.every((unit) => covered.has(unit))) return [...found.values()];
    for (const { value, axes, units } of this.#last().get(group.id) ?? []) {
      const others = units.map((unit) => (covered.has(unit) ? -1 : unit));
      const key = keyOfValue({ value, axes });
      if (!found.has(key) && others.some((unit) => unit >= 0)) found.set(key, { value, axes, units: others });
    }
    return [...found.values()];
  }

  #note({ value, axis, indices, units, parts }: Member): void {
    const labels = parts
      ? this.#coupling.partedAxes.find((each) => each.value === value && each.axis === axis)?.labels
      : bundleAt(this.#coupling.channels(value), axis)?.labels;
    if (!labels) return;
    for (let at = 0; at < indices.length; at++)
      this.#unitOf[this.#coupling.find(labels[indices[at]!]!)] = units[at]!;
  }

  #unitsOf(labels: Int32Array): Int32Array {
    let units = this.#units.get(labels);
    if (!units) {
      units = labels.map((label) => this.#unitOf[this.#coupling.find(label)]!);
      this.#units.set(labels, units);
    }
    return units;
  }

  /** The axes of a value that carry channels of a group. */
  #carriedBy(value: Value, group: number | undefined): readonly ChannelValue[] {
    return this.#coupling.channels(value).flatMap(({ axes, labels }) => {
      const units = this.#unitsOf(labels);
      const carries = units.some((unit) => unit >= 0 && this.#groups.groupOf[unit] === group);
      return carries ? [{ value, axes, units }] : [];
    });
  }

  /** By group, the values that a node reads none of whose outputs carry its channels. */
  #last(): ReadonlyMap<number, readonly ChannelValue[]> {
    if (this.#lastOf) return this.#lastOf;
    const last = new Map<number, ChannelValue[]>();
    for (const node of this.#coupling.graph.nodes) {
      if (!this.#computesReals(node)) continue;
      const goesOn = new Set(node.outputs.flatMap((output) => (output ? [...this.#groupsOn(output)] : [])));
      for (const input of computedInputs(node)) {
        for (const group of this.#groupsOn(input)) {
          if (goesOn.has(group)) continue;
          last.set(group, [...(last.get(group) ?? []), ...this.#carriedBy(input, group)]);
        }
      }
    }
    this.#lastOf = last;
    return last;
  }

  #groupsOn(value: Value): ReadonlySet<number> {
    const found = new Set<number>();
    for (const { labels } of this.#coupling.channels(value)) {
      for (const unit of this.#unitsOf(labels)) if (unit >= 0) found.add(this.#groups.groupOf[unit]!);
    }
    return found;
  }

  /** Not shapes, sizes and places, which say nothing of what channels give. */
  #computesReals(node: Node): boolean {
    return node.outputs.some((output) => {
      const type = output && this.#coupling.inference.get(output);
      return type && dtypeInfo(type.dtype).kind === 'float';
    });
  }
}

/** The inputs of a node that depend on what the model is fed. */
const computedInputs = (node: Node): readonly Value[] =>
  [...new Set(node.inputs.filter((input) => input !== null && constantSource(input) === null))] as Value[];
