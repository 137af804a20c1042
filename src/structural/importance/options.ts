import type { Variable } from '../../nn/index.ts';
import type { CalibrationData } from '../calibration.ts';
import type { Aggregate, Normalize } from './contributions.ts';
import type { ImportanceMethod } from './methods.ts';

/** Writes a loss, one number, out of the model's outputs and the target of a batch, with the functions of `F`. */
export type ImportanceLoss = (outputs: readonly Variable[], target: Variable) => Variable;

/** How channels are scored. */
export interface ImportanceOptions {
  /** See `IMPORTANCE_METHODS`. */
  readonly method: ImportanceMethod;
  /** What becomes of the numbers of a group's members. Default `mean`. */
  readonly aggregate?: Aggregate;
  /** What a group's scores are divided by, so that those of different groups compare. Default `mean`; for `random`, and for `lamp`, which makes them comparable itself, `none`. */
  readonly normalize?: Normalize;
  /**
   * Whose weights count, for the methods that look at weights: `out`, the filters that make the channels; `out-in`, also the slices of later layers that read them and the scales of normalizations between. Default `out-in`, as in
   * Torch-Pruning; for `fpgm`, whose paper has filters alone, `out`. `batch-norm`, `wanda` and what looks at activations have members of their own.
   */
  readonly members?: 'out' | 'out-in';
  /** How groups are scored that the method cannot score, such as `batch-norm` where a group has no batch norm; left out, they are an error. Comparable where scores are normalized. */
  readonly fallback?: 'l1' | 'l2';
  /** Batches for the methods that need any. */
  readonly data?: CalibrationData;
  /** Batches at most; all of `data` by default. */
  readonly maxBatches?: number;
  /** The loss of `taylor`, `taylor-multi` and `hessian`. By default cross entropy, where the model has one output `[N, C]` and targets are whole numbers `[N]`. */
  readonly loss?: ImportanceLoss;
  /** Magnitudes up to here count as zero for `apoz`. Default 0. SiLU and its kin are hardly ever exactly 0. */
  readonly threshold?: number;
  /** Seed of `random`. Default 0. */
  readonly seed?: number;
  /** Threads inside an operator, where the model is run; by default as many as the machine has. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** Called after each batch with the share that is done, where the number of batches is known. */
  readonly onProgress?: (done: number) => void;
}
