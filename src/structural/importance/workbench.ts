import { ArgumentError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import { cloneGraph, type Graph, tensorType, type Value } from '../../ir/index.ts';
import { annotateTypes, Expressions, GraphBuilder, inferShapes } from '../../ops/index.ts';
import { rebatch, removeUnused, upgradeOpset } from '../../passes/index.ts';

/** A copy of a graph to which nodes are added that measure something. */
export interface Workbench {
  readonly graph: Graph;
  readonly builder: GraphBuilder;
  readonly make: Expressions;
  /** What the model gives; these are no outputs of the copy. */
  readonly outputs: readonly Value[];
}

/**
 * A copy of a graph for inputs of these shapes, without outputs; values keep their names. Tensors are shared. With `gradients` it is brought to an opset in which gradients can be built.
 *
 * Throws ArgumentError where the graph has another batch size built in, ShapeError where the shapes do not fit.
 */
export function workbench(
  original: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  { gradients = false }: { readonly gradients?: boolean } = {},
): Workbench {
  const graph = forBatch(original, feeds);
  for (const feed of graph.feeds) {
    const tensor = feeds[feed.name];
    if (tensor) feed.type = tensorType(tensor.dtype, tensor.shape);
  }
  if (gradients) upgradeOpset(graph);
  const inference = inferShapes(graph);
  annotateTypes(graph, inference);
  const outputs = [...graph.outputs];
  while (graph.outputs.length > 0) graph.removeOutput(graph.outputs.length - 1);
  const builder = new GraphBuilder(graph, inference);
  return { graph, builder, make: new Expressions(builder), outputs };
}

function forBatch(original: Graph, feeds: Readonly<Record<string, Tensor>>): Graph {
  for (const { name, type } of original.feeds) {
    const declared = type?.kind === 'tensor' ? type.shape?.[0] : undefined;
    const batch = feeds[name]?.shape[0];
    if (typeof declared !== 'number' || batch === undefined || batch === declared) continue;
    const changed = rebatch(original, batch);
    if (changed) return changed;
    throw new ArgumentError(
      `importance: graph '${original.name}' has its batch size of ${declared} built in, got ${batch}; give batches of ${declared}, or export it with a symbolic batch`,
    );
  }
  return cloneGraph(original).graph;
}

/** Ends the work: what no output needs goes. Initializers stay shared with the original. */
export function finished({ graph }: Workbench): Graph {
  removeUnused(graph);
  return graph;
}
