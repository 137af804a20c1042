import type { Tensor } from '../core/tensor.ts';
import type { AnyModule, Parameter } from '../nn/index.ts';
import type { LossFunction, Regularizer } from './objective.ts';
import type { Optimizer } from './optimizers/index.ts';

/** What a training step is made from. */
export interface TrainStepOptions {
  readonly loss: LossFunction;
  readonly optimizer: Optimizer;
  /** A model whose first output the loss may look at; it is not trained. */
  readonly teacher?: AnyModule | null;
  readonly regularizers?: readonly Regularizer[];
  /**
   * Batches for one update, 1 by default: the mean of their gradients. A function gives how many it takes by the number of batches seen before this one; their gradients are summed up then, as PyTorch does by itself.
   */
  readonly accumulate?: number | ((batch: number) => number);
  readonly clipGradNorm?: number;
  readonly clipGradValue?: number;
  /** Decay of the moving average of the weights at a step (1, 2, …); none is kept by default. */
  readonly emaDecay?: ((step: number) => number) | null;
  /** Pruned parameters whose dense gradients every step gives. */
  readonly dense?: readonly Parameter[];
  /** Parameters whose movement is summed up. */
  readonly movement?: readonly Parameter[];
  /** Everything random in a step follows from it and the step's number. Default 0. */
  readonly seed?: number;
  readonly threads?: number;
}

/** What a step gives. Tensors are valid until the next step. */
export interface StepResult {
  readonly loss: number;
  /** The loss's parts, where it has some. */
  readonly parts: Readonly<Record<string, number>>;
  /** The model's outputs. */
  readonly outputs: readonly Tensor[];
  /** Dense gradients of `options.dense`. */
  readonly dense: ReadonlyMap<Parameter, Tensor>;
}
