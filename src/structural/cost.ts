import { byteLengthOf } from '../core/dtype.ts';
import { sizeOf } from '../core/tensor.ts';
import type { Node, Value } from '../ir/index.ts';
import {
  findOperator,
  type GraphParameter,
  graphParameters,
  type Inferred,
  isUnsupported,
} from '../ops/index.ts';
import type { Coupling } from './coupling.ts';
import type { ChannelGroups } from './groups.ts';
import { KeptShapes } from './kept-sizes.ts';

/** What a model has and computes. */
export interface ModelCost {
  readonly parameters: number;
  /** Multiply-accumulates of contractions, without bias, at the shapes that were analysed. */
  readonly macs: number;
  /** Bytes of parameters and buffers. */
  readonly weightBytes: number;
}

/** Parameters of the coupling's graph: they are found once. */
const parametersOf = new WeakMap<Coupling, readonly GraphParameter[]>();

/** What the model has and computes when some units (1 in `removed`) are gone; counted from sizes, nothing is built. Throws StructuralError where they cannot go together. */
export function costOf(groups: ChannelGroups, removed: Uint8Array): ModelCost {
  const { coupling } = groups;
  const shapes = new KeptShapes(coupling, groups.keptLabels(removed));
  let found = parametersOf.get(coupling);
  if (!found) {
    found = graphParameters(coupling.graph);
    parametersOf.set(coupling, found);
  }
  let parameters = 0;
  let weightBytes = 0;
  for (const { value, tensor, kind } of found) {
    const size = sizeOf(shapes.after(value) ?? tensor.shape);
    if (kind === 'parameter') parameters += size;
    weightBytes += byteLengthOf(tensor.dtype, size);
  }
  let macs = 0;
  for (const node of coupling.graph.nodes) macs += macsOf(node, coupling, shapes);
  return { parameters, macs, weightBytes };
}

function macsOf(node: Node, coupling: Coupling, shapes: KeptShapes): number {
  const cost = findOperator(node.domain, node.opType)?.cost;
  if (!cost || isUnsupported(cost)) return 0;
  const sized = (value: Value | null): Inferred | null => {
    const inferred = value && coupling.inference.get(value);
    const shape = value && shapes.after(value);
    return inferred && shape ? { dtype: inferred.dtype, shape } : null;
  };
  const inputs = node.inputs.map(sized);
  const outputs = node.outputs.map(sized);
  const isOpen = (values: readonly (Value | null)[], sizes: readonly (Inferred | null)[]): boolean =>
    values.some((value, index) => value !== null && sizes[index] === null);
  if (isOpen(node.inputs, inputs) || isOpen(node.outputs, outputs)) return 0;
  return cost({ node, opset: node.graph.opset(node.domain), inputs, outputs }).macs;
}
