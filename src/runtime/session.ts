import { ENGINE_NAME, type Engine, hardwareThreads, loadEngine, WRITES_INTO_OUTPUTS } from '#ort';
import { dtypeInfo } from '../core/dtype.ts';
import { ArgumentError, EngineError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { cloneGraph, Graph, printType, type TensorType, type Value } from '../ir/index.ts';
import { graphParameters } from '../ops/index.ts';
import { blockSize, useBlocks } from './blocked-convolutions.ts';
import { type ExternalFile, engineModel } from './engine-model.ts';
import { fromEngine, type OrtTensor, toEngine } from './engine-tensor.ts';
import type { StateBuffers } from './state.ts';

/** How a session is made. */
export interface SessionOptions {
  /** Threads inside an operator; by default as many as the machine has. */
  readonly threads?: number;
  /** How much onnxruntime rewrites the graph; `all` by default. */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
  /**
   * Hand parameters over at each run instead of baking them in, so that changes of their elements show in the next run. Costs the
   * optimizations that need constants. Graphs only; false by default.
   */
  readonly feedParameters?: boolean;
  /** Values of the graph to give beside its outputs. Graphs only. */
  readonly taps?: readonly Value[];
  /**
   * Compute convolutions whose weights are no constants on blocks of channels, where the engine has kernels for this processor: faster, with another rounding. Graphs only; false by default.
   */
  readonly blocked?: boolean;
  /**
   * Plan the memory of all values together after the first run; default true. Without, it is taken piece by piece each time, out of memory that stays with the session: the first run's need not be held beside the planned one. A step of
   * YOLOv5n on 16 images of 320 pixels then takes 1.5 GB in place of 2.5, in the same time.
   */
  readonly plannedMemory?: boolean;
  /** Content of the external data files that a model given as bytes refers to. */
  readonly externalData?: readonly ExternalFile[];
}

/** An input or output of a session. */
export interface SessionValue {
  readonly name: string;
  readonly type: TensorType | null;
}

type OrtSession = Awaited<ReturnType<Engine['InferenceSession']['create']>>;
/**
 * A graph compiled by onnxruntime. It holds native memory: call `dispose` when done with it.
 */
export class Session {
  /** What must be fed. */
  readonly inputs: readonly SessionValue[];
  /** Names of what comes back: the graph's outputs, then the taps. */
  readonly outputs: readonly string[];
  /** Threads inside an operator. */
  readonly threads: number;
  readonly #engine: Engine;
  readonly #session: OrtSession;
  readonly #parameters: ReadonlyMap<string, Tensor>;
  /** Outputs of earlier steps, whose memory the next step writes into. */
  readonly #reused = new Map<string, OrtTensor>();
  #disposed = false;

  /** Use `createSession`. */
  constructor(
    engine: Engine,
    session: OrtSession,
    facts: { inputs: readonly SessionValue[]; threads: number; parameters: ReadonlyMap<string, Tensor> },
  ) {
    this.#engine = engine;
    this.#session = session;
    this.#parameters = facts.parameters;
    this.inputs = facts.inputs;
    this.outputs = session.outputNames;
    this.threads = facts.threads;
  }

  /**
   * Runs the graph on named inputs and gives the outputs by name. Elements are not copied on the way in. Throws EngineError that names the
   * input where one is missing, unknown, or of another dtype or shape (before anything runs); and where the engine itself fails.
   */
  async run(feeds: Readonly<Record<string, Tensor>>): Promise<Map<string, Tensor>> {
    if (this.#disposed) throw new EngineError('Session: it was disposed of and cannot run; create a new one');
    this.#check(feeds);
    const inputs: Record<string, OrtTensor> = {};
    for (const { name } of this.inputs) inputs[name] = toEngine(this.#engine, name, feeds[name]!);
    for (const [name, tensor] of this.#parameters) inputs[name] = toEngine(this.#engine, name, tensor);
    return tensorsOf(await this.#compute(inputs, {}));
  }

  /**
   * Runs a graph that hands values on from run to run: the state's inputs are fed from its buffers, its outputs are written into the other set of them, and
   * the sets change places. Gives the other outputs, which are VALID UNTIL THE NEXT STEP: their memory is used again. Where `accept` says no to them, the state stays as it was.
   *
   * Throws as `run`; the state is then what it was before.
   */
  async step(
    feeds: Readonly<Record<string, Tensor>>,
    state: StateBuffers,
    { accept }: { readonly accept?: (outputs: ReadonlyMap<string, Tensor>) => boolean } = {},
  ): Promise<Map<string, Tensor>> {
    if (this.#disposed) throw new EngineError('Session: it was disposed of and cannot run; create a new one');
    this.#check(feeds, state);
    const inputs: Record<string, OrtTensor> = state._inputs(this.#engine);
    for (const { name } of this.inputs) {
      if (!state.has(name)) inputs[name] = toEngine(this.#engine, name, feeds[name]!);
    }
    for (const [name, tensor] of this.#parameters) inputs[name] = toEngine(this.#engine, name, tensor);
    const own = state._outputs(this.#engine, this.outputs);
    const fetches: Record<string, OrtTensor | null> = {};
    for (const name of this.outputs) {
      const memory = own.get(name) ?? this.#reused.get(name) ?? null;
      fetches[name] = WRITES_INTO_OUTPUTS ? memory : null;
    }
    const results = await this.#compute(inputs, fetches);
    const others: Record<string, OrtTensor> = {};
    for (const [name, value] of Object.entries(results)) {
      if (own.has(name)) continue;
      others[name] = value;
      if (WRITES_INTO_OUTPUTS) this.#reused.set(name, value);
    }
    const outputs = tensorsOf(others);
    if (!accept || accept(outputs)) state._commit(results, WRITES_INTO_OUTPUTS);
    return outputs;
  }

  async #compute(
    inputs: Record<string, OrtTensor>,
    fetches: Record<string, OrtTensor | null>,
  ): Promise<Record<string, OrtTensor>> {
    try {
      const results = await this.#session.run(inputs, fetches as Record<string, OrtTensor>);
      return results as Record<string, OrtTensor>;
    } catch (cause) {
      throw new EngineError(`${ENGINE_NAME}: ${reason(cause)}`, { cause });
    }
  }

  /** Frees the engine's memory. The session cannot run afterwards; disposing of it again does nothing. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#session.release();
  }

  #check(feeds: Readonly<Record<string, Tensor>>, state?: StateBuffers): void {
    const expected = this.inputs.map(({ name, type }) => `'${name}' ${printType(type)}`).join(', ') || 'none';
    for (const name of Object.keys(feeds)) {
      if (!this.inputs.some((input) => input.name === name)) {
        throw new EngineError(`Session: no input is named '${name}'; expected ${expected}`);
      }
    }
    for (const { name, type } of this.inputs) {
      if (state?.has(name)) continue;
      const tensor = feeds[name];
      if (!tensor) throw new EngineError(`Session: input '${name}' is missing; expected ${expected}`);
      const { dtype, shape } = type ?? { dtype: null, shape: null };
      const fits =
        (dtype === null || dtype === tensor.dtype) &&
        (shape === null ||
          (shape.length === tensor.shape.length &&
            shape.every((dim, axis) => typeof dim !== 'number' || dim === tensor.shape[axis])));
      if (!fits) throw new EngineError(`Session: input '${name}' is ${printType(type)}, got ${tensor}`);
    }
  }
}

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

const tensorsOf = (results: Readonly<Record<string, OrtTensor>>): Map<string, Tensor> =>
  new Map(Object.entries(results).map(([name, value]) => [name, fromEngine(name, value)]));

const isFloat = (tensor: Tensor): boolean => dtypeInfo(tensor.dtype).kind === 'float';

/**
 * Compiles a model for onnxruntime (`onnxruntime-node` in Node, `onnxruntime-web` in browsers): a graph, the bytes of an ONNX file, or where one
 * is (a path in Node, which finds external data beside it; a URL in browsers). A graph is not changed, and may change afterwards without effect on
 * the session, but for the elements of fed parameters. Graphs beyond the 2 GiB of a protobuf message are handed over in two pieces.
 *
 * Throws EngineError where the engine is missing or refuses the model, GraphError where the graph is not well formed, ArgumentError
 * for options that the kind of model does not take.
 */
export async function createSession(
  model: Graph | Uint8Array | string,
  options: SessionOptions = {},
): Promise<Session> {
  checkOptions(model, options);
  const engine = await loadEngine();
  const threads = options.threads ?? (await hardwareThreads());
  const parameters = new Map<string, Tensor>();
  let inputs: readonly SessionValue[] | null = null;
  let source: Uint8Array | string;
  let externalData = options.externalData ?? [];
  if (model instanceof Graph) {
    inputs = model.feeds.map(({ name, type }) => ({ name, type: type?.kind === 'tensor' ? type : null }));
    const graph = prepared(model, options, parameters);
    const block = options.blocked ? await blockSize(engine) : null;
    if (block !== null) useBlocks(graph, block);
    ({ bytes: source, externalData } = engineModel(graph));
  } else source = model;
  const engineOptions = {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: options.optimization ?? 'all',
    logSeverityLevel: 3,
    enableMemPattern: options.plannedMemory ?? true,
    ...(externalData.length > 0 ? { externalData } : {}),
  } as const;
  let session: OrtSession;
  try {
    // Two calls, as its overloads do not take either.
    session =
      typeof source === 'string'
        ? await engine.InferenceSession.create(source, engineOptions)
        : await engine.InferenceSession.create(source, engineOptions);
  } catch (cause) {
    throw new EngineError(`${ENGINE_NAME} refuses the model: ${reason(cause)}`, { cause });
  }
  inputs ??= session.inputNames.map((name) => ({ name, type: null }));
  return new Session(engine, session, { inputs, threads, parameters });
}

/** Beyond any machine: onnxruntime makes as many as it is told to, until there is no memory left. */
const MOST_THREADS = 1024;

function checkOptions(model: Graph | Uint8Array | string, options: SessionOptions): void {
  const { taps = [], feedParameters = false, externalData = [], threads = 1 } = options;
  if (!(Number.isSafeInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
    throw new ArgumentError(
      `createSession: threads must be a whole number from 1 to ${MOST_THREADS}, got ${threads}`,
    );
  }
  if (model instanceof Graph && externalData.length > 0) {
    throw new ArgumentError(
      'createSession: externalData belongs to the bytes of a file; a Graph has its weights in it',
    );
  }
  if (!(model instanceof Graph) && (taps.length > 0 || feedParameters)) {
    throw new ArgumentError(
      'createSession: taps and feedParameters need a Graph; read the file with parseOnnx',
    );
  }
}

/** The graph as the engine gets it: taps as outputs, parameters as inputs where they are fed. */
function prepared(graph: Graph, options: SessionOptions, parameters: Map<string, Tensor>): Graph {
  const { taps = [], feedParameters = false, blocked = false } = options;
  if (taps.length === 0 && !feedParameters && !blocked) return graph;
  const { graph: copy, values } = cloneGraph(graph);
  for (const tap of taps) {
    const value = values.get(tap);
    if (!value) throw new EngineError(`Session: the tap '${tap.name}' is no value of graph '${graph.name}'`);
    if (!copy.outputs.includes(value)) copy.addOutput(value);
  }
  if (feedParameters) {
    for (const { value, tensor } of graphParameters(copy)) {
      if (!value.initializer || value.graph !== copy || !isFloat(tensor)) continue;
      value.initializer = null;
      if (!value.isInput) copy.markInput(value);
      parameters.set(value.name, tensor);
    }
  }
  return copy;
}
