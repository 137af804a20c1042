import { GraphError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Attribute, AttributeKind, Attributes, AttributeValues } from './attribute.ts';
import type { Graph } from './graph.ts';
import type { Value } from './value.ts';

/**
 * One application of an operator: inputs, outputs, attributes. Optional inputs and outputs that are left out are null.
 * Inputs change through `setInput` alone, so that every value knows its uses.
 */
export class Node {
  readonly graph: Graph;
  readonly opType: string;
  /** Operator domain as in the file; `''` (also written `ai.onnx`) is ONNX's own. */
  readonly domain: string;
  readonly overload: string;
  name: string;
  docString = '';
  metadata: Map<string, string> = new Map();
  unknownFields: readonly Uint8Array[] = [];
  readonly attributes: Attributes;
  readonly #inputs: (Value | null)[];
  readonly #outputs: (Value | null)[];

  /** Made by `Graph.addNode` only. */
  constructor(
    graph: Graph,
    fields: {
      opType: string;
      domain: string;
      overload: string;
      name: string;
      attributes: Attributes;
      inputs: readonly (Value | null)[];
      outputs: readonly (Value | null)[];
    },
  ) {
    this.graph = graph;
    this.opType = fields.opType;
    this.domain = fields.domain;
    this.overload = fields.overload;
    this.name = fields.name;
    this.attributes = fields.attributes;
    this.#inputs = [...fields.inputs];
    this.#outputs = [...fields.outputs];
    this.#inputs.forEach((value, index) => {
      value?._addUse(this, index);
    });
    for (const value of this.#outputs) value?._setProducer(this);
  }

  get inputs(): readonly (Value | null)[] {
    return this.#inputs;
  }

  get outputs(): readonly (Value | null)[] {
    return this.#outputs;
  }

  /** `Conv '/model.0/conv/Conv'`, as errors name a node; its first output's name where it has none. */
  get label(): string {
    const name = this.name || this.#outputs.find((output) => output !== null)?.name || '';
    return `${this.domain && this.domain !== 'ai.onnx' ? `${this.domain}.` : ''}${this.opType} '${name}'`;
  }

  /** Input `index`; throws GraphError where the node has none there. */
  input(index: number): Value {
    const value = this.#inputs[index];
    if (value) return value;
    throw new GraphError(`${this.label}: input ${index} is missing (it has ${this.#inputs.length})`);
  }

  /** Output `index`; throws GraphError where the node has none there. */
  output(index = 0): Value {
    const value = this.#outputs[index];
    if (value) return value;
    throw new GraphError(`${this.label}: output ${index} is missing (it has ${this.#outputs.length})`);
  }

  /**
   * Lets input `index` read another value, or none. An index at the end adds an input. Throws GraphError where the
   * value is not visible here or the index leaves a gap.
   */
  setInput(index: number, value: Value | null): void {
    if (!Number.isInteger(index) || index < 0 || index > this.#inputs.length) {
      throw new GraphError(`${this.label}: no input ${index} to set (it has ${this.#inputs.length})`);
    }
    if (value !== null) this.graph._checkVisible(value, this.label);
    this.#inputs[index]?._removeUse(this, index);
    this.#inputs[index] = value;
    value?._addUse(this, index);
  }

  /** Drops inputs from the end until `count` are left. */
  truncateInputs(count: number): void {
    for (let index = this.#inputs.length - 1; index >= count; index--) {
      this.#inputs[index]?._removeUse(this, index);
      this.#inputs.pop();
    }
  }

  /** Output `index`; added, with a fresh name, where the node left it out. Whether the operator has such an output is for the caller to know. */
  ensureOutput(index: number): Value {
    const known = this.#outputs[index];
    if (known) return known;
    const base = this.#outputs.find((output) => output !== null)?.name ?? this.opType;
    const value = this.graph.addValue(this.graph.freshName(`${base}_${index}`));
    while (this.#outputs.length < index) this.#outputs.push(null);
    this.#outputs[index] = value;
    value._setProducer(this);
    return value;
  }

  /** Drops an output nobody reads, leaving a gap or shortening the list. Throws GraphError where it is read. */
  dropOutput(index: number): void {
    const value = this.output(index);
    if (!value.isUnused)
      throw new GraphError(`${this.label}: output '${value.name}' is still read; it cannot be dropped`);
    value._setProducer(null);
    this.graph._forget(value);
    this.#outputs[index] = null;
    while (this.#outputs.length > 1 && this.#outputs.at(-1) === null) this.#outputs.pop();
  }

  /** The attribute as a whole number, or `fallback`. Beyond 2^53 it is rounded. Throws GraphError for another type. */
  int(name: string, fallback: number): number;
  int(name: string): number | undefined;
  int(name: string, fallback?: number): number | undefined {
    const value = this.#read(name, 'int');
    return value === undefined ? fallback : Number(value);
  }

  /** The attribute as whole numbers, or `fallback`. Throws GraphError for another type. */
  ints(name: string, fallback: readonly number[]): readonly number[];
  ints(name: string): readonly number[] | undefined;
  ints(name: string, fallback?: readonly number[]): readonly number[] | undefined {
    return this.#read(name, 'ints')?.map(Number) ?? fallback;
  }

  /** The attribute as a number, or `fallback`. Throws GraphError for another type. */
  float(name: string, fallback: number): number;
  float(name: string): number | undefined;
  float(name: string, fallback?: number): number | undefined {
    return this.#read(name, 'float') ?? fallback;
  }

  /** The attribute as numbers, or `fallback`. Throws GraphError for another type. */
  floats(name: string, fallback: readonly number[]): readonly number[];
  floats(name: string): readonly number[] | undefined;
  floats(name: string, fallback?: readonly number[]): readonly number[] | undefined {
    return this.#read(name, 'floats') ?? fallback;
  }

  /** The attribute as text, or `fallback`. Throws GraphError for another type. */
  string(name: string, fallback: string): string;
  string(name: string): string | undefined;
  string(name: string, fallback?: string): string | undefined {
    const value = this.#read(name, 'string');
    return value === undefined
      ? fallback
      : typeof value === 'string'
        ? value
        : new TextDecoder().decode(value);
  }

  /** The tensor attribute, or undefined. Throws GraphError for another type. */
  tensor(name: string): Tensor | undefined {
    return this.#read(name, 'tensor');
  }

  /** Graphs among the attributes: the bodies of If, Loop, Scan. */
  get subgraphs(): readonly Graph[] {
    const graphs: Graph[] = [];
    for (const attribute of this.attributes.values()) {
      if (attribute.kind === 'graph') graphs.push(attribute.value);
      else if (attribute.kind === 'graphs') graphs.push(...attribute.value);
    }
    return graphs;
  }

  #read<K extends AttributeKind>(name: string, kind: K): AttributeValues[K] | undefined {
    const attribute: Attribute | undefined = this.attributes.get(name);
    if (attribute === undefined) return undefined;
    if (attribute.kind === kind) return attribute.value as AttributeValues[K];
    throw new GraphError(`${this.label}: attribute '${name}' is of type ${attribute.kind}; expected ${kind}`);
  }

  /** For `Graph`: lets go of inputs and outputs. @internal */
  _detach(): void {
    this.#inputs.forEach((value, index) => {
      value?._removeUse(this, index);
    });
    for (const value of this.#outputs) value?._setProducer(null);
  }
}
