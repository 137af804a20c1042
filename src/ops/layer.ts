import type { Node, Shape, Value } from '../ir/index.ts';
import type { Layer, LayerParameter, WeightLayout } from './operator.ts';

/** Layers of constants computed from constants that are followed: a mask, a dequantization, an Identity. */
const DEEPEST_CONSTANT = 8;

/**
 * Layout of the weight of a convolution over `rank` spatial dimensions: `[out, in / groups, ...kernel]`.
 */
export const convLayout = (rank: number, groups = 1): WeightLayout => ({
  output: 0,
  input: 1,
  kernel: kernelAxes(rank),
  groups,
});

/**
 * Layout of the weight of a transposed convolution: `[in, out / groups, ...kernel]`. Here it is the output channels that are
 * counted per group.
 */
export const convTransposeLayout = (rank: number, groups = 1): WeightLayout => ({
  output: 1,
  input: 0,
  kernel: kernelAxes(rank),
  groups,
});

/** Layout of a linear layer's weight: PyTorch's `[out, in]`, or `[in, out]` where `inputFirst`. */
export const linearLayout = (inputFirst = false): WeightLayout => ({
  output: inputFirst ? 1 : 0,
  input: inputFirst ? 0 : 1,
  kernel: [],
  groups: 1,
});

/** Layout of a vector with one entry per channel, such as the scale of a normalization. */
export const channelLayout = (axis = 0): WeightLayout => ({
  output: axis,
  input: null,
  kernel: [],
  groups: 1,
});

const kernelAxes = (rank: number): readonly number[] => Array.from({ length: rank }, (_, axis) => axis + 2);

/**
 * True where the value is the same in every run: an initializer, a Constant, or computed from such alone (a masked, transposed or
 * dequantized weight).
 */
export function isFixed(value: Value | null | undefined, depth = DEEPEST_CONSTANT): boolean {
  if (!value) return false;
  if (value.isInitializer) return true;
  const { producer } = value;
  if (!producer || depth === 0 || producer.subgraphs.length > 0) return false;
  if (producer.inputs.length === 0) return producer.opType === 'Constant';
  return producer.inputs.every((input) => input === null || isFixed(input, depth - 1));
}

/** The shape of input `index` as far as the graph states it; null where it does not. */
export function statedShape(node: Node, index: number): Shape | null {
  const value = node.inputs[index];
  if (value?.initializer) return value.initializer.shape;
  return value?.type?.kind === 'tensor' ? value.type.shape : null;
}

/** A parameter or buffer of a layer, before it is known whether the node has it. */
type Slot = readonly [
  name: string,
  input: number,
  layout?: WeightLayout | undefined,
  kind?: LayerParameter['kind'],
];

/** Tells whether an input is known without running. */
export type IsConstant = (input: number) => boolean;

/** The layer of a node: those of its possible parameters that it has; null where the first is missing or not constant. */
export function makeLayer(isConstant: IsConstant, type: string, slots: readonly Slot[]): Layer | null {
  if (!isConstant(slots[0]![1])) return null;
  const parameters = slots
    .filter(([, input]) => isConstant(input))
    .map(([name, input, layout, kind = 'parameter']) => ({
      name,
      input,
      kind,
      ...(layout ? { layout } : {}),
    }));
  return { type, parameters };
}
