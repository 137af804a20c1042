import { type Node, readBy, staticShape, type Value } from '../ir/index.ts';
import { findOperator, weightLayoutOf } from '../ops/index.ts';
import { touched } from './compact.ts';
import type { ChannelGroups } from './groups.ts';

/** A layer whose weights are fitted to what it gave before its inputs went. Nodes and values are those of `coupling.graph`. */
export interface RepairLayer {
  readonly node: Node;
  readonly weight: Value;
  /** True for `[out, in, …]`, false for `[in, out]`. */
  readonly outputFirst: boolean;
  /** A bias of its own; null where it has none, or others read it. */
  readonly bias: Value | null;
  /** Axis of the channels it reads and makes. */
  readonly axis: number;
}

/** The layers that lose inputs and can be repaired, in the order they run; and why others cannot. */
export function layersToRepair(
  groups: ChannelGroups,
  removed: Uint8Array,
): { readonly layers: readonly RepairLayer[]; readonly notes: readonly string[] } {
  const { coupling } = groups;
  const kept = groups.keptLabels(removed);
  const isCut = (value: Value, isAsked: (axis: number) => boolean): boolean =>
    touched(coupling.channels(value), kept).some(({ axes }) => axes.some(isAsked));
  const losing = new Map<Node, Value>();
  for (const { node, value, axis } of coupling.consumers) {
    if (isCut(value, (own) => own === axis)) losing.set(node, value);
  }
  for (const { node, value, labels } of coupling.partedAxes) {
    if (labels.some((label) => kept[label] === 0)) losing.set(node, value);
  }
  const layers: RepairLayer[] = [];
  const notes: string[] = [];
  for (const node of coupling.graph.nodes) {
    const weight = losing.get(node);
    if (!weight) continue;
    const layer = layerOf(node, weight);
    if (typeof layer === 'string') {
      notes.push(`${node.label}: ${layer}; its weights stay`);
      continue;
    }
    const data = [node.input(0), node.output()];
    if (data.some((value) => isCut(value, (axis) => axis !== channelAxis(layer, rankOf(groups, value))))) {
      notes.push(`${node.label}: has other axes that were cut; its weights stay`);
    } else layers.push(layer);
  }
  return { layers, notes };
}

/** The axis of channels of what a layer reads or makes. */
const channelAxis = ({ axis }: RepairLayer, rank: number): number => (axis < 0 ? rank + axis : axis);

const rankOf = ({ coupling }: ChannelGroups, value: Value): number =>
  staticShape(coupling.inference.get(value)?.shape)?.length ?? 0;

/** How a node uses its weight; says why where it cannot be repaired. */
function layerOf(node: Node, weight: Value): RepairLayer | string {
  const tensor = weight.initializer;
  if (node.inputs[1] !== weight || !tensor) return 'reads channels by another input than its weight';
  if (tensor.dtype !== 'float32') return `has a weight of ${tensor.dtype}, not float32`;
  if (weight.uses.length > 1) return 'shares its weight with others';
  const sum = findOperator(node.domain, node.opType)?.weightedSum?.(node);
  if (!sum) return NO_LAYER;
  if (sum.besides) return sum.besides;
  const layout = weightLayoutOf(node);
  if (!layout) return 'multiplies with more than one matrix';
  if (layout.groups !== 1) return 'is a convolution of several groups';
  const [isConvolution, outputFirst] = [layout.kernel.length > 0, layout.output === 0];
  // A transposed one gathers what it reads in another way.
  if (isConvolution && !outputFirst) return NO_LAYER;
  const bias = biasOf(node, sum.bias, outputFirst);
  return { node, weight, outputFirst, bias, axis: isConvolution ? 1 : -1 };
}

const NO_LAYER = 'is neither a convolution nor a linear layer';

/** The bias of a layer, one number an output, that nothing else reads. */
function biasOf(node: Node, input: number | null, outputFirst: boolean): Value | null {
  const bias = input === null ? null : node.inputs[input];
  const tensor = bias?.initializer;
  if (!bias || tensor?.dtype !== 'float32' || bias.uses.length > 1) return null;
  const outputs = node.input(1).initializer!.shape[outputFirst ? 0 : 1];
  return tensor.size === outputs ? bias : null;
}

/** For each layer how many others stand before it, one behind the other: those of one level do not read each other. */
export function levelsOf(layers: readonly RepairLayer[]): readonly (readonly RepairLayer[])[] {
  const byNode = new Map(layers.map((layer) => [layer.node, layer]));
  const graph = layers[0]?.node.graph;
  const depths = new Map<Value, number>();
  const levels: RepairLayer[][] = [];
  for (const node of graph?.nodes ?? []) {
    let depth = 0;
    for (const value of readBy(node)) depth = Math.max(depth, depths.get(value) ?? 0);
    const layer = byNode.get(node);
    if (layer) {
      const level = levels[depth] ?? [];
      level.push(layer);
      levels[depth] = level;
      depth++;
    }
    for (const output of node.outputs) if (output) depths.set(output, depth);
  }
  return levels;
}
