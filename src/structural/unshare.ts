import type { Graph, Value } from '../ir/index.ts';

/**
 * Gives every node that reads a shared vector a copy of its own, in place: exporters write equal biases and scales (the zeros and ones of a fresh model) once and let all layers read them. That would tie the channels of layers
 * that have nothing to do with each other. Tensors stay shared; matrices are left alone, as a weight that is shared is meant to be. Gives for each copy the value it was copied from: after a cut that left both alike they are one
 * again.
 */
export function unshareVectors(graph: Graph): ReadonlyMap<Value, Value> {
  const originals = new Map<Value, Value>();
  for (const value of graph.initializers) {
    const tensor = value.initializer;
    if (!tensor || value.isInput || tensor.size < 2 || tensor.shape.filter((size) => size > 1).length > 1)
      continue;
    const [, ...others] = value.consumers.filter((node) => node.graph === graph);
    for (const node of others) {
      const copy = graph.addInitializer(graph.freshName(value.name), tensor);
      originals.set(copy, value);
      node.inputs.forEach((input, index) => {
        if (input === value) node.setInput(index, copy);
      });
    }
  }
  return originals;
}
