/** Scores of coupled channels: how much the model is expected to miss them. */
export { AGGREGATES, type Aggregate, NORMALIZATIONS, type Normalize } from './contributions.ts';
export { importance } from './importance.ts';
export {
  IMPORTANCE_METHODS,
  type ImportanceMethod,
  type ImportanceMethodInfo,
  importanceMethod,
} from './methods.ts';
export type { ImportanceLoss, ImportanceOptions } from './options.ts';
