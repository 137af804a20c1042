/** `secateur/train`: training on onnxruntime, and the loop of pruning and fine-tuning. */
export {
  type Checkpoint,
  type CheckpointStore,
  type Json,
  loadModelTensors,
  MemoryCheckpoint,
  modelTensors,
  parseCheckpoint,
  serializeCheckpoint,
} from './checkpoint.ts';
export { type EvaluateOptions, Evaluator, evaluate, type Judge } from './evaluate.ts';
export { freeze } from './freeze.ts';
export * from './gradual/index.ts';
export { penalizeChannels } from './growing.ts';
export type { EpochRecord, History, Progress } from './history.ts';
export {
  type FinetuneOptions,
  type Floor,
  type IterateHistory,
  type IterateOptions,
  iterate,
  type RoundRecord,
} from './iterate.ts';
export {
  type Lottery,
  type LotteryNetwork,
  type LotteryOptions,
  type LotteryProgress,
  type LotteryRound,
  type LotteryTraining,
  lottery,
  type Spread,
} from './lottery.ts';
export { accuracy, type Metric, type MetricSum, metricNames, topK } from './metrics.ts';
export { trainingNotes } from './notes.ts';
export {
  type DistillationOptions,
  distillationLoss,
  type LossContext,
  type LossFunction,
  type LossWithParts,
  lossFunction,
  lossNames,
  type Regularizer,
} from './objective.ts';
export * from './optimizers/index.ts';
export {
  type MagnitudePruningOptions,
  magnitudePruning,
  type PruneMethod,
  type PruneStep,
} from './prunable.ts';
export {
  type GroupLassoOptions,
  groupLasso,
  l1Scales,
  l1Weights,
  type PenaltySelection,
} from './regularizers.ts';
export * from './report/index.ts';
export * from './schedules/index.ts';
export {
  amountsFrom,
  type LayerSensitivity,
  type Sensitivity,
  type SensitivityOptions,
  type SensitivityTarget,
  sensitivity,
} from './sensitivity.ts';
export { shrinkInRounds } from './shrink-rounds.ts';
export {
  type RoundCutOptions,
  type RoundFinetuneOptions,
  type ShrinkHistory,
  type ShrinkRoundRecord,
  type ShrinkRoundsOptions,
  type ShrinkRoundsProgress,
  type ShrinkTarget,
  SPARSE_TRAININGS,
  type SparseTraining,
} from './shrink-rounds-options.ts';
export type { FileSizeTarget, IterateTarget, RoundSchedule } from './target.ts';
export { TrainStep } from './train-step.ts';
export type { StepResult, TrainStepOptions } from './train-step-options.ts';
export {
  type FitOptions,
  type Scheduler,
  Trainer,
  type TrainerOptions,
  type TrainingCallback,
} from './trainer.ts';
