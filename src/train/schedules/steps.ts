import { ArgumentError } from '../../core/errors.ts';
import { expectCount, expectNumber, LRScheduler, type ScheduleOptions } from './scheduler.ts';
import type { Schedulable } from './types.ts';

/** Options of `StepLR`. */
export interface StepLROptions extends ScheduleOptions {
  /** Steps between two decays. */
  readonly stepSize: number;
  /** Factor; default 0.1. */
  readonly gamma?: number;
}

/** Times `gamma` every `stepSize` steps (`torch.optim.lr_scheduler.StepLR`). */
export class StepLR extends LRScheduler<{ readonly stepSize: number; readonly gamma: number }> {
  /** Throws ArgumentError for a step size that is no whole number above 0. */
  constructor(optimizer: Schedulable, { stepSize, gamma = 0.1, lastEpoch = -1 }: StepLROptions) {
    super('StepLR', optimizer, { stepSize, gamma }, lastEpoch);
    this.begin(lastEpoch);
  }

  protected override check({ stepSize, gamma }: { stepSize: number; gamma: number }): void {
    expectCount('StepLR', 'stepSize', stepSize, 1);
    expectNumber('StepLR', 'gamma', gamma);
  }

  protected override lrs(): number[] {
    const { stepSize, gamma } = this.options;
    const due = this.lastEpoch !== 0 && this.lastEpoch % stepSize === 0;
    return this.each((lr) => (due ? lr * gamma : lr));
  }

  protected override closedForm(): number[] {
    const { stepSize, gamma } = this.options;
    return this.baseLrs.map((base) => base * gamma ** Math.floor(this.lastEpoch / stepSize));
  }
}

/** Options of `MultiStepLR`. */
export interface MultiStepLROptions extends ScheduleOptions {
  /** Steps at which it decays, in any order; one named twice decays twice. */
  readonly milestones: readonly number[];
  /** Factor; default 0.1. */
  readonly gamma?: number;
}

/** Times `gamma` at each milestone (`torch.optim.lr_scheduler.MultiStepLR`). */
export class MultiStepLR extends LRScheduler<{
  readonly milestones: readonly number[];
  readonly gamma: number;
}> {
  /** Throws ArgumentError for milestones that are no whole numbers. */
  constructor(optimizer: Schedulable, { milestones, gamma = 0.1, lastEpoch = -1 }: MultiStepLROptions) {
    super('MultiStepLR', optimizer, { milestones: [...milestones], gamma }, lastEpoch);
    this.begin(lastEpoch);
  }

  protected override check(options: { milestones: readonly number[]; gamma: number }): void {
    for (const milestone of options.milestones) expectCount('MultiStepLR', 'milestones', milestone, 0);
    expectNumber('MultiStepLR', 'gamma', options.gamma);
  }

  protected override lrs(): number[] {
    const { milestones, gamma } = this.options;
    const count = milestones.filter((milestone) => milestone === this.lastEpoch).length;
    return this.each((lr) => (count === 0 ? lr : lr * gamma ** count));
  }

  protected override closedForm(): number[] {
    const { milestones, gamma } = this.options;
    const passed = milestones.filter((milestone) => milestone <= this.lastEpoch).length;
    return this.baseLrs.map((base) => base * gamma ** passed);
  }
}

/** Options of `ConstantLR`. */
export interface ConstantLROptions extends ScheduleOptions {
  /** Factor of the first steps, in [0, 1]; default 1/3. */
  readonly factor?: number;
  /** Steps until the learning rate is whole again; default 5. */
  readonly totalIters?: number;
}

/** Times `factor` for `totalIters` steps (`torch.optim.lr_scheduler.ConstantLR`). */
export class ConstantLR extends LRScheduler<{ readonly factor: number; readonly totalIters: number }> {
  /** Throws ArgumentError for a factor outside [0, 1]. */
  constructor(
    optimizer: Schedulable,
    { factor = 1 / 3, totalIters = 5, lastEpoch = -1 }: ConstantLROptions = {},
  ) {
    super('ConstantLR', optimizer, { factor, totalIters }, lastEpoch);
    this.begin(lastEpoch);
  }

  protected override check({ factor, totalIters }: { factor: number; totalIters: number }): void {
    if (!(factor >= 0 && factor <= 1)) {
      throw new ArgumentError(
        `ConstantLR: constant multiplicative factor expected to be between 0 and 1, got ${factor}`,
      );
    }
    expectCount('ConstantLR', 'totalIters', totalIters, 0);
  }

  protected override lrs(): number[] {
    const { factor, totalIters } = this.options;
    if (this.lastEpoch === 0) return this.each((lr) => lr * factor);
    if (this.lastEpoch !== totalIters) return this.each((lr) => lr);
    // PyTorch divides by zero here.
    if (factor === 0) return [...this.baseLrs];
    return this.each((lr) => lr * (1 / factor));
  }

  protected override closedForm(): number[] {
    const { factor, totalIters } = this.options;
    const over = this.lastEpoch >= totalIters ? 1 : 0;
    return this.baseLrs.map((base) => base * (factor + over * (1 - factor)));
  }
}

