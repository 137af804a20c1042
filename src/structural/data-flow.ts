import { type Graph, type Node, readBy, type Value } from '../ir/index.ts';
import { DominatorTree } from './dominance.ts';

/** Nodes with one way out, and what they read of others. */
export interface Region {
  /** In the order they run. */
  readonly nodes: readonly Node[];
  /** Values they read that are made elsewhere, each once. Constants are not among them. */
  readonly entries: readonly Value[];
}

/**
 * How data flows through a graph from its inputs to its outputs. Constants, and what is computed of them alone, are no data. What a node's subgraphs read counts as read by the node. Linear in edges to make, but
 * for a logarithm.
 */
export class DataFlow {
  readonly graph: Graph;
  readonly #reads = new Map<Node, readonly Value[]>();
  readonly #readers = new Map<Value, Node[]>();
  readonly #places = new Map<Node, number>();
  /** What every way from the inputs to a node passes. */
  readonly #ahead = new DominatorTree<Node | Value>();
  /** What every way from a node to the outputs passes. */
  readonly #behind = new DominatorTree<Node>();

  constructor(graph: Graph) {
    this.graph = graph;
    const data = new Set<Value>(graph.feeds);
    for (const feed of graph.feeds) this.#ahead.add(feed, [null]);
    graph.nodes.forEach((node, place) => {
      const reads = [...new Set(readBy(node))].filter((value) => data.has(value));
      this.#places.set(node, place);
      if (reads.length === 0) return;
      this.#reads.set(node, reads);
      for (const value of reads) {
        const readers = this.#readers.get(value);
        if (readers) readers.push(node);
        else this.#readers.set(value, [node]);
      }
      for (const output of node.outputs) if (output) data.add(output);
      this.#ahead.add(
        node,
        reads.map((value) => value.producer ?? value),
      );
    });
    for (const node of [...this.#reads.keys()].reverse()) {
      const next = node.outputs.flatMap((output): (Node | null)[] =>
        output ? [...this.readers(output), ...(output.isOutput ? [null] : [])] : [],
      );
      this.#behind.add(node, next);
    }
  }

  /** Nodes that compute with data, in the order they run. */
  get nodes(): Iterable<Node> {
    return this.#reads.keys();
  }

  /** Data a node reads, each value once; nothing for a node of constants. */
  reads(node: Node): readonly Value[] {
    return this.#reads.get(node) ?? [];
  }

  /** Nodes of the graph itself that read a value. */
  readers(value: Value): readonly Node[] {
    return this.#readers.get(value) ?? [];
  }

  /** The one output of a node that is read or given; null where there are several or none. */
  output(node: Node): Value | null {
    const used = node.outputs.filter(
      (output) => output && (output.isOutput || this.readers(output).length > 0),
    );
    return used.length === 1 ? (used[0] ?? null) : null;
  }

  /** True where all that is made of a node's outputs goes through `last`, or it is `last`. */
  endsIn(last: Node, node: Node): boolean {
    return this.#behind.dominates(last, node);
  }

  /** A node, and all nodes whose outputs serve it alone. */
  servants(last: Node): Region {
    const nodes = new Set<Node>([last]);
    const entries = new Set<Value>();
    // A set that is gone through takes what is added on the way.
    for (const node of nodes) {
      for (const value of this.reads(node)) {
        const { producer } = value;
        if (producer && this.endsIn(last, producer)) nodes.add(producer);
        else entries.add(value);
      }
    }
    return { nodes: this.inOrder(nodes), entries: [...entries] };
  }

  /** The fewest nodes that end in `last`, read one value and serve no one else; null where there are none such. */
  smallest(last: Node): Region | null {
    const first = this.#ahead.parent(last);
    const nodes = new Set<Node>([last]);
    const entries = new Set<Value>();
    for (const node of nodes) {
      for (const value of this.reads(node)) {
        const made = value.producer ?? value;
        if (made === first) entries.add(value);
        else if (value.producer && this.endsIn(last, value.producer)) nodes.add(value.producer);
        else return null;
      }
    }
    return entries.size === 1 ? { nodes: this.inOrder(nodes), entries: [...entries] } : null;
  }

  /** Nodes in the order they run. */
  inOrder(nodes: Iterable<Node>): Node[] {
    return [...nodes].sort((a, b) => this.#places.get(a)! - this.#places.get(b)!);
  }
}
