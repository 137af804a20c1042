import { ArgumentError } from '../core/errors.ts';
import { defaultGenerator, type Generator } from '../core/random.ts';
import { maskSmallest } from '../core/selection.ts';
import { Tensor } from '../core/tensor.ts';
import type { Parameter } from '../nn/index.ts';
import type { WeightLayout } from '../ops/index.ts';
import { type Amount, checkAmount, countToPrune } from './amount.ts';
import {
  assumedLayout,
  checkGranularity,
  type Granularity,
  type Grouping,
  granularityProblem,
  groupingOf,
  groupScores,
  type Importance,
  livingGroups,
  type MatrixView,
  maskOfGroups,
  matrixView,
} from './granularity.ts';
import { BasePruningMethod } from './method.ts';

/** Options of the methods that prune groups of weights. */
export interface GranularOptions {
  /** What ranks the groups; 'l1' if left out. */
  readonly importance?: Importance | undefined;
  /** What the axes mean; the pruned parameter's own layout if left out, or for bare tensors `[out, in, ...kernel]`. */
  readonly layout?: WeightLayout | undefined;
  /** Draws the numbers of 'random'; the default generator if left out. */
  readonly generator?: Generator | undefined;
}

/** A weight, the groups it falls into, and what each is worth. */
export interface RankedGroups {
  readonly view: MatrixView;
  readonly grouping: Grouping;
  /** Scores of the groups that are not wholly pruned yet. */
  readonly scores: Float32Array;
  /** Which groups those are, ascending. */
  readonly living: Int32Array;
}

/** A method that prunes whole groups of weights: the base of the methods for vectors, kernels, filters, blocks and layers. */
abstract class GranularMethod extends BasePruningMethod {
  /** Groups that are wholly pruned are left out by `computeMask` itself, which sees everything. */
  readonly pruningType = 'global';
  readonly granularity: Granularity;
  readonly importance: Importance;
  readonly #given: WeightLayout | null;
  #layout: WeightLayout | null;
  readonly #generator: Generator;

  constructor(granularity: Granularity, options: GranularOptions = {}) {
    super();
    checkGranularity(granularity);
    this.granularity = granularity;
    this.importance = options.importance ?? 'l1';
    if (!['l1', 'l2', 'random'].includes(this.importance)) {
      throw new ArgumentError(
        `${this.constructor.name}: expected importance 'l1', 'l2' or 'random', got '${this.importance}'`,
      );
    }
    this.#given = options.layout ?? null;
    this.#layout = this.#given;
    this.#generator = options.generator ?? defaultGenerator;
  }

  override prepare(parameter: Parameter): void {
    this.#layout = this.#given ?? parameter.layout;
  }

