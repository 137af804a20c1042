import { ArgumentError } from '../core/errors.ts';
import { toFloat32 } from '../core/float16.ts';
import { defaultGenerator, type Generator } from '../core/random.ts';
import { maskSmallest } from '../core/selection.ts';
import { Tensor } from '../core/tensor.ts';
import { type Amount, checkAmount, countToPrune } from './amount.ts';
import { BasePruningMethod } from './method.ts';

/** Options of methods that draw random numbers. */
export interface RandomOptions {
  /** Draws the numbers; the default generator, which `manualSeed` seeds, if left out. */
  readonly generator?: Generator | undefined;
}

/** `defaultMask` with 0 wherever `fresh` is 0. `fresh` is used for the result. */
function onTopOf(fresh: Float32Array<ArrayBuffer>, defaultMask: Tensor): Tensor {
  const base = defaultMask.float32;
  for (let i = 0; i < fresh.length; i++) if (fresh[i] !== 0) fresh[i] = base[i]!;
  return new Tensor('float32', defaultMask.shape, fresh);
}

/** Prunes nothing, and makes the parameter a pruned one with a mask of ones all the same. */
export class Identity extends BasePruningMethod {
  readonly pruningType = 'unstructured';

  computeMask(_t: Tensor, defaultMask: Tensor): Tensor {
    return defaultMask;
  }
}

/** A method that picks single entries of all tensors together, as `globalUnstructured` does with the methods of this library. */
export interface ChunkedMethod {
  /** Masks of 1 with 0 at what goes, a mask a chunk; equals `computeMask` of the chunks in a row. */
  masksOf(chunks: readonly Float32Array[]): Float32Array<ArrayBuffer>[];
}

const total = (chunks: readonly Float32Array[]): number =>
  chunks.reduce((sum, { length }) => sum + length, 0);

/** Prunes entries at random: those that draw the largest of uniform numbers, as PyTorch does. */
export class RandomUnstructured extends BasePruningMethod implements ChunkedMethod {
  readonly pruningType = 'unstructured';
  readonly amount: Amount;
  readonly #generator: Generator;

  /** Throws ArgumentError where `amount` is neither a fraction in [0, 1] nor a count. */
  constructor(amount: Amount, options: RandomOptions = {}) {
    super();
    checkAmount(amount);
    this.amount = amount;
    this.#generator = options.generator ?? defaultGenerator;
  }

  computeMask(t: Tensor, defaultMask: Tensor): Tensor {
    return onTopOf(this.masksOf([t.float32])[0]!, defaultMask);
  }

  override computeFirstMask(t: Tensor): Tensor {
    // A subclass may compute its masks otherwise.
    if (this.computeMask !== RandomUnstructured.prototype.computeMask) return super.computeFirstMask(t);
    return new Tensor('float32', t.shape, this.masksOf([t.float32])[0]!);
  }

  masksOf(chunks: readonly Float32Array[]): Float32Array<ArrayBuffer>[] {
    const count = countToPrune(this.amount, total(chunks));
    // PyTorch draws nothing where nothing goes.
    if (count === 0) return chunks.map(({ length }) => new Float32Array(length).fill(1));
    const draws = chunks.map(({ length }) => {
      const numbers = this.#generator.rand(length);
      // The largest are the smallest of the negatives.
      for (let i = 0; i < numbers.length; i++) numbers[i] = -numbers[i]!;
      return numbers;
    });
    return maskSmallest(draws, count);
  }
}

/** Prunes the entries of smallest magnitude. Among equals the same go as in PyTorch. */
export class L1Unstructured extends BasePruningMethod implements ChunkedMethod {
  readonly pruningType = 'unstructured';
  readonly amount: Amount;

  /** Throws ArgumentError where `amount` is neither a fraction in [0, 1] nor a count. */
  constructor(amount: Amount) {
    super();
    checkAmount(amount);
    this.amount = amount;
  }

  computeMask(t: Tensor, defaultMask: Tensor): Tensor {
    return onTopOf(this.masksOf([t.float32])[0]!, defaultMask);
  }

  override computeFirstMask(t: Tensor): Tensor {
    // A subclass may compute its masks otherwise.
    if (this.computeMask !== L1Unstructured.prototype.computeMask) return super.computeFirstMask(t);
    return new Tensor('float32', t.shape, this.masksOf([t.float32])[0]!);
  }

  masksOf(chunks: readonly Float32Array[]): Float32Array<ArrayBuffer>[] {
    return maskSmallest(chunks, countToPrune(this.amount, total(chunks)), { absolute: true });
  }
}

/** Prunes with a mask that was made elsewhere. */
export class CustomFromMask extends BasePruningMethod {
  readonly pruningType = 'global';
  /** The mask, of the parameter's shape; any real dtype. */
  readonly mask: Tensor;

  constructor(mask: Tensor) {
    super();
    this.mask = mask;
  }

  override computeFirstMask(t: Tensor): Tensor {
    const fits = t.shape.join() === this.mask.shape.join();
    if (!fits || this.computeMask !== CustomFromMask.prototype.computeMask) return super.computeFirstMask(t);
    return toFloat32(this.mask).clone();
  }

  /** `defaultMask × mask`. Throws ArgumentError where the shapes differ. */
  computeMask(_t: Tensor, defaultMask: Tensor): Tensor {
    if (defaultMask.shape.join() !== this.mask.shape.join()) {
      throw new ArgumentError(
        `defaultMask shape [${defaultMask.shape.join(', ')}] must match mask shape [${this.mask.shape.join(', ')}]`,
      );
    }
    const base = defaultMask.float32;
    const product = toFloat32(this.mask).float32.slice();
    for (let i = 0; i < product.length; i++) product[i] = product[i]! * base[i]!;
    return new Tensor('float32', defaultMask.shape, product);
  }
}
