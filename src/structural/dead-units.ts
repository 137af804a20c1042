import type { Node, Value } from '../ir/index.ts';
import type { ChannelView } from './channel-view.ts';
import type { ConstantChannels } from './constant-channels.ts';
import type { ChannelGroups } from './groups.ts';
import { axisSums } from './importance/axis-sums.ts';
import type { NeededChannels } from './needed-channels.ts';
import type { ObservedChannels } from './observed-channels.ts';
import type { WeightedSum } from './weighted-sum.ts';

/** A place where a constant channel of a unit is read and goes no further. */
interface Read {
  readonly unit: number;
  readonly value: Value;
  readonly root: number;
  readonly node: Node;
  /** A weighted sum makes a constant of it; whatever else reads it must find zeros. */
  readonly sum: WeightedSum | null;
}

/** Units that may go without a change of the outputs: wherever their channels are read, they are constant or count for nothing. */
export class DeadUnits {
  /** Why a unit must stay; null where it may go. */
  readonly whyNot: (string | null)[];
  readonly #view: ChannelView;
  readonly #units: Int32Array;
  readonly #constants: ConstantChannels;
  readonly #needed: NeededChannels;
  readonly #reads: Read[] = [];

  /** @param units the unit of each label, -1 for none */
  constructor(
    view: ChannelView,
    groups: ChannelGroups,
    units: Int32Array,
    constants: ConstantChannels,
    needed: NeededChannels,
  ) {
    this.#view = view;
    this.#units = units;
    this.#constants = constants;
    this.#needed = needed;
    this.whyNot = [...groups.whyNot];
    for (const { node, why, labels } of view.coupling.inexact) {
      for (const label of labels.flatMap((vector) => [...vector]))
        this.stays(units[label]!, `${node.label} ${why}`);
    }
    this.#readByThemselves();
    for (const node of view.coupling.graph.nodes) {
      const sum = view.sums.get(node);
      if (sum) this.#readBySum(sum);
      else if (view.reads(node).length > 0) this.#readByOther(node);
      else this.#readByConstants(node);
    }
  }

  /** Values that must be observed before `settle`. */
  *values(): Generator<Value> {
    for (const { unit, value } of this.#reads) if (this.whyNot[unit] === null) yield value;
  }

  /** Notes that a unit must stay. */
  stays(unit: number, why: string): void {
    if (unit >= 0) this.whyNot[unit] ??= why;
  }

  /** Takes back units whose channels are not what they must be where they are read. */
  settle(observed: ObservedChannels): void {
    for (const { unit, value, root, node, sum } of this.#reads) {
      if (this.whyNot[unit] !== null) continue;
      const content = observed.content(value, root);
      if (content?.kind === 'zero') continue;
      if (content === null || content.kind === 'varies')
        this.stays(unit, `${node.label} reads it, and it is not constant`);
      else if (!sum) this.stays(unit, `${node.label} reads it, and it is constant but not zero`);
    }
  }

  /** The channels that weighted sums read of these units (1 in `removed`), by sum, as indices of its input channels; those that are zero, or times zero, are not among them. */
  foldings(removed: Uint8Array, observed: ObservedChannels): Map<WeightedSum, number[]> {
    const foldings = new Map<WeightedSum, number[]>();
    const roots = new Map<WeightedSum, Set<number>>();
    for (const { unit, value, root, sum } of this.#reads) {
      if (!sum || removed[unit] !== 1 || observed.content(value, root)?.kind === 'zero') continue;
      const own = roots.get(sum);
      if (own) own.add(root);
      else roots.set(sum, new Set([root]));
    }
    const { find } = this.#view.coupling;
    for (const [sum, own] of roots) {
      const inputs: number[] = [];
      sum.reads?.forEach((label, input) => {
        if (own.has(find(label)) && this.#needed.isRead(sum, input)) inputs.push(input);
      });
      foldings.set(sum, inputs);
    }
    return foldings;
  }

  #readBySum(sum: WeightedSum): void {
    const { find } = this.#view.coupling;
    const seen = new Set<number>();
    sum.reads?.forEach((label, input) => {
      const root = find(label);
      if (seen.has(root) || !this.#needed.isRead(sum, input)) return;
      seen.add(root);
      this.#read(this.#units[label]!, sum.input, root, sum.node, sum);
    });
  }

  #readByOther(node: Node): void {
    const view = this.#view;
    const isWhole = view.kind(node) === 'whole';
    const needed = node.outputs.filter((output) => output && this.#needed.isAnyNeeded(output));
    for (const value of view.reads(node)) {
      // What is made channel by channel goes with the channel.
      if (!needed.some((output) => output && (isWhole || !view.areAligned(value, output)))) continue;
      for (const { labels } of view.coupling.channels(value)) {
        for (const root of view.rootsOf(labels)) this.#read(this.#units[root]!, value, root, node, null);
      }
    }
  }

  /** Channels that a node multiplies with weights itself, step after step, before it gives them out (hidden ones of recurrent layers). */
  #readByThemselves(): void {
    const view = this.#view;
    const { consumers, find } = view.coupling;
    for (const { node, value, axis } of consumers) {
      const outputs = node.outputs.filter((output) => output !== null);
      if (view.sums.has(node) || !outputs.some((output) => this.#needed.isAnyNeeded(output))) continue;
      const own = new Set(outputs.flatMap((output) => [...(view.roots(output) ?? [])]));
      const bundle = view.coupling.channels(value).find(({ axes }) => axes.length === 1 && axes[0] === axis);
      const [sums] = axisSums(value.initializer!, [{ axis }], 1);
      bundle?.labels.forEach((label, index) => {
        if (own.has(find(label)) && sums![index] !== 0)
          this.stays(this.#units[label]!, `${node.label} goes on with it from step to step`);
      });
    }
  }

  /** Weights that are computed from weights: what is not handed on is mixed. */
  #readByConstants(node: Node): void {
    const view = this.#view;
    const made = new Set<number>();
    for (const output of node.outputs) {
      if (!output) continue;
      for (const { labels } of view.coupling.channels(output))
        for (const root of view.rootsOf(labels)) made.add(root);
    }
    for (const value of node.inputs) {
      if (!value) continue;
      for (const { labels } of view.coupling.channels(value)) {
        for (const root of view.rootsOf(labels)) {
          if (!made.has(root)) this.stays(this.#units[root]!, `${node.label} computes weights of it`);
        }
      }
    }
  }

  #read(unit: number, value: Value, root: number, node: Node, sum: WeightedSum | null): void {
    if (unit < 0 || this.whyNot[unit] !== null) return;
    if (this.#view.bundle(value) && this.#constants.has(value, root)) {
      this.#reads.push({ unit, value, root, node, sum });
      return;
    }
    const by = this.#constants.spoiledBy(value, root);
    this.stays(
      unit,
      by
        ? `${by.label} brings it together with channels that are not constant`
        : `it goes together with channels that are not constant where ${node.label} reads them`,
    );
  }
}
