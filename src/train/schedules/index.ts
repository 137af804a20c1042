/** Learning-rate schedules, with PyTorch's names, defaults and numbers. */
export { scheduleByName, scheduleNames } from './by-name.ts';
export { ChainedScheduler, SequentialLR, type SequentialLROptions } from './compose.ts';
export {
  CosineAnnealingLR,
  type CosineAnnealingLROptions,
  CosineAnnealingWarmRestarts,
  type CosineAnnealingWarmRestartsOptions,
} from './cosine.ts';
export { LambdaLR, type LambdaLROptions, type LrLambda, MultiplicativeLR } from './lambda.ts';
export { OneCycleLR, type OneCycleLROptions } from './one-cycle.ts';
export { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from './plateau.ts';
export { type ComposableSchedule, LRScheduler, type ScheduleOptions } from './scheduler.ts';
export {
  ConstantLR,
  type ConstantLROptions,
  ExponentialLR,
  type ExponentialLROptions,
  LinearLR,
  type LinearLROptions,
  MultiStepLR,
  type MultiStepLROptions,
  PolynomialLR,
  type PolynomialLROptions,
  StepLR,
  type StepLROptions,
} from './steps.ts';
export type { Schedulable, Schedule, ScheduledGroup, ScheduleState } from './types.ts';
