import { type Attributes, type FunctionDefinition, Graph, normalizeDomain } from '../../ir/index.ts';
import { ATTRIBUTE, FUNCTION, GRAPH, MODEL, NODE, OPERATOR_SET, VALUE_INFO } from './fields.ts';
import { keepFields } from './kept.ts';
import { readAttribute } from './read-attribute.ts';
import { readUniqueEntry } from './read-entries.ts';
import {
  located,
  type ReadContext,
  readBody,
  readFunctionValueInfo,
  readGraph,
  readSubgraph,
  sort,
} from './read-graph.ts';
import type { ExternalData } from './read-tensor.ts';
import { WireReader } from './wire-reader.ts';

/** Options of `parseOnnx`. */
export interface ParseOnnxOptions {
  /**
   * Gives the bytes of a file of external data by its location, relative to the model's folder. Locations that are absolute or
   * leave the folder are refused before it is asked. It may be asked for the same location many times.
   */
  readonly externalData?: ExternalData;
}

/**
 * Reads an ONNX model. Weights are views of `bytes` (and of external data), not copies: leave those bytes alone afterwards.
 *
 * Nodes in an impossible order are put in order. Fields of newer formats, training information and device configurations are
 * kept as bytes and written back by `serializeOnnx`. Entries of `value_info` for values that are not in the graph are dropped, as is the
 * checksum of external data.
 *
 * Throws FormatError with byte offset and field where the bytes are not a well-formed model, and where its graph is not: names that
 * come twice or are made by nothing, cycles.
 */
export function parseOnnx(bytes: Uint8Array, options: ParseOnnxOptions = {}): Graph {
  const context: ReadContext = { externalData: options.externalData, unsorted: new Set() };
  const graph = new Graph({ name: '' });
  const { meta } = graph;
  meta.producerName = '';
  meta.irVersion = 0;
  graph.opsetImports.clear();
  const reader = WireReader.of(bytes, MODEL);
  let body: WireReader | null = null;
  const functions: WireReader[] = [];
  const unknown: Uint8Array[] = [];
  let opsets = 0;
  while (reader.next()) {
    switch (reader.field) {
      case MODEL.ir_version:
        meta.irVersion = reader.safeInteger();
        break;
      case MODEL.producer_name:
        meta.producerName = reader.string();
        break;
      case MODEL.producer_version:
        meta.producerVersion = reader.string();
        break;
      case MODEL.domain:
        meta.domain = reader.string();
        break;
      case MODEL.model_version:
        meta.modelVersion = reader.int64();
        break;
      case MODEL.doc_string:
        meta.docString = reader.string();
        break;
      case MODEL.graph:
        if (body !== null) throw reader.fail('the model has two graphs');
        body = reader.message(GRAPH);
        break;
      case MODEL.opset_import:
        readOpset(reader, graph, opsets++);
        break;
      case MODEL.metadata_props:
        readUniqueEntry(reader, meta.metadata);
        break;
      case MODEL.functions:
        functions.push(reader.message(FUNCTION, functions.length));
        break;
      default:
        // training_info and configuration are among them: they name things of the graph but mean nothing to inference.
        unknown.push(reader.raw());
    }
  }
  if (body === null) throw reader.failHere('the model has no graph; is this an ONNX file?', 'graph');
  if (meta.irVersion < 1)
    throw reader.failHere(`the IR version is ${meta.irVersion}; expected 1 or more`, 'ir_version');
  if (graph.opsetImports.size === 0) {
    if (meta.irVersion >= 3) throw reader.failHere('the model imports no operator set', 'opset_import');
    // Before IR version 3 there was one operator set, now known as version 1.
    graph.opsetImports.set('', 1);
  }
  meta.unknownFields = unknown;
  const definitions = new Map<string, FunctionDefinition>();
  for (const message of functions) {
    const definition = readFunction(message, context);
    const key = functionKey(definition.domain, definition.name, definition.overload);
    if (definitions.has(key)) {
      throw message.failHere(`two functions are named '${definition.domain}.${definition.name}'`, 'name');
    }
    definitions.set(key, definition);
    meta.functions.push(definition);
  }
  const recursive = recursiveFunction(definitions);
  if (recursive) {
    throw reader.failHere(
      `function '${recursive.domain}.${recursive.name}' calls itself, directly or through others`,
      'functions',
    );
  }
  readGraph(body, graph, context);
  located(body, () => graph.check());
  return graph;
}

const functionKey = (domain: string, name: string, overload: string): string =>
  JSON.stringify([normalizeDomain(domain), name, overload]);

/** Keys of the operators a graph applies, those of its subgraphs included. */
function* appliedBy(graph: Graph): Generator<string> {
  for (const node of graph.nodes) {
    yield functionKey(node.domain, node.opType, node.overload);
    for (const subgraph of node.subgraphs) yield* appliedBy(subgraph);
  }
}

