import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { DataLoader } from '../data/index.ts';
import { concatBytes } from '../io/index.ts';
import type { AnyModule } from '../nn/index.ts';
import type { SelectOptions } from '../prune/index.ts';
import {
  type Checkpoint,
  type CheckpointStore,
  type Json,
  loadModelTensors,
  modelTensors,
  parseCheckpoint,
  serializeCheckpoint,
} from './checkpoint.ts';
import { evaluate } from './evaluate.ts';
import type { EpochRecord, Progress } from './history.ts';
import type { Optimizer } from './optimizers/index.ts';
import {
  magnitudePruning,
  type Prunable,
  type PruneStep,
  prunables,
  prunedShare,
  zerosOf,
} from './prunable.ts';
import { gzippedSize, type IterateTarget, type RoundSchedule, roundSparsity, sparsityOf } from './target.ts';
import { type Scheduler, Trainer, type TrainerOptions } from './trainer.ts';

/** How each round is fine-tuned. */
export interface FinetuneOptions
  extends Pick<
    TrainerOptions,
    | 'loss'
    | 'metrics'
    | 'callbacks'
    | 'threads'
    | 'seed'
    | 'teacher'
    | 'regularizers'
    | 'clipGradNorm'
    | 'ema'
  > {
  readonly epochs: number;
  /** A fresh optimizer for a round; rounds count from 1. */
  readonly optimizer: (model: AnyModule, round: number) => Optimizer;
  /** A schedule for a round of so many steps, moved on after each step. */
  readonly scheduler?: (optimizer: Optimizer, steps: number) => Scheduler;
}

/** Below what the run turns back. */
export type Floor =
  | { readonly metric?: string; readonly atLeast: number }
  /** By how much the metric may fall below the dense model's. */
  | { readonly metric?: string; readonly drop: number };

/** What `iterate` does. */
export interface IterateOptions extends SelectOptions {
  readonly model: AnyModule;
  readonly data: { readonly train: DataLoader; readonly validation: DataLoader };
  /** What prunes; global magnitude pruning by default. */
  readonly method?: PruneStep;
  readonly target: IterateTarget;
  /** How sparsity grows from round to round: `exponential` by default, which prunes the same share of what remains each time. */
  readonly schedule?: RoundSchedule;
  /** Rounds to the target; by default as many as it takes at `rate`. */
  readonly rounds?: number;
  /** Share of what remains that a round prunes, where `rounds` is left out; 0.2 by default. */
  readonly rate?: number;
  readonly finetune: FinetuneOptions;
  readonly floor?: Floor | null;
  /** Shape of the model's input with its batch, for file sizes; that of a training batch by default. */
  readonly inputShape?: readonly number[];
  /** Holds all that going on needs; written after every epoch and every `checkpointEvery` batches. */
  readonly checkpoint?: CheckpointStore | null;
  readonly checkpointEvery?: number;
  /** Goes on from the checkpoint, if there is one; default true. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  readonly onRound?: (record: RoundRecord) => void;
  readonly onProgress?: (progress: Progress & { readonly round: number; readonly rounds: number }) => void;
}

/** What a round came to. */
export interface RoundRecord {
  /** Counted from 1. */
  readonly round: number;
  /** Sparsity asked for, among the weights that are pruned. */
  readonly asked: number;
  /** Sparsity found: share of masked entries among the weights that are pruned, and of zeros among all parameters. */
  readonly sparsity: number;
  readonly sparsityOfAll: number;
  /** Parameters that are not zero. */
  readonly nonZero: number;
  /** Bytes of the ONNX file with gzip, where the target asks for it; else null. */
  readonly fileSize: number | null;
  /** Loss and metrics on the validation data before and after fine-tuning. */
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
  readonly epochs: readonly EpochRecord[];
  /** False where the round fell under the floor: the model went back to the round before. */
  readonly kept: boolean;
}

/** What a run came to. */
export interface IterateHistory {
  /** Loss and metrics before any round. */
  readonly dense: Readonly<Record<string, number>>;
  readonly parameters: number;
  readonly rounds: readonly RoundRecord[];
  readonly ended: 'target' | 'floor' | 'rounds';
  /** The round whose weights the model ends with; 0 where none was kept. */
  readonly best: number;
  /** Sparsity of each layer at the end. */
  readonly layers: readonly { readonly layer: string; readonly size: number; readonly sparsity: number }[];
}

/** What is remembered between rounds. */
interface Position {
  dense: Record<string, number>;
  rounds: RoundRecord[];
  /** Masks of the round under way are made, and it was judged. */
  before: Record<string, number> | null;
  asked: number;
  ended: IterateHistory['ended'] | null;
}

/** Most rounds a run takes where nothing says how many. */
const MOST_ROUNDS = 100;

/**
 * Prunes and fine-tunes in rounds (Han et al. 2015) until the target is met, or a round falls under the floor: then the model goes back to the last round that did not. What is pruned stays
 * pruned. A run that was killed goes on from its checkpoint to the same weights, bit for bit.
 *
 * Throws ArgumentError for options that cannot be, the reason of `signal`, and what pruning and training throw; the model is then as it was at that moment.
 */
export async function iterate(options: IterateOptions): Promise<IterateHistory> {
  const run = new Iteration(options);
  return run.run();
}

class Iteration {
  readonly #options: IterateOptions;
  readonly #model: AnyModule;
  readonly #weights: readonly Prunable[];
  readonly #method: PruneStep;
  readonly #metric: string;
  #position: Position = { dense: {}, rounds: [], before: null, asked: 0, ended: null };
  /** The last model that is not under the floor. */
  #kept: ReadonlyMap<string, Tensor> = new Map();
  /** The trainer's own checkpoint of the round under way. */
  #inner: Uint8Array | null = null;

