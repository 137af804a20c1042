import { cloneGraph, type FunctionDefinition, type Graph, type Node } from '../ir/index.ts';

/**
 * The graph of a function as one call runs it: attributes that refer to the call's are replaced by those, by the function's defaults,
 * or left out. It is the function's own graph where nothing refers to a call; else a copy that shares its tensors.
 */
export function callBody(definition: FunctionDefinition, call: Node): Graph {
  if (!refersToCall(definition.graph)) return definition.graph;
  const { graph } = cloneGraph(definition.graph);
  replaceReferences(graph, definition, call);
  return graph;
}

const refersToCall = (graph: Graph): boolean =>
  graph.nodes.some(
    (node) =>
      [...node.attributes.values()].some((attribute) => attribute.kind === 'reference') ||
      node.subgraphs.some(refersToCall),
  );

function replaceReferences(graph: Graph, definition: FunctionDefinition, call: Node): void {
  for (const node of graph.nodes) {
    for (const [name, attribute] of [...node.attributes]) {
      if (attribute.kind !== 'reference') continue;
      const given = call.attributes.get(attribute.name) ?? definition.attributeDefaults.get(attribute.name);
      if (given) node.attributes.set(name, given);
      else node.attributes.delete(name);
    }
    for (const subgraph of node.subgraphs) replaceReferences(subgraph, definition, call);
  }
}
