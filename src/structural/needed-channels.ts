import type { Node, Value } from '../ir/index.ts';
import type { ChannelView } from './channel-view.ts';
import type { WeightedSum } from './weighted-sum.ts';

/**
 * The channels that the graph's outputs depend on: one that is multiplied with zeros alone wherever it is read is not needed. By root, as `ChannelView` tells channels apart. Linear in labels and weights.
 */
export class NeededChannels {
  readonly #view: ChannelView;
  readonly #unitOf: (label: number) => number;
  readonly #whole = new Set<Value>();
  readonly #roots = new Map<Value, Set<number>>();
  readonly #readByOthers = new Map<Node, Uint8Array>();

  /** @param unitOf the unit a label goes with */
  constructor(view: ChannelView, unitOf: (label: number) => number) {
    this.#view = view;
    this.#unitOf = unitOf;
    for (const output of view.coupling.graph.outputs) this.#whole.add(output);
    for (const node of [...view.flow.nodes].reverse()) {
      const needed = node.outputs.filter(
        (output): output is Value => output !== null && this.isAnyNeeded(output),
      );
      if (needed.length === 0) continue;
      const sum = view.sums.get(node);
      if (sum) this.#sum(sum);
      else for (const output of needed) this.#others(node, output);
    }
  }

  /** True where something of a value is needed. */
  isAnyNeeded(value: Value): boolean {
    return this.#whole.has(value) || (this.#roots.get(value)?.size ?? 0) > 0;
  }

  has(value: Value, root: number): boolean {
    return this.#whole.has(value) || (this.#roots.get(value)?.has(root) ?? false);
  }

  /** True where a weighted sum makes something that is needed of its input channel `input`, for channels that do not go with it anyway. */
  isRead(sum: WeightedSum, input: number): boolean {
    return this.#readByOthers.get(sum.node)?.[input] === 1;
  }

  #sum(sum: WeightedSum): void {
    const { find } = this.#view.coupling;
    const [own, others] = [new Uint8Array(sum.inputs), new Uint8Array(sum.inputs)];
    const unitIn = Int32Array.from(sum.reads ?? [], this.#unitOf);
    // Where all inputs of a group are read, the rest of its filters tells nothing new.
    const left = new Map<number, number>();
    for (let output = 0; output < sum.outputs; output++) {
      if (sum.makes && !this.has(sum.output, find(sum.makes[output]!))) continue;
      const { first, count } = sum.group(output);
      if (left.get(first) === 0) continue;
      const unitOut = sum.makes ? this.#unitOf(sum.makes[output]!) : -1;
      let open = 0;
      for (let input = first; input < first + count; input++) {
        if (others[input] === 1) continue;
        if (sum.isConnected(output, input)) {
          own[input] = 1;
          if (unitOut < 0 || unitIn[input] !== unitOut) others[input] = 1;
        }
        if (others[input] === 0) open++;
      }
      left.set(first, open);
    }
    this.#readByOthers.set(sum.node, others);
    if (sum.reads) {
      sum.reads.forEach((label, input) => {
        if (own[input] === 1) this.#need(sum.input, find(label));
      });
    } else if (own.includes(1)) this.#whole.add(sum.input);
  }

  #others(node: Node, output: Value): void {
    const view = this.#view;
    const wanted = this.#whole.has(output) ? view.roots(output) : this.#roots.get(output);
    for (const value of view.reads(node)) {
      const isApart = view.kind(node) === 'channelwise' && wanted && view.areAligned(value, output);
      if (!isApart) this.#whole.add(value);
      else {
        const own = view.roots(value)!;
        for (const root of wanted) if (own.has(root)) this.#need(value, root);
      }
    }
  }

  #need(value: Value, root: number): void {
    const roots = this.#roots.get(value);
    if (roots) roots.add(root);
    else this.#roots.set(value, new Set([root]));
  }
}
