import { EngineError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { serializeOnnx } from '../io/index.ts';
import type { Graph } from '../ir/index.ts';
import { nodeCompressors, writeModel } from '../node/index.ts';
import { type FileSizes, fileSizes, profile } from '../profile/index.ts';
import { compareLatency, createSession, type Latency, randomInputs } from '../runtime/index.ts';
import type { LoadedModel } from './load.ts';
import { uninterrupted } from './output.ts';
import { withProgress } from './progress.ts';
import { gap } from './trained-model.ts';

/** What a model has and costs. */
export interface MeasuredModel {
  readonly parameters: number;
  readonly zeros: number;
  /** Multiply-accumulates, as `secateur profile` counts them. */
  readonly macs: number;
  readonly sizes: FileSizes;
  /** Null where it was not measured. */
  readonly latency: Latency | null;
}

/** Counts a graph that came of a model, for inputs of the same shapes, and measures the file it is written as. */
export async function measured(
  { profileShapes }: LoadedModel,
  graph: Graph,
  latency: Latency | null,
): Promise<MeasuredModel> {
  const { totals } = profile(graph, profileShapes ? { shapes: profileShapes } : {});
  const sizes = await withProgress('compressing', () =>
    fileSizes(serializeOnnx(graph), { compressors: nodeCompressors }),
  );
  return { parameters: totals.parameters, zeros: totals.zeros, macs: totals.macs, sizes, latency };
}

/** How a model is run on random inputs. */
interface RunOptions {
  readonly seed?: number;
  readonly threads?: number;
}

/** Random inputs of the shapes that were given for the model. */
const feedsOf = ({ graph, shapes, profileShapes }: LoadedModel, { seed = 0 }: RunOptions) => {
  const given = shapes ?? profileShapes;
  return randomInputs(graph, { seed, ...(given ? { shapes: given } : {}) });
};

const threadsOf = ({ threads }: RunOptions) => (threads === undefined ? {} : { threads });

/** Latency of both graphs, measured in turns on the same random inputs. */
export async function latencies(
  model: LoadedModel,
  before: Graph,
  after: Graph,
  options: RunOptions,
): Promise<readonly [Latency, Latency]> {
  const feeds = feedsOf(model, options);
  const [was, is] = await withProgress('measuring latency', (onProgress) =>
    compareLatency(
      [before, after].map((session) => ({ session, feeds })),
      {
        ...threadsOf(options),
        onProgress,
      },
    ),
  );
  return [was!, is!];
}

/** What a written file was found to be. */
export interface CheckedFile {
  /** Largest relative difference of an output of the file from that of the model that was written. */
  readonly maxDifference: number;
}

/** How far the outputs of a written file may be from the model's: float32 sums in another order. */
const TOLERANCE = 1e-3;

/**
 * Writes a model, reads the file again and runs it once beside the model. Throws EngineError where the outputs differ by more than rounding, FileError where the file cannot be written.
 */
export async function writeChecked(
  model: LoadedModel,
  graph: Graph,
  output: string,
  options: RunOptions & { readonly force?: boolean },
): Promise<CheckedFile> {
  const feeds = feedsOf(model, options);
  const own = await outputsOf(graph, feeds, options);
  uninterrupted(() => writeModel(graph, output, { force: options.force ?? false }));
  const maxDifference = furthest(own, await outputsOf(output, feeds, options));
  if (!(maxDifference <= TOLERANCE)) {
    throw new EngineError(
      `${output} was written, but its outputs differ from the model's by ${maxDifference}; please report it`,
    );
  }
  return { maxDifference };
}

/** Outputs of a graph or file by name. */
async function outputsOf(
  model: Graph | string,
  feeds: Readonly<Record<string, Tensor>>,
  options: RunOptions,
): Promise<ReadonlyMap<string, Tensor>> {
  const session = await createSession(model, threadsOf(options));
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

/** Largest difference of outputs of the same names, relative where numbers are large; infinite where shapes differ. */
function furthest(a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>): number {
  let largest = a.size === b.size ? 0 : Number.POSITIVE_INFINITY;
  for (const [name, one] of a) {
    const other = b.get(name);
    const isAlike = other && other.dtype === one.dtype && other.shape.join() === one.shape.join();
    largest = Math.max(largest, isAlike ? gap(one, other) : Number.POSITIVE_INFINITY);
  }
  return largest;
}
