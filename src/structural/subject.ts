import { ArgumentError } from '../core/errors.ts';
import type { Graph } from '../ir/index.ts';
import { type AnyModule, GraphModule, Module, type TraceInputs, toGraph } from '../nn/index.ts';

/**
 * The graph of what is to be cut: the graph itself, that of a GraphModule, or the trace of another module in evaluation mode. Throws ArgumentError where a module has no `inputs` to be traced with.
 *
 * @param who the function that asks, for the message
 */
export function graphOfSubject(
  who: string,
  subject: Graph | AnyModule,
  inputs: TraceInputs | undefined,
): Graph {
  if (!(subject instanceof Module)) return subject;
  if (subject instanceof GraphModule) return subject.graph;
  if (inputs) return toGraph(subject, inputs);
  throw new ArgumentError(
    `${who}: ${subject.typeName} must be traced; give its inputs, such as { inputs: ['batch', 3, 224, 224] }`,
  );
}
