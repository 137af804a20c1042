import type { Graph } from './graph.ts';
import type { Node } from './node.ts';
import type { Value } from './value.ts';

/**
 * What is wrong with a graph and its subgraphs, one sentence each: nodes that read values not made yet, values nobody makes,
 * outputs that do not exist, operator domains that are not imported. Linear in values and edges.
 */
export function lint(graph: Graph): readonly string[] {
  const findings: string[] = [];
  lintInto(graph, new Set(), findings);
  return findings;
}

/** `known` grows by the graph's values. That does no harm to the graphs around, in which those of a subgraph cannot be read. */
function lintInto(graph: Graph, known: Set<Value>, findings: string[]): void {
  for (const value of graph.inputs) known.add(value);
  for (const value of graph.values) if (value.isInitializer) known.add(value);
  const nodes = new Set<Node>(graph.nodes);
  for (const node of graph.nodes) {
    node.inputs.forEach((value, index) => {
      if (value && !known.has(value)) findings.push(unknownInput(node, index, value, nodes));
    });
    if (!importsDomain(graph, node)) {
      findings.push(`${node.label}: operator domain '${node.domain}' is not among the graph's opset imports`);
    }
    for (const subgraph of node.subgraphs) lintInto(subgraph, known, findings);
    for (const output of node.outputs) {
      if (!output) continue;
      if (output.producer !== node)
        findings.push(`${node.label}: output '${output.name}' names another producer`);
      known.add(output);
    }
  }
  if (graph.outputs.length === 0) findings.push(`Graph '${graph.name}': has no outputs`);
  for (const output of graph.outputs) {
    if (!known.has(output))
      findings.push(`Graph '${graph.name}': output '${output.name}' is made by nothing`);
  }
}

function unknownInput(node: Node, index: number, value: Value, nodes: ReadonlySet<Node>): string {
  const { producer } = value;
  if (producer && nodes.has(producer)) {
    return `${node.label}: input ${index} '${value.name}' is made later, by ${producer.label}; sort the graph`;
  }
  return `${node.label}: input ${index} '${value.name}' is neither input, initializer nor made by a node`;
}

function importsDomain(graph: Graph, node: Node): boolean {
  const imports = graph.opsetImports;
  if (node.domain === '' || node.domain === 'ai.onnx') return imports.has('') || imports.has('ai.onnx');
  return imports.has(node.domain);
}
