import type { Graph } from '../ir/index.ts';
import { allNodes, constantSource } from '../ops/index.ts';
import type { PassResult } from './pass.ts';

/**
 * Turns constants written as nodes into initializers, so that every parameter is one:
 *
 * 1. a Constant node becomes an initializer of the same name;
 * 2. an Identity of an initializer becomes an initializer of its own, with its own copy of the elements (PyTorch's exporter writes a parameter
 *    that happens to equal another as such an Identity; pruning must tell them apart).
 *
 * Values that are graph outputs stay as they are. The graph computes what it computed. Linear in nodes.
 */
export function liftConstants(graph: Graph): PassResult {
  let modified = false;
  for (const node of [...allNodes(graph)]) {
    const [output] = node.outputs;
    if (!output || node.outputs.length !== 1 || output.isOutput) continue;
    const source = constantSource(output);
    if (source?.value !== output || output.initializer) continue;
    const { name } = output;
    const owner = node.graph;
    // The new initializer takes the node's place under its name: the old value must go first, and its readers be moved over.
    const initializer = owner.addInitializer(
      owner.freshName(name),
      node.inputs.length === 0 ? source.tensor : source.tensor.clone(),
    );
    output.replaceAllUsesWith(initializer);
    owner.removeNode(node);
    owner.rename(initializer, name);
    modified = true;
  }
  return { graph, modified };
}
