import { type Graph, type Node, readBy, type Value } from '../ir/index.ts';
import type { PassResult } from './pass.ts';

/**
 * Removes what no graph output depends on: nodes, and initializers that are no graph inputs. Inputs stay. What the outputs compute is
 * unchanged. Linear in values and edges.
 */
export function removeUnused(graph: Graph): PassResult {
  const needed = new Set<Node>();
  const read = new Set<Value>(graph.outputs);
  const stack: Value[] = [...graph.outputs];
  for (let value = stack.pop(); value; value = stack.pop()) {
    const node = value.producer;
    if (!node || needed.has(node)) continue;
    needed.add(node);
    for (const input of readBy(node)) {
      if (!read.has(input)) stack.push(input);
      read.add(input);
    }
  }
  const dead = graph.nodes.filter((node) => !needed.has(node));
  graph.removeNodes(dead);
  let modified = dead.length > 0;
  for (const value of [...graph.initializers]) {
    if (value.isUnused && !value.isInput) {
      graph.removeValue(value);
      modified = true;
    }
  }
  return { graph, modified };
}
