import type { DType } from '../core/dtype.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Attribute, Dim, Graph, Node, Shape, Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';

/** Written in place of a rule an operator does not have, with the reason, which errors and reports quote. */
export interface Unsupported {
  readonly unsupported: string;
}

/** `grad: unsupported('rounding has no useful gradient')` */
export const unsupported = (why: string): Unsupported => ({ unsupported: why });

/** True where a rule is missing. */
export const isUnsupported = (rule: object): rule is Unsupported => 'unsupported' in rule;

/**
 * An element of a value known without running the graph: a number (64-bit integers beyond 2^53 are rounded; booleans are 0 and 1),
 * or a symbol where it is a dimension whose size is not known, or null where nothing is known of it.
 */
export type Known = Dim;

/** What inference knows of a tensor: dtype, shape and, where it follows from constants and shapes, its elements. */
export interface Inferred {
  readonly dtype: DType;
  readonly shape: Shape;
  /** Elements in row-major order, for small tensors of shape arithmetic. */
  readonly known?: readonly Known[];
}

/** What a rule is told of its node. */
export interface InferContext {
  readonly node: Node;
  /** Version of the node's operator domain. */
  readonly opset: number;
  /** The inputs; null where one is left out. */
  readonly inputs: readonly (Inferred | null)[];
  /** Input `index`. Throws ShapeError that names it where it is left out. */
  input(index: number): Inferred;
  /** Known elements of input `index`; undefined where it is left out or not known. */
  known(index: number): readonly Known[] | undefined;
  /** Known elements of input `index` that are all numbers; undefined otherwise. */
  numbers(index: number): readonly number[] | undefined;
  /** A ShapeError that begins with the node's label: `throw ctx.error('weight expects 32 input channels, got 64')`. */
  error(message: string): Error;
  /** Infers a subgraph (a branch of If, a body of Loop) whose inputs have these types; gives its outputs (null: unknown). */
  inferSubgraph(graph: Graph, inputs: readonly (Inferred | null)[]): (Inferred | null)[];
}

/** Dtypes and shapes of the outputs out of those of the inputs; null for an output of which nothing can be said. */
export type InferRule = (ctx: InferContext) => readonly (Inferred | null)[];

/** Ways of counting that have rules of their own; `flops` is twice `macs`. */
export type Convention = 'macs' | 'thop@0.0.31' | 'thop@0.1.1';

/**
 * Operations of one application of an operator, by convention. `macs` are multiply-accumulates of contractions (convolutions, linear
 * layers, matrix products) without bias; the others are what those versions of thop call FLOPs.
 */
export type Cost = Readonly<Record<Convention, number>>;

/** What a cost rule is told: inputs and outputs with static shapes. */
export interface CostContext {
  readonly node: Node;
  readonly opset: number;
  readonly inputs: readonly (Inferred | null)[];
  readonly outputs: readonly (Inferred | null)[];
}

/** Operations of a node whose shapes are known. */
export type CostRule = (ctx: CostContext) => Cost;

/** What rules that build nodes are told of the node they stand for. */
export interface RewriteContext {
  readonly node: Node;
  /** Version of the node's operator domain. */
  readonly opset: number;
  /** Makes nodes; every value it makes is inferred at once. */
  readonly make: Expressions;
  /** Input `index` of the node. Throws GraphError where it is left out. */
  input(index: number): Value;
  /** Sizes of a value. Throws UnsupportedError, which names node and value, where one is not a number. */
  shape(value: Value): readonly number[];
  /** Elements of input `index` as numbers, where it is left out or known without running the graph; undefined otherwise. */
  numbers(index: number): readonly number[] | undefined;
  /** An UnsupportedError that begins with the node's label. */
  unsupported(why: string): Error;
}

/** What a gradient rule is told: the node, the gradients of its outputs (null: none flows), and a maker of more nodes. */
export interface GradContext extends RewriteContext {
  readonly gradOutputs: readonly (Value | null)[];
  /** Gradient of output 0. Throws UnsupportedError where none flows there but only through another output. */
  readonly grad: Value;
  /** Output `index` of the node, to be used again in the gradient. It is added to the node where the file left it out. */
  output(index: number): Value;
  /** True where the gradient of input `index` is wanted. */
  needs(index: number): boolean;
}

/**
 * Builds the gradients of the inputs as more graph nodes, one an input in order (null, or left out at the end: none). Each has the dtype of its input and its shape, or one of
 * the same rank that broadcasts to it (a mean's gradient is the same everywhere: it need not be spread out). Rules are only asked in graphs of at least opset `GRADIENT_OPSET`, and need not build what `needs` does not ask for.
 */
