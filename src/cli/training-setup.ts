import type { Parameter } from '../nn/index.ts';
import { F } from '../nn/index.ts';
import {
  CosineAnnealingLR,
  LinearLR,
  type LossFunction,
  MultiStepLR,
  OneCycleLR,
  type Optimizer,
  optimizerByName,
  type Scheduler,
  SequentialLR,
} from '../train/index.ts';
import { LEARNING_RATES, type OptimizerOptions, type Start } from './training-options.ts';
import { UsageError } from './usage-error.ts';

/** The learning rate that the options come to. */
const learningRate = ({ optimizer, lr }: OptimizerOptions, start: Start): number =>
  lr ?? LEARNING_RATES[start][optimizer];

/** Throws UsageError for options that have no part beside the others. */
export function checkOptimizer({ optimizer, momentum, schedule, warmup }: OptimizerOptions): void {
  if (momentum !== undefined && optimizer !== 'sgd' && optimizer !== 'rmsprop') {
    throw new UsageError(
      `--momentum has no part here: ${optimizer} has none of its own; it is for sgd and rmsprop`,
    );
  }
  if (warmup > 0 && schedule === 'onecycle') {
    throw new UsageError('--warmup has no part here: --schedule onecycle begins with a warm-up of its own');
  }
}

/** The optimizer that the options ask for. */
export function optimizerOf(
  parameters: Iterable<Parameter>,
  options: OptimizerOptions,
  start: Start,
): Optimizer {
  const { optimizer, weightDecay } = options;
  const momentum = options.momentum ?? (optimizer === 'sgd' ? 0.9 : 0);
  const hasMomentum = optimizer === 'sgd' || optimizer === 'rmsprop';
  return optimizerByName(optimizer, parameters, {
    lr: learningRate(options, start),
    weight_decay: weightDecay,
    ...(hasMomentum ? { momentum } : {}),
  });
}

/**
 * The schedule that the options ask for, moving on at each step; null for none. `epochs` and `batches` say how long the run is. Throws UsageError where the warm-up is not
 * shorter than the run.
 */
export function schedulerOf(
  optimizer: Optimizer,
  options: OptimizerOptions,
  { epochs, batches }: { readonly epochs: number; readonly batches: number },
): Scheduler | null {
  const { schedule, warmup } = options;
  const steps = epochs * batches;
  const warm = Math.round(warmup * batches);
  if (warm > 0 && warm >= steps) {
    throw new UsageError(`--warmup: ${warmup} epochs leave nothing of a run of ${epochs}; give fewer`);
  }
  if (schedule === 'onecycle') {
    const maxLr = optimizer.paramGroups.map(({ lr }) => lr);
    return new OneCycleLR(optimizer, {
      maxLr,
      totalSteps: Math.max(2, steps),
      cycleMomentum: false,
    }) as Scheduler;
  }
  const main = (): CosineAnnealingLR | MultiStepLR | null => {
    if (schedule === 'none') return null;
    const rest = steps - warm;
    if (schedule === 'cosine') return new CosineAnnealingLR(optimizer, { tMax: rest });
    return new MultiStepLR(optimizer, { milestones: [Math.ceil(rest / 2), Math.ceil((3 * rest) / 4)] });
  };
  if (warm === 0) return main() as Scheduler | null;
  const growing = new LinearLR(optimizer, { startFactor: 1 / (warm + 1), totalIters: warm });
  const rest = main();
  if (rest === null) return growing as Scheduler;
  return new SequentialLR(optimizer, { schedulers: [growing, rest], milestones: [warm] }) as Scheduler;
}

/** As `schedulerOf`, for runs that make a schedule for each training of `epochs`; nothing where there is none to make. */
export const schedulerFor = (
  options: OptimizerOptions,
  epochs: number,
): { readonly scheduler?: (optimizer: Optimizer, steps: number) => Scheduler } =>
  options.schedule === 'none' && options.warmup === 0
    ? {}
    : {
        scheduler: (optimizer, steps) =>
          schedulerOf(optimizer, options, { epochs, batches: steps / epochs })!,
      };

/** The loss on labels that the options ask for. */
export const lossOf =
  ({ labelSmoothing }: OptimizerOptions): LossFunction =>
  (output, target) =>
    F.crossEntropy(output, target, labelSmoothing === 0 ? {} : { labelSmoothing });

/** What stands in JSON and in reports on how weights are trained. */
export const optimizerFacts = (options: OptimizerOptions, start: Start) => {
  const { optimizer, momentum, weightDecay, schedule, warmup, labelSmoothing, clipGradNorm, augment } =
    options;
  return {
    optimizer,
    lr: learningRate(options, start),
    momentum: momentum ?? (optimizer === 'sgd' ? 0.9 : optimizer === 'rmsprop' ? 0 : null),
    weightDecay,
    schedule,
    warmup,
    labelSmoothing,
    clipGradNorm: clipGradNorm ?? null,
    augment: augment ?? [],
  };
};