  /** The groups of `t`. Throws ArgumentError where `t` cannot have them. */
  protected groups(t: Tensor): { view: MatrixView; grouping: Grouping } {
    const problem = granularityProblem(this.granularity, t.shape, this.#layout);
    if (problem) {
      const where = this.tensorName === '' ? '' : `parameter '${this.tensorName}': `;
      throw new ArgumentError(`granularity: ${where}${problem}`);
    }
    const flat = this.granularity.kind === 'layer' || this.granularity.kind === 'fine-grained';
    const view = flat
      ? { rows: 1, columns: t.size, inputs: t.size, window: [], order: null }
      : matrixView(t.shape, this.#layout ?? assumedLayout(t.shape));
    return { view, grouping: groupingOf(this.granularity, view) };
  }

  /** The groups of `t` that are not wholly pruned, and their scores: an entry of `t` is masked where `defaultMask` is 0. */
  rank(t: Tensor, defaultMask: Tensor): RankedGroups {
    const { view, grouping } = this.groups(t);
    const alive = livingGroups(defaultMask.float32, grouping, view);
    const living: number[] = [];
    for (let group = 0; group < alive.length; group++) if (alive[group] === 1) living.push(group);
    const picked = Int32Array.from(living);
    if (this.importance === 'random') {
      return { view, grouping, scores: this.#generator.rand(picked.length), living: picked };
    }
    const all = groupScores(t.float32, grouping, view, this.importance);
    return { view, grouping, scores: Float32Array.from(picked, (group) => all[group]!), living: picked };
  }

  /** Random numbers, one an entry, for methods that rank single weights. */
  protected draw(count: number): Float32Array {
    return this.#generator.rand(count);
  }
}

/** `defaultMask` without the groups whose entry of `keep` is 0. */
export function maskWithout(ranked: RankedGroups, keep: ArrayLike<number>, defaultMask: Tensor): Tensor {
  const all = new Uint8Array(ranked.grouping.count).fill(1);
  ranked.living.forEach((group, index) => {
    if (keep[index] === 0) all[group] = 0;
  });
  const mask = maskOfGroups(defaultMask.float32, ranked.grouping, ranked.view, all);
  return new Tensor('float32', defaultMask.shape, mask);
}

/** Prunes the groups of smallest score; `amount` counts groups that are not wholly pruned yet. */
export class GroupStructured extends GranularMethod {
  readonly amount: Amount;

  /** Throws ArgumentError where `amount` is neither a fraction in [0, 1] nor a count, and where the granularity's numbers are no sizes. */
  constructor(granularity: Granularity, amount: Amount, options: GranularOptions = {}) {
    super(granularity, options);
    if (granularity.kind === 'nm') {
      throw new ArgumentError("GroupStructured: 'nm' says itself how much goes; use NMStructured");
    }
    checkAmount(amount);
    this.amount = amount;
  }

  computeMask(t: Tensor, defaultMask: Tensor): Tensor {
    const ranked = this.rank(t, defaultMask);
    const [keep] = maskSmallest([ranked.scores], countToPrune(this.amount, ranked.scores.length));
    return maskWithout(ranked, keep!, defaultMask);
  }
}

/** Options of `VectorStructured`. */
export interface VectorOptions extends GranularOptions {
  /** Rows or columns of the kernels; rows if left out. */
  readonly along?: 'rows' | 'columns' | undefined;
}

/** Prunes rows (or columns) inside kernels. */
export class VectorStructured extends GroupStructured {
  constructor(amount: Amount, options: VectorOptions = {}) {
    super({ kind: 'vector', along: options.along ?? 'rows' }, amount, options);
  }
}

/** Prunes whole kernels: all connections between one input and one output channel. */
export class KernelStructured extends GroupStructured {
  constructor(amount: Amount, options: GranularOptions = {}) {
    super({ kind: 'kernel' }, amount, options);
  }
}

/** Prunes whole filters: all weights of an output channel. */
export class FilterStructured extends GroupStructured {
  constructor(amount: Amount, options: GranularOptions = {}) {
    super({ kind: 'filter' }, amount, options);
  }
}

/** Prunes blocks of `rows` x `columns` of the weight seen as a matrix, output channels x (input channels · kernel window). */
export class BlockStructured extends GroupStructured {
  constructor(amount: Amount, rows: number, columns: number, options: GranularOptions = {}) {
    super({ kind: 'block', rows, columns }, amount, options);
  }
}

/**
 * Prunes to N:M sparsity: of every `m` consecutive input channels at most `n` weights remain, for each output channel and place in the kernel
 * window; those of largest magnitude, of equal ones the first. A smaller last group keeps its `n` largest too.
 */
export class NMStructured extends GranularMethod {
  readonly n: number;
  readonly m: number;

  /** Throws ArgumentError unless 0 <= n <= m are whole numbers. */
  constructor(n: number, m: number, options: GranularOptions = {}) {
    super({ kind: 'nm', n, m }, options);
    this.n = n;
    this.m = m;
  }

  computeMask(t: Tensor, defaultMask: Tensor): Tensor {
    const { view } = this.groups(t);
    const { rows, inputs, order } = view;
    const places = view.columns / Math.max(inputs, 1);
    const base = defaultMask.float32;
    const values = this.importance === 'random' ? this.draw(t.size) : t.float32;
    const mask = base.slice();
    const at = (i: number): number => (order === null ? i : order[i]!);
    const group = new Int32Array(this.m);
    for (let o = 0; o < rows; o++) {
      for (let first = 0; first < inputs; first += this.m) {
        const size = Math.min(this.m, inputs - first);
        for (let place = 0; place < places; place++) {
          for (let j = 0; j < size; j++) group[j] = at((o * inputs + first + j) * places + place);
          this.#keepLargest(values, base, mask, group.subarray(0, size));
        }
      }
    }
    return new Tensor('float32', defaultMask.shape, mask);
  }

  /** Masks all but the n largest of a group; what was masked before is the smallest. */
  #keepLargest(values: Float32Array, base: Float32Array, mask: Float32Array, group: Int32Array): void {
    const worth = (i: number): number => (base[i] === 0 ? -1 : Math.abs(values[i]!));
    for (const [index, i] of group.entries()) {
      let larger = 0;
      for (const [other, k] of group.entries()) {
        if (worth(k) > worth(i) || (worth(k) === worth(i) && other < index)) larger++;
      }
      if (larger >= this.n) mask[i] = 0;
    }
  }
}
