import { ArgumentError } from '../../core/errors.ts';
import type { FunctionDefinition, Graph } from '../../ir/index.ts';
import { locationProblem } from './external.ts';
import { FUNCTION, MODEL, OPERATOR_SET } from './fields.ts';
import { keptFields } from './kept.ts';
import { WireWriter } from './wire-writer.ts';
import { writeEntries, writeRaw } from './write-entries.ts';
import { writeAttribute, writeGraph, writeNode, writeValueInfo } from './write-graph.ts';
import { ExternalFile } from './write-tensor.ts';

/** A protobuf message is at most this long, in bytes. */
export const PROTOBUF_LIMIT = 2 ** 31 - 1;

/** Where weights go that are not to lie in the model file. */
export interface ExternalDataOptions {
  /** Name of the data file, relative to the model's folder. */
  readonly location: string;
  /** Initializers of at least so many bytes go there. Default 1024. */
  readonly threshold?: number;
}

/** A model in two files, as lists of chunks. */
export interface ExternalModel {
  readonly model: Uint8Array[];
  readonly data: Uint8Array[];
}

/**
 * Writes a graph as an ONNX model: a list of chunks to be written one after another (`concatBytes` joins them). Weights are
 * the tensors' own memory, not copies. With `externalData`, initializers lie in a second file, each at a multiple of 4096 bytes.
 *
 * Throws GraphError where the graph is not well formed, ArgumentError where the location leaves the model's folder or where the
 * model takes more than the 2 GiB protobuf allows.
 */
export function serializeOnnx(
  graph: Graph,
  options: { readonly externalData: ExternalDataOptions },
): ExternalModel;
export function serializeOnnx(graph: Graph, options?: { readonly externalData?: undefined }): Uint8Array[];
export function serializeOnnx(
  graph: Graph,
  options: { readonly externalData?: ExternalDataOptions | undefined } = {},
): Uint8Array[] | ExternalModel {
  graph.check();
  const external = options.externalData === undefined ? null : externalFile(options.externalData);
  const writer = new WireWriter();
  writeModel(writer, graph, external);
  if (writer.length > PROTOBUF_LIMIT) {
    throw new ArgumentError(
      external
        ? `serializeOnnx: without its initializers the model still takes ${writer.length} bytes, more than the ${PROTOBUF_LIMIT} protobuf allows; lower the threshold or turn Constant nodes into initializers`
        : `serializeOnnx: the model takes ${writer.length} bytes, more than the ${PROTOBUF_LIMIT} protobuf allows; pass externalData to put weights into a file of their own`,
    );
  }
  const model = writer.finish();
  return external ? { model, data: external.chunks } : model;
}

/** Bytes of the model file that `serializeOnnx` would write without external data; nothing is copied to know it. */
export function onnxByteLength(graph: Graph): number {
  const writer = new WireWriter();
  writeModel(writer, graph, null);
  return writer.length;
}

function externalFile({ location, threshold = 1024 }: ExternalDataOptions): ExternalFile {
  const problem = locationProblem(location);
  if (problem !== undefined) {
    throw new ArgumentError(
      `serializeOnnx: the location of external data '${location}' ${problem}; expected a file beside the model`,
    );
  }
  if (!(threshold >= 0)) {
    throw new ArgumentError(
      `serializeOnnx: the threshold of external data is ${threshold}; expected bytes >= 0`,
    );
  }
  return new ExternalFile(location, threshold);
}

function writeModel(writer: WireWriter, graph: Graph, external: ExternalFile | null): void {
  const { meta } = graph;
  writer.int(MODEL.ir_version, meta.irVersion);
  writer.optionalString(MODEL.producer_name, meta.producerName);
  writer.optionalString(MODEL.producer_version, meta.producerVersion);
  writer.optionalString(MODEL.domain, meta.domain);
  if (meta.modelVersion !== 0n) writer.int(MODEL.model_version, meta.modelVersion);
  writer.optionalString(MODEL.doc_string, meta.docString);
  writer.message(MODEL.graph, (message) => writeGraph(message, graph, external));
  writeOpsets(writer, MODEL.opset_import, graph);
  writeEntries(writer, MODEL.metadata_props, meta.metadata);
  for (const definition of meta.functions) {
    writer.message(MODEL.functions, (message) => writeFunction(message, definition, external));
  }
  writeRaw(writer, meta.unknownFields);
}

function writeOpsets(writer: WireWriter, field: number, graph: Graph): void {
  for (const [domain, version] of graph.opsetImports) {
    writer.message(field, (message) => {
      // An empty domain is written, too: readers of old take its absence for an error.
      message.string(OPERATOR_SET.domain, domain);
      message.int(OPERATOR_SET.version, version);
      writeRaw(message, keptFields(graph.opsetImports, domain));
    });
  }
}

function writeFunction(
  writer: WireWriter,
  definition: FunctionDefinition,
  external: ExternalFile | null,
): void {
  const { graph } = definition;
  writer.string(FUNCTION.name, definition.name);
  for (const input of graph.inputs) writer.string(FUNCTION.input, input.name);
  for (const output of graph.outputs) writer.string(FUNCTION.output, output.name);
  for (const name of definition.attributeNames) writer.string(FUNCTION.attribute, name);
  for (const node of graph.nodes) {
    writer.message(FUNCTION.node, (message) => writeNode(message, node, external));
  }
  writer.optionalString(FUNCTION.doc_string, graph.docString);
  writeOpsets(writer, FUNCTION.opset_import, graph);
  writer.optionalString(FUNCTION.domain, definition.domain);
  for (const [name, attribute] of definition.attributeDefaults) {
    writer.message(FUNCTION.attribute_proto, (message) => writeAttribute(message, name, attribute, external));
  }
  for (const value of graph.values) {
    const silent = value.type === null && value.docString === '' && value.metadata.size === 0;
    if (!silent || value.unknownFields.length > 0) writeValueInfo(writer, FUNCTION.value_info, value);
  }
  writer.optionalString(FUNCTION.overload, definition.overload);
  writeEntries(writer, FUNCTION.metadata_props, graph.metadata);
  writeRaw(writer, graph.unknownFields);
}
