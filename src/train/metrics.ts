import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';

/** A metric of one batch: a sum over its samples and their number, so that batches of any size add up. */
export interface MetricSum {
  readonly sum: number;
  readonly count: number;
}

/** Judges a model's output `[N, ...]` against the target. */
export type Metric = (output: Tensor, target: Tensor) => MetricSum;

/** How often the class is among the k largest of `[N, classes]`; ties go to the first, as argmax has it. `k` is 1 for plain accuracy. Where targets are probabilities `[N, classes]`, the class is the likeliest. */
export const topK =
  (k: number): Metric =>
  (output, target) => {
    const [count = 0, classes = 0] = output.shape;
    const isSoft = target.shape.length === 2 && target.shape[1] === classes;
    if (output.shape.length !== 2 || !(target.shape.length === 1 || isSoft) || target.shape[0] !== count) {
      throw new ArgumentError(
        `accuracy: expects an output [N, classes] and a target [N], or probabilities as the output's shape, got ${output} and ${target}`,
      );
    }
    const scores = output.float32;
    const labels = isSoft ? likeliest(target.toNumbers(), classes) : target.toNumbers();
    let sum = 0;
    for (let row = 0; row < count; row++) {
      const label = labels[row]!;
      const own = scores[row * classes + label]!;
      let above = 0;
      for (let c = 0; c < classes; c++) {
        const score = scores[row * classes + c]!;
        if (score > own || (score === own && c < label)) above++;
      }
      if (above < k && !Number.isNaN(own)) sum++;
    }
    return { sum, count };
  };

/** The class of the largest of each row. */
const likeliest = (probabilities: readonly number[], classes: number): number[] =>
  Array.from({ length: probabilities.length / classes }, (_, row) => {
    const own = probabilities.slice(row * classes, (row + 1) * classes);
    return own.indexOf(Math.max(...own));
  });

/** Share of samples whose class has the largest output. */
export const accuracy: Metric = /* @__PURE__ */ topK(1);

const METRICS: Readonly<Record<string, Metric>> = { accuracy, top5: /* @__PURE__ */ topK(5) };

/** Metrics that can be asked for by name. */
export const metricNames: readonly string[] = Object.keys(METRICS);

/** Metrics by name, or those given. Throws ArgumentError where a name is not known. */
export function metricsOf(
  metrics: readonly string[] | Readonly<Record<string, Metric>>,
): Readonly<Record<string, Metric>> {
  if (!isNames(metrics)) return metrics;
  return Object.fromEntries(
    metrics.map((name) => {
      const metric = METRICS[name];
      if (metric) return [name, metric];
      throw new ArgumentError(`metric '${name}' is not known; expected ${metricNames.join(', ')}`);
    }),
  );
}

const isNames = (
  metrics: readonly string[] | Readonly<Record<string, Metric>>,
): metrics is readonly string[] => Array.isArray(metrics);

/** Means over what was seen so far. */
export class Averages {
  readonly #sums = new Map<string, { sum: number; count: number }>();

  /** Continues from what `toJSON` gave. */
  constructor(sums: Readonly<Record<string, MetricSum>> = {}) {
    for (const [name, { sum, count }] of Object.entries(sums)) this.#sums.set(name, { sum, count });
  }

  add(name: string, { sum, count }: MetricSum): void {
    const known = this.#sums.get(name) ?? { sum: 0, count: 0 };
    this.#sums.set(name, { sum: known.sum + sum, count: known.count + count });
  }

  /** Mean of each, by name; NaN where nothing was seen. */
  get means(): Record<string, number> {
    return Object.fromEntries([...this.#sums].map(([name, { sum, count }]) => [name, sum / count]));
  }

  toJSON(): Record<string, MetricSum> {
    return Object.fromEntries(this.#sums);
  }
}
