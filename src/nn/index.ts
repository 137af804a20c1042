/** Modules: layers and networks as in PyTorch, traced to graphs and run by onnxruntime. */
export { defaultGenerator, Generator, manualSeed } from '../core/random.ts';
export type {
  AdaptiveSizes,
  AvgPoolOptions,
  DropoutOptions,
  InterpolateOptions,
  MaxPoolOptions,
  Operand,
  PoolOptions,
  ReduceOptions,
  Sizes,
  Weight,
} from './functional/index.ts';
export * as F from './functional/index.ts';
export { fromGraph, GraphLayer, GraphModule } from './graph-module.ts';
export type { ForwardHook, ForwardPreHook, HookHandle } from './hooks.ts';
export * as init from './init.ts';
export * from './layers/index.ts';
export { type AnyModule, Module, type ModuleOutput, type ParameterPlace } from './module.ts';
export { type MaskMethod, Parameter, type ParameterPruning } from './parameter.ts';
export { type ActivationsOptions, activations, feedParameters, type RunResult, run } from './run.ts';
export type { StateDict } from './state-dict.ts';
export {
  exportOnnx,
  type InputSpec,
  opsetFor,
  type Traced,
  type TraceInputs,
  type TraceOptions,
  toGraph,
  trace,
  traceDetailed,
} from './trace.ts';
export { type BufferUpdate, Tracer, type TracerOptions } from './tracer.ts';
export { type NotFitting, type Transfer, type TransferOptions, transferWeights } from './transfer-weights.ts';
export { Variable } from './variable.ts';