  constructor(options: IterateOptions) {
    const { rounds, rate = 0.2, finetune, floor } = options;
    if (rounds !== undefined && (!Number.isInteger(rounds) || rounds < 1)) {
      throw new ArgumentError(`iterate: rounds expects a whole number of at least 1, got ${rounds}`);
    }
    if (!(rate > 0 && rate < 1))
      throw new ArgumentError(`iterate: rate expects a share between 0 and 1, got ${rate}`);
    if (!Number.isInteger(finetune.epochs) || finetune.epochs < 1) {
      throw new ArgumentError(
        `iterate: finetune.epochs expects a whole number of at least 1, got ${finetune.epochs}`,
      );
    }
    this.#options = options;
    this.#model = options.model;
    this.#weights = prunables(options.model, options);
    this.#method = options.method ?? magnitudePruning(options);
    this.#metric = floor?.metric ?? 'accuracy';
    sparsityOf(options.target, this.#model, this.#weights);
  }

  async run(): Promise<IterateHistory> {
    const position = await this.#begin();
    while (position.ended === null) await this.#round(position);
    await this.#save(true);
    const best = position.rounds.findLast(({ kept }) => kept)?.round ?? 0;
    return {
      dense: position.dense,
      parameters: [...this.#model.parameters()].reduce((sum, { size }) => sum + size, 0),
      rounds: position.rounds,
      ended: position.ended,
      best,
      layers: this.#weights.map(({ layer, parameter }) => ({
        layer,
        size: parameter.size,
        sparsity: zerosOf(parameter) / parameter.size,
      })),
    };
  }

