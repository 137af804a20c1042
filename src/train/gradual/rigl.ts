import { ArgumentError } from '../../core/errors.ts';
import { roundHalfEven } from '../../core/numeric.ts';
import { Generator } from '../../core/random.ts';
import { maskSmallest } from '../../core/selection.ts';
import { Tensor } from '../../core/tensor.ts';
import type { AnyModule, Parameter } from '../../nn/index.ts';
import type { Json } from '../checkpoint.ts';
import { prunedShare } from '../prunable.ts';
import type { Trainer, TrainingCallback } from '../trainer.ts';
import { densitiesOf, type SparsityDistribution, sparsityDistributions } from './densities.ts';
import {
  checkSteps,
  checkTrained,
  chooseTargets,
  type GradualSelection,
  type GradualTarget,
  setMask,
} from './targets.ts';

/** Options of `RigL`. */
export interface RigLOptions extends GradualSelection {
  readonly model: AnyModule;
  /** Share of the chosen weights that is masked, in (0, 1), from the first step to the last. */
  readonly sparsity: number;
  /** How it is spread over the layers; `erdos-renyi-kernel` by default. With `uniform` the model's first layer stays dense, as in the paper, unless it alone is chosen. */
  readonly distribution?: SparsityDistribution;
  /** Updates from one change of the masks to the next (ΔT); default 100. */
  readonly every?: number;
  /** Share of the active weights that changes at first, in (0, 1]; it falls along half a cosine. Default 0.3. */
  readonly alpha?: number;
  /** Update from which on the masks stay (T_end). */
  readonly end?: number;
  /** Updates of the whole run, in place of `end`: masks then stay in its last quarter. */
  readonly steps?: number;
  /** The first masks follow from it; default 0. */
  readonly seed?: number;
  /** Name of its state in checkpoints; needed where a trainer has two of a kind. */
  readonly name?: string;
}

/** Share of a run in which masks change, unless told. */
const CHANGING = 0.75;

/** A weight with masks that change. */
interface SparseWeight extends GradualTarget {
  /** Entries that are not masked. */
  readonly active: number;
}

/**
 * RigL (Evci et al. 2020, "Rigging the lottery"): sparse from the first step. Masks start at random; every `every` updates t the share `α/2 (1 + cos(π t / T_end))` of the active weights, those of
 * smallest magnitude, is dropped, and as many are grown where the gradient is largest among the others. Grown weights start at 0, and with the optimizer's state at 0.
 *
 * Masked weights are 0 before masking, too. The gradients are those of the update's last batch. Training computes them anyway: handing them out at each step costs about 2 % of its time
 * (4 of 213 ms for a network of 4.6 million parameters).
 *
 * ```ts
 * const rigl = new RigL({ model, sparsity: 0.9, steps: epochs * loader.length });
 * const trainer = new Trainer(model, { optimizer, callbacks: [rigl] });
 * ```
 */
export class RigL implements TrainingCallback {
  readonly name: string;
  /** Parameters whose gradients it needs as if nothing were masked. */
  readonly dense: readonly Parameter[];
  /** Share of entries that each chosen weight keeps, by name; 1 for those that stay dense. */
  readonly densities: ReadonlyMap<string, number>;
  readonly #targets: readonly GradualTarget[];
  readonly #sparse: readonly SparseWeight[];
  readonly #every: number;
  readonly #alpha: number;
  readonly #end: number;
  readonly #seed: number;
  #started = false;

