import { ArgumentError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { Graph } from '../../ir/index.ts';
import { createSession, type Session } from '../../runtime/index.ts';
import { batchesOf, type CalibrationBatch, feedsOf, sampleCount, samplesOf } from '../calibration.ts';
import { realsOf } from './axis-sums.ts';
import type { ImportanceOptions } from './options.ts';
import { finished, type Workbench, workbench } from './workbench.ts';

/** What is measured on batches. */
export interface Measurement {
  /** The model. */
  readonly graph: Graph;
  readonly options: ImportanceOptions;
  /** Runs sample by sample. */
  readonly perSample?: boolean;
  /** What is added up over the batches is an average of each: it is weighed by its samples. */
  readonly averages?: boolean;
  /** Gradients are built: targets are asked for, and handed in. */
  readonly gradients?: boolean;
  /** Adds what measures to the model: outputs, each a vector. Gives the name of the input that takes the target. */
  readonly instrument: (bench: Workbench, target: Tensor | null) => string | null;
}

/** Sums over all batches. */
export interface Measured {
  /** By output. */
  readonly sums: ReadonlyMap<string, Float64Array>;
  readonly samples: number;
}

interface Compiled {
  readonly key: string;
  readonly session: Session;
  readonly target: string | null;
}

/**
 * Runs a model with what measures on all batches of `options.data`, and adds up what comes out. It is compiled once for each shape of batches that follow one another.
 *
 * Throws ArgumentError where data or targets are missing or do not fit, EngineError where the engine is missing or fails, the signal's reason where it is aborted.
 */
export async function measured(measurement: Measurement): Promise<Measured> {
  const { options, graph, averages = false, perSample = false } = measurement;
  const { data, method } = options;
  if (!data) {
    throw new ArgumentError(
      `importance: '${method}' needs data; give { data }, batches of { input${measurement.gradients ? ', target' : ''} } such as a DataLoader`,
    );
  }
  const sums = new Map<string, Float64Array>();
  let samples = 0;
  let compiled: Compiled | null = null;
  try {
    for await (const batch of batchesOf(data, options)) {
      for (const part of perSample ? samplesOf(batch) : [batch]) {
        options.signal?.throwIfAborted();
        const feeds = feedsOf(part, graph);
        const count = sampleCount(part);
        const key = `${Object.values(feeds).join(' ')} ${part.target ?? ''}`;
        if (compiled?.key !== key) {
          await compiled?.session.dispose();
          compiled = null;
          compiled = await compile(measurement, key, part, feeds);
        }
        if (compiled.target !== null) feeds[compiled.target] = part.target!;
        const results = await compiled.session.run(feeds);
        for (const [name, tensor] of results) addUp(sums, name, tensor, averages ? count : 1);
        samples += count;
      }
    }
  } finally {
    await compiled?.session.dispose();
  }
  return { sums, samples };
}

async function compile(
  { graph, gradients = false, instrument, options }: Measurement,
  key: string,
  batch: CalibrationBatch,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Compiled> {
  if (gradients && !batch.target) {
    throw new ArgumentError(
      `importance: '${options.method}' needs targets; give batches of { input, target } (a loss of your own may pass over them)`,
    );
  }
  const bench = workbench(graph, feeds, { gradients });
  const target = instrument(bench, batch.target ?? null);
  const { threads } = options;
  const session = await createSession(finished(bench), threads === undefined ? {} : { threads });
  return { key, session, target };
}

function addUp(sums: Map<string, Float64Array>, name: string, tensor: Tensor, weight: number): void {
  const numbers = realsOf(tensor);
  let own = sums.get(name);
  if (!own) {
    own = new Float64Array(numbers.length);
    sums.set(name, own);
  }
  for (let at = 0; at < numbers.length; at++) own[at]! += weight * numbers[at]!;
}
