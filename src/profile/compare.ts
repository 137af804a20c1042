import { ArgumentError } from '../core/errors.ts';
import { toFloat32 } from '../core/float16.ts';
import type { Tensor } from '../core/tensor.ts';
import { onnxByteLength, PROTOBUF_LIMIT, serializeOnnx } from '../io/index.ts';
import { Graph } from '../ir/index.ts';
import { GraphModule } from '../nn/index.ts';
import {
  compareLatency,
  createSession,
  type Latency,
  type LatencyOptions,
  randomInputs,
  type Session,
} from '../runtime/index.ts';
import { graphOf, type InputShapes, type Model, type ModelProfileOptions, profile } from './model.ts';
import type { Profile } from './profile.ts';
import { type Compressors, type FileSizes, fileSizes } from './sizes.ts';

/** How two models are compared. */
export interface CompareOptions extends Pick<ModelProfileOptions, 'convention'> {
  /** Inputs to run both models on, by the names of the first; random ones from `seed` by default. */
  readonly inputs?: Readonly<Record<string, Tensor>>;
  /** Shapes of the random inputs, and of what is profiled. Needed by Modules unless `inputs` are given. */
  readonly shapes?: InputShapes;
  /** Default 0. */
  readonly seed?: number;
  /** How latency is measured; false: not at all. */
  readonly latency?: LatencyOptions | false;
  /** Threads of the engine; by default as many as the machine has. */
  readonly threads?: number;
  /** How sizes are measured; by default what every platform has, gzip. */
  readonly compressors?: Compressors;
  readonly signal?: AbortSignal;
}

/** What one of the models has, costs and takes. */
export interface ModelMeasure extends Omit<Profile, 'layers'> {
  /** Of the ONNX file that the model is or would be written to, weights included. */
  readonly sizes: FileSizes;
  /** Null where it was not measured. */
  readonly latency: Latency | null;
}

/** How far two outputs are apart: absolute differences of elements. */
export interface Difference {
  readonly max: number;
  readonly mean: number;
  /** Elements that are left out of `max` and `mean`: not a number, or infinite, in one model and not so in the other. */
  readonly notComparable: number;
}

/** Two models side by side. */
export interface Comparison {
  readonly a: ModelMeasure;
  readonly b: ModelMeasure;
  /** Over all outputs, and of each (by the first model's names). */
  readonly difference: Difference & { readonly outputs: Readonly<Record<string, Difference>> };
  /** Shapes of the inputs both models ran on. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
}

/**
 * Measures two models side by side: parameters, zeros and operations without running them; sizes of their files; latency, in turns within one
 * run; and how far their outputs are apart on the same inputs. The models are not changed.
 *
 * Inputs and outputs are paired by name, or by place where the names differ. Throws ArgumentError where they cannot be paired or an
 * output has another shape, EngineError where a model does not run.
 */
export async function compareModels(a: Model, b: Model, options: CompareOptions = {}): Promise<Comparison> {
  const { inputs, seed = 0, latency = {}, threads, compressors, convention, signal } = options;
  const shapes = options.shapes ?? (inputs && shapesOf(inputs));
  const graphs = [graphOf(a, shapes), graphOf(b, shapes)] as const;
  const feeds = inputs ?? randomInputs(graphs[0], { seed, ...namedShapes(graphs[0], shapes) });
  const both = [feeds, pairedFeeds(graphs[0], graphs[1], feeds)] as const;
  const profiled = ([a, b] as const).map((model, index) => {
    // A graph is profiled for one sample, as by itself, unless shapes were asked for; a Module has no shapes of its own.
    const own = model instanceof Graph || model instanceof GraphModule;
    const given = options.shapes && (inputs ? options.shapes : shapesOf(both[index]!));
    const wanted = given ?? (own ? undefined : shapesOf(both[index]!));
    return profile(model, { ...(convention ? { convention } : {}), ...(wanted ? { shapes: wanted } : {}) });
  });
  const sizes: FileSizes[] = [];
  for (const graph of graphs) {
    sizes.push(
      await fileSizes(chunksOf(graph), {
        ...(compressors ? { compressors } : {}),
        ...(signal ? { signal } : {}),
      }),
    );
  }
  const sessions: Session[] = [];
  try {
    for (const graph of graphs)
      sessions.push(await createSession(graph, threads === undefined ? {} : { threads }));
    signal?.throwIfAborted();
    const outputs: Map<string, Tensor>[] = [];
    for (const [index, session] of sessions.entries()) outputs.push(await session.run(both[index]!));
    const difference = differenceOf(outputs[0]!, outputs[1]!);
    const times =
      latency === false
        ? null
        : await compareLatency(
            sessions.map((session, index) => ({ session, feeds: both[index]! })),
            { ...(signal ? { signal } : {}), ...latency },
          );
    const measure = (index: number): ModelMeasure => {
      const { layers: _, ...totals } = profiled[index]!;
      return { ...totals, sizes: sizes[index]!, latency: times?.[index] ?? null };
    };
    return { a: measure(0), b: measure(1), difference, inputs: shapesOf(feeds) };
  } finally {
    for (const session of sessions) await session.dispose();
  }
}

/** The bytes of the model, weights included, whether or not they fit into one file. */
function chunksOf(graph: Graph): readonly Uint8Array[] {
  if (onnxByteLength(graph) <= PROTOBUF_LIMIT) return serializeOnnx(graph);
  const { model, data } = serializeOnnx(graph, { externalData: { location: 'weights.bin' } });
  return [...model, ...data];
}

const shapesOf = (inputs: Readonly<Record<string, Tensor>>): Record<string, readonly number[]> =>
  Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));

