import type { Tensor } from '../../core/tensor.ts';
import type { Attribute, AttributeString, Graph, Node, Value } from '../../ir/index.ts';
import { ATTRIBUTE_KINDS } from './attribute-kinds.ts';
import { ANNOTATION, ATTRIBUTE, ENTRY, GRAPH, NODE, VALUE_INFO } from './fields.ts';
import { keptFields, keptNotes, type TensorNotes } from './kept.ts';
import { encodeUtf8, type WireWriter } from './wire-writer.ts';
import { writeEntries, writeRaw } from './write-entries.ts';
import { type ExternalFile, writeSparseTensor, writeTensor } from './write-tensor.ts';
import { writeType } from './write-type.ts';

/** Writes a `GraphProto`. */
export function writeGraph(writer: WireWriter, graph: Graph, external: ExternalFile | null): void {
  for (const node of graph.nodes) {
    writer.message(GRAPH.node, (message) => writeNode(message, node, external));
  }
  writer.optionalString(GRAPH.name, graph.name);
  const inputs = new Set(graph.inputs);
  const outputs = new Set(graph.outputs);
  for (const value of graph.values) {
    const { initializer, sparseInitializer } = value;
    if (initializer) {
      writer.message(GRAPH.initializer, (message) => {
        writeTensor(message, initializer, initializerNotes(value, initializer, inputs.has(value)), external);
      });
    } else if (sparseInitializer) {
      const notes = initializerNotes(value, sparseInitializer.values, inputs.has(value));
      writer.message(GRAPH.sparse_initializer, (message) =>
        writeSparseTensor(message, sparseInitializer, notes),
      );
    }
  }
  writer.optionalString(GRAPH.doc_string, graph.docString);
  for (const value of graph.inputs) writeValueInfo(writer, GRAPH.input, value);
  for (const value of graph.outputs) writeValueInfo(writer, GRAPH.output, value);
  for (const value of graph.values) {
    if (!inputs.has(value) && !outputs.has(value) && saysMore(value))
      writeValueInfo(writer, GRAPH.value_info, value);
  }
  for (const annotation of graph.quantizationAnnotations) {
    writer.message(GRAPH.quantization_annotation, (message) => {
      message.string(ANNOTATION.tensor_name, nameOf(annotation.value));
      for (const [key, parameter] of annotation.parameters) {
        message.message(ANNOTATION.quant_parameter_tensor_names, (entry) => {
          entry.string(ENTRY.key, key);
          entry.string(ENTRY.value, nameOf(parameter));
        });
      }
      writeRaw(message, keptFields(annotation));
    });
  }
  writeEntries(writer, GRAPH.metadata_props, graph.metadata);
  writeRaw(writer, graph.unknownFields);
}

const nameOf = (value: Value | string): string => (typeof value === 'string' ? value : value.name);

/** Doc string and metadata of an initializer stand with the tensor, unless it is an input: then the value has its own. */
const initializerNotes = (value: Value, tensor: Tensor, isInput: boolean): TensorNotes => ({
  ...(isInput ? keptNotes(tensor) : value),
  name: value.name,
});

/** True where a value has a type, doc string or metadata that its tensor or producer does not give already. */
function saysMore(value: Value): boolean {
  if (value.unknownFields.length > 0) return true;
  if (!value.isInitializer) return value.type !== null || value.docString !== '' || value.metadata.size > 0;
  const { type } = value;
  return (
    type !== null &&
    (type.denotation !== undefined || 'dimDenotations' in type || keptFields(type).length > 0)
  );
}

/** Writes a `ValueInfoProto`. */
export function writeValueInfo(writer: WireWriter, field: number, value: Value): void {
  writer.message(field, (message) => {
    message.string(VALUE_INFO.name, value.name);
    const { type } = value;
    if (type) message.message(VALUE_INFO.type, (nested) => writeType(nested, type));
    message.optionalString(VALUE_INFO.doc_string, value.docString);
    writeEntries(message, VALUE_INFO.metadata_props, value.metadata);
    writeRaw(message, value.unknownFields);
  });
}

/** Writes a `NodeProto`. */
export function writeNode(writer: WireWriter, node: Node, external: ExternalFile | null): void {
  for (const input of node.inputs) writer.string(NODE.input, input?.name ?? '');
  for (const output of node.outputs) writer.string(NODE.output, output?.name ?? '');
  writer.optionalString(NODE.name, node.name);
  writer.string(NODE.op_type, node.opType);
  for (const [name, attribute] of node.attributes) {
    writer.message(NODE.attribute, (message) => writeAttribute(message, name, attribute, external));
  }
  writer.optionalString(NODE.doc_string, node.docString);
  writer.optionalString(NODE.domain, node.domain);
  writer.optionalString(NODE.overload, node.overload);
  writeEntries(writer, NODE.metadata_props, node.metadata);
  writeRaw(writer, node.unknownFields);
}

const stringBytes = (value: AttributeString): Uint8Array =>
  typeof value === 'string' ? encodeUtf8(value) : value;

/** Writes an `AttributeProto`. */
export function writeAttribute(
  writer: WireWriter,
  name: string,
  attribute: Attribute,
  external: ExternalFile | null,
): void {
  writer.string(ATTRIBUTE.name, name);
  const kind = attribute.kind === 'reference' ? attribute.of : attribute.kind;
  switch (attribute.kind) {
    case 'reference':
      writer.string(ATTRIBUTE.ref_attr_name, attribute.name);
      break;
    case 'float':
      writer.float(ATTRIBUTE.f, attribute.value);
      break;
    case 'int':
      writer.int(ATTRIBUTE.i, attribute.value);
      break;
    case 'string':
      writer.bytes(ATTRIBUTE.s, stringBytes(attribute.value));
      break;
    case 'tensor':
      writer.message(ATTRIBUTE.t, (message) => writeTensor(message, attribute.value));
      break;
    case 'graph':
      writer.message(ATTRIBUTE.g, (message) => writeGraph(message, attribute.value, external));
      break;
    case 'sparse-tensor':
      writer.message(ATTRIBUTE.sparse_tensor, (message) => writeSparseTensor(message, attribute.value));
      break;
    case 'type':
      writer.message(ATTRIBUTE.tp, (message) => writeType(message, attribute.value));
      break;
    case 'floats':
      if (attribute.value.length > 0) writer.packedFloats(ATTRIBUTE.floats, attribute.value);
      break;
    case 'ints':
      if (attribute.value.length > 0) writer.packedInts(ATTRIBUTE.ints, attribute.value);
      break;
    case 'strings':
      for (const value of attribute.value) writer.bytes(ATTRIBUTE.strings, stringBytes(value));
      break;
    case 'tensors':
      for (const value of attribute.value) {
        writer.message(ATTRIBUTE.tensors, (message) => writeTensor(message, value));
      }
      break;
    case 'graphs':
      for (const value of attribute.value) {
        writer.message(ATTRIBUTE.graphs, (message) => writeGraph(message, value, external));
      }
      break;
    case 'sparse-tensors':
      for (const value of attribute.value) {
        writer.message(ATTRIBUTE.sparse_tensors, (message) => writeSparseTensor(message, value));
      }
      break;
    case 'types':
      for (const value of attribute.value) {
        writer.message(ATTRIBUTE.type_protos, (message) => writeType(message, value));
      }
  }
  writer.optionalString(ATTRIBUTE.doc_string, attribute.docString ?? '');
  writer.int(ATTRIBUTE.type, ATTRIBUTE_KINDS[kind].code);
  writeRaw(writer, attribute.unknownFields ?? []);
}
