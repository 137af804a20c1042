import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { concatBytes, serializeOnnx } from '../io/index.ts';
import type { Graph, Value } from '../ir/index.ts';
import { removeUnused } from '../passes/index.ts';
import { createSession, type Session } from '../runtime/index.ts';
import type { AnyModule, Module, ModuleOutput } from './module.ts';
import { traceDetailed } from './trace.ts';
import type { Variable } from './variable.ts';

/** What a run of a module gives: a tensor where its forward gives a variable, a list where it gives a list. */
export type RunResult<Out extends ModuleOutput> = Out extends Variable ? Tensor : readonly Tensor[];

/**
 * Runs a module on tensors with onnxruntime. The module is traced anew each time, so that a change of its layers, hooks, mode or masks shows; parameters
 * and buffers are handed over at each run, so that a change of their elements does. The compiled graph is kept as long as nothing but those changes.
 * After a run in training mode buffers have their new elements (batch norm's running statistics).
 *
 * Throws ArgumentError and ShapeError as `trace`, EngineError where the engine is missing or fails.
 */
export async function run<Out extends ModuleOutput>(
  module: Module<Out>,
  ...inputs: Tensor[]
): Promise<RunResult<Out>> {
  const { outputs } = await execute(module, inputs, []);
  return (outputs.single ? outputs.tensors[0] : outputs.tensors) as RunResult<Out>;
}

/** Which modules `activations` is asked for. */
export interface ActivationsOptions {
  /** Paths of modules, such as `model.0.conv`. */
  readonly of: readonly string[];
}

/**
 * Runs a module and gives what the modules at these paths gave, by path: one tensor for every output and call, in order. Nothing else of the module changes
 * but buffers in training mode. Throws as `run`, and ArgumentError for a path that is no module's or whose module was not called.
 */
export async function activations(
  module: AnyModule,
  inputs: Tensor | readonly Tensor[],
  { of }: ActivationsOptions,
): Promise<Map<string, readonly Tensor[]>> {
  for (const path of of) module.getSubmodule(path);
  const list: readonly Tensor[] = 'dtype' in inputs ? [inputs] : inputs;
  return (await execute(module, list, of)).taps;
}

interface Executed {
  readonly outputs: { readonly single: boolean; readonly tensors: readonly Tensor[] };
  readonly taps: Map<string, readonly Tensor[]>;
}

async function execute(
  module: AnyModule,
  inputs: readonly Tensor[],
  of: readonly string[],
): Promise<Executed> {
  const { graph, updates, moduleOutputs, single } = traceDetailed(module, inputs);
  const outputs = graph.outputs.map(({ name }) => name);
  const names = graph.feeds.map(({ name }) => name);
  const missing = names[inputs.length];
  if (missing !== undefined) {
    throw new ArgumentError(
      `run: ${module.typeName} takes ${names.length} inputs ('${names.join("', '")}'), got ${inputs.length}`,
    );
  }
  const newElements = updates.map(({ buffer, value }) => ({ buffer, name: exposed(graph, value) }));
  const taps = of.map((path) => {
    const calls = moduleOutputs.get(path);
    if (!calls) throw new ArgumentError(`activations: the module '${path}' computed nothing in this forward`);
    return [path, calls.flat().map((value) => exposed(graph, value))] as const;
  });
  removeUnused(graph);
  const feeds: Record<string, Tensor> = {};
  for (const [index, name] of names.entries()) feeds[name] = inputs[index]!;
  for (const [name, tensor] of feedParameters(module, graph)) feeds[name] = tensor;
  const results = await runCached(module, graph, feeds);
  const result = (name: string): Tensor => {
    const tensor = results.get(name);
    if (tensor) return tensor;
    throw new ArgumentError(`run: the engine gave no output '${name}'`);
  };
  for (const { buffer, name } of newElements) buffer.setData(result(name).data);
  return {
    outputs: { single, tensors: outputs.map(result) },
    taps: new Map(taps.map(([path, values]) => [path, values.map(result)])),
  };
}

/** Name under which a value comes out of the graph; values that no node makes go through an Identity. */
function exposed(graph: Graph, value: Value): string {
  if (value.producer === null) {
    const copy = graph.addNode({ opType: 'Identity', inputs: [value] }).output();
    copy.type = value.type;
    graph.addOutput(copy);
    return copy.name;
  }
  if (!value.isOutput) graph.addOutput(value);
  return value.name;
}

/** Dtypes in which the engine takes inputs. Parameters of others stay in the graph. */
const FED: ReadonlySet<string> = new Set([
  'float32',
  'float64',
  'float16',
  'int64',
  'int32',
  'int8',
  'uint8',
  'bool',
]);

/**
 * Makes the module's parameters and buffers, which the graph holds as initializers, inputs of the graph; gives them by name. The graph can then be compiled once and fed
 * with whatever the module's tensors hold.
 */
export function feedParameters(module: AnyModule, graph: Graph): Map<string, Tensor> {
  const own = new Set<Tensor>(module.buffers());
  for (const parameter of module.parameters()) own.add(parameter.data);
  const fed = new Map<string, Tensor>();
  for (const value of graph.initializers) {
    const { initializer } = value;
    if (!initializer || !own.has(initializer) || !FED.has(initializer.dtype)) continue;
    value.initializer = null;
    if (!value.isInput) graph.markInput(value);
    fed.set(value.name, initializer);
  }
  return fed;
}

/** A compiled graph, and how many runs are using it. */
interface Compiled {
  readonly bytes: Uint8Array;
  readonly session: Promise<Session>;
  users: number;
  dropped: boolean;
}

/** Compiled graphs kept for each module: training and evaluation, or two shapes. */
const MOST_KEPT = 2;

const cache = new WeakMap<AnyModule, Compiled[]>();

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);

/** Runs a graph, compiled before if its bytes are the same: they hold everything but what is fed. */
async function runCached(
  module: AnyModule,
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Map<string, Tensor>> {
  const kept = cache.get(module) ?? [];
  const bytes = concatBytes(serializeOnnx(graph));
  let compiled = kept.find((candidate) => sameBytes(candidate.bytes, bytes));
  compiled ??= { bytes, session: createSession(graph), users: 0, dropped: false };
  const others = kept.filter((candidate) => candidate !== compiled);
  cache.set(module, [compiled, ...others].slice(0, MOST_KEPT));
  compiled.users++;
  try {
    for (const old of others.slice(MOST_KEPT - 1)) await drop(old);
    const session = await compiled.session;
    return await session.run(feeds);
  } catch (error) {
    cache.set(
      module,
      (cache.get(module) ?? []).filter((candidate) => candidate !== compiled),
    );
    compiled.dropped = true;
    throw error;
  } finally {
    compiled.users--;
    if (compiled.dropped) await drop(compiled);
  }
}

/** Frees a compiled graph, once no run uses it. */
async function drop(compiled: Compiled): Promise<void> {
  compiled.dropped = true;
  if (compiled.users > 0) return;
  const session = await compiled.session.catch(() => null);
  await session?.dispose();
}
