/**
 * Secateur: measures, prunes, trains and exports networks.
 *
 * Tensors, random numbers and errors are exported by name; every other room as a namespace, which is also an entry point of its own:
 * `import { nn, prune } from 'secateur'` or `import { Conv2d } from 'secateur/nn'`.
 */

export * as autograd from './autograd/index.ts';
export {
  DTYPES,
  type DType,
  type DTypeInfo,
  dtypeInfo,
  type Storage,
  type TypedArray,
} from './core/dtype.ts';
export {
  ArgumentError,
  EngineError,
  FileError,
  FormatError,
  type FormatLocation,
  GraphError,
  NonFiniteError,
  SecateurError,
  ShapeError,
  StateDictError,
  StructuralError,
  UnsupportedError,
} from './core/errors.ts';
export { defaultGenerator, Generator, manualSeed } from './core/random.ts';
export { type RawBytes, type SparseTensor, Tensor, type TensorData } from './core/tensor.ts';
export * as data from './data/index.ts';
export * as detect from './detect/index.ts';
export * as onnx from './io/index.ts';
export * as ir from './ir/index.ts';
export * as models from './models/index.ts';
export * as nn from './nn/index.ts';
export * as ops from './ops/index.ts';
export * as passes from './passes/index.ts';
export * as profile from './profile/index.ts';
export * as prune from './prune/index.ts';
export * as report from './report/index.ts';
export * as runtime from './runtime/index.ts';
export * as structural from './structural/index.ts';
export * as train from './train/index.ts';
