import { ArgumentError } from '../../core/errors.ts';
import type { AnyModule, Parameter } from '../../nn/index.ts';
import { Adam, AdamW, type Optimizer, RMSprop, SGD } from '../../train/index.ts';
import type { DetectorHyperparameters } from './hyperparameters.ts';
import { accumulatedBatches } from './warmup.ts';

/** Optimizers that a detector can be trained with, by PyTorch's names. */
export const DETECTOR_OPTIMIZERS = ['SGD', 'Adam', 'AdamW', 'RMSprop'] as const;

/** Options of `detectorOptimizer`. */
export interface DetectorOptimizerOptions {
  /** Images of a batch; weight decay follows from it. */
  readonly batchSize: number;
  /** Default SGD, with Nesterov's momentum. */
  readonly name?: (typeof DETECTOR_OPTIMIZERS)[number];
}

/** The group of biases in `detectorOptimizer`'s groups: weights, scales of normalizations, biases. */
export const BIAS_GROUP = 2;

/**
 * The optimizer that YOLOv5 trains with: three groups of parameters, of which only weights decay, by `weightDecay` as it is for `nbs` images an update; scales of normalizations and biases do not. Parameters
 * that require no gradient are in none.
 *
 * Throws ArgumentError for an unknown name, and where nothing is left to train. Source: `smart_optimizer` and train.py of YOLOv5 v7.0 (its group of biases is the first).
 */
export function detectorOptimizer(
  model: AnyModule,
  { lr0, momentum, weightDecay: usual, nbs }: DetectorHyperparameters,
  { batchSize, name = 'SGD' }: DetectorOptimizerOptions,
): Optimizer {
  const weightDecay = (usual * batchSize * accumulatedBatches(batchSize, nbs)) / nbs;
  const [weights, scales, biases] = parametersByKind(model);
  if (weights.length + scales.length + biases.length === 0) {
    throw new ArgumentError('detectorOptimizer: no parameter requires a gradient; freeze fewer layers');
  }
  const groups = [
    { params: weights, weightDecay },
    { params: scales, weightDecay: 0 },
    { params: biases, weightDecay: 0 },
  ];
  switch (name) {
    case 'SGD':
      return new SGD(groups, { lr: lr0, momentum, nesterov: momentum > 0 });
    case 'Adam':
      return new Adam(groups, { lr: lr0, betas: [momentum, 0.999] });
    case 'AdamW':
      return new AdamW(groups, { lr: lr0, betas: [momentum, 0.999] });
    case 'RMSprop':
      return new RMSprop(groups, { lr: lr0, momentum });
    default:
      throw new ArgumentError(
        `detectorOptimizer: '${String(name)}' is not known; expected ${DETECTOR_OPTIMIZERS.join(', ')}`,
      );
  }
}

/** Parameters that are trained: weights, scales of normalizations, biases. */
function parametersByKind(model: AnyModule): readonly [Parameter[], Parameter[], Parameter[]] {
  const kinds: readonly [Parameter[], Parameter[], Parameter[]] = [[], [], []];
  for (const { name, parameter } of model.parameterPlaces()) {
    if (!parameter.requiresGrad) continue;
    // A vector of one number a channel that is no bias scales the channels; its module may be of any class in a file.
    const isScale = parameter.shape.length === 1;
    kinds[name.endsWith('bias') ? BIAS_GROUP : isScale ? 1 : 0]!.push(parameter);
  }
  return kinds;
}
