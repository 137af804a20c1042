import type { Graph } from '../ir/index.ts';
import {
  compareLatency,
  createSession,
  measureLatency,
  randomInputs,
  type Session,
} from '../runtime/index.ts';

/** How latency is measured. */
export interface LatencyMeterOptions {
  /** Shapes of the inputs by name; by default as declared, symbolic dimensions taken as 1. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Timing of one graph goes on for so long, in milliseconds. */
const TIME = 500;

/** Median milliseconds of half a second of runs on random inputs. Throws EngineError where the graph cannot be run. */
export async function medianLatency(graph: Graph, options: LatencyMeterOptions = {}): Promise<number> {
  const { median } = await measureLatency(graph, inputsOf(graph, options), settings(options));
  return median;
}

/**
 * Measures cut models beside the whole one, in turns, and gives their latency as it would have been when the whole one was measured first: a budget is not to be missed because the machine became busier on the way. Holds native
 * memory: call `dispose` when done.
 */
export class LatencyMeter {
  readonly #whole: Graph;
  readonly #options: LatencyMeterOptions;
  #session: Session | null = null;
  /** Of the whole model, when it was measured first. */
  #first: number | null = null;

  constructor(whole: Graph, options: LatencyMeterOptions = {}) {
    this.#whole = whole;
    this.#options = options;
  }

  /** Milliseconds of the whole model. Throws EngineError where it cannot be run. */
  async whole(): Promise<number> {
    if (this.#first === null) {
      const session = await this.#open();
      const { median } = await measureLatency(
        session,
        inputsOf(this.#whole, this.#options),
        settings(this.#options),
      );
      this.#first = median;
    }
    return this.#first;
  }

  /** Milliseconds of a cut model. Throws EngineError where it cannot be run. */
  async measure(cut: Graph): Promise<number> {
    const first = await this.whole();
    const session = await this.#open();
    const feeds = inputsOf(this.#whole, this.#options);
    const [whole, own] = await compareLatency(
      [
        { session, feeds },
        { session: cut, feeds },
      ],
      settings(this.#options),
    );
    return (own!.median / whole!.median) * first;
  }

  async dispose(): Promise<void> {
    await this.#session?.dispose();
    this.#session = null;
  }

  async #open(): Promise<Session> {
    const { threads } = this.#options;
    this.#session ??= await createSession(this.#whole, threads === undefined ? {} : { threads });
    return this.#session;
  }
}

const inputsOf = (graph: Graph, { shapes }: LatencyMeterOptions) =>
  randomInputs(graph, shapes ? { shapes } : {});

const settings = ({ threads, signal }: LatencyMeterOptions) => ({
  minTime: TIME,
  ...(threads === undefined ? {} : { threads }),
  ...(signal ? { signal } : {}),
});
