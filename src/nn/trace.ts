import type { DType } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { cloneGraph, type Dim, type Graph, type Shape, tensorType, type Value } from '../ir/index.ts';
import { annotateTypes, inferShapes } from '../ops/index.ts';
import { removeUnused } from '../passes/index.ts';
import { GraphLayer, GraphModule } from './graph-module.ts';
import type { AnyModule } from './module.ts';
import { type BufferUpdate, Tracer, type TracerOptions } from './tracer.ts';
import { Variable } from './variable.ts';

/** An input: its shape (float32), a tensor of its shape and dtype, or both spelled out. Symbols such as `'batch'` stand for any size. */
export type InputSpec = Shape | Tensor | { readonly shape: Shape; readonly dtype?: DType };

/** One input, several in order, or several by name. */
export type TraceInputs = InputSpec | readonly InputSpec[] | Readonly<Record<string, InputSpec>>;

/** How a module is traced. */
export interface TraceOptions extends TracerOptions {
  /** Names of the outputs; `output`, `output_1`, … by default. */
  readonly outputNames?: readonly string[];
}

/** A traced module. */
export interface Traced {
  readonly graph: Graph;
  /** New values of buffers; in training mode batch norm's statistics. The values are no outputs of the graph. */
  readonly updates: readonly BufferUpdate[];
  /** What each module gives, by path: one value per output and call, in order. */
  readonly moduleOutputs: ReadonlyMap<string, readonly Value[]>;
}

interface NamedInput {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
}

/**
 * The graph that a module computes for inputs of these shapes. Initializers share the tensors of the module's parameters, under their
 * state-dict names; a pruned parameter is one initializer, its effective elements, unless `masks: 'graph'` asks for original, mask and
 * product. Whether training or evaluation is traced follows `module.training`. Of a GraphModule it gives a copy of the graph with these
 * input types.
 *
 * ```ts
 * trace(new LeNet5().eval(), ['batch', 1, 32, 32]);
 * trace(model, { image: { shape: [1, 3, 224, 224], dtype: 'float16' } });
 * ```
 *
 * Throws ShapeError where an input does not fit a layer, ArgumentError where inputs or names are not as described.
 */
export function trace(module: AnyModule, inputs?: TraceInputs, options: TraceOptions = {}): Graph {
  const { graph } = traceDetailed(module, inputs, options);
  if (!(module instanceof GraphModule)) removeUnused(graph);
  return graph;
}

/** As `trace`, with what running needs beside the graph. Nodes that only updates or modules' outputs need are kept. */
export function traceDetailed(module: AnyModule, inputs?: TraceInputs, options: TraceOptions = {}): Traced {
  if (module instanceof GraphModule) return copied(module, inputs, options);
  if (inputs === undefined)
    throw new ArgumentError(`trace: ${module.typeName} needs the shapes of its inputs`);
  const named = namedInputs(inputs, (index) => (index === 0 ? 'input' : `input_${index}`));
  if (named.length === 0) throw new ArgumentError(`trace: ${module.typeName} needs at least one input`);
  const tracer = new Tracer(module, options);
  const { graph } = tracer.builder;
  graph.name = module.typeName;
  const variables = named.map(({ name, dtype, shape }) => tracer.input(name, dtype, shape));
  const result = module.call(...variables);
  nameOutputs(tracer, result instanceof Variable ? [result] : result, options.outputNames);
  return { graph, updates: tracer.updates, moduleOutputs: tracer.moduleOutputs };
}

/** Makes values the outputs; those that have a name of their own (inputs, parameters, the same value twice) go through an Identity. */
function nameOutputs(tracer: Tracer, outputs: readonly Variable[], names?: readonly string[]): void {
  if (names && names.length !== outputs.length) {
    throw new ArgumentError(`trace: ${names.length} output names for ${outputs.length} outputs`);
  }
  const { builder } = tracer;
  outputs.forEach((output, index) => {
    const name = names?.[index] ?? (index === 0 ? 'output' : `output_${index}`);
    const own = output.value;
    const taken = own.producer === null || builder.graph.outputs.includes(own);
    builder.output(taken ? tracer.op('Identity', [output]).value : own, name);
  });
}

function copied(module: GraphModule, inputs: TraceInputs | undefined, options: TraceOptions): Traced {
  const { graph, values } = cloneGraph(module.graph);
  const { feeds } = graph;
  const named = inputs === undefined ? [] : namedInputs(inputs, (index) => feeds[index]?.name ?? '');
  const known = feeds.map(({ name }) => `'${name}'`).join(', ');
  if (named.length > feeds.length)
    throw new ArgumentError(`trace: ${named.length} inputs for the graph's ${feeds.length} (${known})`);
  for (const { name, dtype, shape } of named) {
    const input = feeds.find((feed) => feed.name === name);
    if (!input) throw new ArgumentError(`trace: no input is named '${name}'; the graph has ${known}`);
    input.type = tensorType(dtype, shape);
  }
  const { outputNames } = options;
  if (outputNames && outputNames.length !== graph.outputs.length)
    throw new ArgumentError(`trace: ${outputNames.length} output names for ${graph.outputs.length} outputs`);
  outputNames?.forEach((name, index) => {
    graph.rename(graph.outputs[index]!, name);
  });
  if (named.length > 0) annotateTypes(graph, inferShapes(graph));
  const moduleOutputs = new Map<string, readonly Value[]>();
  for (const [path, layer] of module.namedModules()) {
    const output = layer instanceof GraphLayer ? layer.output : null;
    const copy = output && values.get(output);
    if (copy) moduleOutputs.set(path, [copy]);
  }
  return { graph, updates: [], moduleOutputs };
}

const isDim = (value: unknown): value is Dim =>
  value === null || typeof value === 'number' || typeof value === 'string';

const isShape = (value: unknown): value is Shape => Array.isArray(value) && value.every(isDim);

const isSpec = (value: unknown): value is InputSpec =>
  isShape(value) ||
  value instanceof Tensor ||
  (typeof value === 'object' && value !== null && 'shape' in value && isShape(value.shape));

function namedInputs(inputs: TraceInputs, nameOf: (index: number) => string): NamedInput[] {
  const entries: [string, unknown][] = isSpec(inputs)
    ? [[nameOf(0), inputs]]
    : Array.isArray(inputs)
      ? inputs.map((spec, index) => [nameOf(index), spec])
      : Object.entries(inputs);
  return entries.map(([name, spec]) => {
    if (!isSpec(spec))
      throw new ArgumentError(
        `trace: input '${name}' expects a shape such as ['batch', 3, 224, 224], a Tensor, or { shape, dtype }`,
      );
    if (spec instanceof Tensor) return { name, shape: spec.shape, dtype: spec.dtype };
    if (isShape(spec)) return { name, shape: spec, dtype: 'float32' };
    return { name, shape: spec.shape, dtype: spec.dtype ?? 'float32' };
  });
}
