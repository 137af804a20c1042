/** Reading and writing ONNX models, safetensors, PyTorch checkpoints and NumPy arrays: bytes <-> graphs and tensors. */
export { byteLengthOfChunks, concatBytes } from './chunks.ts';
export { type ParseNpzOptions, parseNpy, parseNpz } from './npy.ts';
export { type ParseOnnxOptions, parseOnnx } from './onnx/read-model.ts';
export type { ExternalData } from './onnx/read-tensor.ts';
export {
  type ExternalDataOptions,
  type ExternalModel,
  onnxByteLength,
  PROTOBUF_LIMIT,
  serializeOnnx,
} from './onnx/write-model.ts';
export {
  type ParsePyTorchOptions,
  type PyTorchCheckpoint,
  parsePyTorch,
} from './pytorch/parse-pytorch.ts';
export { PickledGlobal, PickledObject, type PickleValue } from './pytorch/pickle-values.ts';
export type { PlainData } from './pytorch/plain-data.ts';
export { serializePyTorch } from './pytorch/serialize-pytorch.ts';
export { parseSafetensors, type Safetensors, serializeSafetensors } from './safetensors.ts';
