import { ArgumentError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import type { Tensor } from '../core/tensor.ts';
import { DataLoader } from '../data/index.ts';
import { type AnyModule, manualSeed } from '../nn/index.ts';
import {
  customFromMask,
  globalUnstructured,
  L1Unstructured,
  l1Unstructured,
  randomUnstructured,
  type SelectOptions,
} from '../prune/index.ts';
import {
  type CheckpointStore,
  type Json,
  loadModelTensors,
  modelTensors,
  parseCheckpoint,
  serializeCheckpoint,
} from './checkpoint.ts';
import type { Optimizer } from './optimizers/index.ts';
import { type Prunable, prunables, prunedShare } from './prunable.ts';
import { type Scheduler, Trainer, type TrainerOptions } from './trainer.ts';

/** A network of the experiment: the ticket itself, its mask over other initial weights, or a mask of the same size drawn at random over its initial weights. */
export type LotteryNetwork = 'ticket' | 'reinit' | 'random-mask';

/** How the lottery is played. */
export interface LotteryOptions extends SelectOptions {
  /** A fresh model; the default generator was seeded just before. */
  readonly model: () => AnyModule;
  /** The order of the training data is drawn anew for each seed. */
  readonly data: { readonly train: DataLoader; readonly validation: DataLoader };
  readonly seeds: readonly number[];
  /** Pruning rounds; round 0 is the dense network. */
  readonly rounds: number;
  /** Share of what remains that each round prunes; 0.2 by default. */
  readonly rate?: number;
  /** Share of what remains that the last layer loses in a round, in [0, 1); half the rate by default, as in the paper. With `scope: 'layer'`. */
  readonly outputRate?: number;
  /** Prune each layer by its rate (`layer`, the default, as the paper does for small networks) or rank all layers together. */
  readonly scope?: 'layer' | 'global';
  readonly epochs: number;
  readonly optimizer: (model: AnyModule) => Optimizer;
  /** A schedule for a training of so many steps, moved on after each. */
  readonly scheduler?: (optimizer: Optimizer, steps: number) => Scheduler;
  /**
   * Where tickets go back to: their initial weights (`init`, the default), or what they were after a step or an epoch of the dense training (Frankle et al. 2020). From there each is trained for all epochs, with the schedule
   * from its beginning.
   */
  readonly rewindTo?: 'init' | { readonly step: number } | { readonly epoch: number };
  /** What tickets are compared with; both by default. */
  readonly controls?: readonly Exclude<LotteryNetwork, 'ticket'>[];
  /** Further options of every training. */
  readonly trainer?: Pick<TrainerOptions, 'loss' | 'metrics' | 'clipGradNorm' | 'regularizers' | 'threads'>;
  /** The metric that counts, or `loss`, of which less is better; `accuracy` by default. */
  readonly metric?: string;
  /** Trainings that are done are kept here and not repeated. Seeds may be added later; other settings must stay. */
  readonly checkpoint?: CheckpointStore | null;
  readonly signal?: AbortSignal;
  readonly onTraining?: (result: LotteryTraining, done: number, total: number) => void;
  readonly onProgress?: (progress: LotteryProgress) => void;
}

/** Where the experiment is. */
export interface LotteryProgress {
  readonly training: number;
  readonly trainings: number;
  readonly seed: number;
  readonly round: number;
  readonly network: LotteryNetwork;
  readonly epoch: number;
  readonly epochs: number;
  readonly batch: number;
  readonly batches: number;
}

/** What one training came to. */
export interface LotteryTraining {
  readonly seed: number;
  /** 0 is the dense network. */
  readonly round: number;
  readonly network: LotteryNetwork;
  /** Share of the prunable weights that remain. */
  readonly remaining: number;
  /** The metric after the last epoch. */
  readonly final: number;
  /** Its best over the epochs, and the first epoch that had it, counted from 1: how soon the network has learned. The paper takes the step of the smallest validation loss, which `metric: 'loss'` gives by the epoch. */
  readonly best: number;
  readonly bestEpoch: number;
}

/** Mean and spread over the seeds. */
export interface Spread {
  readonly mean: number;
  /** Standard deviation of the sample (n - 1); 0 for one seed. */
  readonly deviation: number;
  readonly count: number;
}

/** One round, over the seeds. */
export interface LotteryRound {
  readonly round: number;
  readonly remaining: number;
  readonly final: Readonly<Partial<Record<LotteryNetwork, Spread>>>;
  readonly best: Readonly<Partial<Record<LotteryNetwork, Spread>>>;
  readonly bestEpoch: Readonly<Partial<Record<LotteryNetwork, Spread>>>;
}

/** What the lottery came to. */
export interface Lottery {
  readonly metric: string;
  readonly trainings: readonly LotteryTraining[];
  readonly rounds: readonly LotteryRound[];
}

/** Mean, sample deviation and number. */
export function spreadOf(values: readonly number[]): Spread {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: count > 1 ? Math.sqrt(squares / (count - 1)) : 0, count };
}

