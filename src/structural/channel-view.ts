import { type Node, staticShape, type Value } from '../ir/index.ts';
import { type Bundle, findOperator, isUnsupported } from '../ops/index.ts';
import type { Coupling } from './coupling.ts';
import { DataFlow } from './data-flow.ts';
import { type WeightedSum, weightedSumOf } from './weighted-sum.ts';

/**
 * How a node makes the channels of its outputs. `channelwise`: each of the same channel of its inputs, and of what has no channels beside them. `sum`: each of some channels, times weights. `whole`: of everything it reads, as
 * far as is known here.
 */
export type NodeKind = 'channelwise' | 'sum' | 'whole';

/**
 * The channels of a graph's values by what they are tied to: a root stands for all labels that are tied. Only values whose labels are in one bundle are told apart by channel; others, and those without labels, count as a whole.
 */
export class ChannelView {
  readonly coupling: Coupling;
  readonly flow: DataFlow;
  readonly sums = new Map<Node, WeightedSum>();
  readonly #kinds = new Map<Node, NodeKind>();
  readonly #roots = new Map<Int32Array, ReadonlySet<number>>();
  readonly #reads = new Map<Node, readonly Value[]>();

  constructor(coupling: Coupling) {
    this.coupling = coupling;
    this.flow = new DataFlow(coupling.graph);
    // What mixes channels is not made channel by channel, whatever labels it carries.
    const mixing = new Set([...coupling.notFollowed, ...coupling.inexact].map(({ node }) => node));
    for (const node of this.flow.nodes) {
      const reads = this.flow.reads(node).filter((value) => !this.#isKnown(value));
      this.#reads.set(node, reads);
      const sum = mixing.has(node) ? null : weightedSumOf(node, reads, coupling);
      if (sum) this.sums.set(node, sum);
      const isChannelwise = !mixing.has(node) && !sum && this.#isChannelwise(node);
      this.#kinds.set(node, sum ? 'sum' : isChannelwise ? 'channelwise' : 'whole');
    }
  }

  kind(node: Node): NodeKind {
    return this.#kinds.get(node) ?? 'whole';
  }

  /** What a node reads of the graph's inputs, each value once; not what only their sizes tell. */
  reads(node: Node): readonly Value[] {
    return this.#reads.get(node) ?? [];
  }

  /** The one bundle of a value's labels; null where it has none or several. */
  bundle(value: Value): Bundle | null {
    const channels = this.coupling.channels(value);
    return channels.length === 1 ? channels[0]! : null;
  }

  /** Roots of a value that is told apart by channel; null for others. */
  roots(value: Value): ReadonlySet<number> | null {
    const bundle = this.bundle(value);
    return bundle && this.rootsOf(bundle.labels);
  }

  /** The roots of labels, each once. */
  rootsOf(labels: Int32Array): ReadonlySet<number> {
    let roots = this.#roots.get(labels);
    if (!roots) {
      roots = new Set(Array.from(labels, (label) => this.coupling.find(label)));
      this.#roots.set(labels, roots);
    }
    return roots;
  }

  /** True where both values are told apart by channel and have some in common: a node then makes those of the one of those of the other. */
  areAligned(a: Value, b: Value): boolean {
    const [one, two] = [this.roots(a), this.roots(b)];
    if (!one || !two) return false;
    if (one === two) return true;
    const [fewer, more] = one.size < two.size ? [one, two] : [two, one];
    for (const root of fewer) if (more.has(root)) return true;
    return false;
  }

  #isKnown(value: Value): boolean {
    const known = this.coupling.inference.get(value)?.known;
    return known?.every((element) => typeof element === 'number') ?? false;
  }

  /** No contraction (it multiplies and sums nothing), nothing random, no graph inside. */
  #isChannelwise(node: Node): boolean {
    const operator = findOperator(node.domain, node.opType);
    if (!operator || operator.nondeterministic || node.subgraphs.length > 0) return false;
    if (isUnsupported(operator.cost)) return false;
    const { inference } = this.coupling;
    const inferred = (value: Value | null) => value && inference.get(value);
    const [inputs, outputs] = [node.inputs.map(inferred), node.outputs.map(inferred)];
    const isOpen = [...node.inputs, ...node.outputs].some(
      (value) => value && !staticShape(inference.get(value)?.shape),
    );
    return (
      !isOpen && operator.cost({ node, opset: node.graph.opset(node.domain), inputs, outputs }).macs === 0
    );
  }
}
