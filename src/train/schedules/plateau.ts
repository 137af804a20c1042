import { ArgumentError } from '../../core/errors.ts';
import { expectCount, expectNumber } from './scheduler.ts';
import { lrsOf, perGroup, StateReader, setLrs } from './state.ts';
import type { Schedulable, Schedule, ScheduleState } from './types.ts';

/** Options of `ReduceLROnPlateau`. */
export interface ReduceLROnPlateauOptions {
  /** Whether a metric should fall, the default, or rise. */
  readonly mode?: 'min' | 'max';
  /** Factor, below 1; default 0.1. */
  readonly factor?: number;
  /** Steps without progress that are borne with; default 10. */
  readonly patience?: number;
  /** What counts as progress; default 1e-4. */
  readonly threshold?: number;
  /** Whether `threshold` is a share of the best metric, the default, or a difference from it. */
  readonly thresholdMode?: 'rel' | 'abs';
  /** Steps after a reduction that count for nothing; default 0. */
  readonly cooldown?: number;
  /** Lowest learning rate, one for all groups or one each; default 0. */
  readonly minLr?: number | readonly number[];
  /** Reductions smaller than this are not made; default 1e-8. */
  readonly eps?: number;
}

interface Settings {
  readonly mode: 'min' | 'max';
  readonly factor: number;
  readonly patience: number;
  readonly threshold: number;
  readonly thresholdMode: 'rel' | 'abs';
  readonly cooldown: number;
  readonly minLrs: readonly number[];
  readonly eps: number;
}

const NAME = 'ReduceLROnPlateau';

/** Times `factor` when a metric has stopped improving (`torch.optim.lr_scheduler.ReduceLROnPlateau`). */
export class ReduceLROnPlateau implements Schedule {
  readonly optimizer: Schedulable;
  /** PyTorch's class name. */
  readonly name: string = NAME;
  lastEpoch = 0;
  #settings: Settings;
  #best: number;
  #badEpochs = 0;
  #cooldownLeft = 0;
  #lastLr: number[];

  /** Throws ArgumentError for a factor of 1 or more, an unknown mode, and numbers that cannot be. */
  constructor(optimizer: Schedulable, options: ReduceLROnPlateauOptions = {}) {
    const { mode = 'min', factor = 0.1, patience = 10, threshold = 1e-4, thresholdMode = 'rel' } = options;
    const { cooldown = 0, minLr = 0, eps = 1e-8 } = options;
    const minLrs = perGroup(`${NAME}: minLr`, optimizer, minLr);
    this.#settings = { mode, factor, patience, threshold, thresholdMode, cooldown, minLrs, eps };
    check(this.#settings, optimizer);
    this.optimizer = optimizer;
    this.#best = worst(mode);
    this.#lastLr = lrsOf(optimizer);
  }

  /** Throws ArgumentError without a metric. */
  step(metric?: number): void {
    if (typeof metric !== 'number') {
      throw new ArgumentError(`${NAME}: step needs the metric that should improve: step(loss)`);
    }
    const { patience, cooldown } = this.#settings;
    this.lastEpoch++;
    if (this.#isBetter(metric)) {
      this.#best = metric;
      this.#badEpochs = 0;
    } else {
      this.#badEpochs++;
    }
    if (this.#cooldownLeft > 0) {
      this.#cooldownLeft--;
      this.#badEpochs = 0;
    }
    if (this.#badEpochs > patience) {
      this.#reduce();
      this.#cooldownLeft = cooldown;
      this.#badEpochs = 0;
    }
    this.#lastLr = lrsOf(this.optimizer);
  }

  #isBetter(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#settings;
    if (mode === 'min') {
      return metric < (thresholdMode === 'rel' ? this.#best * (1 - threshold) : this.#best - threshold);
    }
    return metric > (thresholdMode === 'rel' ? this.#best * (threshold + 1) : this.#best + threshold);
  }

  #reduce(): void {
    const { factor, minLrs, eps } = this.#settings;
    this.optimizer.paramGroups.forEach((group, index) => {
      const lr = Math.max(group.lr * factor, minLrs[index]!);
      if (group.lr - lr > eps) group.lr = lr;
    });
  }

  getLastLr(): number[] {
    return [...this.#lastLr];
  }

  stateDict(): ScheduleState {
    return {
      scheduler: NAME,
      lastEpoch: this.lastEpoch,
      // JSON has no infinities.
      best: String(this.#best),
      badEpochs: this.#badEpochs,
      cooldownLeft: this.#cooldownLeft,
      lastLr: [...this.#lastLr],
      lr: lrsOf(this.optimizer),
      options: { ...this.#settings, minLrs: [...this.#settings.minLrs] },
    };
  }

  loadStateDict(state: ScheduleState): void {
    const reader = new StateReader(NAME, state);
    reader.expectKind();
    const groups = this.optimizer.paramGroups.length;
    const settings = reader.like('options', this.#settings);
    check(settings, this.optimizer);
    const lastEpoch = reader.number('lastEpoch');
    const best = Number(reader.string('best'));
    const badEpochs = reader.number('badEpochs');
    const cooldownLeft = reader.number('cooldownLeft');
    const lastLr = reader.numbers('lastLr', groups);
    const lr = reader.numbers('lr', groups);
    this.#settings = settings;
    this.lastEpoch = lastEpoch;
    this.#best = best;
    this.#badEpochs = badEpochs;
    this.#cooldownLeft = cooldownLeft;
    this.#lastLr = lastLr;
    setLrs(this.optimizer, lr);
  }
}

const worst = (mode: 'min' | 'max'): number =>
  mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;

function check(settings: Settings, optimizer: Schedulable): void {
  const { mode, factor, patience, threshold, thresholdMode, cooldown, minLrs, eps } = settings;
  if (!(factor < 1)) throw new ArgumentError(`${NAME}: factor should be < 1.0, got ${factor}`);
  if (mode !== 'min' && mode !== 'max') {
    throw new ArgumentError(`${NAME}: mode '${String(mode)}' is unknown; expected min or max`);
  }
  if (thresholdMode !== 'rel' && thresholdMode !== 'abs') {
    throw new ArgumentError(
      `${NAME}: threshold mode '${String(thresholdMode)}' is unknown; expected rel or abs`,
    );
  }
  expectCount(NAME, 'patience', patience, 0);
  expectCount(NAME, 'cooldown', cooldown, 0);
  expectNumber(NAME, 'threshold', threshold);
  expectNumber(NAME, 'eps', eps);
  for (const lr of perGroup(`${NAME}: minLr`, optimizer, minLrs)) expectNumber(NAME, 'minLr', lr);
}
