import { ArgumentError, UnsupportedError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { cloneGraph, type Graph, type Node, type Value } from '../ir/index.ts';
import { findOperator, rewriteContext } from '../ops/index.ts';
import { rebatch, upgradeOpset } from '../passes/index.ts';
import type { AnyModule } from './module.ts';
import type { Parameter } from './parameter.ts';
import type { Tracer } from './tracer.ts';
import { Variable } from './variable.ts';

/** Writes a graph into the one being traced. Parameters and buffers of the module become its own initializers there; see `GraphModule.forward`. */
export function inlineGraph(module: AnyModule, original: Graph, inputs: readonly Variable[]): Variable[] {
  const [first] = inputs;
  const { feeds } = original;
  if (!first || inputs.length !== feeds.length) {
    throw new ArgumentError(
      `GraphModule: the graph takes ${feeds.length} inputs ('${feeds.map(({ name }) => name).join("', '")}'), got ${inputs.length}`,
    );
  }
  const { tracer } = first;
  const graph = adapted(original, first, tracer);
  const sources = sourcesOf(module);
  const values = new Map<Value, Value>();
  graph.feeds.forEach((feed, index) => {
    values.set(feed, inputs[index]!.value);
  });
  for (const value of graph.initializers) {
    const { initializer } = value;
    if (!initializer)
      throw new UnsupportedError(`Value '${value.name}': sparse initializers cannot be inlined`);
    const source = sources.get(initializer);
    values.set(value, source ? tracer.tensor(source).value : tracer.constant(initializer).value);
  }
  for (const node of graph.nodes) inlineNode(node, module, tracer, sources, values);
  return graph.outputs.map((output) => new Variable(tracer, values.get(output)!));
}

/** A copy of the graph for the batch size of the input and the operator versions of the tracer. */
function adapted(original: Graph, input: Variable, tracer: Tracer): Graph {
  const [batch] = input.shape;
  const type = original.feeds[0]?.type;
  const own = type?.kind === 'tensor' ? type.shape?.[0] : undefined;
  let graph = cloneGraph(original).graph;
  if (typeof own === 'number' && typeof batch === 'number' && own !== batch) {
    const changed = rebatch(original, batch);
    if (!changed) {
      throw new ArgumentError(
        `GraphModule: graph '${original.name}' has its batch size of ${own} built in, got ${batch}; use that batch size or export it with a symbolic batch`,
      );
    }
    graph = changed;
  }
  upgradeOpset(graph);
  const { opsetImports } = tracer.builder.graph;
  for (const [domain, version] of graph.opsetImports) {
    const present = opsetImports.get(domain);
    if (present === undefined) opsetImports.set(domain, version);
    else if (present < version) {
      throw new UnsupportedError(
        `GraphModule: graph '${original.name}' is written for opset ${version}, the graph being traced for ${present}; trace with { opset: ${version} }`,
      );
    }
  }
  return graph;
}

/** Parameters and buffers of a module by the tensors that its graph holds. */
function sourcesOf(module: AnyModule): ReadonlyMap<Tensor, Parameter | Tensor> {
  const sources = new Map<Tensor, Parameter | Tensor>();
  for (const parameter of module.parameters()) sources.set(parameter.data, parameter);
  for (const buffer of module.buffers()) sources.set(buffer, buffer);
  return sources;
}

function inlineNode(
  node: Node,
  module: AnyModule,
  tracer: Tracer,
  sources: ReadonlyMap<Tensor, Parameter | Tensor>,
  values: Map<Value, Value>,
): void {
  if (node.subgraphs.length > 0) {
    throw new UnsupportedError(`${node.label}: has a graph of its own inside, which cannot be inlined`);
  }
  const { builder } = tracer;
  const inputs = node.inputs.map((input) => input && values.get(input)!);
  const made = builder.ops(node.opType, inputs, {
    attributes: Object.fromEntries(node.attributes),
    outputs: node.outputs.length,
    name: tracer.freshNodeName(node.name),
    domain: node.domain,
  });
  const outputs: (Value | null)[] = [...made];
  const training = module.training ? findOperator(node.domain, node.opType)?.training : undefined;
  const copy = made[0]?.producer;
  if (training && copy) {
    const trained = training({
      ...rewriteContext(copy, tracer.expressions),
      uniform: (shape) => {
        const drawn = tracer.uniform(shape);
        if (drawn) return drawn.value;
        throw new UnsupportedError(
          `${node.label}: draws random numbers in training, which must be inputs here; trace with { random: 'inputs' }`,
        );
      },
      compose: (composition) => tracer.compositions.push(composition),
      update: (index, value) => {
        const tensor = node.input(index).initializer;
        const buffer = tensor && sources.get(tensor);
        if (buffer instanceof Tensor) tracer.update(buffer, new Variable(tracer, value));
      },
    });
    trained?.forEach((value, index) => {
      outputs[index] = value;
    });
    // Once its outputs are replaced the node itself is no longer needed.
    if (trained) builder.graph.removeNode(copy);
  }
  node.outputs.forEach((output, index) => {
    const value = outputs[index];
    if (output && value) values.set(output, value);
  });
}
