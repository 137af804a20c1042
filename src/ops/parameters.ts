import { dtypeInfo } from '../core/dtype.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Graph, Node, Value } from '../ir/index.ts';
import type { Layer, WeightLayout } from './operator.ts';
import { findOperator } from './table.ts';

/** A parameter or buffer found in a graph. */
export interface GraphParameter {
  /** The initializer, or the output of a node that stands for one. */
  readonly value: Value;
  readonly tensor: Tensor;
  /** Name in its layer, as PyTorch's: `weight`, `running_mean`; null where it belongs to no layer. */
  readonly name: string | null;
  readonly kind: 'parameter' | 'buffer';
  /** What the tensor's axes mean; null where that is not known. */
  readonly layout: WeightLayout | null;
  /** The first node that computes with it. */
  readonly node: Node;
  /** What layer that node is; null where it is none. */
  readonly layer: Layer | null;
}

/** Where the elements of a value come from, when they are known without running. */
export interface ConstantSource {
  /** The initializer, or what stands for one. */
  readonly value: Value;
  readonly tensor: Tensor;
  /** For each axis of the value asked for, the axis of the tensor that it is; null where it is new. */
  readonly axes: readonly (number | null)[];
}

/** Longest chain of Transpose, Cast and their kin that is followed back. */
const LONGEST_CHAIN = 16;

/**
 * The constant behind a value: an initializer, the tensor of a Constant node, or one of these seen through Transpose, Identity and
 * their kin; null where the value is computed.
 *
 * An Identity of a constant counts as a constant of its own: PyTorch's exporter writes so a parameter that happens to equal another.
 */
export function constantSource(value: Value, depth = 0): ConstantSource | null {
  if (value.initializer) return own(value, value.initializer);
  const { producer } = value;
  if (!producer || depth > LONGEST_CHAIN) return null;
  const operator = findOperator(producer.domain, producer.opType);
  const constant = operator?.constant?.(producer);
  if (constant) return own(value, constant);
  const alias = operator?.alias;
  const first = producer.inputs[0];
  if (!alias || !first) return null;
  const source = constantSource(first, depth + 1);
  const constantInput = (index: number): Tensor | null => {
    const input = producer.inputs[index];
    return input ? (constantSource(input, depth + 1)?.tensor ?? null) : null;
  };
  const step = source && alias(producer, source.axes.length, constantInput);
  if (!step) return null;
  if (isIdentity(step.axes, source.axes.length) && producer.inputs.length === 1) {
    if (isIdentity(source.axes, source.axes.length)) return own(value, source.tensor);
  }
  return { ...source, axes: step.axes.map((axis) => (axis === null ? null : (source.axes[axis] ?? null))) };
}

const own = (value: Value, tensor: Tensor): ConstantSource => ({
  value,
  tensor,
  axes: tensor.shape.map((_, axis) => axis),
});

const isIdentity = (axes: readonly (number | null)[], rank: number): boolean =>
  axes.length === rank && axes.every((axis, index) => axis === index);

/** Every node of a graph and its subgraphs. */
export function* allNodes(graph: Graph): Generator<Node> {
  for (const node of graph.nodes) {
    yield node;
    for (const subgraph of node.subgraphs) yield* allNodes(subgraph);
  }
}

/**
 * The parameters and buffers of a graph, each once, in order of use.
 *
 * They are what layers hold (by the operators' own rules), and beside that floating-point constants of more than one element that are
 * computed with (`class_token`, a layer scale, the bias that an Add puts behind a MatMul). Not among the latter are constants that only
 * steer an operator (scales of a Resize), and those whose name the exporter made up, such as `/model.24/Constant_2_output_0`, `465`
 * or `onnx::Mul_12`: in practice these are grids and folded arithmetic.
 */
export function graphParameters(graph: Graph): readonly GraphParameter[] {
  const found = new Map<Value, GraphParameter>();
  const nodes = [...allNodes(graph)];
  for (const node of nodes) {
    const layer = layerOf(node);
    for (const { name, input, kind, layout } of layer?.parameters ?? []) {
      const value = node.inputs[input];
      const source = value && constantSource(value);
      if (!source || found.has(source.value)) continue;
      const placed = layout ? layoutThrough(layout, source.axes) : null;
      found.set(source.value, { ...pick(source), name, kind, layout: placed, node, layer });
    }
  }
  for (const node of nodes) {
    const operator = findOperator(node.domain, node.opType);
    if (operator?.alias || operator?.constant) continue;
    node.inputs.forEach((value, index) => {
      if (!value || found.has(value) || operator?.shapeInput === index || operator?.steering?.includes(index))
        return;
      const source = constantSource(value);
      if (!source || found.has(source.value) || !isWeightLike(source)) return;
      found.set(source.value, {
        ...pick(source),
        name: null,
        kind: 'parameter',
        layout: null,
        node,
        layer: null,
      });
    });
  }
  return [...found.values()];
}

/** The layer a node is, by its operator's rule; null where it is none. */
export function layerOf(node: Node): Layer | null {
  const rule = findOperator(node.domain, node.opType)?.layer;
  const isConstant = (index: number): boolean => {
    const value = node.inputs[index];
    return value !== null && value !== undefined && constantSource(value) !== null;
  };
  return rule?.(node, isConstant) ?? null;
}

/** How a layer's weight is laid out; null where a node is no layer, or its weight has no layout. */
export const weightLayoutOf = (node: Node): WeightLayout | null =>
  layerOf(node)?.parameters[0]?.layout ?? null;

const pick = ({ value, tensor }: ConstantSource): Pick<GraphParameter, 'value' | 'tensor'> => ({
  value,
  tensor,
});

const isWeightLike = ({ value, tensor }: ConstantSource): boolean =>
  tensor.size > 1 && dtypeInfo(tensor.dtype).kind === 'float' && !isGeneratedName(value.name);

/** True for names that exporters make up for constants: numbers, `onnx::Mul_12`, `Constant_output_0`. */
const isGeneratedName = (name: string): boolean => /^\d+$|^onnx::|constant/i.test(name);

/** A layout's axes seen from the stored tensor; null where an axis is lost on the way. */
function layoutThrough(layout: WeightLayout, axes: readonly (number | null)[]): WeightLayout | null {
  const output = axes[layout.output];
  const input = layout.input === null ? null : axes[layout.input];
  const kernel = layout.kernel.map((axis) => axes[axis]);
  if (output === undefined || output === null || input === undefined) return null;
  if (layout.input !== null && input === null) return null;
  const known = kernel.filter((axis): axis is number => typeof axis === 'number');
  return known.length === kernel.length ? { output, input, kernel: known, groups: layout.groups } : null;
}
