import { FormatError, SecateurError } from '../../core/errors.ts';
import { type Attributes, Graph, tensorType, type Value, type ValueType } from '../../ir/index.ts';
import { ANNOTATION, ATTRIBUTE, GRAPH, NODE, SPARSE_TENSOR, TENSOR, TYPE, VALUE_INFO } from './fields.ts';
import { keepFields, keepNotes } from './kept.ts';
import { readAttribute } from './read-attribute.ts';
import { readUniqueEntry } from './read-entries.ts';
import { type ExternalData, type ReadTensor, readSparseTensor, readTensor } from './read-tensor.ts';
import { readType } from './read-type.ts';
import type { WireReader } from './wire-reader.ts';

/** What is shared by the readers of one file. */
export interface ReadContext {
  readonly externalData: ExternalData | undefined;
  /** Graphs in which a node was seen to read a value that is made later. */
  readonly unsorted: Set<Graph>;
}

/** A `ValueInfoProto`. */
interface ValueInfo {
  readonly reader: WireReader;
  readonly name: string;
  readonly type: ValueType | null;
  readonly docString: string;
  readonly metadata: Map<string, string>;
  readonly unknownFields: readonly Uint8Array[];
}

/** A `NodeProto` whose attributes are not read yet: subgraphs can be read only when all names around them are known. */
interface NodeFacts {
  readonly reader: WireReader;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly overload: string;
  readonly docString: string;
  readonly attributes: readonly WireReader[];
  readonly metadata: Map<string, string>;
  readonly unknownFields: readonly Uint8Array[];
}

/** Reads a `GraphProto` into an empty graph: first all values, then the nodes that connect them. */
export function readGraph(reader: WireReader, graph: Graph, context: ReadContext): void {
  const nodes: NodeFacts[] = [];
  const initializers: WireReader[] = [];
  const sparse: WireReader[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const valueInfos: ValueInfo[] = [];
  const annotations: WireReader[] = [];
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case GRAPH.node:
        nodes.push(readNodeFacts(reader.message(NODE, nodes.length)));
        break;
      case GRAPH.name:
        graph.name = reader.string();
        break;
      case GRAPH.initializer:
        initializers.push(reader.message(TENSOR, initializers.length));
        break;
      case GRAPH.sparse_initializer:
        sparse.push(reader.message(SPARSE_TENSOR, sparse.length));
        break;
      case GRAPH.doc_string:
        graph.docString = reader.string();
        break;
      case GRAPH.input:
        inputs.push(readValueInfo(reader.message(VALUE_INFO, inputs.length)));
        break;
      case GRAPH.output:
        outputs.push(readValueInfo(reader.message(VALUE_INFO, outputs.length)));
        break;
      case GRAPH.value_info:
        valueInfos.push(readValueInfo(reader.message(VALUE_INFO, valueInfos.length)));
        break;
      case GRAPH.quantization_annotation:
        annotations.push(reader.message(ANNOTATION, annotations.length));
        break;
      case GRAPH.metadata_props:
        readUniqueEntry(reader, graph.metadata);
        break;
      default:
        unknown.push(reader.raw());
    }
  }
  graph.unknownFields = unknown;

  const own = new Map<string, Value>();
  const notes = new Map<Value, ReadTensor>();
  for (const message of initializers) {
    const read = readTensor(message, context.externalData);
    const value = addValue(graph, own, read.name, tensorType(read.tensor.dtype, read.tensor.shape), message);
    value.initializer = read.tensor;
    notes.set(value, read);
  }
  for (const message of sparse) {
    const { sparse: tensor, values } = readSparseTensor(message, context.externalData);
    const value = addValue(graph, own, values.name, tensorType(values.tensor.dtype, tensor.dims), message);
    value.sparseInitializer = tensor;
    notes.set(value, values);
  }
  for (const info of inputs) {
    // Files before IR version 4 list initializers among the inputs, too.
    const initializer = own.get(info.name);
    if (initializer?.isInput) throw info.reader.failHere(`two inputs are named '${info.name}'`, 'name');
    const value = initializer ?? addValue(graph, own, info.name, null, info.reader);
    graph.markInput(value);
    describe(value, info);
  }
  for (const [value, read] of notes) {
    if (value.isInput) {
      keepNotes(value.initializer ?? read.tensor, { ...read, name: '' });
    } else {
      value.docString = read.docString;
      value.metadata = read.metadata;
    }
  }
  for (const node of nodes) {
    for (const output of node.outputs) if (output !== '') addValue(graph, own, output, null, node.reader);
  }
  // Files may describe values that are gone; what is said of those is of no use.
  for (const info of valueInfos) {
    const value = own.get(info.name);
    if (value) describe(value, info);
  }
  for (const info of outputs) {
    if (!graph.find(info.name)) {
      throw info.reader.failHere(
        `output '${info.name}' is neither input, initializer nor made by a node`,
        'name',
      );
    }
    const value = own.get(info.name);
    if (value && !value.isInput) describe(value, info);
  }
  for (const node of nodes) addNode(graph, node, context);
  for (const info of outputs) graph.addOutput(graph.value(info.name));
  if (context.unsorted.has(graph)) sort(graph, reader);
  for (const message of annotations) readAnnotation(message, graph);
}

