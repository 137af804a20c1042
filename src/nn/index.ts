/** Modules, layers, parameters, initialization and tracing, in PyTorch's words. */
export { defaultGenerator, Generator, manualSeed } from '../core/random.ts';
export * as F from './functional/index.ts';
export { fromGraph, GraphLayer, GraphModule } from './graph-module.ts';
export type { ForwardHook, ForwardPreHook, HookHandle } from './hooks.ts';
export * as init from './init.ts';
export {
  Dropout,
  Dropout2d,
  ELU,
  GELU,
  Hardsigmoid,
  Hardswish,
  Identity,
  LeakyReLU,
  LogSoftmax,
  Mish,
  PReLU,
  ReLU,
  ReLU6,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Tanh,
} from './layers/activation.ts';
export { MultiheadAttention, type MultiheadAttentionOptions } from './layers/attention.ts';
export { ModuleDict, ModuleList, Sequential } from './layers/container.ts';
export {
  Conv1d,
  Conv2d,
  type ConvOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  type ConvTransposeOptions,
  type PaddingMode,
} from './layers/conv.ts';
export { Embedding, type EmbeddingOptions, Linear, type LinearOptions } from './layers/linear.ts';
export {
  BatchNorm1d,
  BatchNorm2d,
  type BatchNormOptions,
  GroupNorm,
  type GroupNormOptions,
  LayerNorm,
  type LayerNormOptions,
} from './layers/norm.ts';
export { AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, MaxPool2d } from './layers/pool.ts';
export { Flatten, PixelShuffle, Unflatten, Upsample, ZeroPad2d } from './layers/shape.ts';
export { type AnyModule, Module, type ModuleOutput, type ParameterPlace } from './module.ts';
export { type MaskMethod, Parameter, type ParameterPruning } from './parameter.ts';
export type { StateDict } from './state-dict.ts';
export {
  type InputSpec,
  type Traced,
  type TraceInputs,
  type TraceOptions,
  trace,
  traceDetailed,
} from './trace.ts';
export { type BufferUpdate, Tracer, type TracerOptions } from './tracer.ts';
export { Variable } from './variable.ts';
