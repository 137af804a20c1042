/** Optimizers, with PyTorch's names, defaults and numbers. */
export { Adam, type AdamOptions, AdamW } from './adam.ts';
export { optimizerByName, optimizerNames } from './by-name.ts';
export {
  type GroupOptions,
  Optimizer,
  type OptimizerState,
  type ParamGroup,
  type Update,
  type UpdateContext,
} from './optimizer.ts';
export { RMSprop, type RMSpropOptions } from './rmsprop.ts';
export { SGD, type SGDOptions } from './sgd.ts';
