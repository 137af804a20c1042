import { ArgumentError } from '../core/errors.ts';
import { cloneGraph, type Graph, type Shape, type Value } from '../ir/index.ts';
import { GraphBuilder, inferShapes } from '../ops/index.ts';
import { addGradients } from './add-gradients.ts';

/** What `gradient` differentiates. Values of the graph, or their names. */
export interface GradientOptions {
  /** The value that is differentiated, such as a loss. */
  readonly of: Value | string;
  /** Inputs, initializers or computed values after which it is differentiated. */
  readonly withRespectTo: readonly (Value | string)[];
  /**
   * Name of a new graph input for the gradient that flows into `of`, where that has more than one element. Left out: 1 flows in.
   */
  readonly gradOutput?: string;
  /** Shapes of graph inputs by name, where the graph leaves sizes open. */
  readonly shapes?: Readonly<Record<string, Shape>>;
}

/** Name under which the gradient of a value comes out of the graph of `gradient`. */
export const gradientName = (name: string): string => `${name}_grad`;

/**
 * A graph that computes what `graph` computes and also the gradients of one of its values, as further outputs in the order of `withRespectTo`, named
 * `<name>_grad`. It is made of ordinary ONNX operators; initializers are shared, and `graph` is not changed. The gradient of a value that `of` does not depend on is 0.
 *
 * ```ts
 * const graph = trace(model, [8, 3, 32, 32], { opset: 18 });
 * const withGradients = gradient(graph, { of: 'loss', withRespectTo: ['conv1.weight'] });
 * ```
 *
 * Throws as `addGradients`, and ArgumentError where a name is no value of the graph.
 */
export function gradient(graph: Graph, options: GradientOptions): Graph {
  const { graph: copy, values } = cloneGraph(graph);
  const find = (value: Value | string): Value => {
    const found = typeof value === 'string' ? copy.find(value) : values.get(value);
    if (found) return found;
    const name = typeof value === 'string' ? value : value.name;
    throw new ArgumentError(`gradient: graph '${graph.name}' has no value '${name}'`);
  };
  const of = find(options.of);
  const withRespectTo = options.withRespectTo.map(find);
  const inference = inferShapes(copy, options.shapes ? { shapes: options.shapes } : {});
  for (const input of copy.inputs) input.type = inference.type(input) ?? input.type;
  const builder = new GraphBuilder(copy, inference);
  const into = options.gradOutput;
  const { dtype, shape } = builder.inferred(of);
  const gradOutput = into === undefined ? null : builder.input(into, dtype, shape);
  const gradients = addGradients(builder, { of, withRespectTo, gradOutput });
  gradients.forEach((gradient, index) => {
    const value = withRespectTo[index]!;
    const own = gradient ?? builder.zeros(value);
    const fresh = own.producer === null || own.isOutput ? builder.op('Identity', [own]) : own;
    builder.output(fresh, gradientName(value.name));
  });
  return copy;
}
