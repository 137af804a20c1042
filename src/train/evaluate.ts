import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { DataLoader } from '../data/index.ts';
import { type AnyModule, feedParameters, opsetFor, traceDetailed } from '../nn/index.ts';
import { GRADIENT_OPSET } from '../ops/index.ts';
import { removeUnused } from '../passes/index.ts';
import { createSession, type Session, SessionCache } from '../runtime/index.ts';
import { Averages, type Metric, metricsOf } from './metrics.ts';
import { type LossFunction, lossFunction, Objective } from './objective.ts';

/** How a model is judged. */
export interface EvaluateOptions {
  /** A function or a name; `crossEntropy` by default. */
  readonly loss?: LossFunction | string;
  /** Metrics beside the loss; `accuracy` by default. */
  readonly metrics?: readonly string[] | Readonly<Record<string, Metric>>;
  /** A model the loss looks at. */
  readonly teacher?: AnyModule | null;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** Called after each batch. */
  readonly onBatch?: (done: number, total: number) => void;
}

interface Compiled {
  readonly session: Session;
  readonly names: readonly string[];
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly loss: string;
  readonly parts: readonly (readonly [name: string, output: string])[];
  readonly output: string;
}

/** Judges a model, which is in evaluation mode, in a way of one's own, such as a detector by its mAP: gives numbers by name. */
export type Judge = (model: AnyModule) => Promise<Readonly<Record<string, number>>>;

/** What a function says of a model in evaluation mode. Every module is put back into its own mode. */
export async function judgeInEvaluation(judge: Judge, model: AnyModule): Promise<Record<string, number>> {
  const before = [...model.modules()].map((module) => [module, module.training] as const);
  model.eval();
  try {
    return { ...(await judge(model)) };
  } finally {
    for (const [module, mode] of before) module.training = mode;
  }
}

/** Sessions kept for one model: full batches and the last one. */
const MOST_KEPT = 2;

/**
 * Judges a model on data, in evaluation mode. Graphs are compiled once a batch size and fed with what the model's tensors hold, so that a model may be trained
 * and judged in turn. Holds native memory: call `dispose` when done.
 */
export class Evaluator {
  readonly #objective: Objective;
  readonly #metrics: Readonly<Record<string, Metric>>;
  readonly #options: EvaluateOptions;
  readonly #compiled = new SessionCache<Compiled>(MOST_KEPT);

  constructor(model: AnyModule, options: EvaluateOptions = {}) {
    this.#objective = new Objective(model, lossFunction(options.loss ?? 'crossEntropy'), {
      teacher: options.teacher ?? null,
    });
    this.#metrics = metricsOf(options.metrics ?? ['accuracy']);
    this.#options = options;
  }

  /** Mean loss, its parts, and metrics over a loader. Throws as `trace`; ArgumentError where the loader is empty, AbortError where the signal says stop. */
  async evaluate(loader: DataLoader): Promise<Record<string, number>> {
    const averages = new Averages();
    let done = 0;
    for await (const { input, target } of loader) {
      this.#options.signal?.throwIfAborted();
      const compiled = await this.#compiled.get(`${input} ${target}`, () => this.#compile(input, target));
      const feeds: Record<string, Tensor> = Object.fromEntries(compiled.parameters);
      [input, target].forEach((tensor, index) => {
        feeds[compiled.names[index]!] = tensor;
      });
      const results = await compiled.session.run(feeds);
      const count = input.shape[0] ?? 0;
      for (const [name, value] of [['loss', compiled.loss] as const, ...compiled.parts])
        averages.add(name, { sum: results.get(value)!.toNumbers()[0]! * count, count });
      const output = results.get(compiled.output)!;
      for (const [name, metric] of Object.entries(this.#metrics)) averages.add(name, metric(output, target));
      done++;
      this.#options.onBatch?.(done, loader.length);
    }
    if (done === 0) throw new ArgumentError('evaluate: the data has no batch');
    return averages.means;
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#compiled.dispose();
  }

  async #compile(input: Tensor, target: Tensor): Promise<Compiled> {
    const objective = this.#objective;
    const { graph } = objective.inMode(false, () =>
      traceDetailed(objective, [input, target], { opset: opsetFor(objective, GRADIENT_OPSET) }),
    );
    removeUnused(graph);
    const names = graph.feeds.map(({ name }) => name);
    const [loss, ...others] = graph.outputs;
    const parts = objective.partNames.map((name, index) => [name, others[index]!.name] as const);
    const output = others[parts.length];
    const parameters = feedParameters(objective, graph);
    const { threads } = this.#options;
    const session = await createSession(graph, threads === undefined ? {} : { threads });
    return { session, names, parameters, loss: loss!.name, parts, output: output!.name };
  }
}

/**
 * Mean loss and metrics of a model over a loader: `{ loss, accuracy }`.
 *
 * ```ts
 * const { accuracy } = await evaluate(model, new DataLoader(test, { batchSize: 256 }));
 * ```
 *
 * Throws as `Evaluator.evaluate`.
 */
export async function evaluate(
  model: AnyModule,
  loader: DataLoader,
  options: EvaluateOptions = {},
): Promise<Record<string, number>> {
  const evaluator = new Evaluator(model, options);
  try {
    return await evaluator.evaluate(loader);
  } finally {
    await evaluator.dispose();
  }
}
