import { cloneGraph, type Graph, type Node } from '../ir/index.ts';
import { fromGraph, GraphLayer } from '../nn/index.ts';

/** Paths of the modules that a graph's nodes belong to, as far as names of nodes and parameters tell: `layer1.0.conv1`. The graph is not changed. */
export function modulePaths(graph: Graph): ReadonlyMap<Node, string> {
  const { graph: copy, nodes } = cloneGraph(graph);
  const originals = new Map([...nodes].map(([original, node]) => [node, original]));
  const paths = new Map<Node, string>();
  for (const [path, module] of fromGraph(copy).namedModules()) {
    if (!(module instanceof GraphLayer)) continue;
    for (const node of module.nodes) {
      const original = originals.get(node);
      if (original) paths.set(original, path);
    }
  }
  return paths;
}