/** Options of `LinearLR`. */
export interface LinearLROptions extends ScheduleOptions {
  /** Factor of the first step, in (0, 1]; default 1/3. */
  readonly startFactor?: number;
  /** Factor from `totalIters` on, in [0, 1]; default 1. */
  readonly endFactor?: number;
  /** Steps from the one to the other; default 5. */
  readonly totalIters?: number;
}

interface LinearFactors {
  readonly startFactor: number;
  readonly endFactor: number;
  readonly totalIters: number;
}

/** A factor that moves in a straight line: warm-up (`torch.optim.lr_scheduler.LinearLR`). */
export class LinearLR extends LRScheduler<LinearFactors> {
  /** Throws ArgumentError for factors outside their range. */
  constructor(optimizer: Schedulable, options: LinearLROptions = {}) {
    const { startFactor = 1 / 3, endFactor = 1, totalIters = 5, lastEpoch = -1 } = options;
    super('LinearLR', optimizer, { startFactor, endFactor, totalIters }, lastEpoch);
    this.begin(lastEpoch);
  }

  protected override check({ startFactor, endFactor, totalIters }: LinearFactors): void {
    if (!(startFactor > 0 && startFactor <= 1)) {
      throw new ArgumentError(
        `LinearLR: starting multiplicative factor expected to be greater than 0 and less or equal to 1, got ${startFactor}`,
      );
    }
    if (!(endFactor >= 0 && endFactor <= 1)) {
      throw new ArgumentError(
        `LinearLR: ending multiplicative factor expected to be between 0 and 1, got ${endFactor}`,
      );
    }
    expectCount('LinearLR', 'totalIters', totalIters, 0);
  }

  protected override lrs(initial: boolean): number[] {
    const { startFactor, endFactor, totalIters } = this.options;
    if (this.lastEpoch === 0) return this.each((lr) => lr * startFactor);
    if (initial || this.lastEpoch > totalIters) return this.each((lr) => lr);
    const rise = endFactor - startFactor;
    const factor = 1 + rise / (totalIters * startFactor + (this.lastEpoch - 1) * rise);
    return this.each((lr) => lr * factor);
  }

  protected override closedForm(): number[] {
    const { startFactor, endFactor, totalIters } = this.options;
    if (totalIters === 0) return this.baseLrs.map((base) => base * startFactor);
    const passed = Math.min(totalIters, this.lastEpoch);
    return this.baseLrs.map(
      (base) => base * (startFactor + ((endFactor - startFactor) * passed) / totalIters),
    );
  }
}

/** Options of `ExponentialLR`. */
export interface ExponentialLROptions extends ScheduleOptions {
  /** Factor. */
  readonly gamma: number;
}

/** Times `gamma` every step (`torch.optim.lr_scheduler.ExponentialLR`). */
export class ExponentialLR extends LRScheduler<{ readonly gamma: number }> {
  /** Throws ArgumentError for a gamma that is no number. */
  constructor(optimizer: Schedulable, { gamma, lastEpoch = -1 }: ExponentialLROptions) {
    super('ExponentialLR', optimizer, { gamma }, lastEpoch);
    this.begin(lastEpoch);
  }

  protected override check({ gamma }: { gamma: number }): void {
    expectNumber('ExponentialLR', 'gamma', gamma);
  }

  protected override lrs(initial: boolean): number[] {
    return this.each((lr) => (initial ? lr : lr * this.options.gamma));
  }

  protected override closedForm(): number[] {
    return this.baseLrs.map((base) => base * this.options.gamma ** this.lastEpoch);
  }
}

/** Options of `PolynomialLR`. */
export interface PolynomialLROptions extends ScheduleOptions {
  /** Steps until the learning rate is 0; default 5. */
  readonly totalIters?: number;
  /** Default 1. */
  readonly power?: number;
}

/** Times `(1 - step / totalIters) ** power` (`torch.optim.lr_scheduler.PolynomialLR`). */
export class PolynomialLR extends LRScheduler<{ readonly totalIters: number; readonly power: number }> {
  /** Throws ArgumentError for options that are no numbers. */
  constructor(
    optimizer: Schedulable,
    { totalIters = 5, power = 1, lastEpoch = -1 }: PolynomialLROptions = {},
  ) {
    super('PolynomialLR', optimizer, { totalIters, power }, lastEpoch);
    this.begin(lastEpoch);
  }

  protected override check({ totalIters, power }: { totalIters: number; power: number }): void {
    expectCount('PolynomialLR', 'totalIters', totalIters, 0);
    expectNumber('PolynomialLR', 'power', power);
  }

  protected override lrs(initial: boolean): number[] {
    const { totalIters, power } = this.options;
    if (initial || this.lastEpoch > totalIters) return this.each((lr) => lr);
    const decay = ((1 - this.lastEpoch / totalIters) / (1 - (this.lastEpoch - 1) / totalIters)) ** power;
    return this.each((lr) => lr * decay);
  }

  protected override closedForm(): number[] {
    const { totalIters, power } = this.options;
    if (totalIters === 0) return [...this.baseLrs];
    const passed = Math.min(totalIters, this.lastEpoch);
    return this.baseLrs.map((base) => base * (1 - passed / totalIters) ** power);
  }
}
