import { type DType, dtypeInfo } from '../core/dtype.ts';
import { ArgumentError, GraphError } from '../core/errors.ts';
import { fromFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import { cloneGraph, type Graph, type GraphCopy, type Node, staticShape, type Value } from '../ir/index.ts';
import { type Bundle, type Channels, reordered } from '../ops/index.ts';
import { Compactor, touched } from './compact.ts';
import type { ChannelGroups } from './groups.ts';
import { flagsOf } from './kept-sizes.ts';

/**
 * The original model with channels silenced: in a copy of `coupling.graph`, each value that carries channels of the removed units has zeros in their places before anything reads it. It is what a cut of these units must
 * compute, but where operators mix channels (`coupling.inexact`). The zeros are chosen (`Where`), not multiplied: NaN and infinity of a silenced channel do not spread.
 *
 * Values of integer types that onnxruntime cannot choose from (int8, int16 and their kin) are left as they are.
 *
 * @param removed for each unit 1 where it goes: `Uint8Array(groups.unitCount)`
 *
 * Throws ArgumentError where `removed` is of another length.
 */
export function silence(groups: ChannelGroups, removed: Uint8Array): Graph {
  const silencer = new Silencer(groups, removed);
  silencer.silence();
  silencer.graph.sort();
  return silencer.graph;
}

/** A node that mixes channels, in a reference graph. */
export interface MixedNode {
  /** In `coupling.graph`. */
  readonly node: Node;
  readonly why: string;
  /** For each output: what the node gives for all channels, silenced ones as zeros, and what it gives for those that stay alone; both of the cut model's sizes. */
  readonly outputs: readonly { readonly silenced: Value; readonly cut: Value }[];
}

/** What a cut graph is compared with. */
export interface Reference {
  readonly graph: Graph;
  /** For each value of `coupling.graph` that was asked for: what the cut graph has of it. */
  readonly kept: ReadonlyMap<Value, Value>;
  readonly mixed: readonly MixedNode[];
  /** Nodes that mix channels and could not be computed on kept channels alone, and why. */
  readonly notReduced: readonly { readonly node: Node; readonly why: string }[];
}

/**
 * The silenced model in which the nodes that mix channels (`coupling.inexact`) compute on kept channels alone, as they stand in the cut graph: what is not inside them must equal the cut model everywhere. Weights of the cut
 * graph are not read, but those that carry no labels and stand among such a node's inputs (sizes, scales).
 *
 * @param wanted values of `coupling.graph` to have in the cut graph's sizes
 *
 * Throws ArgumentError where `removed` is of another length, StructuralError where what stays of a value is no rectangle.
 */
export function referenceFor(
  groups: ChannelGroups,
  removed: Uint8Array,
  cut: Graph,
  wanted: readonly Value[],
): Reference {
  const silencer = new Silencer(groups, removed);
  silencer.silence();
  const mixed: MixedNode[] = [];
  const notReduced: { node: Node; why: string }[] = [];
  for (const { node, why } of mixing(groups, silencer)) {
    const outputs = silencer.reduce(node, cut);
    if (typeof outputs === 'string') notReduced.push({ node, why: outputs });
    else mixed.push({ node, why, outputs });
  }
  const kept = new Map(wanted.map((value) => [value, silencer.kept(value)]));
  silencer.graph.sort();
  return { graph: silencer.graph, kept, mixed, notReduced };
}

/** The nodes that mix channels of which some go, each once, with all that is said of it. */
function mixing(groups: ChannelGroups, silencer: Silencer): { node: Node; why: string }[] {
  const reasons = new Map<Node, Set<string>>();
  for (const { node, why, labels } of groups.coupling.inexact) {
    if (!silencer.touches(labels)) continue;
    const known = reasons.get(node) ?? new Set();
    known.add(why);
    reasons.set(node, known);
  }
  return [...reasons].map(([node, whys]) => ({ node, why: [...whys].join('; ') }));
}

/** Dtypes that onnxruntime's `Where` takes, beside floats. */
const CHOSEN: ReadonlySet<string> = new Set(['int32', 'int64', 'uint8']);

/** First opset that has `Where`. */
const WHERE_OPSET = 9;

/** Edits a copy of the analysed graph. The order of its nodes is not kept: sort it at the end. */
class Silencer {
  readonly graph: Graph;
  readonly #groups: ChannelGroups;
  readonly #copy: GraphCopy;
  readonly #kept: Uint8Array;
  readonly #compactor: Compactor;
  readonly #masks = new Map<string, Value>();
  readonly #maskIds = new Map<Int32Array, number>();
  readonly #zeros = new Map<string, Value>();
  /** What stands in place of a value of the copy. */
  readonly #replaced = new Map<Value, Value>();

  constructor(groups: ChannelGroups, removed: Uint8Array) {
    if (removed.length !== groups.unitCount) {
      throw new ArgumentError(
        `silence: removed has ${removed.length} entries; expected one for each of the ${groups.unitCount} units`,
      );
    }
    this.#groups = groups;
    this.#copy = cloneGraph(groups.coupling.graph);
    this.graph = this.#copy.graph;
    this.#kept = groups.keptLabels(removed);
    this.#compactor = new Compactor(this.graph, this.#kept);
  }

  /** True where some of these channels go. */
  touches(labels: readonly Int32Array[]): boolean {
    return labels.some((own) => own.some((label) => this.#kept[label] === 0));
  }

  silence(): void {
    const constants = new Set<Value>();
    for (const node of this.#groups.coupling.graph.nodes) {
      for (const output of node.outputs) if (output) this.#silenceValue(output);
      // Beside silenced data a weight need not be: zeros make nothing of it. Where only weights meet, it is the weights that are silenced.
      const alone = node.inputs.every((value) => value === null || value.isInitializer);
      for (const value of node.inputs)
        if (value?.isInitializer && (alone || this.#isInner(node, value))) constants.add(value);
    }
    for (const value of constants) this.#silenceValue(value);
  }

  /** What the cut graph has of a value. */
  kept(value: Value): Value {
    const copy = this.#copy.values.get(value)!;
    return this.#compactor.compact(
      this.#replaced.get(copy) ?? copy,
      this.#channels(value),
      this.#shape(value),
    );
  }

  /** Lets a node compute on kept channels alone, as it stands in the cut graph; says why where it cannot. */
  reduce(node: Node, cut: Graph): MixedNode['outputs'] | string {
    const twin = twinOf(node, cut);
    if (!twin) return 'is not in the cut graph';
    if (node.subgraphs.length > 0) return 'has a graph of its own inside';
    const copy = this.#copy.nodes.get(node)!;
    const reduced = this.graph.addNode({
      opType: node.opType,
      domain: node.domain,
      overload: node.overload,
      name: node.name && `${node.name}_reduced`,
      inputs: node.inputs.map(
        (value, index) => value && this.#reducedInput(value, copy.input(index), twin.inputs[index]),
      ),
      outputs: node.outputs.map((output) => output && this.graph.freshName(`${output.name}_reduced`)),
      attributes: new Map(twin.attributes),
    });
    return node.outputs.flatMap((output, index) => {
      const cutOutput = reduced.outputs[index];
      if (!output || !cutOutput) return [];
      const before = this.#copy.values.get(output)!;
      const [channels, shape] = [this.#channels(output), this.#shape(output)];
      this.#replace(before, this.#compactor.spread(cutOutput, channels, shape));
      return [{ silenced: this.#compactor.compact(before, channels, shape), cut: cutOutput }];
    });
  }

  #reducedInput(value: Value, current: Value, twin: Value | null | undefined): Value {
    const channels = this.#channels(value);
    if (channels.length > 0) return this.#compactor.compact(current, channels, this.#shape(value));
    // What carries no channels but was written anew says sizes.
    if (twin?.initializer && twin.initializer !== value.initializer) return this.#constant(twin.initializer);
    return current;
  }

  /** Puts a value in place of another everywhere, also among the outputs of the graph, under its name. */
  #replace(value: Value, other: Value): void {
    const { name, type, isOutput } = value;
    other.type = type;
    value.replaceAllUsesWith(other);
    this.#replaced.set(value, other);
    if (!isOutput) return;
    this.graph.rename(value, this.graph.freshName(`${name}_silenced`));
    this.graph.rename(other, name);
  }

  /** True where no data that is silenced stands for channels of a weight: a node keeps them to itself (queries and keys of attention), or reads what it makes (a recurrent layer). */
  #isInner(node: Node, weight: Value): boolean {
    const own = this.#gone(weight);
    if (own.length === 0) return false;
    if (new Set(own).size < own.length) return true;
    const left = new Set(own);
    const data = node.inputs.filter((value) => !value?.isInitializer);
    for (const value of [...data, ...node.outputs]) {
      if (value && left.size > 0) for (const label of this.#gone(value)) left.delete(label);
    }
    return left.size > 0;
  }

  /** The labels of a value that go, each by what stands for all that are tied to it. */
  #gone(value: Value): number[] {
    const { coupling } = this.#groups;
    const gone: number[] = [];
    for (const { labels } of coupling.channels(value)) {
      for (const label of labels) if (this.#kept[label] === 0) gone.push(coupling.find(label));
    }
    return gone;
  }

  #silenceValue(value: Value): void {
    const type = this.#groups.coupling.inference.get(value);
    const channels = this.#channels(value);
    if (!type || channels.length === 0) return;
    const copy = this.#copy.values.get(value)!;
    const readers = copy.uses;
    const isChosen = dtypeInfo(type.dtype).kind === 'float' || CHOSEN.has(type.dtype);
    if (!isChosen && type.dtype !== 'bool') return;
    let current = copy;
    for (const bundle of channels) {
      const mask = this.#mask(bundle, this.#shape(value), type.dtype);
      if (type.dtype === 'bool') current = this.#op('And', [mask, current]);
      else if (this.graph.opset() < WHERE_OPSET) current = this.#op('Mul', [current, mask]);
      else current = this.#op('Where', [mask, current, this.#zero(type.dtype, type.shape.length)]);
    }
    current.type = copy.type;
    for (const { node, index } of readers) node.setInput(index, current);
  }

  /** The bundles of a value of which something goes. */
  #channels(value: Value): Channels {
    return touched(this.#groups.coupling.channels(value), this.#kept);
  }

  #shape(value: Value): readonly number[] {
    const shape = staticShape(this.#groups.coupling.inference.get(value)?.shape);
    if (shape) return shape;
    throw new GraphError(`Value '${value.name}': its sizes are not known`);
  }

  /** Truth values that broadcast to the value: false where a channel goes. Numbers of the dtype where opset 9 is not reached yet. */
  #mask(bundle: Bundle, shape: readonly number[], dtype: DType): Value {
    const asNumbers = dtype !== 'bool' && this.graph.opset() < WHERE_OPSET;
    const ascending = [...bundle.axes.keys()].sort((a, b) => bundle.axes[a]! - bundle.axes[b]!);
    const { axes, labels } = reordered(bundle, ascending, shape);
    const id = this.#maskIds.get(bundle.labels) ?? this.#maskIds.size;
    this.#maskIds.set(bundle.labels, id);
    const sizes = shape.map((size, axis) => (axes.includes(axis) ? size : 1));
    const key = [id, sizes, bundle.axes, asNumbers ? dtype : 'bool'].join(' ');
    const known = this.#masks.get(key);
    if (known) return known;
    const flags = flagsOf(labels, this.#kept);
    const tensor = asNumbers
      ? fromFloat32(new Tensor('float32', sizes, Float32Array.from(flags)), dtype)
      : new Tensor('bool', sizes, flags);
    const mask = this.#constant(tensor, 'kept');
    this.#masks.set(key, mask);
    return mask;
  }

  #zero(dtype: DType, rank: number): Value {
    const key = `${dtype} ${rank}`;
    const known = this.#zeros.get(key);
    if (known) return known;
    const zero = this.#constant(Tensor.zeros(dtype, new Array<number>(rank).fill(1)), 'zero');
    this.#zeros.set(key, zero);
    return zero;
  }

  #constant(tensor: Tensor, name = 'constant'): Value {
    return this.graph.addInitializer(this.graph.freshName(name), tensor);
  }

  #op(opType: string, inputs: readonly Value[]): Value {
    return this.graph.addNode({ opType, inputs }).output();
  }
}

/** The node of another graph that makes the value of the same name. */
function twinOf(node: Node, graph: Graph): Node | null {
  const first = node.outputs.find((output) => output !== null);
  const twin = first ? graph.find(first.name)?.producer : undefined;
  return twin?.opType === node.opType ? twin : null;
}
