import { GraphError } from '../core/errors.ts';
import type { SparseTensor, Tensor } from '../core/tensor.ts';
import type { Attribute, Attributes } from './attribute.ts';
import { lint } from './lint.ts';
import { Node } from './node.ts';
import { printGraph } from './print.ts';
import { type Shape, tensorType, type ValueType } from './types.ts';
import { Value } from './value.ts';

/** A function defined in the model itself: an operator given by a graph (ONNX `FunctionProto`). */
export interface FunctionDefinition {
  readonly name: string;
  readonly domain: string;
  readonly overload: string;
  /** Names of attributes a call must give. */
  readonly attributeNames: readonly string[];
  /** Attributes with defaults. */
  readonly attributeDefaults: Attributes;
  readonly graph: Graph;
}

/** What a model file says beside its graph (ONNX `ModelProto`). */
export interface ModelMeta {
  irVersion: number;
  producerName: string;
  producerVersion: string;
  domain: string;
  modelVersion: bigint;
  docString: string;
  metadata: Map<string, string>;
  functions: FunctionDefinition[];
  /** Fields of newer formats, kept as they were read. */
  unknownFields: readonly Uint8Array[];
}

/** A quantization annotation: names what scale and zero point belong to a value. */
export interface QuantizationAnnotation {
  readonly value: Value | string;
  readonly parameters: Map<string, Value | string>;
}

/** A node to be added: see `Graph.addNode`. */
export interface NodeSpec {
  readonly opType: string;
  readonly domain?: string;
  readonly overload?: string;
  readonly name?: string;
  readonly inputs: readonly (Value | null)[];
  /** Names of the outputs (null: left out), values made by `addValue`, or how many are to be named by the graph. Default 1. */
  readonly outputs?: number | readonly (string | Value | null)[];
  readonly attributes?: Attributes | Readonly<Record<string, Attribute>>;
  /** Place in the list of nodes; at the end by default. */
  readonly before?: Node;
}

/** ONNX's own operator domain has two spellings. */
export const normalizeDomain = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

const DEFAULT_META = {
  irVersion: 8,
  producerName: 'secateur',
  producerVersion: '',
  domain: '',
  modelVersion: 0n,
  docString: '',
};

/**
 * A computation with ONNX's semantics, the only intermediate representation of the house: reading a file gives one, tracing
 * layers gives one, and it is what runs, what is measured, differentiated, cut and saved.
 *
 * Invariants, kept by every method: value names are unique here and in the graphs around; each value has at most one producer;
 * producers and uses agree with the nodes' lists. Order of nodes and completeness are checked by `lint()`.
 */
export class Graph {
  name: string;
  docString = '';
  metadata: Map<string, string> = new Map();
  unknownFields: readonly Uint8Array[] = [];
  quantizationAnnotations: QuantizationAnnotation[] = [];
  /** The graph around a subgraph. */
  readonly parent: Graph | null;
  /** Version of each operator domain; subgraphs share their parent's. */
  readonly opsetImports: Map<string, number>;
  /** Facts of the model file; subgraphs share their parent's. */
  readonly meta: ModelMeta;
  readonly #values = new Map<string, Value>();
  readonly #inputs: Value[] = [];
  /** The inputs again, to be found at once: files may have many thousands. */
  readonly #inputSet = new Set<Value>();
  readonly #outputs: Value[] = [];
  #nodes: Node[] = [];
  readonly #counters = new Map<string, number>();
  /** How often each name is used in subgraphs; one map for a whole graph, empty where it has none. */
  readonly #innerNames: Map<string, number>;

  constructor(options: { name?: string; opset?: number; parent?: Graph } = {}) {
    this.name = options.name ?? 'main';
    this.parent = options.parent ?? null;
    this.#innerNames = this.parent === null ? new Map() : this.parent.#innerNames;
    this.opsetImports = this.parent?.opsetImports ?? new Map([['', options.opset ?? 17]]);
    this.meta = this.parent?.meta ?? {
      ...DEFAULT_META,
      metadata: new Map(),
      functions: [],
      unknownFields: [],
    };
  }

  get inputs(): readonly Value[] {
    return this.#inputs;
  }

  get outputs(): readonly Value[] {
    return this.#outputs;
  }

  /** Nodes in the order they run. A copy is not made: take one before editing in a loop. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** All values of this graph (not of subgraphs), in order of appearance. */
  get values(): Iterable<Value> {
    return this.#values.values();
  }

