import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { WeightLayout } from '../ops/index.ts';

/** What a Parameter knows of the method that pruned it; the classes of `secateur/prune` are such methods. */
export interface MaskMethod {
  /** Name of the parameter in its module: `weight`, `bias`. */
  readonly tensorName: string;
}

/** State of a pruned parameter: what PyTorch keeps as `weight_orig`, `weight_mask` and the method in the module's hooks. */
export interface ParameterPruning {
  /** The elements before masking; training goes on here. */
  readonly orig: Tensor;
  /** float32 zeros and ones of the parameter's shape; pruned entries are 0. */
  readonly mask: Tensor;
  /** How the mask came about; a `PruningContainer` where several methods were applied. */
  readonly method: MaskMethod;
}

/**
 * A trainable tensor of a module. `data` is what computations see; graphs share it as an initializer, so they see
 * every change of it. A pruned parameter also has `pruning`, and then `data = orig × mask` with pruned entries exactly +0.
 */
export class Parameter {
  /** Effective elements. The same Tensor for the parameter's life; its elements are replaced, never the Tensor. */
  readonly data: Tensor;
  requiresGrad: boolean;
  /** What the axes mean (filters, input channels, kernel window), where the parameter is a weight; null for others. */
  readonly layout: WeightLayout | null;
  #pruning: ParameterPruning | null = null;

  constructor(data: Tensor, options: { requiresGrad?: boolean; layout?: WeightLayout | null } = {}) {
    this.data = data;
    this.requiresGrad = options.requiresGrad ?? true;
    this.layout = options.layout ?? null;
  }

  get shape(): readonly number[] {
    return this.data.shape;
  }

  /** Number of elements, zeros included. */
  get size(): number {
    return this.data.size;
  }

  /** Original elements, mask and method of a pruned parameter; null where it is not pruned. */
  get pruning(): ParameterPruning | null {
    return this.#pruning;
  }

  /** The elements before masking (`weight_orig`); `data` itself where the parameter is not pruned. */
  get orig(): Tensor {
    return this.#pruning?.orig ?? this.data;
  }

  /** The mask, or null where the parameter is not pruned. */
  get mask(): Tensor | null {
    return this.#pruning?.mask ?? null;
  }

  /**
   * Masks the parameter, in place of an earlier mask if there is one; `orig` stays what it was. Module.setPruning calls this, and keeps
   * PyTorch's order of names besides. Throws ArgumentError where the mask is not float32 of the parameter's shape; nothing has changed then.
   */
  setPruning(method: MaskMethod, mask: Tensor): void {
    if (mask.dtype !== 'float32' || !sameShape(mask.shape, this.shape)) {
      throw new ArgumentError(
        `Parameter '${method.tensorName}': mask must be float32[${this.shape.join(', ')}], got ${mask}`,
      );
    }
    // `data` stays the Tensor that graphs share; what it held moves to `orig`, uncopied.
    const orig = this.#pruning?.orig ?? this.data.reshape(this.data.shape);
    this.#pruning = { orig, mask, method };
    this.refresh();
  }

  /** Forgets mask and original; what was pruned stays 0 (`prune.remove`). Nothing happens where the parameter is not pruned. */
  makePermanent(): void {
    this.#pruning = null;
  }

  /** Forgets mask and method, and puts the original elements back; used to take back a failed call. */
  restore(pruning: ParameterPruning | null): void {
    const orig = this.orig;
    this.#pruning = pruning;
    if (pruning) this.refresh();
    else if (orig !== this.data) this.data.setData(orig.data);
  }

  /** Computes `data` anew after `orig` or the mask changed: `data = orig × mask`. */
  refresh(): void {
    const pruning = this.#pruning;
    if (pruning) this.data.setData(masked(pruning.orig, pruning.mask));
  }

  /** `Parameter float32[16, 3, 3, 3]` */
  toString(): string {
    return `Parameter ${this.data}`;
  }
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, axis) => dim === b[axis]);

/**
 * `orig × mask` in memory of its own. Where the mask is 0 the result is +0 whatever `orig` holds: PyTorch's product gives -0 for negative
 * weights, which is equal but costs a bit of entropy per pruned weight in a compressed file.
 */
function masked(orig: Tensor, mask: Tensor): Tensor['data'] {
  const keep = mask.float32;
  if (orig.dtype === 'float32') {
    const words = maskedWords(orig.float32, keep);
    if (words) return words;
  }
  const out = orig.data.slice();
  if (out instanceof BigInt64Array || out instanceof BigUint64Array) {
    for (let i = 0; i < keep.length; i++) if (keep[i] === 0) out[i] = 0n;
    return out;
  }
  const real = orig.dtype === 'float32' || orig.dtype === 'float64';
  for (let i = 0; i < keep.length; i++) {
    const k = keep[i]!;
    if (k === 0) out[i] = 0;
    else if (k !== 1 && real) out[i] = out[i]! * k;
  }
  return out;
}

/** Bits of the float32 1. */
const ONE = 0x3f800000;

/** `orig × mask` over the bits, where the mask holds nothing but +0 and 1; null otherwise. No branches: which weights go is random to the processor. */
function maskedWords(orig: Float32Array, mask: Float32Array): Float32Array<ArrayBuffer> | null {
  const from = new Int32Array(orig.buffer, orig.byteOffset, orig.length);
  const keep = new Int32Array(mask.buffer, mask.byteOffset, mask.length);
  const out = new Int32Array(from.length);
  let strange = 0;
  for (let i = 0; i < out.length; i++) {
    const word = keep[i]!;
    // All ones where the mask is 1, all zeros where it is 0.
    const bits = (word << 2) >> 31;
    strange |= word ^ (bits & ONE);
    out[i] = from[i]! & bits;
  }
  return strange === 0 ? new Float32Array(out.buffer) : null;
}
