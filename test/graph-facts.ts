import type { SparseTensor, Tensor } from '../src/core/tensor.ts';
import type { Attribute, Attributes, Graph, Node, Value } from '../src/ir/index.ts';

const hex = (fields: readonly Uint8Array[]): string[] =>
  fields.map((field) => Buffer.from(field).toString('hex'));

const tensorFacts = (tensor: Tensor): unknown => ({
  type: String(tensor),
  data: tensor.dtype === 'string' ? tensor.strings : Buffer.from(tensor.bytes).toString('base64'),
});

const sparseFacts = ({ values, indices, dims }: SparseTensor): unknown => ({
  values: tensorFacts(values),
  indices: tensorFacts(indices),
  dims,
});

const valueFacts = (value: Value): unknown => ({
  name: value.name,
  type: value.type,
  initializer: value.initializer && tensorFacts(value.initializer),
  sparse: value.sparseInitializer && sparseFacts(value.sparseInitializer),
  docString: value.docString,
  metadata: [...value.metadata],
  unknown: hex(value.unknownFields),
});

function attributeFacts(attribute: Attribute): unknown {
  const { docString = '', unknownFields = [] } = attribute;
  const extras = { kind: attribute.kind, docString, unknown: hex(unknownFields) };
  switch (attribute.kind) {
    case 'reference':
      return { ...extras, name: attribute.name, of: attribute.of };
    case 'tensor':
      return { ...extras, value: tensorFacts(attribute.value) };
    case 'tensors':
      return { ...extras, value: attribute.value.map(tensorFacts) };
    case 'graph':
      return { ...extras, value: graphFacts(attribute.value) };
    case 'graphs':
      return { ...extras, value: attribute.value.map(graphFacts) };
    case 'sparse-tensor':
      return { ...extras, value: sparseFacts(attribute.value) };
    case 'sparse-tensors':
      return { ...extras, value: attribute.value.map(sparseFacts) };
    default:
      return { ...extras, value: attribute.value };
  }
}

const attributesFacts = (attributes: Attributes): unknown =>
  [...attributes].map(([name, attribute]) => [name, attributeFacts(attribute)]);

const nodeFacts = (node: Node): unknown => ({
  opType: node.opType,
  domain: node.domain,
  overload: node.overload,
  name: node.name,
  inputs: node.inputs.map((value) => value?.name ?? null),
  outputs: node.outputs.map((value) => value?.name ?? null),
  attributes: attributesFacts(node.attributes),
  docString: node.docString,
  metadata: [...node.metadata],
  unknown: hex(node.unknownFields),
});

const nameOf = (value: Value | string): string => (typeof value === 'string' ? value : value.name);

/** Everything a graph says, as plain values: two graphs are equal where these are. */
export function graphFacts(graph: Graph): unknown {
  return {
    name: graph.name,
    docString: graph.docString,
    metadata: [...graph.metadata],
    unknown: hex(graph.unknownFields),
    // In whose order values were made means nothing, but for initializers.
    values: new Map([...graph.values].map((value) => [value.name, valueFacts(value)])),
    initializers: graph.initializers.map((value) => value.name),
    inputs: graph.inputs.map((value) => value.name),
    outputs: graph.outputs.map((value) => value.name),
    nodes: graph.nodes.map(nodeFacts),
    annotations: graph.quantizationAnnotations.map(({ value, parameters }) => [
      nameOf(value),
      [...parameters].map(([key, parameter]) => [key, nameOf(parameter)]),
    ]),
    ...(graph.parent === null ? modelFacts(graph) : {}),
  };
}

function modelFacts({ meta, opsetImports }: Graph): object {
  return {
    opsets: [...opsetImports],
    meta: {
      ...meta,
      metadata: [...meta.metadata],
      unknownFields: hex(meta.unknownFields),
      functions: meta.functions.map(({ graph, attributeDefaults, ...definition }) => ({
        ...definition,
        defaults: attributesFacts(attributeDefaults),
        // A function's graph has no facts of a model but its opsets.
        graph: { ...(graphFacts(graph) as object), meta: null },
      })),
    },
  };
}
