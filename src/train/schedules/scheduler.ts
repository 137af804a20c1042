import { ArgumentError } from '../../core/errors.ts';
import { lrsOf, StateReader, setLrs } from './state.ts';
import type { Schedulable, Schedule, ScheduleJson, ScheduleState } from './types.ts';

/** Options that all schedules have. */
export interface ScheduleOptions {
  /** Steps already taken, -1 (the default) for a new run. From 0 on the groups must have their `initialLr`. */
  readonly lastEpoch?: number;
}

/** A schedule that others can be made of: `SequentialLR` and `ChainedScheduler` take these. */
export interface ComposableSchedule extends Schedule {
  /** Sets the learning rates of its step `lastEpoch + 1` as when it is made. */
  begin(lastEpoch: number): void;
  /** Sets the learning rates of its step 0, whatever went before. */
  restart(): void;
}

/**
 * Base of the schedules that are functions of the number of steps (`torch.optim.lr_scheduler.LRScheduler`). As in PyTorch a step goes from the learning rates that the
 * groups have, so that schedules can be chained; the floating-point operations are PyTorch's, in its order. A subclass calls `begin` at the end of its constructor.
 */
export abstract class LRScheduler<O extends object> implements ComposableSchedule {
  readonly optimizer: Schedulable;
  /** PyTorch's class name. */
  readonly name: string;
  /** Options with defaults filled in, without functions. */
  protected options: O;
  /** Learning rates of the groups before any schedule. */
  protected baseLrs: number[];
  #lastEpoch: number;
  #lastLr: number[];

  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  /** Throws ArgumentError for options that cannot be, and where a run that goes on lacks `initialLr`. */
  constructor(name: string, optimizer: Schedulable, options: O, lastEpoch = -1) {
    this.name = name;
    this.optimizer = optimizer;
    this.options = options;
    this.check(options);
    if (!Number.isSafeInteger(lastEpoch) || lastEpoch < -1) {
      throw new ArgumentError(`${name}: lastEpoch expects a whole number >= -1, got ${lastEpoch}`);
    }
    optimizer.paramGroups.forEach((group, index) => {
      if (lastEpoch >= 0 && group.initialLr === undefined) {
        throw new ArgumentError(
          `${name}: initialLr is not specified in paramGroups[${index}] when resuming with lastEpoch ${lastEpoch}; load the optimizer's state first`,
        );
      }
    });
    for (const group of optimizer.paramGroups) group.initialLr ??= group.lr;
    this.baseLrs = optimizer.paramGroups.map(({ initialLr, lr }) => initialLr ?? lr);
    this.#lastEpoch = lastEpoch;
    this.#lastLr = lrsOf(optimizer);
  }

  /** Throws ArgumentError for options that cannot be. */
  protected abstract check(options: O): void;

  /** Learning rates of the groups at `lastEpoch`, out of those they have; `initial` where the schedule is being made. */
  protected abstract lrs(initial: boolean): number[];

  /** Learning rates at `lastEpoch` out of the base ones alone; null where the schedule has no such formula. */
  protected closedForm(): number[] | null {
    return null;
  }

  /** The learning rates of the groups, changed one by one. */
  protected each(change: (lr: number, index: number) => number): number[] {
    return this.optimizer.paramGroups.map(({ lr }, index) => change(lr, index));
  }

  step(_metric?: number): void {
    this.moveTo(this.#lastEpoch + 1, () => this.lrs(false));
  }

  begin(lastEpoch: number): void {
    this.moveTo(lastEpoch + 1, () => this.lrs(true));
  }

  restart(): void {
    this.moveTo(0, () => this.closedForm() ?? this.lrs(false));
  }

  /** Sets `lastEpoch`, and the learning rates that follow from it; keeps it where they throw. */
  protected moveTo(epoch: number, lrs: () => number[]): void {
    const before = this.#lastEpoch;
    this.#lastEpoch = epoch;
    try {
      setLrs(this.optimizer, lrs());
    } catch (error) {
      this.#lastEpoch = before;
      throw error;
    }
    this.#lastLr = lrsOf(this.optimizer);
  }

  getLastLr(): number[] {
    return [...this.#lastLr];
  }

  stateDict(): ScheduleState {
    return {
      scheduler: this.name,
      lastEpoch: this.#lastEpoch,
      baseLrs: [...this.baseLrs],
      lastLr: [...this.#lastLr],
      // Another schedule in a chain, or a hand, may have changed them since.
      lr: lrsOf(this.optimizer),
      options: { ...this.options } as Record<string, ScheduleJson>,
    };
  }

  loadStateDict(state: ScheduleState): void {
    const reader = new StateReader(this.name, state);
    reader.expectKind();
    const groups = this.optimizer.paramGroups.length;
    const lastEpoch = reader.number('lastEpoch');
    const baseLrs = reader.numbers('baseLrs', groups);
    const lastLr = reader.numbers('lastLr', groups);
    const lr = reader.numbers('lr', groups);
    const options = reader.like('options', this.options);
    this.check(options);
    this.#lastEpoch = lastEpoch;
    this.baseLrs = baseLrs;
    this.#lastLr = lastLr;
    this.options = options;
    setLrs(this.optimizer, lr);
  }
}

/** Throws ArgumentError unless the number is whole and at least that. */
export function expectCount(name: string, option: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new ArgumentError(`${name}: ${option} expects a whole number >= ${least}, got ${value}`);
}

/** Throws ArgumentError unless the number is finite. */
export function expectNumber(name: string, option: string, value: number): void {
  if (Number.isFinite(value)) return;
  throw new ArgumentError(`${name}: ${option} expects a number, got ${value}`);
}
