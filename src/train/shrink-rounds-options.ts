import { ArgumentError } from '../core/errors.ts';
import type { DataLoader } from '../data/index.ts';
import type { Graph } from '../ir/index.ts';
import type { GraphModule } from '../nn/index.ts';
import type { BudgetAmount, ModelCost, Plan, ShrinkOptions } from '../structural/index.ts';
import type { CheckpointStore, Json } from './checkpoint.ts';
import type { EpochRecord, Progress } from './history.ts';
import type { FinetuneOptions, Floor } from './iterate-options.ts';

/** What a structural run goes towards: what `shrink` can be asked for, at the end of the last round. */
export type ShrinkTarget =
  | { readonly ratio: number }
  | { readonly parameters: BudgetAmount }
  | { readonly macs: BudgetAmount }
  | { readonly fileSize: BudgetAmount }
  | { readonly latency: BudgetAmount };

/** Training that makes channels ready to go. */
export interface SparseTraining {
  /**
   * `slimming`: L1 on the scales of batch norm (Liu et al. 2017). `group-lasso`: on filters (Wen et al. 2016). `growing`: before each cut, a penalty on the channels it will take, growing from epoch to epoch (Wang et al.
   * 2021).
   */
  readonly method: 'slimming' | 'group-lasso' | 'growing';
  /** Weight of the penalty; of the last epoch for `growing`. */
  readonly lambda: number;
  /** Epochs before the first cut; for `growing` before each. */
  readonly epochs: number;
}

/** What `shrinkInRounds` does. */
export interface ShrinkRoundsOptions {
  /** What is made smaller; it is not changed. A module written in TypeScript goes in as `fromGraph(toGraph(module, inputs))`. */
  readonly model: Graph | GraphModule;
  readonly data: { readonly train: DataLoader; readonly validation: DataLoader };
  readonly target: ShrinkTarget;
  /** Default 3. Each round takes the same share of what the one before left. */
  readonly rounds?: number;
  /** How channels are ranked and chosen, cut and proven. Importance methods that need data, recalibration and repair take the first batches of the training data. */
  readonly shrink?: Omit<
    ShrinkOptions,
    'data' | 'ratio' | 'parameters' | 'macs' | 'fileSize' | 'latency' | 'signal' | 'onProgress'
  >;
  readonly sparse?: SparseTraining | null;
  readonly finetune: Omit<FinetuneOptions, 'rewind' | 'teacher'>;
  /** Fine-tunes with the dense model as teacher; the loss is `distillationLoss()` then, where none is given. Default false. */
  readonly distill?: boolean;
  readonly floor?: Floor | null;
  /** Holds all that going on needs; written after every epoch and every `checkpointEvery` batches. */
  readonly checkpoint?: CheckpointStore | null;
  readonly checkpointEvery?: number;
  /** Goes on from the checkpoint, if there is one; default true. */
  readonly resume?: boolean;
  /** Stops after the batch under way, writes a checkpoint, and throws the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onRound?: (record: ShrinkRoundRecord) => void;
  readonly onProgress?: (
    progress: Progress & {
      readonly round: number;
      readonly rounds: number;
      readonly stage: 'sparse' | 'fine-tune';
    },
  ) => void;
}

/** What a round came to. */
export interface ShrinkRoundRecord {
  /** Counted from 1. */
  readonly round: number;
  readonly cost: ModelCost;
  /** Loss and metrics on the validation data: just cut, and fine-tuned. */
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
  /** What verification found, a sentence; null where it was not asked for. */
  readonly verified: string | null;
  readonly whyNot: readonly { readonly layer: string; readonly why: string }[];
  readonly epochs: readonly EpochRecord[];
  /** False where the round fell under the floor: the model is that of the round before. */
  readonly kept: boolean;
  /** Wall time. It is no part of what a resumed run repeats. */
  readonly seconds?: number;
}

/** What a structural run came to. */
export interface ShrinkHistory {
  /** Loss and metrics before anything was done. */
  readonly dense: Readonly<Record<string, number>>;
  readonly denseCost: ModelCost;
  /** Epochs of sparse training before the first cut. */
  readonly sparse: readonly EpochRecord[];
  readonly rounds: readonly ShrinkRoundRecord[];
  /** What was cut in each round, in order: applied one after another to the model that went in, they give its architecture. */
  readonly plans: readonly Plan[];
  readonly ended: 'target' | 'floor' | 'nothing to cut';
  /** The round whose model it is; 0 where none was kept. */
  readonly best: number;
}

/** Throws ArgumentError for options that cannot be. */
export function checkShrinkRounds(options: ShrinkRoundsOptions): void {
  const { rounds, finetune, sparse, checkpointEvery } = options;
  for (const [name, value] of [
    ['rounds', rounds],
    ['finetune.epochs', finetune.epochs],
    ['sparse.epochs', sparse?.epochs],
    ['checkpointEvery', checkpointEvery],
  ] as const) {
    if (value !== undefined && (!Number.isInteger(value) || value < 1))
      throw new ArgumentError(`shrinkInRounds: ${name} expects a whole number of at least 1, got ${value}`);
  }
}

/** What a run must have in common with the checkpoint it goes on from. */
export function shrinkSettings(options: ShrinkRoundsOptions): Record<string, Json> {
  const { target, rounds = 3, sparse = null, finetune, distill = false, shrink = {}, floor = null } = options;
  return {
    target: JSON.parse(JSON.stringify(target)) as Json,
    rounds,
    importance: shrink.importance?.method ?? 'l2',
    sparse: sparse && { ...sparse },
    epochs: finetune.epochs,
    seed: finetune.seed ?? 0,
    distill,
    floor: floor && { ...floor },
  };
}

/** What can be budgeted, and in what unit: parameters, multiply-accumulates, bytes, milliseconds. */
export type Measured = 'parameters' | 'macs' | 'fileSize' | 'latency';

/** The budget of a target; null for a ratio. */
export function budgetOf(
  target: ShrinkTarget,
): { readonly of: Measured; readonly amount: BudgetAmount } | null {
  if ('ratio' in target) return null;
  if ('parameters' in target) return { of: 'parameters', amount: target.parameters };
  if ('macs' in target) return { of: 'macs', amount: target.macs };
  if ('fileSize' in target) return { of: 'fileSize', amount: target.fileSize };
  return { of: 'latency', amount: target.latency };
}

/** What `shrink` is asked for in a round, so that this round and those left each take the same share: `now` and `final` are of what is budgeted. */
export function askedOf(
  target: ShrinkTarget,
  left: number,
  rounds: number,
  now: number,
  final: number,
): ShrinkTarget {
  // Ratios are of the channels there are: k rounds that leave (1 - r)^(1/k) each leave 1 - r.
  if ('ratio' in target) return { ratio: 1 - (1 - target.ratio) ** (1 / rounds) };
  const amount: BudgetAmount = { value: now * (final / now) ** (1 / left) };
  if ('parameters' in target) return { parameters: amount };
  if ('macs' in target) return { macs: amount };
  return 'fileSize' in target ? { fileSize: amount } : { latency: amount };
}
