import type { DType } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { concatBytes, serializeOnnx } from '../io/index.ts';
import { cloneGraph, type Dim, Graph, type Shape, tensorType, type Value } from '../ir/index.ts';
import { annotateTypes, type Composition, GRADIENT_OPSET, GraphBuilder, inferShapes } from '../ops/index.ts';
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
  /** Trace as in training (true) or evaluation (false); as the modules are by default. */
  readonly training?: boolean;
  /** Version of ONNX's operators, 17 to 21; 17 by default, or what graphs that were read need where they are called. A graph that was read keeps its own. */
  readonly opset?: number;
}

/** A traced module, with what running it needs. */
export interface Traced {
  readonly graph: Graph;
  /** New values of buffers, such as batch norm's running statistics in training. They are values of the graph, not its outputs. */
  readonly updates: readonly BufferUpdate[];
  /** What each module gives, by path: a list of outputs for every call, in order. */
  readonly moduleOutputs: ReadonlyMap<string, readonly (readonly Value[])[]>;
  /** True where the forward gives one variable, not a list. */
  readonly single: boolean;
  /** Inputs to be fed with uniform random numbers in [0, 1), where the trace was asked for `random: 'inputs'`. */
  readonly randomInputs: readonly Value[];
  /** Nodes whose gradient is known as a whole, for `addGradients`. */
  readonly compositions: readonly Composition[];
}

/**
 * The opset in which a module can be traced: `least`, or what graphs that were read need which are called in it (18, to which older ones are brought, or their own).
 */
export function opsetFor(module: AnyModule, least: number = OPSETS.first): number {
  let opset = least;
  for (const inner of module.modules()) {
    if (inner instanceof GraphModule) opset = Math.max(opset, GRADIENT_OPSET, inner.graph.opset());
  }
  return opset;
}

/** Operator versions that the nodes written here mean the same in. */
const OPSETS = { first: 17, last: 21 } as const;

/**
 * The graph that a module computes for inputs of these shapes. Initializers share the tensors of the module's parameters, under their
 * state-dict names; a pruned parameter is one initializer, its effective elements, unless `masks: 'graph'` asks for original, mask and
 * product. Of a GraphModule it gives a copy of the graph, with these input types.
 *
 * ```ts
 * trace(new LeNet5().eval(), ['batch', 1, 32, 32]);
 * trace(model, { image: { shape: [1, 3, 224, 224], dtype: 'float16' } });
 * ```
 *
 * Throws ShapeError where an input does not fit a layer, ArgumentError where inputs or names are not as described.
 */
export function trace(module: AnyModule, inputs: TraceInputs, options: TraceOptions = {}): Graph {
  const { graph } = traceDetailed(module, inputs, options);
  if (!(module instanceof GraphModule)) removeUnused(graph);
  return graph;
}

/** As `trace`, with what running needs beside the graph. Nodes that nothing but updates or modules' outputs need are kept. */
export function traceDetailed(module: AnyModule, inputs: TraceInputs, options: TraceOptions = {}): Traced {
  if (module instanceof GraphModule) return copyOf(module, inputs, options);
  const opset = options.opset ?? opsetFor(module);
  if (!(opset >= OPSETS.first && opset <= OPSETS.last)) {
    throw new ArgumentError(`trace: expects an opset of ${OPSETS.first} to ${OPSETS.last}, got ${opset}`);
  }
  const named = namedInputs(inputs, (index) => (index === 0 ? 'input' : `input_${index}`));
  if (named.length === 0) throw new ArgumentError(`trace: ${module.typeName} needs at least one input`);
  const builder = new GraphBuilder(new Graph({ name: module.typeName, opset }));
  const tracer = new Tracer(module, builder, options);
  const variables = named.map(({ name, dtype, shape }) => tracer.input(name, dtype, shape));
  const result = inMode(module, options.training, () => module.call(...variables));
  const single = result instanceof Variable;
  nameOutputs(tracer, single ? [result] : result, options.outputNames);
  return {
    graph: builder.graph,
    updates: tracer.updates,
    moduleOutputs: tracer.moduleOutputs,
    single,
    randomInputs: tracer.randomInputs,
    compositions: tracer.compositions,
  };
}

/**
 * The graph as it is exported: traced in evaluation mode whatever mode the module is in, ready for `serializeOnnx`. Options and errors as
 * `trace`.
 */
