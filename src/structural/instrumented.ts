import type { Tensor } from '../core/tensor.ts';
import type { Graph } from '../ir/index.ts';
import { createSession, type Session } from '../runtime/index.ts';
import {
  batchesOf,
  type CalibrationData,
  type CalibrationOptions,
  feedsOf,
  sampleCount,
} from './calibration.ts';
import { finished, type Workbench, workbench } from './importance/workbench.ts';

/** How a model is run on calibration data. */
export interface RunOptions extends CalibrationOptions {
  /** Threads inside an operator; by default as many as the machine has. */
  readonly threads?: number;
}

/** One batch run through a model that was added to. */
export interface InstrumentedRun<T> {
  /** What the graph that ran gave. */
  readonly results: ReadonlyMap<string, Tensor>;
  /** What `instrument` gave for batches of this shape. */
  readonly facts: T;
  readonly samples: number;
}

interface Compiled<T> {
  readonly key: string;
  readonly session: Session;
  readonly facts: T;
}

/**
 * Runs a copy of a model to which something was added on every batch of calibration data. It is compiled once for each shape of batches that follow one another.
 *
 * @param instrument adds outputs to the copy, whose sizes are those of the batch; the model's own outputs are none of them
 * @param extra inputs that were added, for the batch of this number
 *
 * Throws as `batchesOf`, `feedsOf` and `workbench`; EngineError where the engine is missing or fails.
 */
export async function* instrumentedRuns<T>(
  graph: Graph,
  data: CalibrationData,
  options: RunOptions,
  instrument: (bench: Workbench) => T,
  extra: (facts: T, batch: number) => Readonly<Record<string, Tensor>> = () => ({}),
): AsyncGenerator<InstrumentedRun<T>, void, void> {
  const open: Compiled<T>[] = [];
  let number = 0;
  try {
    for await (const batch of batchesOf(data, options)) {
      const feeds = feedsOf(batch, graph);
      const key = Object.values(feeds).join(' ');
      if (open[0]?.key !== key) {
        await open.pop()?.session.dispose();
        open.push(await compile(key, workbench(graph, feeds), instrument, options));
      }
      const { session, facts } = open[0]!;
      const results = await session.run({ ...feeds, ...extra(facts, number++) });
      yield { results, facts, samples: sampleCount(batch) };
    }
  } finally {
    await open.pop()?.session.dispose();
  }
}

async function compile<T>(
  key: string,
  bench: Workbench,
  instrument: (bench: Workbench) => T,
  { threads }: RunOptions,
): Promise<Compiled<T>> {
  const facts = instrument(bench);
  const session = await createSession(finished(bench), threads === undefined ? {} : { threads });
  return { key, session, facts };
}
