import { concatBytes, onnxByteLength, PROTOBUF_LIMIT, serializeOnnx } from '../io/index.ts';
import type { Graph } from '../ir/index.ts';

/** Weights that lie outside the model's bytes: the name the model knows the file by, and its content. */
export interface ExternalFile {
  readonly path: string;
  readonly data: Uint8Array;
}

/** A model as the engine takes it. */
export interface EngineModel {
  readonly bytes: Uint8Array;
  readonly externalData: readonly ExternalFile[];
}

/** The bytes of a graph; what exceeds the limit of a protobuf message lies in a second piece. */
export function engineModel(graph: Graph, limit: number = PROTOBUF_LIMIT): EngineModel {
  if (onnxByteLength(graph) <= limit) return { bytes: concatBytes(serializeOnnx(graph)), externalData: [] };
  const location = 'weights.bin';
  const { model, data } = serializeOnnx(graph, { externalData: { location } });
  return { bytes: concatBytes(model), externalData: [{ path: location, data: concatBytes(data) }] };
}