export function toGraph(module: AnyModule, inputs: TraceInputs, options: TraceOptions = {}): Graph {
  return trace(module, inputs, { training: false, ...options });
}

/** The bytes of an ONNX file of the module; `toGraph` and `writeModel` for those beyond 2 GiB. Options and errors as `trace`. */
export function exportOnnx(module: AnyModule, inputs: TraceInputs, options: TraceOptions = {}): Uint8Array {
  return concatBytes(serializeOnnx(toGraph(module, inputs, options)));
}

/** Runs `body` with all modules in a mode, and puts each back in its own. */
function inMode<T>(module: AnyModule, training: boolean | undefined, body: () => T): T {
  if (training === undefined) return body();
  const before = [...module.modules()].map((inner) => [inner, inner.training] as const);
  module.train(training);
  try {
    return body();
  } finally {
    for (const [inner, mode] of before) inner.training = mode;
  }
}

/** Makes values the outputs; what has a name of its own (an input, a parameter, the same value twice) goes through an Identity. */
function nameOutputs(tracer: Tracer, outputs: readonly Variable[], names?: readonly string[]): void {
  checkOutputNames(names, outputs.length);
  const { builder } = tracer;
  outputs.forEach((output, index) => {
    const { producer, isOutput } = output.value;
    const own = producer === null || isOutput ? tracer.op('Identity', [output]).value : output.value;
    builder.output(own, names?.[index] ?? (index === 0 ? 'output' : `output_${index}`));
  });
}

function checkOutputNames(names: readonly string[] | undefined, count: number): void {
  if (!names || names.length === count) return;
  throw new ArgumentError(`trace: expects ${count} output names, one an output, got ${names.length}`);
}

function copyOf(module: GraphModule, inputs: TraceInputs, options: TraceOptions): Traced {
  const { graph, values } = cloneGraph(module.graph);
  const { feeds } = graph;
  const named = namedInputs(inputs, (index) => feeds[index]?.name ?? '');
  const known = feeds.map(({ name }) => `'${name}'`).join(', ');
  if (named.length > feeds.length) {
    throw new ArgumentError(`trace: the graph takes ${feeds.length} inputs (${known}), got ${named.length}`);
  }
  checkOutputNames(options.outputNames, graph.outputs.length);
  for (const { name, dtype, shape } of named) {
    const input = feeds.find((feed) => feed.name === name);
    if (!input) throw new ArgumentError(`trace: no input is named '${name}'; the graph has ${known}`);
    input.type = tensorType(dtype, shape);
  }
  options.outputNames?.forEach((name, index) => {
    graph.rename(graph.outputs[index]!, name);
  });
  if (named.length > 0) annotateTypes(graph, inferShapes(graph));
  const moduleOutputs = new Map<string, readonly (readonly Value[])[]>();
  for (const [path, layer] of module.namedModules()) {
    const output = layer instanceof GraphLayer ? layer.output : null;
    const copy = output && values.get(output);
    if (copy) moduleOutputs.set(path, [[copy]]);
  }
  return { graph, updates: [], moduleOutputs, single: false, randomInputs: [], compositions: [] };
}

interface NamedInput {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
}

const isDim = (value: unknown): value is Dim =>
  value === null || typeof value === 'number' || typeof value === 'string';

const isShape = (value: unknown): value is Shape => Array.isArray(value) && value.every(isDim);

const isSpec = (value: unknown): value is InputSpec =>
  isShape(value) ||
  value instanceof Tensor ||
  (typeof value === 'object' && value !== null && 'shape' in value && isShape(value.shape));

function namedInputs(inputs: TraceInputs, nameOf: (index: number) => string): NamedInput[] {
  const entries: [string, unknown][] =
    Array.isArray(inputs) && (inputs.length === 0 || !isShape(inputs))
      ? inputs.map((spec, index) => [nameOf(index), spec])
      : isSpec(inputs)
        ? [[nameOf(0), inputs]]
        : Object.entries(inputs);
  return entries.map(([name, spec]) => {
    if (!isSpec(spec)) {
      throw new ArgumentError(
        `trace: input '${name}' expects a shape such as ['batch', 3, 224, 224], a Tensor, or { shape, dtype }`,
      );
    }
    if (spec instanceof Tensor) return { name, shape: spec.shape, dtype: spec.dtype };
    if ('shape' in spec) return { name, shape: spec.shape, dtype: spec.dtype ?? 'float32' };
    return { name, shape: spec, dtype: 'float32' };
  });
}
