import { ENGINE_NAME } from '#ort';
import type { Tensor } from '../core/tensor.ts';
import { Graph } from '../ir/index.ts';
import { randomInputs } from './inputs.ts';
import { createSession, type Session } from './session.ts';

/** How long and how often is timed. */
export interface LatencyOptions {
  /** Runs before timing starts. Default 3. */
  readonly warmup?: number;
  /** Least number of timed runs of each session. Default 10. */
  readonly minRuns?: number;
  /** Most timed runs of each session. Default 200. */
  readonly maxRuns?: number;
  /** Timing goes on until each session ran for this long, in milliseconds. Default 1000. */
  readonly minTime?: number;
  /** Stop before `minTime` where the spread (see `Latency.spread`) of each session is below this. Default 0: never. */
  readonly steady?: number;
  /** Threads of a session that is made for a graph; by default as many as the machine has. */
  readonly threads?: number;
  /** Called after each timed run with the share of the work that is done. */
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

/** Measured time of a run, in milliseconds. */
export interface Latency {
  readonly median: number;
  readonly min: number;
  /** 10th and 90th percentile. */
  readonly p10: number;
  readonly p90: number;
  /** (p90 - p10) / median. */
  readonly spread: number;
  readonly runs: number;
  readonly threads: number;
  readonly engine: string;
}

/** The q-quantile (0 to 1) of sorted numbers, between neighbours linearly. */
export function quantile(sorted: readonly number[], q: number): number {
  const place = (sorted.length - 1) * q;
  const low = Math.floor(place);
  const high = Math.ceil(place);
  return (sorted[low] ?? Number.NaN) + ((sorted[high] ?? 0) - (sorted[low] ?? 0)) * (place - low);
}

/** Inputs by name. */
type Feeds = Readonly<Record<string, Tensor>>;

/** A session, or a graph for which one is made and disposed of, and what it runs on. */
export interface LatencySubject {
  readonly session: Session | Graph;
  readonly feeds: Feeds;
}

/** Measures one session or graph, on random inputs unless others are given (a graph's symbolic dimensions are 1 then); see `compareLatency`. */
export async function measureLatency(model: Graph, feeds?: Feeds, options?: LatencyOptions): Promise<Latency>;
export async function measureLatency(
  model: Session,
  feeds: Feeds,
  options?: LatencyOptions,
): Promise<Latency>;
export async function measureLatency(
  model: Session | Graph,
  feeds?: Feeds,
  options: LatencyOptions = {},
): Promise<Latency> {
  const inputs = feeds ?? (model instanceof Graph ? randomInputs(model) : {});
  const [latency] = await compareLatency([{ session: model, feeds: inputs }], options);
  return latency!;
}

/**
 * Measures sessions side by side, one run of each in turn, so that whatever else the machine does meets all of them alike; who begins changes
 * from round to round. Times are those of `Session.run`, with inputs handed over and outputs handed back. Throws the signal's reason where it
 * is aborted, and as `createSession` and `Session.run`.
 */
export async function compareLatency(
  subjects: readonly LatencySubject[],
  options: LatencyOptions = {},
): Promise<Latency[]> {
  const made: Session[] = [];
  try {
    const runs: SessionRun[] = [];
    for (const { session, feeds } of subjects) {
      if (!(session instanceof Graph)) {
        runs.push({ session, feeds });
        continue;
      }
      const { threads } = options;
      const own = await createSession(session, threads === undefined ? {} : { threads });
      made.push(own);
      runs.push({ session: own, feeds });
    }
    return await timed(runs, options);
  } finally {
    for (const session of made) await session.dispose();
  }
}

interface SessionRun {
  readonly session: Session;
  readonly feeds: Feeds;
}

async function timed(runs: readonly SessionRun[], options: LatencyOptions): Promise<Latency[]> {
  const { warmup = 3, minRuns = 10, maxRuns = 200, minTime = 1000, steady = 0, onProgress, signal } = options;
  for (const { session, feeds } of runs) {
    for (let i = 0; i < warmup; i++) {
      signal?.throwIfAborted();
      await session.run(feeds);
    }
  }
  const times = runs.map((): number[] => []);
  const total = runs.map(() => 0);
  const order = runs.map((_, index) => index);
  for (let round = 0; round < maxRuns; round++) {
    const isSteady = (): boolean => times.every((list) => spreadOf(list.toSorted((a, b) => a - b)) < steady);
    if (round >= minRuns && (Math.min(...total) >= minTime || isSteady())) break;
    for (const index of round % 2 === 0 ? order : order.toReversed()) {
      signal?.throwIfAborted();
      const { session, feeds } = runs[index]!;
      const start = performance.now();
      await session.run(feeds);
      const time = performance.now() - start;
      times[index]!.push(time);
      total[index]! += time;
    }
    onProgress?.(Math.min(1, (round + 1) / minRuns, minTime === 0 ? 1 : Math.min(...total) / minTime));
  }
  onProgress?.(1);
  return runs.map(({ session }, index) => {
    const sorted = times[index]!.sort((a, b) => a - b);
    return {
      median: quantile(sorted, 0.5),
      min: sorted[0] ?? Number.NaN,
      p10: quantile(sorted, 0.1),
      p90: quantile(sorted, 0.9),
      spread: spreadOf(sorted),
      runs: sorted.length,
      threads: session.threads,
      engine: ENGINE_NAME,
    };
  });
}

/** How far the middle four fifths of sorted times are apart, as a share of the median. */
const spreadOf = (sorted: readonly number[]): number =>
  (quantile(sorted, 0.9) - quantile(sorted, 0.1)) / quantile(sorted, 0.5);
