import { ArgumentError } from '../core/errors.ts';
import type { DataLoader } from '../data/index.ts';
import { type AnyModule, Module, Parameter, type Variable } from '../nn/index.ts';
import {
  customFromMask,
  type Granularity,
  l1Unstructured,
  pruneGranular,
  type SelectOptions,
} from '../prune/index.ts';
import { type EvaluateOptions, Evaluator } from './evaluate.ts';
import { type Prunable, prunables } from './prunable.ts';

/** How sensitivity is measured. */
export interface SensitivityOptions
  extends SelectOptions,
    Pick<EvaluateOptions, 'loss' | 'metrics' | 'threads'> {
  /** What the model is judged on. */
  readonly data: DataLoader;
  /** Shares that are pruned of one layer at a time; 0.1, 0.2 … 0.9, 0.95 by default. */
  readonly amounts?: readonly number[];
  /** Number that scores: a metric, `accuracy` by default, or `loss`. */
  readonly metric?: string;
  /** Groups that go as one; single weights by default. */
  readonly granularity?: Granularity | undefined;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** What pruning one layer costs. */
export interface LayerSensitivity {
  readonly layer: string;
  /** Number of weights. */
  readonly size: number;
  /** The metric at each amount. */
  readonly scores: readonly number[];
}

/** What pruning each layer by itself costs. */
export interface Sensitivity {
  readonly metric: string;
  /** The metric of the model as it is. */
  readonly dense: number;
  readonly amounts: readonly number[];
  readonly rows: readonly LayerSensitivity[];
}

/** Amounts that are tried where none are given. */
const AMOUNTS: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/**
 * Prunes each layer by itself, by magnitude and without fine-tuning, and judges the model each time (sensitivity analysis, Han et al. 2015). The model is afterwards what it was, also where
 * it was stopped or failed. Throws ArgumentError for amounts outside [0, 1] and a metric that is not measured, and as `Evaluator.evaluate`.
 */
export async function sensitivity(model: AnyModule, options: SensitivityOptions): Promise<Sensitivity> {
  const { data, amounts = AMOUNTS, metric = 'accuracy', granularity, signal } = options;
  const wrong = amounts.find((amount) => !(amount >= 0 && amount <= 1));
  if (wrong !== undefined || amounts.length === 0) {
    throw new ArgumentError(`sensitivity: amounts expects shares in [0, 1], got ${wrong ?? 'none'}`);
  }
  const weights = prunables(model, options);
  const evaluator = new Evaluator(model, { ...options, ...(signal ? { signal } : {}) });
  const score = async (): Promise<number> => {
    const found = (await evaluator.evaluate(data))[metric];
    if (found !== undefined) return found;
    throw new ArgumentError(
      `sensitivity: nothing is called '${metric}'; expected loss, accuracy or a metric that is asked for`,
    );
  };
  try {
    const dense = await score();
    const rows: LayerSensitivity[] = [];
    let done = 0;
    for (const weight of weights) {
      const scores: number[] = [];
      for (const amount of amounts) {
        signal?.throwIfAborted();
        scores.push(await pruned(weight, amount, granularity, score));
        options.onProgress?.(++done, weights.length * amounts.length);
      }
      rows.push({ layer: weight.layer, size: weight.parameter.size, scores });
    }
    return { metric, dense, amounts, rows };
  } finally {
    await evaluator.dispose();
  }
}

/** A module of one weight, on which masks are tried out. */
class Trial extends Module<readonly Variable[]> {
  readonly weight: Parameter;

  constructor({ parameter }: Prunable) {
    super();
    this.weight = new Parameter(parameter.orig.clone(), { layout: parameter.layout });
    if (parameter.mask) customFromMask(this, 'weight', parameter.mask);
  }

  override forward(): readonly Variable[] {
    return [];
  }
}

/** Runs `body` with one weight pruned, and puts it back. The model's own masks are left alone: only the elements it computes with change. */
async function pruned<T>(
  weight: Prunable,
  amount: number,
  granularity: Granularity | undefined,
  body: () => Promise<T>,
): Promise<T> {
  const trial = new Trial(weight);
  if (granularity && granularity.kind !== 'fine-grained')
    pruneGranular([[trial, 'weight']], { granularity, amount });
  else l1Unstructured(trial, 'weight', amount);
  const { data } = weight.parameter;
  const before = data.clone();
  try {
    data.setData(trial.weight.data.data);
    return await body();
  } finally {
    data.setData(before.data);
  }
}

/** A drop each layer may have, or a sparsity that all layers together are to have. */
export type SensitivityTarget = { readonly maxDrop: number } | { readonly sparsity: number };

/** True where more of the metric is worse. */
const isCost = (metric: string): boolean => metric === 'loss';

/**
 * An amount for each layer out of a sensitivity analysis: the largest at which the metric has fallen by `maxDrop` at most, interpolated between measured amounts; or, for a `sparsity`, those of the smallest drop
 * at which the layers together have it. Throws ArgumentError for numbers that cannot be.
 */
export function amountsFrom(found: Sensitivity, target: SensitivityTarget): Record<string, number> {
  if ('maxDrop' in target) {
    if (!(target.maxDrop >= 0))
      throw new ArgumentError(`amountsFrom: maxDrop expects a number of at least 0, got ${target.maxDrop}`);
    return amountsAt(found, target.maxDrop);
  }
  const { sparsity } = target;
  if (!(sparsity >= 0 && sparsity <= 1))
    throw new ArgumentError(`amountsFrom: sparsity expects a share in [0, 1], got ${sparsity}`);
  const size = found.rows.reduce((sum, row) => sum + row.size, 0);
  const reached = (drop: number): number => {
    const amounts = amountsAt(found, drop);
    return found.rows.reduce((sum, row) => sum + amounts[row.layer]! * row.size, 0) / size;
  };
  let [low, high] = [0, 1e-6];
  while (reached(high) < sparsity && high < 1e9) high *= 2;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (reached(middle) < sparsity) low = middle;
    else high = middle;
  }
  return amountsAt(found, high);
}

function amountsAt({ rows, amounts, dense, metric }: Sensitivity, maxDrop: number): Record<string, number> {
  const sign = isCost(metric) ? -1 : 1;
  return Object.fromEntries(
    rows.map(({ layer, scores }) => {
      let [amount, drop] = [0, 0];
      for (const [index, score] of scores.entries()) {
        const next = sign * (dense - score);
        if (next > maxDrop) {
          // Between the last amount that is good enough and the first that is not.
          const share = next === drop ? 0 : Math.max(0, (maxDrop - drop) / (next - drop));
          return [layer, amount + share * (amounts[index]! - amount)];
        }
        [amount, drop] = [amounts[index]!, Math.max(drop, next)];
      }
      return [layer, amount];
    }),
  );
}
