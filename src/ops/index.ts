/** The operator table, shape inference and a builder of graphs. */

export { batchNormTraining, blended, unbiased } from './batch-norm-training.ts';
export { BLOCKED_DOMAIN } from './blocked.ts';
export { GraphBuilder, type OpOptions } from './builder.ts';
export { bundleAt, bundleSizes, reordered } from './channels.ts';
export { Expressions, type NodeWriter, type Term } from './expressions.ts';
export {
  annotateTypes,
  Inference,
  type InferOptions,
  inferNode,
  inferShapes,
  type NotInferred,
} from './infer.ts';
export { inferredOf } from './infer-constant.ts';
export { channelLayout, convLayout, convTransposeLayout, linearLayout } from './layer.ts';
export {
  type Alias,
  type AxisLabels,
  type Bundle,
  type Channels,
  type ChannelsContext,
  type ChannelsResult,
  type Composition,
  type CompositionContext,
  type Convention,
  type Cost,
  type CutContext,
  GRADIENT_OPSET,
  type GradContext,
  type GradRule,
  type Inferred,
  isUnsupported,
  type Layer,
  type LayerParameter,
  type Operator,
  type RewriteContext,
  type RunningNorm,
  type TrainingContext,
  type TrainingRule,
  type Unsupported,
  type UpgradeRule,
  type WeightLayout,
} from './operator.ts';
export {
  allNodes,
  type ConstantSource,
  constantSource,
  type GraphParameter,
  graphParameters,
  layerOf,
  weightLayoutOf,
} from './parameters.ts';
export { rewriteContext } from './rewrite.ts';
export { swish } from './swish.ts';
export { findOperator, OPERATORS } from './table.ts';
export { type SettledWindow, settledWindow } from './window.ts';
