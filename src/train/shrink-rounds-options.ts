import { ArgumentError } from '../core/errors.ts';
import type { DataLoader } from '../data/index.ts';
import type { Graph } from '../ir/index.ts';
import type { GraphModule } from '../nn/index.ts';
import type { BudgetAmount, LayerCut, ModelCost, Plan, Reached, ShrinkOptions } from '../structural/index.ts';
import type { CheckpointStore, Json } from './checkpoint.ts';
import type { Judge } from './evaluate.ts';
import type { EpochRecord, Progress } from './history.ts';
import { checkFloor, type FinetuneOptions, type Floor } from './iterate-options.ts';

/** What a structural run goes towards: what `shrink` can be asked for, at the end of the last round. Ratios and shares are of the model that went in. */
export type ShrinkTarget =
  | { readonly ratio: number }
  | { readonly parameters: BudgetAmount }
  | { readonly macs: BudgetAmount }
  | { readonly fileSize: BudgetAmount }
  | { readonly latency: BudgetAmount };

/** Ways of training that make channels ready to go. */
export const SPARSE_TRAININGS = ['slimming', 'group-lasso', 'growing'] as const;

/** Training that makes channels ready to go. */
export interface SparseTraining {
  /**
   * `slimming`: L1 on the scales of batch norm (Liu et al. 2017). `group-lasso`: on filters (Wen et al. 2016). `growing`: before each cut, a penalty on the channels it will take, growing from epoch to epoch (Wang et al.
   * 2021), each epoch with a fresh optimizer and without the schedule of fine-tuning.
   */
  readonly method: (typeof SPARSE_TRAININGS)[number];
  /** Weight of the penalty; of the last epoch for `growing`. */
  readonly lambda: number;
  /** Epochs before the first cut; for `growing` before each. */
  readonly epochs: number;
}

/** How rounds cut: what `shrink` can be told, but for how much. Importance methods that need data, recalibration and repair take the first batches of the training data (or of `data.calibration`), 16 by default. */
export type RoundCutOptions = Omit<
  ShrinkOptions,
  'data' | 'inputs' | 'ratio' | 'parameters' | 'macs' | 'fileSize' | 'latency' | 'signal' | 'onProgress'
>;

/** How rounds are fine-tuned: as those of `iterate`, but for what belongs to one model. */
export type RoundFinetuneOptions = Omit<FinetuneOptions, 'rewind' | 'teacher' | 'callbacks'>;

/** What `shrinkInRounds` does. */
export interface ShrinkRoundsOptions {
  /** What is made smaller; it is not changed. A module written in TypeScript goes in as `toGraph(module, inputs)`. Masks do not hold: what is to stay zero is better cut by `simplify` first. */
  readonly model: Graph | GraphModule;
  readonly data: {
    readonly train: DataLoader;
    /** Judges the models, or a function that does. */
    readonly validation: DataLoader | Judge;
    /** What channels are ranked, batch norm recalibrated and weights repaired on; default `train`. Another than that where it blends samples (`mixup`). */
    readonly calibration?: DataLoader;
  };
  readonly target: ShrinkTarget;
  /** Default 3. Each round takes the same share of what the one before left. A round in which nothing can be cut, for rounding or bounds, is left out, and the next takes more. */
  readonly rounds?: number;
  /** How channels are ranked and chosen, cut and proven. Ratios of names, and the largest ratio, are those of all rounds together. */
  readonly shrink?: RoundCutOptions;
  readonly sparse?: SparseTraining | null;
  readonly finetune: RoundFinetuneOptions;
  /** Trains with the dense model as teacher; the loss is `distillationLoss()` then, where none is given. Default false. */
  readonly distill?: boolean;
  readonly floor?: Floor | null;
  /** Holds all that going on needs; written after every epoch and cut, and every `checkpointEvery` batches. */
  readonly checkpoint?: CheckpointStore | null;
  readonly checkpointEvery?: number;
  /** Goes on from the checkpoint, if there is one; default true. */
  readonly resume?: boolean;
  /** Stops after the batch under way, writes a checkpoint, and throws the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onRound?: (record: ShrinkRoundRecord) => void;
  readonly onProgress?: (progress: ShrinkRoundsProgress) => void;
  /** Called after each epoch. */
  readonly onEpoch?: (record: EpochRecord, where: Pick<ShrinkRoundsProgress, 'round' | 'stage'>) => void;
}