/**
 * The lottery-ticket experiment (Frankle & Carbin 2019): train, prune the smallest weights, put those that remain back to where they were, and train again, round after round. Each ticket is compared with
 * its mask over other initial weights, and with a mask of the same sparsity in each layer drawn at random. A training is a function of seed, round and network.
 *
 * Throws ArgumentError for options that cannot be and for a checkpoint of another experiment, and what training throws; trainings that were done are in the checkpoint.
 */
export async function lottery(options: LotteryOptions): Promise<Lottery> {
  checkOptions(options);
  const game = new Game(options);
  await game.resume();
  for (const seed of options.seeds) await game.play(seed);
  const trainings = game.results;
  return { metric: game.metric, trainings, rounds: summary(trainings) };
}

function checkOptions(options: LotteryOptions): void {
  const { data, seeds, rounds, rate = 0.2, outputRate, epochs, rewindTo = 'init', metric } = options;
  const odd = seeds.find((seed) => !Number.isSafeInteger(seed));
  if (odd !== undefined) throw new ArgumentError(`lottery: seeds expects whole numbers, got ${odd}`);
  if (seeds.length === 0 || new Set(seeds).size !== seeds.length) {
    throw new ArgumentError(
      `lottery: seeds expects different numbers, at least one, got [${seeds.join(', ')}]`,
    );
  }
  for (const [name, value] of Object.entries({ rounds, epochs })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new ArgumentError(`lottery: ${name} expects a whole number of at least 1, got ${value}`);
    }
  }
  if (!(rate > 0 && rate < 1))
    throw new ArgumentError(`lottery: rate expects a share between 0 and 1, got ${rate}`);
  if (outputRate !== undefined && !(outputRate >= 0 && outputRate < 1))
    throw new ArgumentError(`lottery: outputRate expects a share in [0, 1), got ${outputRate}`);
  if (rewindTo !== 'init') {
    const [unit, at, most] =
      'step' in rewindTo
        ? ['a step', rewindTo.step, epochs * data.train.length]
        : ['an epoch', rewindTo.epoch, epochs];
    if (!Number.isInteger(at) || at < 0 || at > most) {
      throw new ArgumentError(
        `lottery: rewindTo expects 'init' or ${unit} of the training, at most ${most}, got ${at}`,
      );
    }
  }
  const { metrics = ['accuracy'] } = options.trainer ?? {};
  const names = ['loss', ...(Array.isArray(metrics) ? metrics : Object.keys(metrics))];
  if (!names.includes(metric ?? 'accuracy')) {
    throw new ArgumentError(
      `lottery: nothing is called '${metric ?? 'accuracy'}'; expected one of ${names.join(', ')}`,
    );
  }
}

/** All that a training follows from, beside its seed, and that can be written down. */
function settingsOf(options: LotteryOptions): Record<string, Json> {
  const { rounds, rate = 0.2, outputRate = rate / 2, scope = 'layer', epochs, rewindTo = 'init' } = options;
  const { controls = ['reinit', 'random-mask'], metric = 'accuracy' } = options;
  const back: Json = typeof rewindTo === 'string' ? rewindTo : { ...rewindTo };
  return { rounds, rate, outputRate, scope, epochs, rewindTo: back, controls, metric };
}

/** Which epoch was best, from 0; the first of several. Scores that are no numbers are worse than any. */
function bestOf(scores: readonly number[], metric: string): number {
  const sign = metric === 'loss' ? -1 : 1;
  const worth = scores.map((score) => (Number.isNaN(score) ? Number.NEGATIVE_INFINITY : sign * score));
  return worth.indexOf(Math.max(...worth));
}

/** Tensors of a seed that later rounds need. */
interface SeedState {
  /** Where tickets go back to. */
  readonly rewind: ReadonlyMap<string, Tensor>;
  /** Masks of the round that comes next, by layer. */
  masks: readonly Tensor[] | null;
}

class Game {
  /** Trainings that are done, those of seeds that are asked for no more included. */
  #done: LotteryTraining[] = [];
  readonly metric: string;
  readonly #options: LotteryOptions;
  readonly #networks: readonly LotteryNetwork[];
  #seed: { seed: number; state: SeedState } | null = null;

