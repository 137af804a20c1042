/** Layers, with PyTorch's names. */
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
} from './activation.ts';
export { MultiheadAttention, type MultiheadAttentionOptions } from './attention.ts';
export { ModuleDict, ModuleList, Sequential } from './container.ts';
export {
  Conv1d,
  Conv2d,
  type ConvOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  type ConvTransposeOptions,
  type PaddingMode,
} from './conv.ts';
export { Embedding, type EmbeddingOptions, Linear, type LinearOptions } from './linear.ts';
export {
  BatchNorm1d,
  BatchNorm2d,
  type BatchNormOptions,
  GroupNorm,
  type GroupNormOptions,
  LayerNorm,
  type LayerNormOptions,
} from './norm.ts';
export { AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, MaxPool2d } from './pool.ts';
export { Flatten, PixelShuffle, Unflatten, Upsample, ZeroPad2d } from './shape.ts';
