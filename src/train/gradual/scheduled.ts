import { ArgumentError } from '../../core/errors.ts';
import { roundHalfEven } from '../../core/numeric.ts';
import { maskSmallest } from '../../core/selection.ts';
import type { AnyModule } from '../../nn/index.ts';
import type { Json } from '../checkpoint.ts';
import { prunedShare } from '../prunable.ts';
import type { Trainer, TrainingCallback } from '../trainer.ts';
import {
  checkSteps,
  checkTrained,
  chooseTargets,
  type GradualSelection,
  type GradualTarget,
  setMask,
} from './targets.ts';

/** Options of the methods whose sparsity follows a schedule. */
export interface GradualOptions extends GradualSelection {
  readonly model: AnyModule;
  /**
   * Sparsity of the chosen weights after a number of updates, in [0, 1]: one of `prune.schedule`, or a function. Where the scope is `layer` it is asked for each layer, by path, so that
   * layers may differ.
   */
  readonly schedule: (step: number, path: string) => number;
  /** Rank the weights of each `layer` (the default, as in the papers), or those of all together (`global`). */
  readonly scope?: 'global' | 'layer';
  /** Updates from one computation of the masks to the next; default 100. Let the schedule end at a multiple of it. */
  readonly every?: number;
  /** Name of its state in checkpoints; needed where a trainer has two of a kind. */
  readonly name?: string;
}

/** How methods that follow a schedule differ. */
interface Method {
  readonly caller: string;
  readonly name: string;
  /** Compares magnitudes of the scores. */
  readonly absolute: boolean;
  /** Masks are computed anew also while the sparsity stays the same. */
  readonly restless: boolean;
}

/** Weights that are ranked together, and the sparsity that their masks were last computed for. */
interface RankedGroup {
  readonly path: string;
  readonly targets: readonly GradualTarget[];
  sparsity: number | null;
}

/**
 * What gradual methods with a schedule share: every so many updates the entries with the smallest scores are masked, as many as the schedule says. Masks are computed from all entries, so that
 * one may come back.
 */
export abstract class ScheduledPruning implements TrainingCallback {
  readonly name: string;
  protected readonly targets: readonly GradualTarget[];
  readonly #method: Method;
  readonly #schedule: GradualOptions['schedule'];
  readonly #every: number;
  readonly #groups: readonly RankedGroup[];
  #started = false;

  /** Throws ArgumentError where nothing is selected or `every` is no whole number of at least 1. */
  constructor(options: GradualOptions, method: Method) {
    const { model, schedule, scope = 'layer', every = 100 } = options;
    checkSteps(method.caller, 'every', every);
    this.name = options.name ?? method.name;
    this.targets = chooseTargets(model, options);
    this.#method = method;
    this.#schedule = schedule;
    this.#every = every;
    this.#groups =
      scope === 'global'
        ? [{ path: '', targets: this.targets, sparsity: null }]
        : this.targets.map((target) => ({ path: target.path, targets: [target], sparsity: null }));
  }

  /** Share of the chosen weights that is masked now. */
  get sparsity(): number {
    return prunedShare(this.targets);
  }

  /** Scores of a weight's entries, those that are masked included; null where there are none yet. */
  protected abstract scores(trainer: Trainer, target: GradualTarget): Float32Array | null;

  /** Gives masks of ones, and then those of the schedule. */
  onStart(trainer: Trainer): void {
    checkTrained(this.#method.caller, trainer, this.targets);
    for (const target of this.targets) {
      if (!target.parameter.mask) setMask(target, new Float32Array(target.parameter.size).fill(1));
    }
    // A run that is resumed has the masks of its last step.
    if (!this.#started) this.#update(trainer);
    this.#started = true;
  }

  onStep(trainer: Trainer): void {
    if (trainer.step.steps % this.#every === 0) this.#update(trainer);
  }

  stateDict(): Json {
    return { sparsities: this.#groups.map(({ sparsity }) => sparsity) };
  }

  /** Throws ArgumentError where the state is that of other weights. */
  loadStateDict(state: Json): void {
    const { sparsities } = state as { readonly sparsities: readonly (number | null)[] };
    if (sparsities.length !== this.#groups.length) {
      throw new ArgumentError(
        `${this.#method.caller}: expects the state of ${this.#groups.length} groups of weights, got ${sparsities.length}; the checkpoint was written with other options`,
      );
    }
    this.#groups.forEach((group, index) => {
      group.sparsity = sparsities[index]!;
    });
    this.#started = true;
  }

  #update(trainer: Trainer): void {
    const { absolute, restless } = this.#method;
    const due = this.#groups.flatMap((group) => {
      const sparsity = this.#sparsityOf(trainer.step.steps, group.path);
      return restless || sparsity !== group.sparsity ? [{ group, sparsity }] : [];
    });
    if (due.length === 0) return;
    trainer.step.sync();
    for (const { group, sparsity } of due) {
      const scores = group.targets.map((target) => this.scores(trainer, target));
      if (!scores.every((each) => each !== null)) continue;
      const size = scores.reduce((sum, { length }) => sum + length, 0);
      const masks = maskSmallest(scores, roundHalfEven(sparsity * size), { absolute });
      group.targets.forEach((target, index) => {
        setMask(target, masks[index]!);
      });
      group.sparsity = sparsity;
    }
  }

  #sparsityOf(step: number, path: string): number {
    const sparsity = this.#schedule(step, path);
    if (sparsity >= 0 && sparsity <= 1) return sparsity;
    throw new ArgumentError(
      `${this.#method.caller}: schedule expects to give a sparsity in [0, 1], got ${sparsity} at step ${step}`,
    );
  }
}