  constructor(options: LotteryOptions) {
    this.#options = options;
    this.metric = options.metric ?? 'accuracy';
    this.#networks = ['ticket', ...(options.controls ?? ['reinit', 'random-mask'])];
  }

  /** Trainings that are done and asked for, by seed in the order given. */
  get results(): LotteryTraining[] {
    return this.#options.seeds.flatMap((seed) => this.#done.filter((each) => each.seed === seed));
  }

  get total(): number {
    const { seeds, rounds } = this.#options;
    return seeds.length * (1 + rounds * this.#networks.length);
  }

  async resume(): Promise<void> {
    const bytes = await this.#options.checkpoint?.read();
    if (!bytes) return;
    const { tensors, meta } = parseCheckpoint(bytes);
    if (!Array.isArray(meta.done))
      throw new ArgumentError('lottery: the checkpoint is none of a lottery; use another file');
    const was = (meta.options ?? {}) as Readonly<Record<string, Json>>;
    for (const [name, value] of Object.entries(settingsOf(this.#options))) {
      const [before, now] = [JSON.stringify(was[name] ?? null), JSON.stringify(value)];
      if (before === now) continue;
      throw new ArgumentError(
        `lottery: the checkpoint was written with ${name} ${before}, this run has ${now}; use another checkpoint`,
      );
    }
    // JSON has null for what is no number.
    this.#done = (meta.done as unknown as LotteryTraining[]).map((each) => ({
      ...each,
      final: each.final ?? Number.NaN,
      best: each.best ?? Number.NaN,
    }));
    if (meta.seed === null || meta.seed === undefined) return;
    const rewind = new Map([...tensors].filter(([name]) => name.startsWith('rewind/')));
    const masks = [...tensors].filter(([name]) => name.startsWith('mask/')).map(([, tensor]) => tensor);
    this.#seed = { seed: Number(meta.seed), state: { rewind, masks: masks.length > 0 ? masks : null } };
  }