/** Puts nodes in order; a cycle is an error of the file. */
export function sort(graph: Graph, reader: WireReader): void {
  located(reader, () => graph.sort());
}

/** Runs an edit of the graph; what it finds wrong is an error of the file, at the message read. */
export function located<T>(reader: WireReader, edit: () => T): T {
  try {
    return edit();
  } catch (error) {
    if (!(error instanceof SecateurError) || error instanceof FormatError) throw error;
    throw reader.failHere(error.message, undefined, { cause: error });
  }
}

/** Adds a value of a new name; an error of the file where the name is taken. */
function addValue(
  graph: Graph,
  own: Map<string, Value>,
  name: string,
  type: ValueType | null,
  reader: WireReader,
): Value {
  if (name === '') throw reader.failHere('a value has no name', 'name');
  if (graph.find(name)) {
    throw reader.failHere(
      `two values are named '${name}'; names must be unique in a graph and those around it`,
    );
  }
  const value = graph.addValue(name, type);
  own.set(name, value);
  return value;
}

/** Takes over what a `ValueInfoProto` says. */
function describe(value: Value, info: ValueInfo): void {
  if (info.type !== null) value.type = info.type;
  if (info.docString !== '') value.docString = info.docString;
  if (info.metadata.size > 0) value.metadata = info.metadata;
  if (info.unknownFields.length > 0) value.unknownFields = info.unknownFields;
}

function readValueInfo(reader: WireReader): ValueInfo {
  let name = '';
  let type: ValueType | null = null;
  let docString = '';
  const metadata = new Map<string, string>();
  const unknownFields: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case VALUE_INFO.name:
        name = reader.string();
        break;
      case VALUE_INFO.type:
        if (type !== null) throw reader.fail(`the type of '${name}' is given twice`);
        type = readType(reader.message(TYPE));
        break;
      case VALUE_INFO.doc_string:
        docString = reader.string();
        break;
      case VALUE_INFO.metadata_props:
        readUniqueEntry(reader, metadata);
        break;
      default:
        unknownFields.push(reader.raw());
    }
  }
  return { reader, name, type, docString, metadata, unknownFields };
}

