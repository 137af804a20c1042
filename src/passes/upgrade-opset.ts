import { ArgumentError } from '../core/errors.ts';
import type { Graph, Node } from '../ir/index.ts';
import {
  Expressions,
  findOperator,
  GRADIENT_OPSET,
  GraphBuilder,
  type Inference,
  inferShapes,
  rewriteContext,
} from '../ops/index.ts';
import type { PassResult } from './pass.ts';
import { removeUnused } from './remove-unused.ts';

/** Oldest opset that is known how to be brought up to date. */
const OLDEST = 7;

/**
 * Brings a graph written for an older opset to opset 18, where gradients can be built: attributes that became inputs, operators that were renamed, meanings
 * that changed. What the graph computes stays the same; graphs of opset 18 and later are left as they are. Linear in nodes.
 *
 * Throws ArgumentError for opsets before 7, UnsupportedError where a node's old meaning has no counterpart.
 */
export function upgradeOpset(graph: Graph): PassResult {
  const opset = graph.opset();
  if (opset >= GRADIENT_OPSET) return { graph, modified: false };
  if (opset < OLDEST) {
    throw new ArgumentError(
      `upgradeOpset: graph '${graph.name}' is written for opset ${opset}; expected at least ${OLDEST}, so export it again`,
    );
  }
  const inference = inferShapes(graph);
  graph.opsetImports.set('', GRADIENT_OPSET);
  upgradeNodes(graph, inference, opset);
  removeUnused(graph);
  return { graph, modified: true };
}

function upgradeNodes(graph: Graph, inference: Inference, opset: number): void {
  const make = new Expressions(new GraphBuilder(graph, inference));
  const replaced: Node[] = [];
  for (const node of [...graph.nodes]) {
    for (const inner of node.subgraphs) upgradeNodes(inner, inference, opset);
    const upgrade =
      node.domain === '' || node.domain === 'ai.onnx' ? findOperator('', node.opType)?.upgrade : undefined;
    const values = upgrade?.({ ...rewriteContext(node, make), opset });
    if (!values) continue;
    replaced.push(node);
    node.outputs.forEach((output, index) => {
      const value = values[index];
      if (!output || !value) return;
      const { name, isOutput } = output;
      output.replaceAllUsesWith(value);
      // The outputs of a graph keep their names.
      if (!isOutput) return;
      graph.rename(output, graph.freshName(name));
      graph.rename(value, name);
    });
  }
  if (replaced.length === 0) return;
  graph.removeNodes(replaced);
  graph.sort();
}
