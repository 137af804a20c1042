/** `secateur/prune`: masks, in the words and with the numbers of `torch.nn.utils.prune`, and further granularities. */
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
export { BasePruningMethod, PruningContainer, type PruningType, type ScoreOptions } from './method.ts';
export type { NormOrder } from './norm.ts';
export { LnStructured, RandomStructured } from './structured.ts';
export {
  CustomFromMask,
  Identity,
  L1Unstructured,
  type RandomOptions,
  RandomUnstructured,
} from './unstructured.ts';