  async play(seed: number): Promise<void> {
    const { rounds } = this.#options;
    const own = this.#done.filter((each) => each.seed === seed);
    if (own.length === 1 + rounds * this.#networks.length) return;
    const state = await this.#dense(seed);
    for (let round = 1; round <= rounds; round++) {
      // Controls first: the ticket's training leads to the masks of the next round.
      for (const network of [...this.#networks].reverse()) {
        if (this.#isDone(seed, round, network)) continue;
        const masks = state.masks;
        if (!masks)
          throw new ArgumentError('lottery: the checkpoint has no masks; begin anew with another file');
        const model = this.#prepared(seed, round, network, state.rewind, masks);
        await this.#train(model, seed, round, network);
        if (network === 'ticket') state.masks = this.#pruned(model);
        await this.#save(seed, state);
      }
    }
  }

  /** The dense training of a seed: its weights on the way, and the first masks. */
  async #dense(seed: number): Promise<SeedState> {
    if (this.#seed?.seed === seed) return this.#seed.state;
    // Where another seed was begun since, this one's masks are lost: it begins anew, to the same results.
    this.#done = this.#done.filter((each) => each.seed !== seed);
    const model = this.#fresh(seed);
    let rewind: ReadonlyMap<string, Tensor> = modelTensors(model, 'rewind/');
    await this.#train(model, seed, 0, 'ticket', (tensors) => {
      rewind = tensors;
    });
    const state: SeedState = { rewind, masks: this.#pruned(model) };
    await this.#save(seed, state);
    return state;
  }

  #fresh(seed: number): AnyModule {
    manualSeed(seed);
    return this.#options.model();
  }

  #weights(model: AnyModule): Prunable[] {
    return prunables(model, this.#options);
  }

  /** A network of a round, before it is trained. */
  #prepared(
    seed: number,
    round: number,
    network: LotteryNetwork,
    rewind: ReadonlyMap<string, Tensor>,
    masks: readonly Tensor[],
  ): AnyModule {
    // Other weights of their own for each round.
    const model = this.#fresh(network === 'reinit' ? 1_000_003 * (round + 1) + seed : seed);
    if (network === 'ticket') loadModelTensors(model, rewind, 'rewind/');
    const random = new Generator(7_919 * (round + 1) + seed);
    this.#weights(model).forEach(({ module, name }, index) => {
      const mask = masks[index]!;
      if (network !== 'random-mask') customFromMask(module, name, mask.clone());
      else {
        const count = mask.float32.reduce((sum, value) => sum + Number(value === 0), 0);
        randomUnstructured(module, name, { count }, { generator: random });
      }
    });
    return model;
  }

  /** Masks for the next round: the smallest of what remains goes. */
  #pruned(model: AnyModule): Tensor[] {
    const { rate = 0.2, outputRate = rate / 2, scope = 'layer' } = this.#options;
    const weights = this.#weights(model);
    if (scope === 'global') {
      globalUnstructured(
        weights.map(({ module, name }) => [module, name] as const),
        L1Unstructured,
        { amount: rate },
      );
    } else {
      weights.forEach(({ module, name }, index) => {
        l1Unstructured(module, name, index === weights.length - 1 ? outputRate : rate);
      });
    }
    return weights.map(({ parameter }) => parameter.mask!.clone());
  }

  async #train(
    model: AnyModule,
    seed: number,
    round: number,
    network: LotteryNetwork,
    onRewind?: (tensors: ReadonlyMap<string, Tensor>) => void,
  ): Promise<void> {
    const { data, epochs, optimizer: makeOptimizer, scheduler, rewindTo = 'init', signal } = this.#options;
    signal?.throwIfAborted();
    const loader = reseeded(data.train, seed);
    const optimizer = makeOptimizer(model);
    const at =
      rewindTo === 'init' ? null : 'step' in rewindTo ? rewindTo.step : rewindTo.epoch * loader.length;
    const trainer = new Trainer(model, {
      ...this.#options.trainer,
      optimizer,
      seed,
      scheduler: scheduler?.(optimizer, epochs * loader.length) ?? null,
      schedulerInterval: 'step',
      callbacks: [
        {
          name: 'rewind',
          onStep: (running) => {
            if (!onRewind || at === null || running.step.steps !== at) return;
            running.step.sync();
            onRewind(modelTensors(model, 'rewind/'));
          },
        },
      ],
    });
    try {
      const { epochs: records } = await trainer.fit(loader, {
        epochs,
        validation: data.validation,
        ...(signal ? { signal } : {}),
        onProgress: ({ epoch, batch, batches }) =>
          this.#options.onProgress?.({
            training: this.results.length + 1,
            trainings: this.total,
            seed,
            round,
            network,
            epoch,
            epochs,
            batch,
            batches,
          }),
      });
      const scores = records.map(({ validation }) => validation?.[this.metric] ?? Number.NaN);
      const best = bestOf(scores, this.metric);
      const result: LotteryTraining = {
        seed,
        round,
        network,
        remaining: 1 - prunedShare(this.#weights(model)),
        final: scores.at(-1)!,
        best: scores[best]!,
        bestEpoch: best + 1,
      };
      this.#done.push(result);
      this.#options.onTraining?.(result, this.results.length, this.total);
    } finally {
      await trainer.dispose();
    }
  }

  #isDone(seed: number, round: number, network: LotteryNetwork): boolean {
    return this.#done.some((each) => each.seed === seed && each.round === round && each.network === network);
  }

  async #save(seed: number, { rewind, masks }: SeedState): Promise<void> {
    const tensors = new Map(rewind);
    masks?.forEach((mask, index) => {
      tensors.set(`mask/${String(index).padStart(4, '0')}`, mask);
    });
    const meta = { done: this.#done as unknown as Json, seed, options: settingsOf(this.#options) };
    await this.#options.checkpoint?.write(serializeCheckpoint({ tensors, meta }));
  }
}

/** The same loader with an order of its own for a seed. */
const reseeded = (loader: DataLoader, seed: number): DataLoader =>
  new DataLoader(loader.dataset, {
    batchSize: loader.batchSize,
    shuffle: loader.shuffle,
    dropLast: loader.dropLast,
    prefetch: loader.prefetch,
    seed: BigInt.asUintN(63, BigInt(loader.seed) + BigInt(seed) * 1_000_003n),
  });

/** Mean and spread of each round and network. */
function summary(trainings: readonly LotteryTraining[]): LotteryRound[] {
  const rounds = [...new Set(trainings.map(({ round }) => round))].sort((a, b) => a - b);
  return rounds.map((round) => {
    const own = trainings.filter((each) => each.round === round);
    const over = (of: (training: LotteryTraining) => number): Partial<Record<LotteryNetwork, Spread>> => {
      const spreads: Partial<Record<LotteryNetwork, Spread>> = {};
      for (const { network } of own) {
        spreads[network] ??= spreadOf(own.filter((each) => each.network === network).map(of));
      }
      return spreads;
    };
    return {
      round,
      remaining: spreadOf(own.map(({ remaining }) => remaining)).mean,
      final: over(({ final }) => final),
      best: over(({ best }) => best),
      bestEpoch: over(({ bestEpoch }) => bestEpoch),
    };
  });
}