export type GradRule = (ctx: GradContext) => readonly (Value | null)[];

/** Oldest opset of graphs that are differentiated; `upgradeOpset` brings older ones there. */
export const GRADIENT_OPSET = 18;

/**
 * Rewrites a node written for an older opset so that it means the same at `GRADIENT_OPSET`: gives the values in place of its outputs, or null where it may
 * stay as it is.
 */
export type UpgradeRule = (ctx: RewriteContext) => readonly (Value | null)[] | null;

/** What the gradient of a composition is told. */
export interface CompositionContext {
  readonly make: Expressions;
  /** Gradients of the outputs; null: none flows. */
  readonly gradOutputs: readonly (Value | null)[];
  /** True where the gradient of input `index` is wanted. */
  needs(index: number): boolean;
}

/**
 * Nodes that compute one thing together, whose gradient is known as a whole: fewer passes over memory than the gradients of its nodes one by one. Nothing else reads what its nodes make
 * but its outputs.
 */
export interface Composition {
  readonly nodes: readonly Node[];
  /** What its nodes read of others, as they stand when asked. */
  inputs(): readonly Value[];
  readonly outputs: readonly Value[];
  /** Gradients of the inputs, in order. */
  grad(ctx: CompositionContext): readonly (Value | null)[];
}

/** What a training rule is told. */
export interface TrainingContext extends RewriteContext {
  /** Notes nodes whose gradient is known as a whole. */
  compose(composition: Composition): void;
  /** Uniform random numbers in [0, 1), drawn anew for each step: float32 of that shape. */
  uniform(shape: readonly number[]): Value;
  /** Notes the next value of input `index`, a buffer such as running statistics. */
  update(index: number, value: Value): void;
}

/** What an operator computes while a model is trained, where that differs from what its node says: gives its outputs. Null where it does not differ. */
export type TrainingRule = (ctx: TrainingContext) => readonly (Value | null)[] | null;

/**
 * Labels of the indices along some axes of a value: row-major over the sizes of `axes`, in the order listed. Usually one axis and a vector; after a Reshape that splits an axis, two axes
 * and a matrix, whose first axis is that of its rows also where a Transpose has put it behind. Axes of size 1 carry no labels.
 */
export interface Bundle {
  readonly axes: readonly number[];
  readonly labels: Int32Array;
}

/** The labels of a value, on disjoint axes. An axis in no bundle carries none: it is not followed and cannot be cut. */
export type Channels = readonly Bundle[];

/** Labels along one axis; null: the axis carries none. */
export type AxisLabels = Int32Array | null;

/**
 * What a channel rule is told of its node, and how it ties labels together. A label is one index along an axis that could be cut; labels that are tied can only go together. Sizes are
 * static here. See the design, "labels and rectangles".
 */
export interface ChannelsContext {
  readonly node: Node;
  /** Version of the node's operator domain. */
  readonly opset: number;
  /** True where the node has input `index`. */
  has(index: number): boolean;
  /** Sizes of input `index`. */
  shape(index: number): readonly number[];
  /** Sizes of output `index`. */
  outputShape(index: number): readonly number[];
  /** Elements of input `index`, where they are known without running. */
  numbers(index: number): readonly number[] | undefined;
  /** Labels of input `index`; empty where it carries none or is left out. */
  channels(index: number): Channels;
  /**
   * Labels of one axis (counted from the front) of input `index`: an index is alive where anything at it is. In a bundle of several axes these are labels of whole rows or columns. Asking for
   * a later axis of a bundle gives its columns an identity: all rows then lose the same ones.
   */
  axis(index: number, axis: number): AxisLabels;
  /** As `axis`, of any labels on a value of these sizes (of the axes that carry labels; a vector may be seen as a matrix so). */
  axisOf(channels: Channels, axis: number, shape: readonly number[]): AxisLabels;
  /** The axis labels `axis` would give, as a bundle of their own on axis `to`; empty where there are none. */
  moved(index: number, axis: number, to: number): Channels;
  /** Ties labels position by position. Where one side carries none, the other cannot be cut. `why` says so, after the node's label: `is added to what cannot be cut`. */
  tie(a: AxisLabels, b: AxisLabels, why?: string): void;
  /** Ties an axis of an input with an axis of another (or the same) that it is multiplied and summed with: of a weight, this is its input axis. */
  contract(a: number, axisA: number, b: number, axisB: number): void;
  /** Says that an axis of input `index` makes output channels where that input is a weight: those may be cut. Gives its labels. */
  source(index: number, axis: number): AxisLabels;
  /** Channels that must stay, with the reason for the report (`Softmax '/s': …` is put before it). Nothing for null. */
  freeze(labels: AxisLabels | Channels, why: string): void;
  /** `count` labels that nothing is tied to yet: of channels that are made of nothing, and may go with what they meet. */
  fresh(count: number): Int32Array;
  /** `count` labels that can never be cut, for what is joined to labelled channels and carries none. */
  fixed(count: number, why: string): Int32Array;
  /** Says that the node mixes the channels on these labels (a mean, a norm, a softmax over them): they may be cut, but equality with the silenced model does not hold there. */
  inexact(labels: AxisLabels | Channels, why: string): void;
  /**
   * Labels of a broadcast of several inputs (all by default) to a shape (that of output 0 by default), as elementwise operators do it: aligned at the last axis; labels that meet are tied,
   * an axis of size 1 takes those of the others.
   */
  broadcast(indices?: readonly number[], shape?: readonly number[]): Channels;
  /** Labels without those on some axes: whatever differs along them is tied first (an axis that is mixed with others that are not followed). */
  collapse(channels: Channels, axes: readonly number[], shape: readonly number[]): Channels;
  /** Makes rows and columns of every bundle keep their identity: needed before its axes come in another order in one axis. */
  grid(bundle: Bundle, shape: readonly number[]): void;
  /**
   * Says that axis `axis` of weight `index` holds other channels for each part of its axis `along` (a grouped convolution's input axis): `labels` is a matrix, a row for each of the parts, that
   * are equally long. The cut then picks along `axis` part by part; costs, importance and plans count it so. Call it in place of tying that axis.
   */
  perPart(index: number, axis: number, along: number, labels: Int32Array): void;
}

