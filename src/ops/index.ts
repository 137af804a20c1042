/** The operator table, shape inference and a builder of graphs. */
export { GraphBuilder, type OpOptions } from './builder.ts';
export {
  annotateTypes,
  Inference,
  type InferOptions,
  inferNode,
  inferShapes,
  type NotInferred,
} from './infer.ts';
export { channelLayout, convLayout, convTransposeLayout, linearLayout } from './layer.ts';
export {
  type Alias,
  type Convention,
  type Cost,
  type Inferred,
  isUnsupported,
  type Layer,
  type LayerParameter,
  type Operator,
  type Unsupported,
  type WeightLayout,
} from './operator.ts';
export {
  allNodes,
  type ConstantSource,
  constantSource,
  type GraphParameter,
  graphParameters,
  layerOf,
} from './parameters.ts';
export { findOperator, OPERATORS } from './table.ts';
