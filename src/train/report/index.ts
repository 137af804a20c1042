/** Reports of what training and pruning came to. */
export { metricTitle, type ReportFrame, runReport } from './frame.ts';
export { type HistorySectionOptions, historySection } from './history.ts';
export { type IterateSectionsOptions, iterateOutcome, iterateSections } from './iterate.ts';
export { lotterySection } from './lottery.ts';
export { type ModelState, modelSection, stateOf, weightSections, weightsNow } from './model.ts';
export { type SensitivitySectionOptions, sensitivitySection } from './sensitivity.ts';
export { type ShrinkSummary, shrinkSections } from './shrink.ts';
export {
  cutsOfRounds,
  type ShrinkRoundsSectionsOptions,
  shrinkRoundsOutcome,
  shrinkRoundsSections,
} from './shrink-rounds.ts';
