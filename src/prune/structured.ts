import { ArgumentError } from '../core/errors.ts';
import { defaultGenerator, type Generator } from '../core/random.ts';
import { kthSmallest, topk } from '../core/selection.ts';
import { Tensor } from '../core/tensor.ts';
import { type Amount, checkAmount, countToPrune } from './amount.ts';
import { channelMask } from './channels.ts';
import { BasePruningMethod, ones } from './method.ts';
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

/** Which channels stay, and along which axis they lie. */
interface KeptChannels {
  readonly axis: number;
  readonly keep: Uint8Array;
}

/** A method that takes whole channels: `defaultMask` on those that stay, 0 on the others. */
abstract class ChannelMethod extends BasePruningMethod {
  readonly pruningType = 'structured';

  /** Which channels of `t` stay; null where all do. */
  protected abstract keptChannels(t: Tensor): KeptChannels | null;

  /** Throws ArgumentError for tensors of fewer than two axes, for an axis that is not there, and for a count larger than the channels'. */
  computeMask(t: Tensor, defaultMask: Tensor): Tensor {
    const kept = this.keptChannels(t);
    if (!kept) return defaultMask;
    const { shape, float32 } = defaultMask;
    return new Tensor('float32', shape, channelMask(shape, kept.axis, kept.keep, float32));
  }

  override computeFirstMask(t: Tensor): Tensor {
    // A subclass may compute its masks otherwise.
    if (this.computeMask !== ChannelMethod.prototype.computeMask) return super.computeFirstMask(t);
    const kept = this.keptChannels(t);
    return kept ? new Tensor('float32', t.shape, channelMask(t.shape, kept.axis, kept.keep)) : ones(t.shape);
  }
}

/** Prunes whole channels at random: those that draw the smallest of uniform numbers, as PyTorch does. */
export class RandomStructured extends ChannelMethod {
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

  protected override keptChannels(t: Tensor): KeptChannels | null {
    const axis = channelAxis(t, this.dim);
    const channels = t.shape[axis]!;
    const count = countToPrune(this.amount, channels);
    if (count === 0) return null;
    const draws = this.#generator.rand(channels);
    // Channels that drew the same number as the last to go, go with it.
    const threshold = kthSmallest([draws], count);
    return { axis, keep: Uint8Array.from(draws, (draw) => (draw > threshold ? 1 : 0)) };
  }
}

/** Prunes the whole channels of smallest Lₙ norm. Norms are rounded as PyTorch rounds them, so that near ties end alike. */
export class LnStructured extends ChannelMethod {
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

  protected override keptChannels(t: Tensor): KeptChannels | null {
    const axis = channelAxis(t, this.dim);
    const channels = t.shape[axis]!;
    const count = countToPrune(this.amount, channels);
    const keep = new Uint8Array(channels);
    for (const channel of topk(channelNorms(t, axis, this.n), channels - count)) keep[channel] = 1;
    return { axis, keep };
  }
}