/** A function on a cycle of calls, or behind one. Functions all of whose calls are resolved are struck off until none is left. */
function recursiveFunction(
  definitions: ReadonlyMap<string, FunctionDefinition>,
): FunctionDefinition | undefined {
  const open = new Map<string, number>();
  const callers = new Map<string, string[]>();
  for (const [key, { graph }] of definitions) {
    const called = [...new Set(appliedBy(graph))].filter((other) => definitions.has(other));
    open.set(key, called.length);
    for (const other of called) {
      const list = callers.get(other);
      if (list) list.push(key);
      else callers.set(other, [key]);
    }
  }
  const resolved = [...definitions.keys()].filter((key) => open.get(key) === 0);
  for (const key of resolved) {
    for (const caller of callers.get(key) ?? []) {
      const left = (open.get(caller) ?? 0) - 1;
      open.set(caller, left);
      if (left === 0) resolved.push(caller);
    }
  }
  const stuck = [...open].find(([, left]) => left > 0);
  return stuck && definitions.get(stuck[0]);
}

function readOpset(reader: WireReader, graph: Graph, index: number): void {
  const message = reader.message(OPERATOR_SET, index);
  let domain = '';
  let version = 0;
  const unknown: Uint8Array[] = [];
  while (message.next()) {
    if (message.field === OPERATOR_SET.domain) domain = message.string();
    else if (message.field === OPERATOR_SET.version) version = message.safeInteger();
    else unknown.push(message.raw());
  }
  const before = graph.opsetImports.get(domain);
  if (before !== undefined && before !== version) {
    throw message.failHere(
      `operator domain '${domain}' is imported with the versions ${before} and ${version}`,
    );
  }
  graph.opsetImports.set(domain, version);
  keepFields(graph.opsetImports, unknown, domain);
}

/** Reads a `FunctionProto`; its doc string, metadata and unknown fields go to its graph. */
function readFunction(reader: WireReader, context: ReadContext): FunctionDefinition {
  const graph = new Graph({ name: '' });
  graph.opsetImports.clear();
  let name = '';
  let domain = '';
  let overload = '';
  let opsets = 0;
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributeNames: string[] = [];
  const nodes: WireReader[] = [];
  const defaults: WireReader[] = [];
  const valueInfos: WireReader[] = [];
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case FUNCTION.name:
        name = reader.string();
        break;
      case FUNCTION.domain:
        domain = reader.string();
        break;
      case FUNCTION.overload:
        overload = reader.string();
        break;
      case FUNCTION.input:
        inputs.push(reader.string());
        break;
      case FUNCTION.output:
        outputs.push(reader.string());
        break;
      case FUNCTION.attribute:
        attributeNames.push(reader.string());
        break;
      case FUNCTION.attribute_proto:
        defaults.push(reader.message(ATTRIBUTE, defaults.length));
        break;
      case FUNCTION.node:
        nodes.push(reader.message(NODE, nodes.length));
        break;
      case FUNCTION.doc_string:
        graph.docString = reader.string();
        break;
      case FUNCTION.opset_import:
        readOpset(reader, graph, opsets++);
        break;
      case FUNCTION.value_info:
        valueInfos.push(reader.message(VALUE_INFO, valueInfos.length));
        break;
      case FUNCTION.metadata_props:
        readUniqueEntry(reader, graph.metadata);
        break;
      default:
        unknown.push(reader.raw());
    }
  }
  if (name === '') throw reader.failHere('a function has no name', 'name');
  graph.name = name;
  graph.unknownFields = unknown;
  for (const input of inputs) {
    if (input === '' || graph.find(input)) {
      throw reader.failHere(
        `function '${name}' has ${input === '' ? 'an input without a name' : `two inputs named '${input}'`}`,
        'input',
      );
    }
    graph.addInput(input, null);
  }
  readBody(nodes, graph, context);
  for (const message of valueInfos) readFunctionValueInfo(message, graph);
  for (const output of outputs) {
    const value = graph.find(output);
    if (!value) {
      throw reader.failHere(
        `function '${name}': output '${output}' is neither an input nor made by a node`,
        'output',
      );
    }
    graph.addOutput(value);
  }
  if (context.unsorted.has(graph)) sort(graph, reader);
  const attributeDefaults: Attributes = new Map();
  for (const message of defaults) {
    readAttribute(message, attributeDefaults, {
      externalData: context.externalData,
      subgraph: (subgraph) => readSubgraph(subgraph, graph, context),
    });
  }
  // A function without outputs is of no use but well formed; a graph without is not.
  if (outputs.length > 0) located(reader, () => graph.check());
  return { name, domain, overload, attributeNames, attributeDefaults, graph };
}