  async #begin(): Promise<Position> {
    const { checkpoint, resume = true } = this.#options;
    const bytes = checkpoint && resume ? await checkpoint.read() : null;
    if (bytes) this.#restore(parseCheckpoint(bytes));
    else {
      this.#position.dense = await this.#judge();
      this.#kept = modelTensors(this.#model, 'kept/');
      if (this.#isUnderFloor(this.#position.dense)) {
        throw new ArgumentError(
          `iterate: the model is under the floor before anything is pruned (${this.#metric} ${this.#position.dense[this.#metric]})`,
        );
      }
    }
    return this.#position;
  }

  async #round(position: Position): Promise<void> {
    const round = position.rounds.length + 1;
    if (position.before === null) {
      const asked = await this.#nextSparsity(round);
      if (asked === null) {
        position.ended = position.rounds.length > 0 || (await this.#isMet()) ? 'target' : 'rounds';
        return;
      }
      await this.#method(this.#model, asked, round);
      position.asked = asked;
      position.before = await this.#judge();
      this.#inner = null;
      await this.#save();
    }
    const epochs = await this.#finetune(round);
    const after = await this.#judge();
    const kept = !this.#isUnderFloor(after);
    const record: RoundRecord = {
      round,
      asked: position.asked,
      sparsity: prunedShare(this.#weights),
      ...this.#counts(),
      fileSize: 'fileSize' in this.#options.target ? await this.#fileSize() : null,
      before: position.before,
      after,
      epochs,
      kept,
    };
    position.rounds.push(record);
    position.before = null;
    this.#inner = null;
    if (kept) this.#kept = modelTensors(this.#model, 'kept/');
    else {
      loadModelTensors(this.#model, this.#kept, 'kept/');
      position.ended = 'floor';
    }
    this.#options.onRound?.(record);
    if (kept && (await this.#isMet())) position.ended = 'target';
    else if (kept && round >= (this.#options.rounds ?? MOST_ROUNDS)) position.ended = 'rounds';
    await this.#save();
  }

  /** Sparsity of the next round; null where there is no more to prune. */
  async #nextSparsity(round: number): Promise<number | null> {
    const { schedule = 'exponential', rounds, rate = 0.2, target } = this.#options;
    const now = prunedShare(this.#weights);
    if (await this.#isMet()) return null;
    const final = sparsityOf(target, this.#model, this.#weights);
    if (typeof schedule === 'function') return Math.max(now, schedule(round));
    // Without an end in sight (file sizes), or without a number of rounds, each prunes a share of what remains.
    if (final === null || (rounds === undefined && schedule === 'exponential')) {
      const next = 1 - (1 - now) * (1 - rate);
      if (next <= now || next >= 1) return null;
      return final === null ? next : Math.min(final, next);
    }
    return Math.max(now, roundSparsity(schedule, final, rounds ?? 10, round));
  }

  async #isMet(): Promise<boolean> {
    const { target } = this.#options;
    if ('fileSize' in target) return (await this.#fileSize()) <= target.fileSize;
    if ('parameters' in target) return this.#counts().nonZero <= target.parameters;
    const size = this.#weights.reduce((sum, { parameter }) => sum + parameter.size, 0);
    // A target between two numbers of weights is met by the nearer one.
    return prunedShare(this.#weights) * size >= Math.round(target.sparsity * size) - 0.5;
  }

  #counts(): { nonZero: number; sparsityOfAll: number } {
    let [size, zeros] = [0, 0];
    for (const parameter of this.#model.parameters()) {
      size += parameter.size;
      zeros += zerosOf(parameter);
    }
    return { nonZero: size - zeros, sparsityOfAll: size === 0 ? 0 : zeros / size };
  }

  async #fileSize(): Promise<number> {
    const { inputShape, data } = this.#options;
    if (inputShape) return gzippedSize(this.#model, inputShape);
    for await (const { input } of data.validation)
      return gzippedSize(this.#model, [1, ...input.shape.slice(1)]);
    throw new ArgumentError(
      'iterate: the validation data has no batch to take the input shape from; give inputShape',
    );
  }

  #isUnderFloor(scores: Readonly<Record<string, number>>): boolean {
    const { floor } = this.#options;
    if (!floor) return false;
    const score = scores[this.#metric];
    if (score === undefined) {
      throw new ArgumentError(
        `iterate: nothing is called '${this.#metric}' to hold; expected one of ${Object.keys(scores).join(', ')}`,
      );
    }
    const sign = this.#metric === 'loss' ? -1 : 1;
    const dense = this.#position.dense[this.#metric] ?? score;
    const least = 'atLeast' in floor ? floor.atLeast : dense - sign * floor.drop;
    return sign * score < sign * least;
  }

  #judge(): Promise<Record<string, number>> {
    const { finetune, data, signal } = this.#options;
    return evaluate(this.#model, data.validation, {
      ...(finetune.loss === undefined ? {} : { loss: finetune.loss }),
      ...(finetune.metrics === undefined ? {} : { metrics: finetune.metrics }),
      ...(finetune.teacher ? { teacher: finetune.teacher } : {}),
      ...(finetune.threads === undefined ? {} : { threads: finetune.threads }),
      ...(signal ? { signal } : {}),
    });
  }

  async #finetune(round: number): Promise<readonly EpochRecord[]> {
    const { finetune, data, signal, checkpoint, checkpointEvery, onProgress } = this.#options;
    const { epochs, optimizer: make, scheduler: schedule, ...rest } = finetune;
    const optimizer = make(this.#model, round);
    const scheduler = schedule?.(optimizer, epochs * data.train.length) ?? null;
    const trainer = new Trainer(this.#model, {
      ...rest,
      optimizer,
      scheduler,
      schedulerInterval: 'step',
      seed: (finetune.seed ?? 0) + 7919 * round,
    });
    // The trainer's checkpoint is a part of this run's.
    const store: CheckpointStore = {
      read: async () => this.#inner,
      write: async (chunks) => {
        this.#inner = concatBytes(chunks);
        await this.#save();
      },
    };
    try {
      const history = await trainer.fit(data.train, {
        epochs,
        validation: data.validation,
        ...(checkpoint ? { checkpoint: store } : {}),
        ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
        ...(signal ? { signal } : {}),
        ...(onProgress
          ? {
              onProgress: (progress) =>
                onProgress({ ...progress, round, rounds: this.#options.rounds ?? round }),
            }
          : {}),
      });
      return history.epochs;
    } finally {
      await trainer.dispose();
    }
  }

  /** Writes what going on needs; once all is over also the model itself. */
  async #save(over = false): Promise<void> {
    const { checkpoint } = this.#options;
    if (!checkpoint) return;
    const tensors = new Map(this.#kept);
    const inner = this.#inner;
    // Before the trainer's first checkpoint of a round, the model as it was pruned.
    if (!inner || over) for (const [name, tensor] of modelTensors(this.#model)) tensors.set(name, tensor);
    else {
      const { tensors: own } = parseCheckpoint(inner);
      for (const [name, tensor] of own) tensors.set(`round/${name}`, tensor);
    }
    const meta: Record<string, Json> = {
      iterate: this.#position as unknown as Json,
      trainer: inner && !over ? (parseCheckpoint(inner).meta as Json) : null,
    };
    await checkpoint.write(serializeCheckpoint({ tensors, meta }));
  }

  #restore({ tensors, meta }: Checkpoint): void {
    if (!meta.iterate)
      throw new ArgumentError('iterate: the checkpoint is none of a pruning run; use another file');
    this.#position = meta.iterate as unknown as Position;
    this.#kept = new Map([...tensors].filter(([name]) => name.startsWith('kept/')));
    if (meta.trainer) {
      const own = new Map(
        [...tensors].flatMap(([name, tensor]) =>
          name.startsWith('round/') ? [[name.slice(6), tensor] as const] : [],
        ),
      );
      this.#inner = concatBytes(
        serializeCheckpoint({ tensors: own, meta: meta.trainer as Checkpoint['meta'] }),
      );
      // Masks decide what the trainer builds: they are put on before it is made.
      loadModelTensors(this.#model, own);
    } else loadModelTensors(this.#model, tensors);
  }
}
