import { type Graph, type Node, staticShape } from '../ir/index.ts';
import { findOperator, inferShapes } from '../ops/index.ts';

/**
 * Gives weights that a reshaping node alone reads the shape it gives them, in place, and takes the node away: exporters that keep a linear layer's weight as `[channels, height, width, outputs]` write it so. Flattened, its inputs are
 * those of the flattened map it is multiplied with. Elements stay where they are.
 */
export function reshapeConstants(graph: Graph): void {
  const found = graph.nodes.filter(isReshapedConstant);
  if (found.length === 0) return;
  const inference = inferShapes(graph);
  for (const node of found) {
    const output = node.output();
    const value = node.inputs[0]!;
    const shape = staticShape(inference.get(output)?.shape);
    if (!shape) continue;
    const { name, initializer, isInput } = value;
    const reshaped = graph.addInitializer(graph.freshName(name), initializer!.reshape(shape));
    output.replaceAllUsesWith(reshaped);
    graph.removeNode(node);
    graph.removeValue(value);
    graph.rename(reshaped, name);
    // Older files list initializers among the inputs.
    if (isInput) graph.markInput(reshaped);
  }
}

/** True where a node reshapes a weight that nothing else reads, and layers alone read what it gives. */
function isReshapedConstant(node: Node): boolean {
  const [value, target] = node.inputs;
  const output = node.outputs[0];
  const operator = findOperator(node.domain, node.opType);
  return (
    operator?.reshapes === true &&
    // An alias is followed as it is.
    operator.alias === undefined &&
    !output?.isOutput &&
    output?.consumers.length !== 0 &&
    output?.consumers.every(isWeighted) === true &&
    target?.initializer !== null &&
    value !== null &&
    value?.initializer !== null &&
    !value?.isOutput &&
    value?.consumers.length === 1
  );
}

const isWeighted = (node: Node): boolean => findOperator(node.domain, node.opType)?.weightedSum !== undefined;