/** Reads a `NodeProto` but for its attributes. */
function readNodeFacts(reader: WireReader): NodeFacts {
  const inputs: string[] = [];
  const outputs: string[] = [];
  let name = '';
  let opType = '';
  let domain = '';
  let overload = '';
  let docString = '';
  const attributes: WireReader[] = [];
  const metadata = new Map<string, string>();
  const unknownFields: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case NODE.input:
        inputs.push(reader.string());
        break;
      case NODE.output:
        outputs.push(reader.string());
        break;
      case NODE.name:
        name = reader.string();
        break;
      case NODE.op_type:
        opType = reader.string();
        break;
      case NODE.domain:
        domain = reader.string();
        break;
      case NODE.overload:
        overload = reader.string();
        break;
      case NODE.attribute:
        attributes.push(reader.message(ATTRIBUTE, attributes.length));
        break;
      case NODE.doc_string:
        docString = reader.string();
        break;
      case NODE.metadata_props:
        readUniqueEntry(reader, metadata);
        break;
      default:
        unknownFields.push(reader.raw());
    }
  }
  if (opType === '') throw reader.failHere(`node '${name}' has no operator`, 'op_type');
  return {
    reader,
    inputs,
    outputs,
    name,
    opType,
    domain,
    overload,
    docString,
    attributes,
    metadata,
    unknownFields,
  };
}

/** Reads the nodes of a function's body, whose inputs are in the graph already. */
export function readBody(readers: readonly WireReader[], graph: Graph, context: ReadContext): void {
  const own = new Map<string, Value>();
  const nodes = readers.map(readNodeFacts);
  for (const node of nodes) {
    for (const output of node.outputs) if (output !== '') addValue(graph, own, output, null, node.reader);
  }
  for (const node of nodes) addNode(graph, node, context);
}

/** Takes over what a function says of its values. */
export function readFunctionValueInfo(reader: WireReader, graph: Graph): void {
  const info = readValueInfo(reader);
  const value = graph.find(info.name);
  if (value) describe(value, info);
}

/** Adds a node between values that are there already, and reads its subgraphs. */
function addNode(graph: Graph, facts: NodeFacts, context: ReadContext): void {
  const inputs = facts.inputs.map((name, index) => {
    if (name === '') return null;
    const value = graph.find(name);
    if (value) {
      noteOrder(value, context);
      return value;
    }
    throw facts.reader.failHere(
      `${facts.opType} '${facts.name}': input ${index} '${name}' is neither input, initializer nor made by a node`,
      `input[${index}]`,
    );
  });
  const attributes: Attributes = new Map();
  for (const message of facts.attributes) {
    readAttribute(message, attributes, {
      externalData: context.externalData,
      subgraph: (reader) => readSubgraph(reader, graph, context),
    });
  }
  const node = located(facts.reader, () =>
    graph.addNode({
      opType: facts.opType,
      domain: facts.domain,
      overload: facts.overload,
      name: facts.name,
      inputs,
      outputs: facts.outputs.map((name) => (name === '' ? null : graph.value(name))),
      attributes,
    }),
  );
  node.docString = facts.docString;
  node.metadata = facts.metadata;
  node.unknownFields = facts.unknownFields;
}

/** Reads a `GraphProto` that is an attribute of a node of `parent`. */
export function readSubgraph(reader: WireReader, parent: Graph, context: ReadContext): Graph {
  const graph = new Graph({ name: '', parent });
  readGraph(reader, graph, context);
  for (const output of graph.outputs) if (output.graph !== graph) noteOrder(output, context);
  return graph;
}

/** Nodes are added in the file's order: a value read before it has a producer will be made by a later node, or by its own reader. */
function noteOrder(value: Value, context: ReadContext): void {
  if (value.producer === null && !value.isInitializer && !value.isInput) context.unsorted.add(value.graph);
}

function readAnnotation(reader: WireReader, graph: Graph): void {
  let name = '';
  const entries = new Map<string, string>();
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    if (reader.field === ANNOTATION.tensor_name) name = reader.string();
    else if (reader.field === ANNOTATION.quant_parameter_tensor_names) readUniqueEntry(reader, entries);
    else unknown.push(reader.raw());
  }
  const annotation = {
    value: graph.find(name) ?? name,
    parameters: new Map([...entries].map(([key, tensor]) => [key, graph.find(tensor) ?? tensor])),
  };
  graph.quantizationAnnotations.push(annotation);
  keepFields(annotation, unknown);
}