/** What a cut is told of a node, in the graph that is being cut: weights are cut already, nodes before it too. */
export interface CutContext {
  /** The node in the copy that is cut. */
  readonly node: Node;
  readonly opset: number;
  /** Sizes of input `index` before the cut. */
  shapeBefore(index: number): readonly number[];
  /** Sizes of input `index` after the cut. */
  shape(index: number): readonly number[];
  /** Sizes that output `index` must have after the cut. */
  outputShape(index: number): readonly number[];
  /** For each of these labels, whether it stays. */
  keeps(labels: Int32Array): readonly boolean[];
  /** How many of these labels stay. */
  kept(labels: Int32Array): number;
  /** Elements of input `index` before the cut, where they are known. */
  numbersBefore(index: number): readonly number[] | undefined;
  /** Sets an attribute. */
  setAttribute(name: string, attribute: Attribute): void;
  /**
   * Demands integers of input `index` (null: whatever stands there). Where the graph gives others, a constant is put in its place. Throws StructuralError where an open one is not known.
   */
  setNumbers(index: number, values: readonly (number | null)[]): void;
  /** Puts a constant in place of input `index`. */
  setConstant(index: number, tensor: Tensor): void;
  /** An error that begins with the node's label. */
  error(message: string): Error;
}

/** What a channel rule gives. */
export interface ChannelsResult {
  /** Labels of the outputs. Missing ones: none. Every axis they name has its size in `outputShape`. */
  readonly outputs: readonly Channels[];
  /** Counts anew what the node says of sizes, where it says any: Split sizes, Reshape shapes, groups, heads. Called only where something the node reads or makes is cut. */
  readonly cut?: (ctx: CutContext) => void;
}

/** Ties the channels of inputs, weights and outputs of a node. */
export type ChannelsRule = (ctx: ChannelsContext) => ChannelsResult;

/** How the axes of a weight are used. */
export interface WeightLayout {
  /** Axis of output channels (filters). */
  readonly output: number;
  /** Axis of input channels, counted per group; null where the weight has none (depth-only scales). */
  readonly input: number | null;
  /** Axes of the kernel window; empty for linear layers. */
  readonly kernel: readonly number[];
  readonly groups: number;
}

/** A parameter or buffer among the inputs of a node. */
export interface LayerParameter {
  /** PyTorch's name: `weight`, `bias`, `running_mean`, … */
  readonly name: string;
  /** Index of the input that holds it. */
  readonly input: number;
  readonly kind: 'parameter' | 'buffer';
  readonly layout?: WeightLayout;
}

/** An operator seen as a layer with parameters, for the Module view of a graph. */
export interface Layer {
  /** PyTorch's class, such as `Conv2d`. */
  readonly type: string;
  readonly parameters: readonly LayerParameter[];
}

/** An output that holds the elements of an input, reordered or reshaped but not computed with. */
export interface Alias {
  readonly input: number;
  /** For each axis of the output, the axis of the input that it is; null where it is a new one. */
  readonly axes: readonly (number | null)[];
}

