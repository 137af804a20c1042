import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { concatBytes } from '../io/index.ts';
import type { AnyModule } from '../nn/index.ts';
import {
  type Checkpoint,
  type CheckpointStore,
  type Json,
  loadModelTensors,
  modelTensors,
  parseCheckpoint,
  serializeCheckpoint,
} from './checkpoint.ts';
import type { EpochRecord } from './history.ts';
import {
  checkOptions,
  checkSettings,
  type IterateHistory,
  type IterateOptions,
  type RoundRecord,
  settingsOf,
} from './iterate-options.ts';
import {
  heldMasks,
  holdMasks,
  magnitudePruning,
  type Prunable,
  type PruneStep,
  prunables,
  prunedShare,
  zerosOf,
} from './prunable.ts';
import { isOver, isUnderFloor, judge, restoredScores, trainRound } from './round.ts';
import { measuredSize, roundSparsity, sparsityOf } from './target.ts';

export type {
  FinetuneOptions,
  Floor,
  IterateHistory,
  IterateOptions,
  RoundRecord,
} from './iterate-options.ts';

/** What is remembered between rounds. */
interface Position {
  dense: Record<string, number>;
  /** Sparsity before any round. */
  start: number;
  rounds: RoundRecord[];
  /** Masks of the round under way are made, and it was judged. */
  before: Record<string, number> | null;
  /** Masks that there were when its training began, by their names in checkpoints. */
  masked: string[];
  asked: number;
  /** Wall time of the round under way, so far. */
  seconds: number;
  ended: IterateHistory['ended'] | null;
}

/** How the names of masks begin in checkpoints. */
const MASK = 'model/mask/';

/** Most rounds a run takes where nothing says how many. */
const MOST_ROUNDS = 100;

/** Rounds of schedules that need a number of them, where none is given. */
const USUAL_ROUNDS = 10;

/**
 * Prunes and fine-tunes in rounds (Han et al. 2015) until the target is met, or a round falls under the floor: then the model goes back to the last round that did not. What is pruned stays
 * pruned. A run that was killed goes on from its checkpoint to the same weights, bit for bit.
 *
 * ```ts
 * const history = await iterate({
 *   model,
 *   data: { train, validation },
 *   target: { sparsity: 0.95 },
 *   finetune: { epochs: 2, optimizer: (net) => new SGD(net.parameters(), { lr: 0.01, momentum: 0.9 }) },
 *   floor: { drop: 0.005 },
 *   checkpoint: fileCheckpoint('run.checkpoint'),
 * });
 * ```
 *
 * Throws ArgumentError for options that cannot be and for a checkpoint of another run, the reason of `signal`, and what pruning and training throw; the model is then as it was at that moment.
 */
export async function iterate(options: IterateOptions): Promise<IterateHistory> {
  const run = new Iteration(options);
  return run.run();
}

