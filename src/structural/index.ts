/** Structural pruning: coupled channels found, ranked, chosen, cut and proven. */
export { type AnalyzeOptions, analyzeChannels } from './analyze.ts';
export { removedBy, renewPlan } from './apply-plan.ts';
export { type Block, type BlockKind, type FindBlocksOptions, findBlocks } from './blocks.ts';
export {
  type Budget,
  type BudgetAmount,
  type BudgetOf,
  type FitOptions,
  fitBudget,
  type MeasureRemoved,
  type Reached,
} from './budget.ts';
export {
  batchesOf,
  type CalibrationBatch,
  type CalibrationData,
  type CalibrationOptions,
  feedsOf,
  sampleCount,
  samplesOf,
} from './calibration.ts';
export { costOf, type ModelCost } from './cost.ts';
export type { Consumer, Coupling, Inexact, PartedAxis, Rectangle, Source } from './coupling.ts';
export { type Cut, cutChannels } from './cut.ts';
export { type Decision, decide, type GroupDecision, unitsToRemove } from './decide.ts';
export { type DecideOptions, type PatternRatio, ROUNDINGS, SCOPES } from './decide-options.ts';
export { DEFAULT_TOLERANCE, type Difference, TOLERANCES } from './difference.ts';
export { type DrawGroupsOptions, drawGroups } from './drawing/index.ts';
export type { Measurement } from './fit-measured.ts';
export { type WithoutComputedWeights, withoutComputedWeights } from './fold-computed-weights.ts';
export { groupChannels } from './group-channels.ts';
export type { ChannelGroup, ChannelGroups, GroupOptions, Lane, Member, Role } from './groups.ts';
export {
  AGGREGATES,
  type Aggregate,
  IMPORTANCE_METHODS,
  type ImportanceLoss,
  type ImportanceMethod,
  type ImportanceMethodInfo,
  type ImportanceOptions,
  importance,
  importanceMethod,
  NORMALIZATIONS,
  type Normalize,
} from './importance/index.ts';
export type { RunOptions } from './instrumented.ts';
export { medianLatency } from './latency-meter.ts';
export { layerPattern } from './layer-pattern.ts';
export { mergePlans } from './merge-plans.ts';
export {
  type BeforeAfter,
  makePlan,
  PLAN_FORMAT,
  type Plan,
  type PlanFacts,
  type PlanGroup,
  type PlanJson,
  type PlanMember,
  type PlanWhy,
  planText,
} from './plan.ts';
export { blocksOfPlan, type PlanBlock, planBlocks } from './plan-blocks.ts';
export { applyPlanToTensors, untouchedBy } from './plan-tensors.ts';
export {
  type BlockMetric,
  type ChooseBlocksOptions,
  chooseBlocks,
  type RankBlocksOptions,
  type RankedBlock,
  rankBlocks,
} from './rank-blocks.ts';
export { parsePlan } from './read-plan.ts';
export { type RecalibrateOptions, type Recalibration, recalibrate } from './recalibrate.ts';
export {
  type BlockCost,
  type BlocksRemoved,
  type RemoveBlocksOptions,
  removeBlocks,
} from './remove-blocks.ts';
export { type Repair, type RepairedLayer, type RepairOptions, repairConsumers } from './repair.ts';
export { type LayerCut, layerCuts } from './report/layer-cuts.ts';
export {
  applyPlan,
  type CutOptions,
  onnxBytes,
  type ShrinkOptions,
  type ShrinkSubject,
  type Shrunk,
  shrink,
} from './shrink.ts';
export { silence } from './silence.ts';
export {
  type Simplified,
  type SimplifiedLayer,
  type SimplifyOptions,
  type StayingFilters,
  simplify,
} from './simplify.ts';
export { assertVerified, type Comparison, type Verification, type VerifyOptions, verify } from './verify.ts';
