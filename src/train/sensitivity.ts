import { ArgumentError } from '../core/errors.ts';
import { roundHalfEven } from '../core/numeric.ts';
import type { DataLoader } from '../data/index.ts';
import { type AnyModule, Module, Parameter, type Variable } from '../nn/index.ts';
import {
  customFromMask,
  type Granularity,
  l1Unstructured,
  pruneGranular,
  type SelectOptions,
} from '../prune/index.ts';
import { type CheckpointStore, type Json, parseCheckpoint, serializeCheckpoint } from './checkpoint.ts';
import { type EvaluateOptions, Evaluator } from './evaluate.ts';
import { type Prunable, type PruneMethod, prunables, prunedOf } from './prunable.ts';

/** How sensitivity is measured. */
export interface SensitivityOptions
  extends SelectOptions,
    Pick<EvaluateOptions, 'loss' | 'metrics' | 'threads'> {
  /** What the model is judged on. */
  readonly data: DataLoader;
  /** Shares that are pruned of one layer at a time, what is pruned already included; 0.1, 0.2 … 0.9, 0.95 by default. In the table they rise. */
  readonly amounts?: readonly number[];
  /** Number that scores: a metric, `accuracy` by default, or `loss`. */
  readonly metric?: string;
  /** Groups that go as one; single weights by default. */
  readonly granularity?: Granularity | undefined;
  /** What prunes in place of magnitude: it is called with a module that has nothing but the weight, and an amount. */
  readonly method?: PruneMethod;
  /** Keeps what was judged so far, after each amount; a run that is started again goes on from there. The model, the data and the method must be the same. */
  readonly checkpoint?: CheckpointStore | null;
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
 * it was stopped or failed. Throws ArgumentError for amounts outside [0, 1], a granularity that takes none and a metric that is not measured, and as `Evaluator.evaluate` and the method.
 */
export async function sensitivity(model: AnyModule, options: SensitivityOptions): Promise<Sensitivity> {
  const { data, metric = 'accuracy', granularity, method, signal } = options;
  const given = options.amounts ?? AMOUNTS;
  const wrong = given.find((amount) => !(amount >= 0 && amount <= 1));
  if (wrong !== undefined || given.length === 0) {
    throw new ArgumentError(`sensitivity: amounts expects shares in [0, 1], got ${wrong ?? 'none'}`);
  }
  if (granularity?.kind === 'nm') {
    throw new ArgumentError(
      `sensitivity: ${granularity.n}:${granularity.m} says by itself how much is pruned; use another granularity`,
    );
  }
  const amounts = [...new Set(given)].sort((a, b) => a - b);
  const weights = prunables(model, options);
  const evaluator = new Evaluator(model, { ...options, ...(signal ? { signal } : {}) });
  const score = async (): Promise<number> => {
    const found = (await evaluator.evaluate(data))[metric];
    if (found !== undefined) return found;
    throw new ArgumentError(
      `sensitivity: nothing is called '${metric}'; expected loss, accuracy or a metric that is asked for`,
    );
  };
  const judged = await Judged.open(options.checkpoint ?? null, { metric, amounts, weights });
  try {
    const dense = await judged.score(() => score());
    const rows: LayerSensitivity[] = [];
    let done = 0;
    for (const weight of weights) {
      const scores: number[] = [];
      for (const amount of amounts) {
        signal?.throwIfAborted();
        const prune = (trial: Trial): Promise<void> => pruneTrial(trial, amount, granularity, method);
        scores.push(await judged.score(() => pruned(weight, prune, score)));
        options.onProgress?.(++done, weights.length * amounts.length);
      }
      rows.push({ layer: weight.layer, size: weight.parameter.size, scores });
    }
    return { metric, dense, amounts, rows };
  } finally {
    await evaluator.dispose();
  }
}

/** Scores in the order in which they are asked for, those of an earlier run first. */
class Judged {
  readonly #store: CheckpointStore | null;
  readonly #run: Json;
  readonly #scores: number[];
  #asked = 0;

  private constructor(store: CheckpointStore | null, run: Json, scores: number[]) {
    this.#store = store;
    this.#run = run;
    this.#scores = scores;
  }

  /** Throws ArgumentError where the checkpoint is of another run. */
  static async open(
    store: CheckpointStore | null,
    run: {
      readonly metric: string;
      readonly amounts: readonly number[];
      readonly weights: readonly Prunable[];
    },
  ): Promise<Judged> {
    const { metric, amounts, weights } = run;
    const layers = weights.map(({ layer, parameter }) => [layer, parameter.size] as const);
    const own: Json = { metric, amounts, layers };
    const bytes = await store?.read();
    if (!bytes) return new Judged(store, own, []);
    const { sensitivity: saved } = parseCheckpoint(bytes).meta;
    const { run: other, scores } = (saved ?? {}) as { readonly run?: Json; readonly scores?: Json };
    if (JSON.stringify(other) !== JSON.stringify(own) || !isScores(scores)) {
      throw new ArgumentError(
        'sensitivity: the checkpoint is of another run, with other layers, amounts or metric; use another file',
      );
    }
    return new Judged(
      store,
      own,
      scores.map((score) => score ?? Number.NaN),
    );
  }

  /** The next score: that of the earlier run, or what `judge` finds. */
  async score(judge: () => Promise<number>): Promise<number> {
    const index = this.#asked++;
    if (index < this.#scores.length) return this.#scores[index]!;
    const score = await judge();
    this.#scores.push(score);
    const sensitivity: Json = { run: this.#run, scores: this.#scores };
    await this.#store?.write(serializeCheckpoint({ tensors: new Map(), meta: { sensitivity } }));
    return score;
  }
}

/** Numbers as JSON has them: NaN is null there. */
const isScores = (value: Json | undefined): value is readonly (number | null)[] =>
  Array.isArray(value) && value.every((score) => score === null || typeof score === 'number');

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

/** Prunes a trial until a share of it is pruned. */
async function pruneTrial(
  trial: Trial,
  amount: number,
  granularity: Granularity | undefined,
  method: PruneMethod | undefined,
): Promise<void> {
  if (method) {
    await (typeof method === 'function' ? method : method.prune)(trial, amount, 1);
    return;
  }
  const { size } = trial.weight;
  const already = prunedOf(trial.weight);
  if (already === size) return;
  if (!granularity || granularity.kind === 'fine-grained') {
    l1Unstructured(trial, 'weight', { count: Math.max(0, roundHalfEven(amount * size) - already) });
    return;
  }
  // Groups that are pruned already do not count.
  const share = Math.max(0, (amount * size - already) / (size - already));
  pruneGranular([[trial, 'weight']], { granularity, amount: share });
}

/** Runs `body` with one weight pruned, and puts it back. The model's own masks are left alone: only the elements it computes with change. */
async function pruned<T>(
  weight: Prunable,
  prune: (trial: Trial) => Promise<void>,
  body: () => Promise<T>,
): Promise<T> {
  const trial = new Trial(weight);
  await prune(trial);
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
 * at which the layers together have it. Where less than any drop gives is asked for, all are scaled down; where more was not measured, each loses the same share of what its largest amount leaves. Scores
 * that are no numbers are too large a drop. Throws ArgumentError for numbers that cannot be.
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
  const sparsityOf = (amounts: Readonly<Record<string, number>>): number =>
    found.rows.reduce((sum, row) => sum + amounts[row.layer]! * row.size, 0) / size;
  const none = amountsAt(found, 0);
  if (sparsityOf(none) >= sparsity) {
    const factor = sparsity === 0 ? 0 : sparsity / sparsityOf(none);
    return mapped(none, (amount) => amount * factor);
  }
  const most = amountsAt(found, Number.POSITIVE_INFINITY);
  if (sparsityOf(most) <= sparsity) {
    const left = 1 - sparsityOf(most);
    const share = left === 0 ? 0 : (sparsity - sparsityOf(most)) / left;
    return mapped(most, (amount) => amount + share * (1 - amount));
  }
  let [low, high] = [0, 1e-6];
  while (sparsityOf(amountsAt(found, high)) < sparsity && high < 1e300) [low, high] = [high, high * 2];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (sparsityOf(amountsAt(found, middle)) < sparsity) low = middle;
    else high = middle;
  }
  // At some drops amounts leap: where the metric stays the same over several.
  const [below, above] = [amountsAt(found, low), amountsAt(found, high)];
  const gap = sparsityOf(above) - sparsityOf(below);
  const share = gap > 0 ? (sparsity - sparsityOf(below)) / gap : 1;
  return mapped(below, (amount, layer) => amount + share * (above[layer]! - amount));
}

/** Amounts by layer, each made into another. */
const mapped = (
  amounts: Readonly<Record<string, number>>,
  to: (amount: number, layer: string) => number,
): Record<string, number> =>
  Object.fromEntries(Object.entries(amounts).map(([layer, amount]) => [layer, to(amount, layer)]));

function amountsAt({ rows, amounts, dense, metric }: Sensitivity, maxDrop: number): Record<string, number> {
  const sign = isCost(metric) ? -1 : 1;
  return Object.fromEntries(
    rows.map(({ layer, scores }) => {
      let [amount, drop] = [0, 0];
      for (const [index, score] of scores.entries()) {
        const next = sign * (dense - score);
        if (!(next <= maxDrop)) {
          // Between the last amount that is good enough and the first that is not.
          const share = Number.isFinite(next) ? Math.max(0, (maxDrop - drop) / (next - drop)) : 0;
          return [layer, amount + share * (amounts[index]! - amount)];
        }
        [amount, drop] = [amounts[index]!, Math.max(drop, next)];
      }
      return [layer, amount];
    }),
  );
}
