import { ArgumentError } from '../../core/errors.ts';
import { LRScheduler, type ScheduleOptions } from './scheduler.ts';
import { perGroup } from './state.ts';
import type { Schedulable } from './types.ts';

/** Gives a factor for a step, counted from 0. */
export type LrLambda = (step: number) => number;

/** Options of `LambdaLR` and `MultiplicativeLR`. */
export interface LambdaLROptions extends ScheduleOptions {
  /** One function for all groups, or one each. */
  readonly lrLambda: LrLambda | readonly LrLambda[];
}

abstract class OfLambdas extends LRScheduler<Record<never, never>> {
  protected readonly lambdas: readonly LrLambda[];

  constructor(name: string, optimizer: Schedulable, { lrLambda, lastEpoch = -1 }: LambdaLROptions) {
    const lambdas = perGroup<LrLambda>(`${name}: lrLambda`, optimizer, lrLambda);
    for (const lambda of lambdas) {
      if (typeof lambda !== 'function') {
        throw new ArgumentError(`${name}: lrLambda should be a function, but got ${typeof lambda}`);
      }
    }
    super(name, optimizer, {}, lastEpoch);
    this.lambdas = lambdas;
    this.begin(lastEpoch);
  }

  protected override check(): void {}

  protected factor(index: number): number {
    return this.lambdas[index]!(this.lastEpoch);
  }
}

/** The first learning rate times a function of the step (`torch.optim.lr_scheduler.LambdaLR`). States do not hold the function. */
export class LambdaLR extends OfLambdas {
  /** Throws ArgumentError unless there is one function, or one for each group. */
  constructor(optimizer: Schedulable, options: LambdaLROptions) {
    super('LambdaLR', optimizer, options);
  }

  protected override lrs(): number[] {
    return this.baseLrs.map((base, index) => base * this.factor(index));
  }
}

/** At every step but the first the learning rate times a function of the step (`torch.optim.lr_scheduler.MultiplicativeLR`). States do not hold the function. */
export class MultiplicativeLR extends OfLambdas {
  /** Throws ArgumentError unless there is one function, or one for each group. */
  constructor(optimizer: Schedulable, options: LambdaLROptions) {
    super('MultiplicativeLR', optimizer, options);
  }

  protected override lrs(initial: boolean): number[] {
    return this.each((lr, index) => (initial ? lr : lr * this.factor(index)));
  }
}
