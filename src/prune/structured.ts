import { ArgumentError } from '../core/errors.ts';
import { defaultGenerator, type Generator } from '../core/random.ts';
import { kthSmallest, topk } from '../core/selection.ts';
import { Tensor } from '../core/tensor.ts';
import { type Amount, checkAmount, countToPrune } from './amount.ts';
import { channelMask } from './channels.ts';
import { BasePruningMethod } from './method.ts';
import { channelNorms, type NormOrder } from './norm.ts';
import type { RandomOptions } from './unstructured.ts';

/** The axis of the channels, from the front. Throws ArgumentError where `t` has no channels, or not that axis. */
function channelAxis(t: Tensor, dim: number): number {
  const rank = t.shape.length;
  const size = `[${t.shape.join(', ')}]`;
  if (rank <= 1) {
    throw new ArgumentError(
      `Structured pruning can only be applied to multidimensional tensors. Found tensor of shape ${size} with ${rank} dims`,
    );
  }
  if (!Number.isInteger(dim) || dim < -rank || dim >= rank) {
    throw new ArgumentError(`Invalid index ${dim} for tensor of size ${size}`);
  }
  return dim < 0 ? dim + rank : dim;
}

const maskOfChannels = (defaultMask: Tensor, axis: number, keep: Uint8Array): Tensor =>
  new Tensor('float32', defaultMask.shape, channelMask(defaultMask.float32, defaultMask.shape, axis, keep));

/** Prunes whole channels at random: those that draw the smallest of uniform numbers, as PyTorch does. */
export class RandomStructured extends BasePruningMethod {
  readonly pruningType = 'structured';
  readonly amount: Amount;
  override readonly dim: number;
  readonly #generator: Generator;

  /**
   * @param dim axis along which the channels lie; -1, the last one, if left out, as in PyTorch.
   * Throws ArgumentError where `amount` is neither a fraction in [0, 1] nor a count.
   */
  constructor(amount: Amount, dim = -1, options: RandomOptions = {}) {
    super();
    checkAmount(amount);
    this.amount = amount;
    this.dim = dim;
    this.#generator = options.generator ?? defaultGenerator;
  }

  /** Throws ArgumentError for tensors of fewer than two axes, for an axis that is not there, and for a count larger than the channels'. */
  computeMask(t: Tensor, defaultMask: Tensor): Tensor {
    const axis = channelAxis(t, this.dim);
    const channels = t.shape[axis]!;
    const count = countToPrune(this.amount, channels);
    if (count === 0) return defaultMask;
    const draws = this.#generator.rand(channels);
    // Channels that drew the same number as the last to go, go with it.
    const threshold = kthSmallest([draws], count);
    return maskOfChannels(
      defaultMask,
      axis,
      Uint8Array.from(draws, (draw) => (draw > threshold ? 1 : 0)),
    );
  }
}

/** Prunes the whole channels of smallest Lₙ norm. Norms are rounded as PyTorch rounds them, so that near ties end alike. */
export class LnStructured extends BasePruningMethod {
  readonly pruningType = 'structured';
  readonly amount: Amount;
  readonly n: NormOrder;
  override readonly dim: number;

  /**
   * @param n order of the norm: any number, ±Infinity, 'fro' or 'nuc' (matrix norms, for tensors of three axes; 'fro' also of two).
   * @param dim axis along which the channels lie; -1, the last one, if left out, as in PyTorch.
   * Throws ArgumentError where `amount` is neither a fraction in [0, 1] nor a count.
   */
  constructor(amount: Amount, n: NormOrder, dim = -1) {
    super();
    checkAmount(amount);
    this.amount = amount;
    this.n = n;
    this.dim = dim;
  }

  /** Throws ArgumentError for tensors of fewer than two axes, for an axis that is not there, and for a count larger than the channels'. */
  computeMask(t: Tensor, defaultMask: Tensor): Tensor {
    const axis = channelAxis(t, this.dim);
    const channels = t.shape[axis]!;
    const count = countToPrune(this.amount, channels);
    const keep = new Uint8Array(channels);
    for (const channel of topk(channelNorms(t, axis, this.n), channels - count)) keep[channel] = 1;
    return maskOfChannels(defaultMask, axis, keep);
  }
}
