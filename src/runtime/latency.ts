import { ENGINE_NAME } from '#ort';
import type { Tensor } from '../core/tensor.ts';
import type { Session } from './session.ts';

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
  /** Called after each timed run with the share of the work that is done. */
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

/** Measured time of a run, in milliseconds. */
export interface Latency {
  readonly median: number;
  readonly min: number;
  /** 10th and 90th percentile: the spread. */
  readonly p10: number;
  readonly p90: number;
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

/** Measures one session; see `compareLatency`. */
export async function measureLatency(
  session: Session,
  feeds: Readonly<Record<string, Tensor>>,
  options: LatencyOptions = {},
): Promise<Latency> {
  const [latency] = await compareLatency([{ session, feeds }], options);
  return latency!;
}

/**
 * Measures sessions side by side, one run of each in turn, so that whatever else the machine does meets all of them alike. Throws the signal's
 * reason where it is aborted.
 */
export async function compareLatency(
  runs: readonly { readonly session: Session; readonly feeds: Readonly<Record<string, Tensor>> }[],
  options: LatencyOptions = {},
): Promise<Latency[]> {
  const { warmup = 3, minRuns = 10, maxRuns = 200, minTime = 1000, onProgress, signal } = options;
  for (const { session, feeds } of runs) {
    for (let i = 0; i < warmup; i++) {
      signal?.throwIfAborted();
      await session.run(feeds);
    }
  }
  const times = runs.map((): number[] => []);
  const total = runs.map(() => 0);
  for (let round = 0; round < maxRuns; round++) {
    const slowest = Math.min(...total);
    if (round >= minRuns && slowest >= minTime) break;
    for (const [index, { session, feeds }] of runs.entries()) {
      signal?.throwIfAborted();
      const start = performance.now();
      await session.run(feeds);
      const time = performance.now() - start;
      times[index]?.push(time);
      total[index] = (total[index] ?? 0) + time;
    }
    onProgress?.(Math.min(1, (round + 1) / minRuns, Math.min(...total) / minTime));
  }
  onProgress?.(1);
  return runs.map(({ session }, index) => {
    const sorted = (times[index] ?? []).sort((a, b) => a - b);
    return {
      median: quantile(sorted, 0.5),
      min: sorted[0] ?? Number.NaN,
      p10: quantile(sorted, 0.1),
      p90: quantile(sorted, 0.9),
      runs: sorted.length,
      threads: session.threads,
      engine: ENGINE_NAME,
    };
  });
}