class Iteration {
  readonly #options: IterateOptions;
  readonly #model: AnyModule;
  readonly #weights: readonly Prunable[];
  readonly #prune: PruneStep;
  readonly #metric: string;
  #position: Position = {
    dense: {},
    start: 0,
    rounds: [],
    before: null,
    masked: [],
    asked: 0,
    seconds: 0,
    ended: null,
  };
  /** The last model that is not under the floor. */
  #kept: ReadonlyMap<string, Tensor> = new Map();
  /** The trainer's own checkpoint of the round under way. */
  #inner: Uint8Array | null = null;
  /** Since when time was not added up. */
  #mark = performance.now();

  constructor(options: IterateOptions) {
    checkOptions(options);
    this.#options = options;
    this.#model = options.model;
    this.#weights = prunables(options.model, options);
    const method = options.method ?? magnitudePruning(options);
    this.#prune =
      typeof method === 'function'
        ? method
        : (model, sparsity, round) => method.prune(model, sparsity, round);
    this.#metric = options.floor?.metric ?? 'accuracy';
    const final = sparsityOf(options.target, this.#model, this.#weights);
    // Names that are not known are refused before any work.
    if (typeof options.schedule === 'string') roundSparsity(options.schedule, final ?? 0, 1, 1);
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
    if (bytes) {
      this.#restore(parseCheckpoint(bytes));
      return this.#position;
    }
    const position = this.#position;
    position.dense = await this.#judge();
    position.start = prunedShare(this.#weights);
    this.#kept = modelTensors(this.#model, 'kept/');
    if (this.#isUnderFloor(position.dense)) {
      throw new ArgumentError(
        `iterate: the model is under the floor before anything is pruned (${this.#metric} ${position.dense[this.#metric]})`,
      );
    }
    if (this.#isMet(await this.#fileSize())) position.ended = 'target';
    return position;
  }

  async #round(position: Position): Promise<void> {
    const round = position.rounds.length + 1;
    this.#options.signal?.throwIfAborted();
    if (position.before === null && !(await this.#startRound(position, round))) {
      position.ended = 'rounds';
      return;
    }
    const epochs = await this.#finetune(round);
    const after = await this.#judge();
    const fileSize = await this.#fileSize();
    const kept = !this.#isUnderFloor(after);
    this.#lap();
    const record: RoundRecord = {
      round,
      asked: position.asked,
      sparsity: prunedShare(this.#weights),
      ...this.#counts(),
      fileSize,
      before: position.before ?? {},
      after,
      epochs,
      kept,
      seconds: position.seconds,
    };
    position.rounds.push(record);
    position.before = null;
    position.seconds = 0;
    this.#inner = null;
    if (!kept) {
      loadModelTensors(this.#model, this.#kept, 'kept/');
      position.ended = 'floor';
    } else {
      this.#kept = modelTensors(this.#model, 'kept/');
      if (this.#isMet(fileSize)) position.ended = 'target';
      else if (round >= (this.#options.rounds ?? MOST_ROUNDS)) position.ended = 'rounds';
    }
    this.#options.onRound?.(record);
    await this.#save();
  }

  /** Prunes for a round and judges the model. False where there is nothing more to prune. */
  async #startRound(position: Position, round: number): Promise<boolean> {
    const asked = this.#nextSparsity(position, round);
    if (asked === null) return false;
    const held = heldMasks(this.#model);
    await this.#prune(this.#model, asked, round);
    const pruned = holdMasks(this.#model, held);
    // A method that rounds to whole groups may get no further. Training on would change nothing about that.
    if (pruned === 0 && this.#isLast(asked)) return false;
    position.asked = asked;
    position.before = await this.#judge();
    this.#rewind();
    position.masked = [...modelTensors(this.#model).keys()].filter((name) => name.startsWith(MASK));
    this.#inner = null;
    await this.#save();
    return true;
  }

  /** Sparsity of the next round; null where there is no more to prune. */
  #nextSparsity({ start, rounds: done }: Position, round: number): number | null {
    const { schedule = 'exponential', rounds, rate = 0.2, target } = this.#options;
    const now = prunedShare(this.#weights);
    const final = sparsityOf(target, this.#model, this.#weights);
    if (typeof schedule === 'function') return Math.max(now, roundSparsity(schedule, 0, 0, round));
    // Without an end in sight (file sizes), or without a number of rounds, each prunes a share of what remains.
    if (final === null || (rounds === undefined && schedule === 'exponential')) {
      // Where a method got less far than asked, it is asked for more than before.
      const base = Math.max(now, done.at(-1)?.asked ?? 0);
      const next = 1 - (1 - base) * (1 - rate);
      if (final !== null) return Math.max(now, Math.min(final, next));
      return next > base && next < 1 ? next : null;
    }
    return Math.max(now, roundSparsity(schedule, final, rounds ?? USUAL_ROUNDS, round, start));
  }

  /** Will no later round ask for more? */
  #isLast(asked: number): boolean {
    const final = sparsityOf(this.#options.target, this.#model, this.#weights);
    if (final !== null) return asked >= final;
    return (1 - asked) * this.#weights.reduce((sum, { parameter }) => sum + parameter.size, 0) < 1;
  }

  #isMet(fileSize: number | null): boolean {
    const { target } = this.#options;
    if ('fileSize' in target) return fileSize !== null && fileSize <= target.fileSize;
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

  /** Bytes of the file, where the target is about them. */
  async #fileSize(): Promise<number | null> {
    const { target, inputShape, data, signal } = this.#options;
    if (!('fileSize' in target)) return null;
    if (inputShape || target.measure) return measuredSize(target, this.#model, inputShape ?? [], signal);
    const samples = typeof data.validation === 'function' ? data.train : data.validation;
    for await (const { input } of samples)
      return measuredSize(target, this.#model, [1, ...input.shape.slice(1)], signal);
    throw new ArgumentError('iterate: the data has no batch to take the input shape from; give inputShape');
  }

  #isUnderFloor(scores: Readonly<Record<string, number>>): boolean {
    return isUnderFloor(this.#options.floor, this.#position.dense, scores, 'iterate');
  }

  #judge(): Promise<Record<string, number>> {
    const { finetune, data, signal } = this.#options;
    return judge(this.#model, data.validation, finetune, signal);
  }

  /** Puts weights and buffers back to where `finetune.rewind` says; masks stay. */
  #rewind(): void {
    const { rewind } = this.#options.finetune;
    if (!rewind) return;
    const tensors = modelTensors(this.#model);
    for (const [name, tensor] of rewind) if (!name.startsWith(MASK)) tensors.set(name, tensor);
    loadModelTensors(this.#model, tensors);
  }

  async #finetune(round: number): Promise<readonly EpochRecord[]> {
    const { finetune, data, signal, checkpoint, checkpointEvery, onProgress } = this.#options;
    const { rewind: _, ...training } = finetune;
    // The trainer's checkpoint is a part of this run's.
    const store: CheckpointStore = {
      read: async () => this.#inner,
      write: async (chunks) => {
        const bytes = concatBytes(chunks);
        // Averages are known to a trainer once it has made a step: going on from its very end, it would end without them.
        if (finetune.ema && isOver(parseCheckpoint(bytes), finetune)) return;
        this.#inner = bytes;
        await this.#save();
      },
    };
    return trainRound({
      model: this.#model,
      finetune: training,
      data,
      round,
      checkpoint: checkpoint ? store : null,
      checkpointEvery,
      signal,
      onProgress:
        onProgress &&
        ((progress) => onProgress({ ...progress, round, rounds: this.#options.rounds ?? round })),
    });
  }

  /** Adds up wall time. */
  #lap(): void {
    const now = performance.now();
    this.#position.seconds += (now - this.#mark) / 1000;
    this.#mark = now;
  }

  /** Writes what going on needs; once all is over also the model itself. */
  async #save(over = false): Promise<void> {
    const { checkpoint, finetune } = this.#options;
    if (!checkpoint) return;
    this.#lap();
    // Within a round the trainer has what they remember, and before the first they have not begun.
    const callbacks = this.#position.rounds.length === 0 ? [] : (finetune.callbacks ?? []);
    const tensors = new Map(this.#kept);
    const inner = this.#inner && !over ? parseCheckpoint(this.#inner) : null;
    // Before the trainer's first checkpoint of a round, the model as it was pruned.
    if (!inner) for (const [name, tensor] of modelTensors(this.#model)) tensors.set(name, tensor);
    else for (const [name, tensor] of inner.tensors) tensors.set(`round/${name}`, tensor);
    const meta: Record<string, Json> = {
      iterate: this.#position as unknown as Json,
      options: settingsOf(this.#options),
      trainer: inner?.meta ?? null,
      callbacks: Object.fromEntries(
        callbacks.flatMap((callback) => (callback.stateDict ? [[callback.name, callback.stateDict()]] : [])),
      ),
    };
    await checkpoint.write(serializeCheckpoint({ tensors, meta }));
  }

  #restore({ tensors, meta }: Checkpoint): void {
    if (!meta.iterate)
      throw new ArgumentError('iterate: the checkpoint is none of a pruning run; use another file');
    checkSettings(meta.options, settingsOf(this.#options));
    const own = new Map(
      [...tensors].flatMap(([name, tensor]) =>
        name.startsWith('round/') ? [[name.slice(6), tensor] as const] : [],
      ),
    );
    this.#position = restored(meta.iterate as unknown as Position);
    // Masks decide what the trainer builds and how it names it: those it began with are put on before it is made, those that callbacks made since are put on by it.
    const masked = new Set(this.#position.masked);
    const first = [...own].filter(([name]) => !name.startsWith(MASK) || masked.has(name));
    loadModelTensors(this.#model, meta.trainer ? new Map(first) : tensors);
    this.#kept = new Map([...tensors].filter(([name]) => name.startsWith('kept/')));
    if (meta.trainer) {
      const trainer = meta.trainer as Checkpoint['meta'];
      this.#inner = concatBytes(serializeCheckpoint({ tensors: own, meta: trainer }));
    }
    const states = (meta.callbacks ?? {}) as Readonly<Record<string, Json>>;
    for (const callback of this.#options.finetune.callbacks ?? []) {
      const state = states[callback.name];
      if (state !== undefined) callback.loadStateDict?.(state);
    }
  }
}

/** A position with what JSON cannot hold: scores that are not finite come back as NaN. */
function restored(position: Position): Position {
  return {
    ...position,
    dense: restoredScores(position.dense),
    before: position.before && restoredScores(position.before),
    rounds: position.rounds.map((round) => ({
      ...round,
      before: restoredScores(round.before),
      after: restoredScores(round.after),
    })),
  };
}
