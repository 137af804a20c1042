import { dtypeInfo } from '../core/dtype.ts';
import type { Graph, Node, Value } from '../ir/index.ts';
import { cloneGraph } from '../ir/index.ts';
import { constantSource, findOperator, inferShapes } from '../ops/index.ts';
import { removeUnused } from '../passes/index.ts';
import { createSession } from '../runtime/index.ts';
import { DataFlow } from './data-flow.ts';

/**
 * Puts constants in place of weights that a graph computes of constants each time anew, such as `Mul(weight_orig, weight_mask)` of a model that was exported with its masks. Only where the result takes no more bytes than what it is
 * computed of: a quantized weight stays quantized. Edits the graph; gives a sentence for each. Throws EngineError where onnxruntime refuses the graph.
 */
export async function foldComputedWeights(graph: Graph): Promise<string[]> {
  const values = computedWeights(graph);
  if (values.length === 0) return [];
  const { graph: copy, values: copies } = cloneGraph(graph);
  while (copy.outputs.length > 0) copy.removeOutput(0);
  for (const value of values) copy.addOutput(copies.get(value)!);
  removeUnused(copy);
  for (const input of [...copy.inputs]) if (input.isUnused) copy.removeValue(input);
  const session = await createSession(copy);
  try {
    const results = await session.run({});
    return values.map((value) => {
      const maker = value.producer!.label;
      const { name } = value;
      graph.rename(value, graph.freshName(`${name}_computed`));
      value.replaceAllUsesWith(graph.addInitializer(name, results.get(name)!));
      return `${maker}: computes a weight of constants, and the weight stands there now`;
    });
  } finally {
    await session.dispose();
  }
}

/** A graph, with constants in place of the weights it computes of constants. */
export interface WithoutComputedWeights {
  /** The graph given, where it computes none; else a copy. */
  readonly graph: Graph;
  /** A sentence for each. */
  readonly notes: readonly string[];
}

/** As `foldComputedWeights`, and leaves the graph given as it is. */
export async function withoutComputedWeights(original: Graph): Promise<WithoutComputedWeights> {
  if (computedWeights(original).length === 0) return { graph: original, notes: [] };
  const { graph } = cloneGraph(original);
  const notes = await foldComputedWeights(graph);
  removeUnused(graph);
  return { graph, notes };
}

/** Floating-point values that depend on no input, and that something reads which does. */
function computedWeights(graph: Graph): Value[] {
  const data = new Set<Node>(new DataFlow(graph).nodes);
  const undetermined = new Set<Value>();
  const values = graph.nodes.flatMap((node) => {
    if (data.has(node)) return [];
    const operator = findOperator(node.domain, node.opType);
    const isDetermined =
      operator !== undefined &&
      !operator.nondeterministic &&
      node.subgraphs.length === 0 &&
      !node.inputs.some((value) => value && undetermined.has(value));
    return node.outputs.filter((value): value is Value => {
      if (!value) return false;
      if (!isDetermined) undetermined.add(value);
      const isRead = !value.isOutput && value.consumers.some((reader) => data.has(reader));
      return isDetermined && isRead && constantSource(value) === null;
    });
  });
  if (values.length === 0) return values;
  const inference = inferShapes(graph);
  return values.filter((value) => {
    const type = inference.get(value);
    return type !== null && dtypeInfo(type.dtype).kind === 'float' && !grows(value, inference);
  });
}

/** True where a value takes more bytes than all constants it is computed of. */
function grows(value: Value, inference: ReturnType<typeof inferShapes>): boolean {
  const seen = new Set<Value>([value]);
  let bytes = 0;
  for (const at of seen) {
    bytes += at.initializer?.byteLength ?? 0;
    for (const input of at.producer?.inputs ?? []) if (input) seen.add(input);
  }
  const type = inference.get(value)!;
  const size = type.shape.reduce<number>(
    (product, dim) => product * (typeof dim === 'number' ? dim : Infinity),
    1,
  );
  return (size * dtypeInfo(type.dtype).bits) / 8 > bytes;
}
