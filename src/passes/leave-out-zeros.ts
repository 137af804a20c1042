import { isPlainFloat, toFloat32 } from '../core/float16.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Graph, Node, Value } from '../ir/index.ts';
import { allNodes, findOperator, type Operator } from '../ops/index.ts';
import type { PassResult } from './pass.ts';
import { removeUnused } from './remove-unused.ts';

/**
 * Leaves out inputs that are computed, are zero throughout whatever the graph is given, and count as zeros where they are left out: the initial states of an LSTM, which PyTorch's exporters write as a tensor of zeros of the batch's
 * size. What computed them alone is removed. Inputs that are initializers stay. The graph computes what it computed. Linear in nodes and edges.
 */
export function leaveOutZeros(graph: Graph): PassResult {
  let modified = false;
  for (const node of allNodes(graph)) {
    for (const index of findOperator(node.domain, node.opType)?.zeroInputs ?? []) {
      const value = node.inputs[index];
      if (!value?.producer || !isZero(value)) continue;
      node.setInput(index, null);
      modified = true;
    }
  }
  if (modified) removeUnused(graph);
  return { graph, modified };
}

/** Only a tensor of one element is looked at: a large one is a weight. */
const isOneZero = (tensor: Tensor): boolean =>
  tensor.size === 1 && isPlainFloat(tensor.dtype) && toFloat32(tensor).float32[0] === 0;

/** True where all elements of a value are known to be 0: one number, filled in, and moved about. */
function isZero(value: Value): boolean {
  for (let at: Value | null | undefined = value; at; ) {
    const tensor = at.initializer;
    if (tensor) return isOneZero(tensor);
    const producer: Node | null = at.producer;
    if (!producer) return false;
    const operator: Operator | undefined = findOperator(producer.domain, producer.opType);
    if (!operator) return false;
    if (operator.fills) return operator.fills(producer) === 0;
    const constant = operator.constant?.(producer);
    if (constant) return isOneZero(constant);
    if (!operator.picks && !operator.reshapes && !operator.alias) return false;
    at = producer.inputs[0];
  }
  return false;
}
