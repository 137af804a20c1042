import { EngineError } from '../core/errors.ts';
import { isPlainFloat, toFloat32 } from '../core/float16.ts';
import type { Tensor } from '../core/tensor.ts';
import { DataLoader, type Dataset } from '../data/index.ts';
import { serializeOnnx } from '../io/index.ts';
import type { Graph } from '../ir/index.ts';
import { type AnyModule, fromGraph, run } from '../nn/index.ts';
import { nodeCompressors, readModel, writeModel } from '../node/index.ts';
import { differenceOf, fileSizes, profile, sparsityReport } from '../profile/index.ts';
import { createSession } from '../runtime/index.ts';
import { evaluate, type ModelState, stateOf } from '../train/index.ts';
import { releaseZeros } from './kept-zeros.ts';
import { uninterrupted } from './output.ts';
import { withProgress } from './progress.ts';
import { evaluationLoader } from './training-data.ts';
import type { OpenedModel } from './training-model.ts';
import type { DataOptions } from './training-options.ts';

/** Counts, operations and file sizes of a model as it is; masks are seen as the zeros they make. */
export async function measure(
  { module, graph, data }: OpenedModel,
  metrics?: Readonly<Record<string, number>>,
): Promise<ModelState> {
  const sizes = await withProgress('compressing', () =>
    fileSizes(serializeOnnx(graph()), { compressors: nodeCompressors }),
  );
  const { macs } = profile(graph(), { shapes: [1, ...data.inputShape], zeros: false }).totals;
  return stateOf(sparsityReport(module), { macs, sizes, ...(metrics === undefined ? {} : { metrics }) });
}

/** Mean loss and metrics on a data set, with a bar. */
export const judge = (
  title: string,
  module: AnyModule,
  dataset: Dataset,
  options: Pick<DataOptions, 'batchSize' | 'threads'>,
  metrics: readonly string[] = ['accuracy'],
): Promise<Record<string, number>> =>
  withProgress(title, (onProgress) =>
    evaluate(module, evaluationLoader(dataset, options), {
      metrics,
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      onBatch: (done, total) => onProgress(done / total),
    }),
  );

/** How far the outputs of a written file may be from the model's: float32 sums in another order. */
const TOLERANCE = 1e-3;

/** Samples that file and model are compared on. */
const COMPARED = 16;

/** What a written file was found to be. */
export interface Verification {
  /** Samples that file and model both ran on. */
  readonly samples: number;
  /** Largest difference of their outputs. */
  readonly maxDifference: number;
  /** Loss and metrics of the file as it was read back. */
  readonly metrics: Readonly<Record<string, number>>;
  /** What it was judged on. */
  readonly on: string;
  readonly parameters: number;
  readonly zeros: number;
}

/**
 * Makes masks permanent, writes the model, reads the file back and runs it in onnxruntime: on a few samples beside the model, and over the test or validation samples. Throws EngineError
 * where the outputs differ by more than rounding; FileError where the file cannot be written.
 */
export async function writeVerified(
  opened: OpenedModel,
  output: string,
  options: Pick<DataOptions, 'batchSize' | 'threads'> & { readonly force?: boolean },
  metrics: readonly string[] = ['accuracy'],
): Promise<Verification> {
  const { module, data } = opened;
  releaseZeros(module);
  module.eval();
  uninterrupted(() => writeModel(opened.graph(), output, { force: options.force ?? false }));
  const part = data.test ?? data.validation;
  const { samples, maxDifference } = await compareFile(output, opened, part.dataset, options.threads);
  if (!(maxDifference <= TOLERANCE)) {
    throw new EngineError(
      `${output} was written, but its outputs differ from the trained model's by ${maxDifference}; please report it`,
    );
  }
  const file = fromGraph(readModel(output));
  const { parameters, zeros } = sparsityReport(file);
  const found = await judge('checking the file', file, part.dataset, options, metrics);
  return { samples, maxDifference, metrics: found, on: part.text, parameters, zeros };
}

/** The batch that a graph has built in; null where it takes any. */
function builtInBatch(graph: Graph): number | null {
  const type = graph.feeds[0]?.type;
  const batch = type?.kind === 'tensor' ? type.shape?.[0] : null;
  return typeof batch === 'number' ? batch : null;
}

/** Runs file and model on the first samples. None are run where the file wants more at once than there are. */
async function compareFile(
  path: string,
  { module, graph }: OpenedModel,
  dataset: Dataset,
  threads: number | undefined,
): Promise<{ readonly samples: number; readonly maxDifference: number }> {
  const batchSize = builtInBatch(graph()) ?? Math.min(COMPARED, dataset.length);
  const session = await createSession(path, threads === undefined ? {} : { threads });
  let [samples, largest] = [0, 0];
  try {
    for await (const { input } of new DataLoader(dataset, { batchSize, dropLast: true, prefetch: 0 })) {
      const results = await session.run({ [session.inputs[0]!.name]: input });
      const own = first(await run(module, input));
      largest = Math.max(largest, gap(own, results.get(session.outputs[0]!)!));
      samples += batchSize;
      if (samples >= COMPARED) break;
    }
  } finally {
    await session.dispose();
  }
  return { samples, maxDifference: largest };
}

const first = (output: Tensor | readonly Tensor[]): Tensor =>
  (Array.isArray(output) ? output[0] : output) as Tensor;

/** Largest difference, relative where numbers are large; infinite where one is not a number and the other is. */
export function gap(a: Tensor, b: Tensor): number {
  const { max, notComparable } = differenceOf(new Map([['output', a]]), new Map([['output', b]]));
  if (notComparable > 0) return Number.POSITIVE_INFINITY;
  // One by one: outputs may have more elements than a call takes arguments.
  const numbers = isPlainFloat(a.dtype) && a.dtype !== 'float64' ? toFloat32(a) : a;
  const size = numbers.toNumbers().reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
  return max / size;
}
