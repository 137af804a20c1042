import { ArgumentError } from '../core/errors.ts';
import { firstDifference } from '../core/first-difference.ts';
import type { Tensor } from '../core/tensor.ts';
import type { DataLoader } from '../data/index.ts';
import type { AnyModule } from '../nn/index.ts';
import type { SelectOptions } from '../prune/index.ts';
import { type CheckpointStore, type Json, modelTensors } from './checkpoint.ts';
import type { Judge } from './evaluate.ts';
import type { EpochRecord, Progress } from './history.ts';
import type { Optimizer } from './optimizers/index.ts';
import type { PruneMethod } from './prunable.ts';
import type { IterateTarget, RoundSchedule } from './target.ts';
import type { FitOptions, Scheduler, TrainerOptions } from './trainer.ts';

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
      | 'accumulate'
      | 'clipGradNorm'
      | 'clipGradValue'
      | 'ema'
    >,
    Pick<FitOptions, 'monitor' | 'mode' | 'earlyStopping' | 'restoreBest'> {
  readonly epochs: number;
  /** A fresh optimizer for a round; rounds count from 1. */
  readonly optimizer: (model: AnyModule, round: number) => Optimizer;
  /** A schedule for a round of so many steps, moved on after each step; of so many batches where that is the interval. */
  readonly scheduler?: (optimizer: Optimizer, steps: number) => Scheduler;
  /** Default `step`: each update of the weights. */
  readonly schedulerInterval?: 'step' | 'batch';
  /**
   * Weights that those that remain go back to before a round is trained, as `modelTensors` gave them: of the fresh model (Frankle & Carbin 2019) or of an early epoch (Renda et al. 2020). Masks stay. Left out, training goes on from
   * what was pruned.
   */
  readonly rewind?: ReadonlyMap<string, Tensor> | null;
}

/** Below what the run turns back. A number that is not finite is below anything. */
export type Floor =
  | { readonly metric?: string; readonly atLeast: number }
  /** By how much the metric may fall below the dense model's; where the metric is `loss`, rise above it. */
  | { readonly metric?: string; readonly drop: number };

/** What `iterate` does. */
export interface IterateOptions extends SelectOptions {
  readonly model: AnyModule;
  /** What is trained on; and data that the model is judged on, or a function that judges it. */
  readonly data: { readonly train: DataLoader; readonly validation: DataLoader | Judge };
  /** What prunes; global magnitude pruning by default. It should prune what this run selects: sparsity is that of the weights selected here. */
  readonly method?: PruneMethod;
  readonly target: IterateTarget;
  /** How sparsity grows from round to round: `exponential` by default, which prunes the same share of what remains each time. */
  readonly schedule?: RoundSchedule;
  /** Rounds to the target; by default as many as it takes at `rate`, or 10 where `schedule` is `linear` or `cubic`. */
  readonly rounds?: number;
  /** Share of what remains that a round prunes, where `rounds` is left out; 0.2 by default. */
  readonly rate?: number;
  readonly finetune: FinetuneOptions;
  readonly floor?: Floor | null;
  /** Shape of the model's input with its batch, for file sizes; that of one sample of the validation data by default, of the training data where a function judges. */
  readonly inputShape?: readonly number[];
  /** Holds all that going on needs; written after every epoch and every `checkpointEvery` batches. */
  readonly checkpoint?: CheckpointStore | null;
  readonly checkpointEvery?: number;
  /** Goes on from the checkpoint, if there is one; default true. */
  readonly resume?: boolean;
  /** Stops after the batch under way, writes a checkpoint, and throws the signal's reason. */
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
  /** Bytes of the file, where the target asks for it; else null. */
  readonly fileSize: number | null;
  /** Loss and metrics on the validation data, or what the function said, before and after fine-tuning. */
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
  readonly epochs: readonly EpochRecord[];
  /** False where the round fell under the floor: the model went back to the round before. */
  readonly kept: boolean;
  /** Wall time. It is no part of what a resumed run repeats. */
  readonly seconds?: number;
}

/** What a run came to. */
export interface IterateHistory {
  /** Loss and metrics before any round. */
  readonly dense: Readonly<Record<string, number>>;
  readonly parameters: number;
  readonly rounds: readonly RoundRecord[];
  /** `target`: it is met. `floor`: a round fell under it. `rounds`: there was none left, or nothing more to prune. */
  readonly ended: 'target' | 'floor' | 'rounds';
  /** The round whose weights the model ends with; 0 where none was kept. */
  readonly best: number;
  /** Sparsity of each layer at the end. */
  readonly layers: readonly { readonly layer: string; readonly size: number; readonly sparsity: number }[];
}

/** Throws ArgumentError for options that cannot be. */
export function checkOptions(options: IterateOptions): void {
  const { model, rounds, rate = 0.2, finetune, floor, checkpointEvery } = options;
  for (const [name, value] of [
    ['rounds', rounds],
    ['finetune.epochs', finetune.epochs],
    ['checkpointEvery', checkpointEvery],
  ] as const) {
    if (value !== undefined && (!Number.isInteger(value) || value < 1))
      throw new ArgumentError(`iterate: ${name} expects a whole number of at least 1, got ${value}`);
  }
  if (!(rate > 0 && rate < 1))
    throw new ArgumentError(`iterate: rate expects a share between 0 and 1, got ${rate}`);
  checkFloor(floor, 'iterate');
  const { rewind } = finetune;
  if (!rewind) return;
  for (const [name, tensor] of modelTensors(model)) {
    if (name.startsWith('model/mask/')) continue;
    const found = rewind.get(name);
    if (found?.dtype === tensor.dtype && found.shape.join() === tensor.shape.join()) continue;
    throw new ArgumentError(
      `iterate: finetune.rewind has ${found ?? 'nothing'} for '${name}', expected ${tensor}; take it of this model by modelTensors`,
    );
  }
}

/** Throws ArgumentError for a floor that cannot be. */
export function checkFloor(floor: Floor | null | undefined, caller: string): void {
  if (floor && 'atLeast' in floor && !Number.isFinite(floor.atLeast))
    throw new ArgumentError(`${caller}: floor.atLeast expects a number, got ${floor.atLeast}`);
  if (floor && !('atLeast' in floor) && !(floor.drop >= 0))
    throw new ArgumentError(`${caller}: floor.drop expects a number of at least 0, got ${floor.drop}`);
}

/** What a run must have in common with the checkpoint it goes on from. */
export function settingsOf(options: IterateOptions): Record<string, Json> {
  const { target, schedule = 'exponential', rounds = null, rate = 0.2, finetune, floor = null } = options;
  const { method } = options;
  return {
    target: Object.fromEntries(Object.entries(target).filter(([, value]) => typeof value === 'number')),
    schedule: typeof schedule === 'function' ? 'a function' : schedule,
    rounds,
    rate,
    method: method && typeof method !== 'function' ? method.name : null,
    floor: floor && { ...floor },
    epochs: finetune.epochs,
    seed: finetune.seed ?? 0,
  };
}

/** Throws ArgumentError where a checkpoint was written with other settings. */
export function checkSettings(
  found: Json | undefined,
  own: Readonly<Record<string, Json>>,
  caller = 'iterate',
): void {
  const was = (typeof found === 'object' && found !== null ? found : {}) as Readonly<Record<string, Json>>;
  const other = firstDifference(was, own);
  if (other === null) return;
  throw new ArgumentError(
    `${caller}: the checkpoint was written with ${other.name} ${other.before}, this run has ${other.now}; use another checkpoint or resume: false`,
  );
}
