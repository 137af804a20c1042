/** `secateur/prune`: masks, in the words and with the numbers of `torch.nn.utils.prune`, and further granularities. */
export {
  type ActivationMeasure,
  activationScores,
  type CalibrationInput,
  type CalibrationOptions,
  type FilterActivations,
  filterActivations,
} from './activation-scores.ts';
export type { Amount } from './amount.ts';
export {
  customFromMask,
  identity,
  isPruned,
  type LnStructuredOptions,
  l1Unstructured,
  lnStructured,
  type RandomStructuredOptions,
  randomStructured,
  randomUnstructured,
  remove,
} from './functions.ts';
export {
  type GlobalOptions,
  globalUnstructured,
  type ImportanceScores,
  type PruningTarget,
} from './global.ts';
export {
  BlockStructured,
  FilterStructured,
  type GranularOptions,
  GroupStructured,
  KernelStructured,
  NMStructured,
  type VectorOptions,
  VectorStructured,
} from './granular.ts';
export { type Granularity, granularityProblem, type Importance, parseGranularity } from './granularity.ts';
export { BasePruningMethod, PruningContainer, type PruningType, type ScoreOptions } from './method.ts';
export { prune, sparsity } from './model.ts';
export type { NormOrder } from './norm.ts';
export { type PruneGranularOptions, pruneGranular } from './prune-granular.ts';
export {
  type ScheduleName,
  type SparsitySchedule,
  type SparsityScheduleOptions,
  schedule,
  scheduleByName,
  scheduleNames,
} from './schedule.ts';
export { type Pattern, type SelectOptions, selectParameters } from './select.ts';
export { LnStructured, RandomStructured } from './structured.ts';
export {
  CustomFromMask,
  Identity,
  L1Unstructured,
  type RandomOptions,
  RandomUnstructured,
} from './unstructured.ts';