/** Normalization by statistics that are known beforehand: `(x - mean) scale / √(variance + ε) + bias`, channel by channel. */
export interface RunningNorm {
  /** Indices of inputs. */
  readonly scale: number;
  readonly bias: number;
  readonly mean: number;
  readonly variance: number;
  readonly epsilon: number;
}

/**
 * All that is known of an operator, in one place. Every rule must be written, or written off with `unsupported("why")`:
 * a forgotten one does not compile.
 */
export interface Operator {
  /** `''` for ONNX's own domain. */
  readonly domain: string;
  readonly opType: string;
  /** First and last opset of its domain whose semantics the rules follow. */
  readonly opsets: readonly [first: number, last: number];
  /** One sentence for the operator table of the docs. */
  readonly summary: string;
  /** Input that holds a target shape or sizes as data (`Reshape`: 1), where there is one. */
  readonly shapeInput?: number;
  /** Inputs that steer the operator (scales, regions, bounds) and are no data it computes with: constants there are no parameters. */
  readonly steering?: readonly number[];
  /** The tensor that a node without inputs stands for (`Constant`). */
  readonly constant?: (node: Node) => Tensor | null;
  /** Where output 0 is an input in another order or shape (`Identity`, `Transpose`); null where this node is not that. `constant(i)`: the elements of input i, if known. */
  readonly alias?: (
    node: Node,
    inputRank: number,
    constant: (input: number) => Tensor | null,
  ) => Alias | null;
  /** True where output 0 holds the elements of input 0 in their order, whatever its shape (`Reshape`, `Identity`). */
  readonly reshapes?: boolean;
  /** True where every element of every output is an element of input 0, chosen or repeated (`Slice`, `Expand`); `reshapes` and `alias` say more. */
  readonly picks?: boolean;
  /** True where output 0 is input 0 broadcast against a shape (`Expand`): a node that broadcasts its inputs may read input 0 in its place. */
  readonly expands?: boolean;
  /** The number that the output is filled with (`ConstantOfShape`). */
  readonly fills?: (node: Node) => number;
  /** Inputs that count as zeros where they are left out (initial states of an `LSTM`). */
  readonly zeroInputs?: readonly number[];
  /** True where the output depends on more than the inputs (random numbers): never folded, never merged. */
  readonly nondeterministic?: boolean;
  /** Of what is nondeterministic, true for nodes that draw nothing all the same (`Dropout` outside training, or of ratio 0). */
  readonly drawsNothing?: (node: Node) => boolean;
  /** True where output 0 is computed element by element from two inputs that are broadcast against each other (`Sub`). */
  readonly broadcasts?: boolean;
  /** Where output 0 is the inputs one behind the other (`Concat`): along which axis. */
  readonly joins?: (node: Node) => number;
  /** Where a node may normalize by running statistics (`BatchNormalization`): how it does, or why it does not. */
  readonly runningNorm?: (node: Node) => RunningNorm | string;
  /** True where output 0 is the sum of its inputs (`Add`): of two, each can stand for the sum where the other is left out. */
  readonly sum?: boolean;
  /** True where output 0 is the product of its inputs (`Mul`): it is 0 where one of them is. */
  readonly product?: boolean;
  /**
   * Where output 0 is a sum of elements of one input, each times an element of the layer's weight, plus a bias, and nothing else: convolutions, linear layers. `bias`: the input at which each output channel's bias can stand; null where there is none. `besides`:
   * what the node does to its input or its sum beyond that.
   */
  readonly weightedSum?: (node: Node) => { readonly bias: number | null; readonly besides?: string };
  readonly infer: InferRule;
  readonly cost: CostRule | Unsupported;
  readonly grad: GradRule | Unsupported;
  readonly channels: ChannelsRule | Unsupported;
  /** Where older opsets wrote or meant the operator differently; left out where any node may stay as it is. */
  readonly upgrade?: UpgradeRule;
  /** Where training computes something else than inference (`BatchNormalization`, `Dropout`). */
  readonly training?: TrainingRule;
  /** How onnxruntime computes it faster on channels in blocks of a size, where weights are not constant; null where it does not. */
  readonly blocked?: (ctx: RewriteContext, block: number) => Value | null;
  /** The layer a node is, where it has parameters; null where this node is none. `isConstant(i)`: input i is known without running. */
  readonly layer: ((node: Node, isConstant: (input: number) => boolean) => Layer | null) | null;
}

/** Newest opset of ONNX's own domain that the rules were checked against. */
export const LATEST_OPSET = 24;
