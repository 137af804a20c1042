import { ArgumentError } from '../core/errors.ts';
import type { DataLoader } from '../data/index.ts';
import type { AnyModule } from '../nn/index.ts';
import type { Checkpoint, CheckpointStore } from './checkpoint.ts';
import { evaluate, type Judge, judgeInEvaluation } from './evaluate.ts';
import type { EpochRecord, Progress } from './history.ts';
import type { FinetuneOptions, Floor } from './iterate-options.ts';
import type { Regularizer } from './objective.ts';
import { Trainer } from './trainer.ts';

type Scores = Readonly<Record<string, number>>;

/** Are scores below a floor, given those of the dense model? Throws ArgumentError where nothing is called as the floor's metric. */
export function isUnderFloor(
  floor: Floor | null | undefined,
  dense: Scores,
  scores: Scores,
  caller: string,
): boolean {
  if (!floor) return false;
  const metric = floor.metric ?? 'accuracy';
  const score = scores[metric];
  if (score === undefined) {
    throw new ArgumentError(
      `${caller}: nothing is called '${metric}' to hold; expected one of ${Object.keys(scores).join(', ')}`,
    );
  }
  const sign = metric === 'loss' ? -1 : 1;
  const least = 'atLeast' in floor ? floor.atLeast : (dense[metric] ?? score) - sign * floor.drop;
  // NaN is under any floor.
  return !(sign * score >= sign * least);
}

/** Loss and metrics of a model as fine-tuning has them, or what a function says of it. */
export function judge(
  model: AnyModule,
  validation: DataLoader | Judge,
  finetune: Pick<FinetuneOptions, 'loss' | 'metrics' | 'teacher' | 'threads'>,
  signal?: AbortSignal,
): Promise<Record<string, number>> {
  if (typeof validation === 'function') return judgeInEvaluation(validation, model);
  return evaluate(model, validation, {
    ...(finetune.loss === undefined ? {} : { loss: finetune.loss }),
    ...(finetune.metrics === undefined ? {} : { metrics: finetune.metrics }),
    ...(finetune.teacher ? { teacher: finetune.teacher } : {}),
    ...(finetune.threads === undefined ? {} : { threads: finetune.threads }),
    ...(signal ? { signal } : {}),
  });
}

/** One training within a run of rounds. */
export interface RoundTraining {
  readonly model: AnyModule;
  readonly finetune: Omit<FinetuneOptions, 'rewind'>;
  readonly data: { readonly train: DataLoader; readonly validation: DataLoader | Judge };
  /** Counted from 1; optimizer and seed follow from it. */
  readonly round: number;
  /** Those of `finetune` by default. */
  readonly epochs?: number;
  /** Added to the seed of `finetune`, so that each training draws its own numbers; by default it follows from the round. */
  readonly seedOffset?: number;
  readonly regularizers?: readonly Regularizer[];
  readonly checkpoint?: CheckpointStore | null;
  readonly checkpointEvery?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly onEpoch?: ((record: EpochRecord) => void) | undefined;
}

/** Fine-tunes a model for a round, with an optimizer and a schedule of its own. Throws as `Trainer.fit`. */
export async function trainRound(training: RoundTraining): Promise<readonly EpochRecord[]> {
  const { model, finetune, data, round, checkpoint, checkpointEvery, signal, onProgress, onEpoch } = training;
  const { epochs: usual, optimizer: make, scheduler: schedule, ...rest } = finetune;
  const { monitor, mode, earlyStopping, restoreBest, ...own } = rest;
  const epochs = training.epochs ?? usual;
  const optimizer = make(model, round);
  const batches = epochs * data.train.length;
  const { schedulerInterval = 'step', accumulate = 1 } = own;
  if (schedulerInterval === 'step' && typeof accumulate === 'function' && schedule) {
    throw new ArgumentError(
      "finetune: how many steps there will be cannot be told from a function for accumulate; give schedulerInterval: 'batch'",
    );
  }
  const moves =
    typeof accumulate === 'function' || schedulerInterval === 'batch'
      ? batches
      : Math.floor(batches / accumulate);
  const regularizers = [...(own.regularizers ?? []), ...(training.regularizers ?? [])];
  const trainer = new Trainer(model, {
    ...own,
    ...(regularizers.length > 0 ? { regularizers } : {}),
    optimizer,
    scheduler: schedule?.(optimizer, Math.max(1, moves)) ?? null,
    schedulerInterval,
    seed: (own.seed ?? 0) + (training.seedOffset ?? 7919 * round),
  });
  try {
    const history = await trainer.fit(data.train, {
      epochs,
      validation: data.validation,
      ...(monitor === undefined ? {} : { monitor }),
      ...(mode === undefined ? {} : { mode }),
      ...(earlyStopping ? { earlyStopping } : {}),
      ...(restoreBest === undefined ? {} : { restoreBest }),
      ...(checkpoint ? { checkpoint } : {}),
      ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
      ...(signal ? { signal } : {}),
      ...(onProgress ? { onProgress } : {}),
      ...(onEpoch ? { onEpoch } : {}),
    });
    return history.epochs;
  } finally {
    await trainer.dispose();
  }
}

/** Does a trainer's checkpoint stand at the end of its run? */
export function isOver(
  { meta }: Checkpoint,
  { epochs, earlyStopping }: Pick<FinetuneOptions, 'epochs' | 'earlyStopping'>,
): boolean {
  const { epoch, stale } = meta.run as { readonly epoch: number; readonly stale: number };
  return epoch >= epochs || (earlyStopping ? stale >= earlyStopping.patience : false);
}

/** Scores out of a checkpoint's JSON, which has null for what is not finite: NaN. */
export const restoredScores = (found: Readonly<Record<string, number | null>>): Record<string, number> =>
  Object.fromEntries(Object.entries(found).map(([name, value]) => [name, value ?? Number.NaN]));
