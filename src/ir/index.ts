/** The graph: values, nodes, graphs, their types and attributes, with ONNX's semantics. */
export {
  type Attribute,
  type AttributeKind,
  type AttributeString,
  type Attributes,
  type AttributeValues,
  attr,
} from './attribute.ts';
export { cloneGraph, type GraphCopy } from './clone.ts';
export {
  type FunctionDefinition,
  Graph,
  type ModelMeta,
  type NodeSpec,
  normalizeDomain,
  type QuantizationAnnotation,
  readBy,
} from './graph.ts';
export type { Node } from './node.ts';
export { printNode, printTensor } from './print.ts';
export {
  type ContainerType,
  type Dim,
  printType,
  type Shape,
  staticShape,
  type TensorType,
  tensorType,
  type ValueType,
} from './types.ts';
export type { Use, Value } from './value.ts';