function namedShapes(
  graph: Graph,
  shapes: InputShapes | undefined,
): { shapes?: Readonly<Record<string, readonly number[]>> } {
  if (!shapes) return {};
  const isNamed = (given: InputShapes): given is Readonly<Record<string, readonly number[]>> =>
    !Array.isArray(given);
  if (isNamed(shapes)) return { shapes };
  const [input] = graph.feeds;
  return input ? { shapes: { [input.name]: shapes } } : {};
}

/** The second model's feeds: by name where it has the same names, else by place. */
function pairedFeeds(
  a: Graph,
  b: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): Readonly<Record<string, Tensor>> {
  const names = b.feeds.map(({ name }) => name);
  if (names.every((name) => name in feeds)) return feeds;
  const ordered = a.feeds.map(({ name }) => feeds[name]);
  if (ordered.length !== names.length || ordered.some((tensor) => tensor === undefined)) {
    const list = (graph: Graph): string => graph.feeds.map(({ name }) => `'${name}'`).join(', ') || 'none';
    throw new ArgumentError(
      `compareModels: the inputs cannot be paired: the first model has ${list(a)}, the second ${list(b)}`,
    );
  }
  return Object.fromEntries(names.map((name, index) => [name, ordered[index]!]));
}

interface Sum {
  max: number;
  total: number;
  compared: number;
  notComparable: number;
}

const finished = ({ max, total, compared, notComparable }: Sum): Difference => ({
  max,
  mean: compared === 0 ? 0 : total / compared,
  notComparable,
});

/**
 * Absolute differences of outputs, paired by name, or by place where the names differ. Strings differ by 0 or 1.
 * Throws ArgumentError where outputs cannot be paired or have different shapes.
 */
export function differenceOf(
  a: ReadonlyMap<string, Tensor>,
  b: ReadonlyMap<string, Tensor>,
): Comparison['difference'] {
  const byName = [...a.keys()].every((name) => b.has(name));
  const others = [...b.values()];
  if (a.size !== b.size) {
    throw new ArgumentError(
      `compareModels: the first model has the outputs ${[...a.keys()].join(', ')}, the second ${[...b.keys()].join(', ')}`,
    );
  }
  const all: Sum = { max: 0, total: 0, compared: 0, notComparable: 0 };
  const outputs: Record<string, Difference> = {};
  for (const [index, [name, tensor]] of [...a].entries()) {
    const other = byName ? b.get(name)! : others[index]!;
    const sum = differenceOfTensors(name, tensor, other);
    outputs[name] = finished(sum);
    all.max = Math.max(all.max, sum.max);
    all.total += sum.total;
    all.compared += sum.compared;
    all.notComparable += sum.notComparable;
  }
  return { ...finished(all), outputs };
}

function differenceOfTensors(name: string, a: Tensor, b: Tensor): Sum {
  if (a.shape.join() !== b.shape.join() || (a.dtype === 'string') !== (b.dtype === 'string')) {
    throw new ArgumentError(
      `compareModels: output '${name}' is ${a} in the first model and ${b} in the second`,
    );
  }
  const sum: Sum = { max: 0, total: 0, compared: 0, notComparable: 0 };
  const add = (difference: number): void => {
    if (Number.isNaN(difference) || difference === Number.POSITIVE_INFINITY) sum.notComparable++;
    else {
      sum.max = Math.max(sum.max, difference);
      sum.total += difference;
      sum.compared++;
    }
  };
  if (a.dtype === 'string') {
    a.strings.forEach((text, index) => {
      add(text === b.strings[index] ? 0 : 1);
    });
    return sum;
  }
  const x = numbersOf(a);
  const y = numbersOf(b);
  for (let i = 0; i < a.size; i++) {
    const p = Number(x[i]);
    const q = Number(y[i]);
    // Object.is holds for NaN, and subtraction makes NaN of two infinities.
    add(p === q || Object.is(p, q) ? 0 : Math.abs(p - q));
  }
  return sum;
}

/** Elements as they are where they are numbers; small floats as float32. */
const numbersOf = (tensor: Tensor): ArrayLike<number | bigint> =>
  tensor.dtype === 'float16' || tensor.dtype === 'bfloat16' ? toFloat32(tensor).float32 : tensor.data;
