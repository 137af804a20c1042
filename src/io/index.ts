/** Reading and writing ONNX models, safetensors and NumPy arrays: bytes <-> graphs and tensors. */
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
export { parseSafetensors, type Safetensors, serializeSafetensors } from './safetensors.ts';