  /** Values whose elements are known. */
  get initializers(): readonly Value[] {
    return [...this.#values.values()].filter((value) => value.isInitializer);
  }

  /** Inputs a caller must feed: those without an initializer. */
  get feeds(): readonly Value[] {
    return this.#inputs.filter((value) => !value.isInitializer);
  }

  /** Version of an operator domain; throws GraphError where the graph does not import it. */
  opset(domain = ''): number {
    const name = normalizeDomain(domain);
    const version =
      this.opsetImports.get(name) ?? (name === '' ? this.opsetImports.get('ai.onnx') : undefined);
    if (version !== undefined) return version;
    throw new GraphError(`Graph '${this.name}': operator domain '${domain}' is not among its opset imports`);
  }

  /** The value of that name, here or in the graphs around. */
  find(name: string): Value | undefined {
    return this.#values.get(name) ?? this.parent?.find(name);
  }

  /** The value of that name; throws GraphError where there is none. */
  value(name: string): Value {
    const value = this.find(name);
    if (value) return value;
    throw new GraphError(`Graph '${this.name}': no value is named '${name}'`);
  }

  /** The first node of that name; throws GraphError where there is none. */
  node(name: string): Node {
    const node = this.#nodes.find((candidate) => candidate.name === name);
    if (node) return node;
    throw new GraphError(`Graph '${this.name}': no node is named '${name}'`);
  }

  /** True when `inner` is a subgraph of this graph, at any depth. */
  encloses(inner: Graph): boolean {
    for (let graph = inner.parent; graph !== null; graph = graph.parent) if (graph === this) return true;
    return false;
  }

  /** A name no value here, around or in subgraphs has: `base` itself, or with a number behind it. */
  freshName(base: string): string {
    const isFree = (name: string): boolean => this.find(name) === undefined && !this.#innerNames.has(name);
    if (base !== '' && isFree(base)) return base;
    for (let count = this.#counters.get(base) ?? 1; ; count++) {
      const name = `${base}_${count}`;
      if (isFree(name)) {
        // Not one further: a name that was given but not used stays the next one.
        this.#counters.set(base, count);
        return name;
      }
    }
  }

  /** Adds a value that is neither input nor initializer and has no producer yet. Throws GraphError where the name is taken. */
  addValue(name: string, type: ValueType | null = null): Value {
    if (name === '') throw new GraphError(`Graph '${this.name}': a value needs a name`);
    if (this.find(name) !== undefined) {
      throw new GraphError(`Graph '${this.name}': two values are named '${name}'; names must be unique`);
    }
    return this._add(name, type);
  }

  /** Adds a graph input. Throws GraphError where the name is taken. */
  addInput(name: string, type: ValueType | null): Value {
    const value = this.addValue(name, type);
    this.#inputs.push(value);
    this.#inputSet.add(value);
    return value;
  }

  /** Makes a value with no producer a graph input too. Throws GraphError where it cannot be one. */
  markInput(value: Value): void {
    this.#checkOwn(value);
    if (value.producer !== null || value.isInput) {
      throw new GraphError(
        `Graph '${this.name}': '${value.name}' is ${value.isInput ? 'an input already' : `made by ${value.producer?.label}`}; it cannot become an input`,
      );
    }
    this.#inputs.push(value);
    this.#inputSet.add(value);
  }

  /** Adds a constant. The tensor is shared, not copied. Throws GraphError where the name is taken. */
  addInitializer(name: string, tensor: Tensor): Value {
    const value = this.addValue(name, tensorType(tensor.dtype, tensor.shape));
    value.initializer = tensor;
    return value;
  }

  /** Adds a sparse constant. Throws GraphError where the name is taken. */
  addSparseInitializer(name: string, tensor: SparseTensor): Value {
    const value = this.addValue(name, tensorType(tensor.values.dtype, tensor.dims));
    value.sparseInitializer = tensor;
    return value;
  }

  /** Makes a value a graph output. Throws GraphError where it belongs to another graph. */
  addOutput(value: Value): void {
    this._checkVisible(value, `Graph '${this.name}'`);
    this.#outputs.push(value);
    value._setGivenBy(this, true);
  }

  /** Puts another value in place of output `index`. Throws GraphError where there is none. */
  setOutput(index: number, value: Value): void {
    this.#checkOutputIndex(index);
    this._checkVisible(value, `Graph '${this.name}'`);
    const before = this.#outputs[index]!;
    this.#outputs[index] = value;
    before._setGivenBy(this, this.#outputs.includes(before));
    value._setGivenBy(this, true);
  }

  /** Drops output `index`; the value stays. Throws GraphError where there is none. */
  removeOutput(index: number): void {
    this.#checkOutputIndex(index);
    const [removed] = this.#outputs.splice(index, 1);
    removed?._setGivenBy(this, this.#outputs.includes(removed));
  }

  /** Adds a node and its outputs. Throws GraphError where an input is not visible here or an output's name is taken; nothing has changed then. */
  addNode(spec: NodeSpec): Node {
    const label = `${spec.opType} '${spec.name ?? ''}'`;
    for (const value of spec.inputs) if (value) this._checkVisible(value, label);
    const place = spec.before === undefined ? this.#nodes.length : this.#nodes.indexOf(spec.before);
    if (place < 0) throw new GraphError(`${label}: ${spec.before?.label} is not in graph '${this.name}'`);
    const wanted = spec.outputs ?? 1;
    const outputs =
      typeof wanted === 'number'
        ? Array.from({ length: wanted }, (_, i) => this.#outputName(spec, i))
        : wanted;
    this.#checkOutputs(outputs, label);
    const node = new Node(this, {
      opType: spec.opType,
      domain: spec.domain ?? '',
      overload: spec.overload ?? '',
      name: spec.name ?? '',
      attributes:
        spec.attributes instanceof Map ? spec.attributes : new Map(Object.entries(spec.attributes ?? {})),
      inputs: spec.inputs,
      outputs: outputs.map((output) => (typeof output === 'string' ? this.addValue(output) : output)),
    });
    if (place === this.#nodes.length) this.#nodes.push(node);
    else this.#nodes.splice(place, 0, node);
    return node;
  }

  /** Removes a node and its outputs. Throws GraphError where an output is still read; nothing has changed then. */
  removeNode(node: Node): void {
    this.removeNodes([node]);
  }

  /** Removes nodes together, which may read each other. Throws GraphError where another reads them; nothing has changed then. */
  removeNodes(nodes: Iterable<Node>): void {
    const outer = new Set(nodes);
    const going = new Set(outer);
    for (const node of outer) for (const inner of nodesInside(node)) going.add(inner);
    const bodies = new Set([...going].flatMap((node) => node.subgraphs));
    for (const node of outer) {
      if (node.graph !== this) throw new GraphError(`${node.label}: is not in graph '${this.name}'`);
      for (const output of node.outputs) {
        const reader = output?.consumers.find((consumer) => !going.has(consumer));
        if (reader)
          throw new GraphError(
            `${node.label}: cannot be removed, ${reader.label} still reads '${output?.name}'`,
          );
        if (output?.isOutput)
          throw new GraphError(
            `${node.label}: cannot be removed, '${output.name}' is an output of the graph`,
          );
        const body = output?._givenBy().find((graph) => !bodies.has(graph));
        if (body)
          throw new GraphError(
            `${node.label}: cannot be removed, '${output?.name}' is an output of the subgraph '${body.name}'`,
          );
      }
    }
    this.#nodes = this.#nodes.filter((node) => !outer.has(node));
    for (const node of going) node._detach();
    for (const body of bodies) for (const output of body.outputs) output._setGivenBy(body, false);
    for (const node of outer) for (const output of node.outputs) if (output) this._forget(output);
  }

  /** Removes an input or initializer nobody reads. Throws GraphError where it is read or made by a node. */
  removeValue(value: Value): void {
    this.#checkOwn(value);
    if (value.producer)
      throw new GraphError(`Value '${value.name}': is made by ${value.producer.label}; remove that instead`);
    if (!value.isUnused) {
      const reader = value.consumers[0]?.label ?? `an output of the graph '${value._givenBy()[0]?.name}'`;
      throw new GraphError(`Value '${value.name}': cannot be removed, ${reader} still reads it`);
    }
    const index = this.#inputs.indexOf(value);
    if (index >= 0) this.#inputs.splice(index, 1);
    this.#inputSet.delete(value);
    this._forget(value);
  }

  /** Gives a value another name. Throws GraphError where the name is taken. */
  rename(value: Value, name: string): void {
    this.#checkOwn(value);
    if (name === value.name) return;
    if (name === '' || this.find(name) !== undefined) {
      throw new GraphError(
        `Graph '${this.name}': '${value.name}' cannot be renamed to '${name}', which is ${name === '' ? 'empty' : 'taken'}`,
      );
    }
    this._forget(value);
    value._rename(name);
    this.#enter(value);
  }

  /**
   * Orders nodes so that producers stand before readers, keeping the present order where it can. Throws GraphError that
   * names a node of the cycle where there is one; nothing has changed then.
   */
  sort(): void {
    const waiting = new Map<Node, number>();
    const readers = new Map<Node, Node[]>();
    for (const node of this.#nodes) {
      const producers = new Set<Node>();
      for (const value of readBy(node)) {
        if (value.graph === this && value.producer) producers.add(value.producer);
      }
      waiting.set(node, producers.size);
      for (const producer of producers) {
        const list = readers.get(producer);
        if (list) list.push(node);
        else readers.set(producer, [node]);
      }
    }
    const sorted = this.#nodes.filter((node) => waiting.get(node) === 0);
    for (const node of sorted) {
      for (const reader of readers.get(node) ?? []) {
        const left = (waiting.get(reader) ?? 0) - 1;
        waiting.set(reader, left);
        if (left === 0) sorted.push(reader);
      }
    }
    if (sorted.length !== this.#nodes.length) {
      const stuck = this.#nodes.find((node) => (waiting.get(node) ?? 0) > 0);
      throw new GraphError(`${stuck?.label}: depends on itself; the graph '${this.name}' has a cycle`);
    }
    if (!this.#isSorted()) this.#nodes = sorted;
  }

  /** What is wrong with the graph, one sentence each; empty when it is well formed. */
  lint(): readonly string[] {
    return lint(this);
  }

  /** Throws GraphError with the first finding of `lint()`. */
  check(): void {
    const findings = this.lint();
    if (findings.length > 0) {
      throw new GraphError(
        `${findings[0]}${findings.length > 1 ? ` (and ${findings.length - 1} more)` : ''}`,
      );
    }
  }

  /** The graph as text, a line a node. */
  print(): string {
    return printGraph(this);
  }

  /** Shape a value is declared with, or null. */
  static shapeOf(value: Value): Shape | null {
    return value.type?.kind === 'tensor' ? value.type.shape : null;
  }

  /** For `Node` and `Value`. @internal */
  _checkVisible(value: Value, reader: string): void {
    if (value.graph !== this && !value.graph.encloses(this)) {
      throw new GraphError(
        `${reader}: value '${value.name}' belongs to another graph ('${value.graph.name}')`,
      );
    }
    if (value.graph.#values.get(value.name) !== value) {
      throw new GraphError(`${reader}: value '${value.name}' was removed from graph '${value.graph.name}'`);
    }
  }

  /** For `Value`. @internal */
  _hasInput(value: Value): boolean {
    return this.#inputSet.has(value);
  }

  /** For `Node.dropOutput`. @internal */
  _forget(value: Value): void {
    this.#values.delete(value.name);
    if (this.parent === null) return;
    const count = (this.#innerNames.get(value.name) ?? 1) - 1;
    if (count === 0) this.#innerNames.delete(value.name);
    else this.#innerNames.set(value.name, count);
  }

  /** For `cloneGraph`: adds a value whose name is free in this graph; files may have it around, made later. @internal */
  _add(name: string, type: ValueType | null): Value {
    const value = new Value(this, name, type);
    this.#enter(value);
    return value;
  }

  #enter(value: Value): void {
    this.#values.set(value.name, value);
    if (this.parent !== null) {
      this.#innerNames.set(value.name, (this.#innerNames.get(value.name) ?? 0) + 1);
    }
  }

  #isSorted(): boolean {
    const seen = new Set<Node>();
    for (const node of this.#nodes) {
      for (const value of readBy(node)) {
        if (value.graph === this && value.producer && !seen.has(value.producer)) return false;
      }
      seen.add(node);
    }
    return true;
  }

  #outputName(spec: NodeSpec, index: number): string {
    return this.freshName(spec.name ? `${spec.name}_output_${index}` : `${spec.opType}_output_${index}`);
  }

  #checkOutputs(outputs: readonly (string | Value | null)[], label: string): void {
    const names = new Set<string>();
    for (const output of outputs) {
      if (output === null) continue;
      const name = typeof output === 'string' ? output : output.name;
      if (names.has(name)) throw new GraphError(`${label}: two outputs are named '${name}'`);
      names.add(name);
      if (typeof output === 'string') {
        if (name === '' || this.find(name) !== undefined) {
          throw new GraphError(
            `${label}: output name '${name}' is ${name === '' ? 'empty' : 'taken'} in graph '${this.name}'`,
          );
        }
      } else if (
        this.#values.get(name) !== output ||
        output.producer !== null ||
        output.isInput ||
        output.isInitializer
      ) {
        throw new GraphError(`${label}: '${name}' is made elsewhere already; a value has one producer`);
      }
    }
  }

  #checkOwn(value: Value): void {
    if (this.#values.get(value.name) !== value) {
      throw new GraphError(`Graph '${this.name}': value '${value.name}' is not in it`);
    }
  }

  #checkOutputIndex(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.#outputs.length) {
      throw new GraphError(`Graph '${this.name}': no output ${index} (it has ${this.#outputs.length})`);
    }
  }
}

/** Every node of a node's subgraphs, at any depth. */
function* nodesInside(node: Node): Generator<Node> {
  for (const subgraph of node.subgraphs) {
    for (const inner of subgraph.nodes) {
      yield inner;
      yield* nodesInside(inner);
    }
  }
}

/** Every value a node reads, those its subgraphs take from outside included. */
export function* readBy(node: Node): Generator<Value> {
  for (const value of node.inputs) if (value) yield value;
  for (const subgraph of node.subgraphs) {
    for (const inner of subgraph.nodes) {
      for (const value of readBy(inner)) if (value.graph.encloses(subgraph)) yield value;
    }
    for (const output of subgraph.outputs) if (output.graph.encloses(subgraph)) yield output;
  }
}
