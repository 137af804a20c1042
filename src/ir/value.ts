import { GraphError } from '../core/errors.ts';
import type { SparseTensor, Tensor } from '../core/tensor.ts';
import type { Graph } from './graph.ts';
import type { Node } from './node.ts';
import type { ValueType } from './types.ts';

/** A place where a value is read: input `index` of `node`. */
export interface Use {
  readonly node: Node;
  readonly index: number;
}

/**
 * A value of a graph: an input, an initializer, or an output of a node. It knows where it comes from and
 * where it is read; both follow from edits of nodes and are never set by hand.
 */
export class Value {
  /** The graph it belongs to. Subgraphs read values of the graphs around them. */
  readonly graph: Graph;
  /** Declared or last inferred type. */
  type: ValueType | null;
  /** Elements of a constant; shared with whoever gave them (a Parameter, a file's buffer), never copied. */
  initializer: Tensor | null = null;
  /** Elements of a sparse constant. */
  sparseInitializer: SparseTensor | null = null;
  docString = '';
  metadata: Map<string, string> = new Map();
  unknownFields: readonly Uint8Array[] = [];
  #name: string;
  #producer: Node | null = null;
  /** Indices of the inputs that read it, by node; a bare number for the usual one. */
  readonly #uses = new Map<Node, number | Set<number>>();
  /** Graphs that give it among their outputs: its own, or subgraphs that hand it through. Null for most. */
  #givenBy: Set<Graph> | null = null;

  /** Made by `Graph`'s methods only. */
  constructor(graph: Graph, name: string, type: ValueType | null) {
    this.graph = graph;
    this.#name = name;
    this.type = type;
  }

  /** Name, unique in the graph; `Graph.rename` changes it. */
  get name(): string {
    return this.#name;
  }

  /** The node whose output this is; null for inputs and initializers. */
  get producer(): Node | null {
    return this.#producer;
  }

  /** Where the value is read by nodes, of this graph and of subgraphs, in order of first use. Linear in their number. */
  get uses(): readonly Use[] {
    const uses: Use[] = [];
    for (const [node, indices] of this.#uses) {
      if (typeof indices === 'number') uses.push({ node, index: indices });
      else for (const index of indices) uses.push({ node, index });
    }
    return uses;
  }

  /** Nodes that read the value, each once. */
  get consumers(): readonly Node[] {
    return [...this.#uses.keys()];
  }

  /** True when neither a node nor an output of its graph or a subgraph reads it. */
  get isUnused(): boolean {
    return this.#uses.size === 0 && this.#givenBy === null;
  }

  /** True when it is an output of its graph. */
  get isOutput(): boolean {
    return this.#givenBy?.has(this.graph) ?? false;
  }

  /** True when it is a graph input (older files list their initializers there too). */
  get isInput(): boolean {
    return this.graph._hasInput(this);
  }

  /** True when its elements are known: an initializer, dense or sparse. */
  get isInitializer(): boolean {
    return this.initializer !== null || this.sparseInitializer !== null;
  }

  /**
   * Lets every node and graph output that reads this value read `other` instead. Throws GraphError where `other` is not
   * visible from a reader; nothing has changed then.
   */
  replaceAllUsesWith(other: Value): void {
    if (other === this) return;
    if (other.graph !== this.graph && !other.graph.encloses(this.graph)) {
      throw new GraphError(
        `Value '${this.name}': cannot be replaced by '${other.name}', which belongs to another graph ('${other.graph.name}')`,
      );
    }
    for (const { node, index } of this.uses) node.setInput(index, other);
    for (const graph of this._givenBy()) {
      graph.outputs.forEach((output, index) => {
        if (output === this) graph.setOutput(index, other);
      });
    }
  }

  /** Graphs that give the value among their outputs, subgraphs included. @internal */
  _givenBy(): readonly Graph[] {
    return this.#givenBy === null ? [] : [...this.#givenBy];
  }

  /** For `Graph`, after its outputs changed. @internal */
  _setGivenBy(graph: Graph, given: boolean): void {
    if (given) {
      this.#givenBy ??= new Set();
      this.#givenBy.add(graph);
    } else {
      this.#givenBy?.delete(graph);
      if (this.#givenBy?.size === 0) this.#givenBy = null;
    }
  }

  /** For `Graph` and `Node`. @internal */
  _rename(name: string): void {
    this.#name = name;
  }

  /** For `Graph` and `Node`. @internal */
  _setProducer(node: Node | null): void {
    this.#producer = node;
  }

  /** For `Node`. @internal */
  _addUse(node: Node, index: number): void {
    const indices = this.#uses.get(node);
    if (indices === undefined) this.#uses.set(node, index);
    else if (typeof indices === 'number') this.#uses.set(node, new Set([indices, index]));
    else indices.add(index);
  }

  /** For `Node`. @internal */
  _removeUse(node: Node, index: number): void {
    const indices = this.#uses.get(node);
    if (typeof indices === 'object') indices.delete(index);
    if (indices === index || (typeof indices === 'object' && indices.size === 0)) this.#uses.delete(node);
  }
}
