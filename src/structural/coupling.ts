import type { Graph, Node, Value } from '../ir/index.ts';
import type { Channels, CutContext, Inference } from '../ops/index.ts';

/** An axis of a weight along which an operator makes output channels. */
export interface Source {
  /** The first node that makes channels of it. */
  readonly node: Node;
  /** The initializer. */
  readonly value: Value;
  readonly axis: number;
  /** Name of the layer, as PyTorch's: `model.0.conv`. */
  readonly name: string;
  /** One label for each index of the axis. */
  readonly labels: Int32Array;
}

/**
 * A matrix of labels that must stay a rectangle: of each row equally many elements stay, or the row goes whole; a row's own label goes when the row goes. Where columns have labels, too, an element goes
 * exactly where its row or its column goes.
 */
export interface Rectangle {
  readonly rows: Int32Array;
  readonly columns: Int32Array | null;
  /** Row-major; `rows.length` rows. */
  readonly elements: Int32Array;
  /** True where an operator works row by row (heads of attention, groups of a convolution): rows may then be asked to go whole. */
  readonly rowsUsed: boolean;
}

/** An axis of a weight that holds other channels for each part of another axis: the input axis of a grouped convolution. */
export interface PartedAxis {
  readonly node: Node;
  /** The initializer. */
  readonly value: Value;
  readonly axis: number;
  readonly along: number;
  readonly parts: number;
  /** A row of labels for each part. */
  readonly labels: Int32Array;
}

/** An axis of a weight that reads channels. */
export interface Consumer {
  readonly node: Node;
  /** The initializer. */
  readonly value: Value;
  readonly axis: number;
}

/** What a node does to channels that keeps the cut model from equalling the silenced one there. */
export interface Inexact {
  readonly node: Node;
  readonly why: string;
  /** The labels that are mixed. */
  readonly labels: readonly Int32Array[];
}

/** What hangs together in a graph: the labels on every value, and what ties them. */
export interface Coupling {
  /** The graph that was analysed: a copy of the one given, with the same names; tensors are shared. */
  readonly graph: Graph;
  /** Types of its values for the shapes it was analysed at. */
  readonly inference: Inference;
  /** Shapes of its feeds. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly labelCount: number;
  readonly sources: readonly Source[];
  readonly consumers: readonly Consumer[];
  readonly partedAxes: readonly PartedAxis[];
  /** Vectors that several nodes read stand once for each: the copies, and what each was copied from. */
  readonly copies: ReadonlyMap<Value, Value>;
  readonly rectangles: readonly Rectangle[];
  /** Nodes that mix channels. */
  readonly inexact: readonly Inexact[];
  /** Nodes without a channel rule, and why: what they touch is not cut. */
  readonly notFollowed: readonly { readonly node: Node; readonly why: string }[];
  /** Names of initializers as PyTorch's state dict has them, where the graph tells them: `model.0.conv.weight`. */
  nameOf(value: Value): string;
  /** Labels of a value; empty where it carries none. */
  channels(value: Value): Channels;
  /** The label that stands for all labels tied to this one. */
  find(label: number): number;
  /** Why a label cannot be cut; null where it can. */
  frozen(label: number): string | null;
  /** How the node writes sizes anew: see `ChannelsResult.cut`. */
  cutRule(node: Node): ((ctx: CutContext) => void) | undefined;
}
