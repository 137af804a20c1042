import type { Attribute, Attributes } from './attribute.ts';
import { type FunctionDefinition, Graph } from './graph.ts';
import type { Node } from './node.ts';
import type { Value } from './value.ts';

/** A copied graph, and where each value and node of the original (subgraphs included) has its copy. */
export interface GraphCopy {
  readonly graph: Graph;
  readonly values: ReadonlyMap<Value, Value>;
  readonly nodes: ReadonlyMap<Node, Node>;
}

/**
 * Copies a graph with its subgraphs and functions; edits of one do not show in the other. Tensors are shared unless
 * `tensors: 'copy'` asks for memory of their own. Linear in values and edges.
 */
export function cloneGraph(original: Graph, options: { tensors?: 'share' | 'copy' } = {}): GraphCopy {
  const values = new Map<Value, Value>();
  const nodes = new Map<Node, Node>();
  const copyTensors = options.tensors === 'copy';

  const copyAttribute = (attribute: Attribute, parent: Graph): Attribute => {
    if (attribute.kind === 'graph') return { ...attribute, value: copyGraph(attribute.value, parent) };
    if (attribute.kind === 'graphs') {
      return { ...attribute, value: attribute.value.map((graph) => copyGraph(graph, parent)) };
    }
    return attribute;
  };
  const copyAttributes = (attributes: Attributes, parent: Graph): Attributes =>
    new Map([...attributes].map(([name, attribute]) => [name, copyAttribute(attribute, parent)]));

  function copyGraph(from: Graph, parent: Graph | null): Graph {
    const to = new Graph({ name: from.name, ...(parent ? { parent } : {}) });
    if (!parent) {
      to.opsetImports.clear();
      for (const [domain, version] of from.opsetImports) to.opsetImports.set(domain, version);
      Object.assign(to.meta, from.meta, {
        metadata: new Map(from.meta.metadata),
        functions: from.meta.functions.map(copyFunction),
      });
    }
    to.docString = from.docString;
    to.metadata = new Map(from.metadata);
    to.unknownFields = from.unknownFields;
    for (const value of from.values) {
      const copy = to._add(value.name, value.type);
      copy.initializer = copyTensors ? (value.initializer?.clone() ?? null) : value.initializer;
      copy.sparseInitializer = value.sparseInitializer;
      copy.docString = value.docString;
      copy.metadata = new Map(value.metadata);
      copy.unknownFields = value.unknownFields;
      values.set(value, copy);
    }
    const mapped = (value: Value): Value => values.get(value) ?? value;
    for (const input of from.inputs) to.markInput(mapped(input));
    for (const node of from.nodes) {
      const copy = to.addNode({
        opType: node.opType,
        domain: node.domain,
        overload: node.overload,
        name: node.name,
        inputs: node.inputs.map((value) => value && mapped(value)),
        outputs: node.outputs.map((value) => value && mapped(value)),
        attributes: copyAttributes(node.attributes, to),
      });
      copy.docString = node.docString;
      copy.metadata = new Map(node.metadata);
      copy.unknownFields = node.unknownFields;
      nodes.set(node, copy);
    }
    for (const output of from.outputs) to.addOutput(mapped(output));
    const reference = (value: Value | string): Value | string =>
      typeof value === 'string' ? value : mapped(value);
    to.quantizationAnnotations = from.quantizationAnnotations.map(({ value, parameters }) => ({
      value: reference(value),
      parameters: new Map([...parameters].map(([key, parameter]) => [key, reference(parameter)])),
    }));
    return to;
  }

  function copyFunction(definition: FunctionDefinition): FunctionDefinition {
    return { ...definition, graph: copyGraph(definition.graph, null) };
  }

  return { graph: copyGraph(original, original.parent), values, nodes };
}