/** Where a structural run trains. */
export interface ShrinkRoundsProgress extends Progress {
  /** Counted from 1; 0 for sparse training before the first cut. */
  readonly round: number;
  readonly rounds: number;
  readonly stage: 'sparse' | 'fine-tune';
}

/** What a round came to. */
export interface ShrinkRoundRecord {
  /** Counted from 1; rounds in which nothing could be cut are counted, but have no record. */
  readonly round: number;
  readonly cost: ModelCost;
  /** Channels of each group of layers before and after this cut. */
  readonly cuts: readonly LayerCut[];
  /** How near this round's part of a budget was come to; null where the target is a ratio. */
  readonly reached: Reached | null;
  /** Loss and metrics on the validation data, or what the function said: just cut, and fine-tuned. */
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
  /** What verification found, a sentence; null where it was not asked for. */
  readonly verified: string | null;
  readonly whyNot: readonly { readonly layer: string; readonly why: string }[];
  /** What else is to be known, a sentence each. */
  readonly notes: readonly string[];
  /** Epochs in which the penalty on what was going to be cut grew; none but with growing regularization. */
  readonly growing: readonly EpochRecord[];
  /** Epochs of fine-tuning. */
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
  /** What was cut in each round that was kept, in order: applied one after another to the model that went in, they give its architecture. */
  readonly plans: readonly Plan[];
  /**
   * `target`: it is met, a budget within 2 %. `floor`: a round fell under it. `rounds`: all are made, and the budget is not met; `reached` of the last says why. `nothing to cut`: no round could cut anything.
   */
  readonly ended: 'target' | 'floor' | 'rounds' | 'nothing to cut';
  /** The round whose model it is; 0 where none was kept. */
  readonly best: number;
}

/** Throws ArgumentError for options that cannot be. */
export function checkShrinkRounds(options: ShrinkRoundsOptions): void {
  const { target, rounds, finetune, sparse, floor, checkpointEvery } = options;
  const refuse = (name: string, expected: string, value: unknown): never => {
    throw new ArgumentError(`shrinkInRounds: ${name} expects ${expected}, got ${String(value)}`);
  };
  for (const [name, value] of [
    ['rounds', rounds],
    ['finetune.epochs', finetune.epochs],
    ['sparse.epochs', sparse?.epochs],
    ['checkpointEvery', checkpointEvery],
  ] as const) {
    if (value !== undefined && (!Number.isInteger(value) || value < 1))
      refuse(name, 'a whole number of at least 1', value);
  }
  if ('ratio' in target && !(target.ratio > 0 && target.ratio < 1))
    refuse('target.ratio', 'a share between 0 and 1', target.ratio);
  const budget = budgetOf(target);
  if (budget && 'share' in budget.amount && !(budget.amount.share > 0 && budget.amount.share < 1))
    refuse(`target.${budget.of}.share`, 'a share between 0 and 1: what is to stay', budget.amount.share);
  if (budget && 'value' in budget.amount && !(budget.amount.value > 0))
    refuse(`target.${budget.of}.value`, 'a number above 0: what is to stay', budget.amount.value);
  if (sparse && !SPARSE_TRAININGS.includes(sparse.method))
    refuse('sparse.method', SPARSE_TRAININGS.join(', '), sparse.method);
  if (sparse && !(Number.isFinite(sparse.lambda) && sparse.lambda > 0))
    refuse('sparse.lambda', 'a number above 0', sparse.lambda);
  checkFloor(floor, 'shrinkInRounds');
}

/** What a run must have in common with the checkpoint it goes on from. */
export function shrinkSettings(options: ShrinkRoundsOptions): Record<string, Json> {
  const { target, rounds = 3, sparse = null, finetune, distill = false, shrink = {}, floor = null } = options;
  return {
    target: plain(target),
    rounds,
    // Functions are left out.
    shrink: plain(shrink),
    sparse: sparse && { ...sparse },
    epochs: finetune.epochs,
    seed: finetune.seed ?? 0,
    distill,
    floor: floor && { ...floor },
  };
}

const plain = (value: object): Json => JSON.parse(JSON.stringify(value)) as Json;

/** What can be budgeted, and in what unit: parameters, multiply-accumulates, bytes, milliseconds. */
export type Measured = Reached['of'];

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
