import type { Graph, Node } from '../ir/index.ts';
import { findOperator, type Inferred, inferShapes } from '../ops/index.ts';
import type { PassResult } from './pass.ts';
import { removeUnused } from './remove-unused.ts';

/**
 * Lets nodes that broadcast their inputs do so: where one is expanded to a shape that the other has anyway (`x / norm.expand_as(x)`, as `F.normalize` writes it), the node reads it as it was. What is not read any more is removed.
 * Where sizes are open, only as far as they are known to be the same. The graph computes what it computed. Linear in nodes.
 */
export function leaveOutExpands(graph: Graph): PassResult {
  const readers = graph.nodes.filter(
    ({ domain, opType, inputs }) =>
      findOperator(domain, opType)?.broadcasts && inputs.some((value) => isExpanding(value?.producer)),
  );
  if (readers.length === 0) return { graph, modified: false };
  const inference = inferShapes(graph);
  let modified = false;
  for (const node of readers) {
    const output = inference.get(node.output());
    for (const [index, other] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const producer = node.inputs[index]?.producer;
      const value = node.inputs[other];
      const source = producer?.inputs[0];
      if (!isExpanding(producer) || !source || !value) continue;
      if (!isSame(inference.get(value), output)) continue;
      node.setInput(index, source);
      modified = true;
      break;
    }
  }
  if (modified) removeUnused(graph);
  return { graph, modified };
}

const isExpanding = (node: Node | null | undefined): node is Node =>
  node !== null && node !== undefined && findOperator(node.domain, node.opType)?.expands === true;

/** True where all sizes are known to be the same, by number or by name. */
const isSame = (a: Inferred | null, b: Inferred | null): boolean =>
  a !== null &&
  b !== null &&
  a.shape.length === b.shape.length &&
  a.shape.every((dim, axis) => dim !== null && String(dim) === String(b.shape[axis]));
