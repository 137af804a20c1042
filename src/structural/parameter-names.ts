import type { Tensor } from '../core/tensor.ts';
import type { Graph, Value } from '../ir/index.ts';
import { fromGraph } from '../nn/index.ts';

/** Names of a graph's initializers as PyTorch's state dict has them, where the graph tells them (`model.0.conv.weight`); else their own. */
export function parameterNames(graph: Graph): (value: Value) => string {
  const names = new Map<Tensor, string>();
  const module = fromGraph(graph);
  for (const [name, parameter] of module.namedParameters()) names.set(parameter.data, name);
  for (const [name, buffer] of module.namedBuffers()) names.set(buffer, name);
  return (value) => (value.initializer && names.get(value.initializer)) ?? value.name;
}