  /** Throws ArgumentError where options cannot be, or nothing is selected. */
  constructor(options: RigLOptions) {
    const { model, sparsity, distribution = 'erdos-renyi-kernel', every = 100, alpha = 0.3 } = options;
    checkOptions(options, distribution, alpha);
    checkSteps('RigL', 'every', every);
    this.name = options.name ?? 'rigl';
    this.#targets = chooseTargets(model, options);
    this.#every = every;
    this.#alpha = alpha;
    this.#end = endOf(options);
    this.#seed = options.seed ?? 0;
    const shares = densitiesOf(
      this.#targets.map(({ parameter }) => parameter),
      sparsity,
      distribution,
    );
    const first = chooseTargets(model, { types: options.types })[0]!.parameter;
    const firstStays = distribution === 'uniform' && this.#targets.length > 1;
    const densities = shares.map((density, index) =>
      firstStays && this.#targets[index]!.parameter === first ? 1 : density,
    );
    this.densities = new Map(this.#targets.map(({ name }, index) => [name, densities[index]!]));
    this.#sparse = this.#targets.flatMap((target, index) => {
      const { size } = target.parameter;
      // A layer without a weight would let nothing through.
      const active = Math.max(1, roundHalfEven(densities[index]! * size));
      return active < size ? [{ ...target, active }] : [];
    });
    this.dense = this.#sparse.map(({ parameter }) => parameter);
  }

  /** Share of the chosen weights that is masked now; 0 before training. */
  get sparsity(): number {
    return prunedShare(this.#targets);
  }

  /** Draws the masks. Throws ArgumentError where a weight has one already, or is not trained; nothing has changed then. */
  onStart(trainer: Trainer): void {
    checkTrained('RigL', trainer, this.#sparse);
    if (this.#started) return;
    const masked = this.#sparse.find(({ parameter }) => parameter.mask);
    if (masked) {
      throw new ArgumentError(
        `RigL: '${masked.name}' is pruned already, and RigL starts from masks of its own; make its pruning permanent with remove, or leave it out with exclude`,
      );
    }
    trainer.step.sync();
    const generator = new Generator(this.#seed);
    for (const target of this.#sparse) {
      const { parameter, active } = target;
      const mask = new Float32Array(parameter.size);
      for (const index of generator.randperm(parameter.size).subarray(0, active)) mask[index] = 1;
      setMask(target, mask);
      // The elements may lie in the bytes of a file: they are replaced, not written to.
      parameter.orig.setData(parameter.data.float32.slice());
    }
    trainer.step.reload();
    this.#started = true;
  }

  /** Drops and grows weights where it is time to. */
  onStep(trainer: Trainer, gradients: ReadonlyMap<Parameter, Tensor>): void {
    const { steps } = trainer.step;
    if (steps % this.#every !== 0 || steps >= this.#end) return;
    const share = (this.#alpha / 2) * (1 + Math.cos((Math.PI * steps) / this.#end));
    trainer.step.sync();
    for (const target of this.#sparse) {
      const gradient = gradients.get(target.parameter);
      if (!gradient) {
        throw new ArgumentError(
          `RigL: there is no dense gradient of '${target.name}'; give RigL to the trainer as one of its callbacks`,
        );
      }
      const keep = rewire(target, gradient.float32, share);
      trainer.step.resetState(target.parameter, keep);
    }
    trainer.step.reload();
  }

  stateDict(): Json {
    return { started: this.#started };
  }

  loadStateDict(state: Json): void {
    this.#started = (state as { readonly started: boolean }).started;
  }
}

/** Drops and grows weights of a parameter, and sets both to 0. Gives a mask that is 0 at them. */
function rewire(target: SparseWeight, gradient: Float32Array, share: number): Tensor {
  const { parameter } = target;
  const weights = parameter.orig.float32;
  const before = parameter.mask!.float32;
  const count = Math.floor(share * target.active);
  const active = positions(before, 1);
  const [stays] = maskSmallest([pick(weights, active)], count, { absolute: true });
  const after = new Float32Array(before.length);
  put(stays!, active, after);
  // What was dropped may be grown at once: it then just stays.
  const others = positions(after, 0);
  const [grows] = maskSmallest([pick(gradient, others)], others.length - count, { absolute: true });
  put(grows!, others, after);
  const keep = new Float32Array(after.length);
  for (let i = 0; i < after.length; i++) {
    if (after[i] === before[i]) keep[i] = 1;
    else weights[i] = 0;
  }
  setMask(target, after);
  return new Tensor('float32', parameter.shape, keep);
}

/** Where a mask has a value. */
function positions(mask: Float32Array, value: number): Int32Array {
  let count = 0;
  for (const each of mask) if (each === value) count++;
  const found = new Int32Array(count);
  for (let i = 0, j = 0; i < mask.length; i++) if (mask[i] === value) found[j++] = i;
  return found;
}

function pick(values: Float32Array, at: Int32Array): Float32Array {
  // `Float32Array.from` with a function is many times slower.
  const picked = new Float32Array(at.length);
  for (let i = 0; i < picked.length; i++) picked[i] = values[at[i]!]!;
  return picked;
}

function put(values: Float32Array, at: Int32Array, into: Float32Array): void {
  for (let i = 0; i < at.length; i++) into[at[i]!] = values[i]!;
}

function checkOptions({ sparsity, end, steps }: RigLOptions, distribution: string, alpha: number): void {
  if (!(sparsity > 0 && sparsity < 1)) {
    throw new ArgumentError(`RigL: sparsity expects a share in (0, 1), got ${sparsity}`);
  }
  if (!(sparsityDistributions as readonly string[]).includes(distribution)) {
    throw new ArgumentError(
      `RigL: distribution '${distribution}' is not known; expected ${sparsityDistributions.join(', ')}`,
    );
  }
  if (!(alpha > 0 && alpha <= 1))
    throw new ArgumentError(`RigL: alpha expects a share in (0, 1], got ${alpha}`);
  if ((end === undefined) === (steps === undefined)) {
    throw new ArgumentError(
      'RigL: expects either end, the update from which on masks stay, or steps, the updates of the whole run',
    );
  }
}

function endOf({ end, steps }: RigLOptions): number {
  if (end !== undefined) checkSteps('RigL', 'end', end);
  if (steps !== undefined) checkSteps('RigL', 'steps', steps);
  return end ?? CHANGING * steps!;
}
