import { ENGINE_NAME, type Engine } from '#ort';
import { type DType, typedArrayOf } from '../core/dtype.ts';
import { EngineError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';

/** A tensor of the engine. */
export type OrtTensor = InstanceType<Engine['Tensor']>;

/** dtypes that the engine takes as inputs under ONNX's own names. */
const ENGINE_DTYPES: readonly DType[] = [
  'float32',
  'float64',
  'float16',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
  'string',
];

/** A tensor as the engine takes it; elements are not copied, but for strings. Throws EngineError for dtypes it does not take. */
export function toEngine(engine: Engine, name: string, tensor: Tensor): OrtTensor {
  const { dtype, shape } = tensor;
  if (!ENGINE_DTYPES.includes(dtype)) {
    throw new EngineError(`Session: input '${name}' is ${tensor}; ${ENGINE_NAME} takes no ${dtype} inputs`);
  }
  const data = dtype === 'string' ? [...tensor.strings] : tensor.data;
  // The engine's constructor has an overload per dtype; which one follows from data made for that dtype.
  const Tensor = engine.Tensor as new (type: string, data: unknown, dims: readonly number[]) => OrtTensor;
  return new Tensor(dtype, data, shape);
}

/** A result of the engine as a tensor over the same memory. Throws EngineError for types that cannot be read. */
export function fromEngine(name: string, value: OrtTensor): Tensor {
  const { type, dims, data } = value;
  const dtype = ENGINE_DTYPES.find((known) => known === type);
  if (!dtype) throw new EngineError(`Session: output '${name}' has the type ${type}, which cannot be read`);
  if (Array.isArray(data)) return new Tensor(dtype, dims, data as string[]);
  const bytes = data as Exclude<typeof data, string[]>;
  if (bytes instanceof typedArrayOf(dtype)) return new Tensor(dtype, dims, bytes);
  // float16 comes as another array class where the platform has one.
  const view = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  return new Tensor(dtype, dims, { bytes: view });
}
