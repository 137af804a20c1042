import { Tensor } from '../core/tensor.ts';
import { cloneGraph, type Graph, type Node, staticShape, tensorType, type Value } from '../ir/index.ts';
import { allNodes, constantSource, findOperator, inferShapes } from '../ops/index.ts';

/**
 * A copy of a graph whose inputs have another batch size, for graphs exported with a fixed one. Target shapes written as constants
 * (`Reshape` to [2, 4, 6, 8, 8]) that begin with the old batch size get the new one. Weights are shared with the original.
 *
 * Gives null where the graph's batch cannot be changed so: inputs of different or unknown batch, or shapes that do not follow through
 * to the outputs.
 */
export function rebatch(graph: Graph, batch: number): Graph | null {
  const old = batchOf(graph);
  if (old === null) return null;
  const { graph: copy } = cloneGraph(graph);
  for (const input of copy.feeds) {
    if (input.type?.kind === 'tensor' && input.type.shape) {
      input.type = tensorType(input.type.dtype, [batch, ...input.type.shape.slice(1)]);
    }
  }
  if (old === batch) return copy;
  for (const node of allNodes(copy)) changeTargetShape(node, old, batch);
  return follows(graph, copy, old, batch) ? copy : null;
}

/** The batch size all inputs agree on; null where there is none. */
function batchOf(graph: Graph): number | null {
  let batch: number | null = null;
  for (const { type } of graph.feeds) {
    const first = type?.kind === 'tensor' ? type.shape?.[0] : undefined;
    if (typeof first !== 'number' || (batch !== null && batch !== first)) return null;
    batch = first;
  }
  return batch;
}

function changeTargetShape(node: Node, old: number, batch: number): void {
  const index = findOperator(node.domain, node.opType)?.shapeInput;
  const input = index === undefined ? null : node.inputs[index];
  const source = input && constantSource(input);
  if (index === undefined || !source || source.tensor.dtype !== 'int64') return;
  const sizes = source.tensor.toNumbers();
  // A cut along an axis (Split) has sizes too, but they are not a shape: its first output says which it is.
  if (sizes[0] !== old || !isShapeOf(node.outputs[0], sizes)) return;
  const name = node.graph.freshName(`${source.value.name}_batch_${batch}`);
  node.setInput(index, node.graph.addInitializer(name, Tensor.int64([batch, ...sizes.slice(1)])));
}

/** True where the value has as many axes as there are sizes, as far as that is declared. */
function isShapeOf(value: Value | null | undefined, sizes: readonly number[]): boolean {
  const shape = value?.type?.kind === 'tensor' ? value.type.shape : null;
  return shape === null || shape.length === sizes.length;
}

/** True where every output changed in its first axis alone, from the old batch size to the new. */
function follows(graph: Graph, copy: Graph, old: number, batch: number): boolean {
  let before: ReturnType<typeof inferShapes>;
  let after: ReturnType<typeof inferShapes>;
  try {
    before = inferShapes(graph);
    after = inferShapes(copy);
  } catch {
    // Shapes that contradict each other are the answer: this graph has its batch size built in.
    return false;
  }
  return graph.outputs.every((output, index) => {
    const was = staticShape(before.get(output)?.shape);
    const now = staticShape(copy.outputs[index] && after.get(copy.outputs[index])?.shape);
    return (
      was !== null &&
      now !== null &&
      was.length === now.length &&
      was.every((dim, axis) => (axis === 0 && dim === old ? now[0] === batch : dim === now[axis]))
    );
  });
}
