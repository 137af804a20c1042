import { ArgumentError } from '../../core/errors.ts';
import { ReduceLROnPlateau } from './plateau.ts';
import { type ComposableSchedule, expectCount } from './scheduler.ts';
import { lrsOf, StateReader, setLrs } from './state.ts';
import type { Schedulable, ScheduleState } from './types.ts';

/** Throws ArgumentError unless there are schedules, all of this optimizer, none of which needs a metric. */
function checkSchedulers(
  name: string,
  optimizer: Schedulable,
  schedulers: readonly ComposableSchedule[],
): void {
  if (schedulers.length === 0) {
    throw new ArgumentError(`${name}: expects at least one scheduler, but got no scheduler`);
  }
  for (const [index, scheduler] of schedulers.entries()) {
    // Calls from JavaScript can bring anything.
    if ((scheduler as unknown) instanceof ReduceLROnPlateau) {
      throw new ArgumentError(
        `${name}: does not support ReduceLROnPlateau, which needs a metric at each step, but got one at index ${index}`,
      );
    }
    if (scheduler.optimizer !== optimizer) {
      throw new ArgumentError(
        `${name}: expects all schedulers to belong to the same optimizer, but the one at index ${index} has another`,
      );
    }
  }
}

/** The learning rates before any schedule. */
const initialLrs = (optimizer: Schedulable): number[] =>
  optimizer.paramGroups.map(({ initialLr, lr }) => initialLr ?? lr);

/** Gives each schedule its state back, and its learning rates; where one throws, those before it are put back. */
function loadAll(schedulers: readonly ComposableSchedule[], states: readonly ScheduleState[]): void {
  const before = schedulers.map((scheduler) => scheduler.stateDict());
  try {
    schedulers.forEach((scheduler, index) => {
      scheduler.loadStateDict(states[index]!);
    });
  } catch (error) {
    schedulers.forEach((scheduler, index) => {
      scheduler.loadStateDict(before[index]!);
    });
    throw error;
  }
}

/** Options of `SequentialLR`. */
export interface SequentialLROptions {
  readonly schedulers: readonly ComposableSchedule[];
  /** Steps, rising, at which the next schedule takes over; one fewer than schedules. */
  readonly milestones: readonly number[];
  /** Steps already taken, -1 (the default) for a new run. */
  readonly lastEpoch?: number;
}

/** One schedule after another, such as warm-up and then a cosine (`torch.optim.lr_scheduler.SequentialLR`). Each begins at its own step 0. */
export class SequentialLR implements ComposableSchedule {
  readonly optimizer: Schedulable;
  /** PyTorch's class name. */
  readonly name: string = 'SequentialLR';
  lastEpoch: number;
  readonly #schedulers: readonly ComposableSchedule[];
  #milestones: readonly number[];
  #lastLr: number[];

  /** Throws ArgumentError where the numbers of schedules and milestones do not fit, or a schedule has another optimizer or needs a metric. */
  constructor(optimizer: Schedulable, { schedulers, milestones, lastEpoch = -1 }: SequentialLROptions) {
    checkSchedulers('SequentialLR', optimizer, schedulers);
    checkMilestones(milestones, schedulers.length);
    expectCount('SequentialLR', 'lastEpoch', lastEpoch, -1);
    this.optimizer = optimizer;
    this.#schedulers = [...schedulers];
    this.#milestones = [...milestones];
    this.lastEpoch = lastEpoch + 1;
    // Making the schedules has set learning rates: only the first one's should show.
    setLrs(optimizer, initialLrs(optimizer));
    const first = this.#at(0);
    first.begin(first.lastEpoch - 1);
    this.#lastLr = first.getLastLr();
  }

  /** How many milestones are reached at a step: the index of its schedule. */
  #index(step: number): number {
    return this.#milestones.filter((milestone) => milestone <= step).length;
  }

  #at(step: number): ComposableSchedule {
    return this.#schedulers[this.#index(step)]!;
  }

  step(_metric?: number): void {
    const next = this.lastEpoch + 1;
    const index = this.#index(next);
    const scheduler = this.#schedulers[index]!;
    if (index > 0 && this.#milestones[index - 1] === next) scheduler.restart();
    else scheduler.step();
    this.lastEpoch = next;
    this.#lastLr = scheduler.getLastLr();
  }

  begin(lastEpoch: number): void {
    this.lastEpoch = lastEpoch + 1;
    const scheduler = this.#at(this.lastEpoch);
    scheduler.begin(lastEpoch);
    this.#lastLr = scheduler.getLastLr();
  }

  restart(): void {
    setLrs(this.optimizer, initialLrs(this.optimizer));
    this.begin(-1);
  }

  getLastLr(): number[] {
    return [...this.#lastLr];
  }

  stateDict(): ScheduleState {
    return {
      scheduler: this.name,
      lastEpoch: this.lastEpoch,
      milestones: [...this.#milestones],
      lastLr: [...this.#lastLr],
      schedulers: this.#schedulers.map((scheduler) => scheduler.stateDict()),
    };
  }

  loadStateDict(state: ScheduleState): void {
    const reader = new StateReader(this.name, state);
    reader.expectKind();
    const lastEpoch = reader.number('lastEpoch');
    const milestones = reader.numbers('milestones', this.#milestones.length);
    const lastLr = reader.numbers('lastLr', this.optimizer.paramGroups.length);
    loadAll(this.#schedulers, reader.states('schedulers', this.#schedulers.length));
    this.lastEpoch = lastEpoch;
    this.#milestones = milestones;
    this.#lastLr = lastLr;
  }
}

function checkMilestones(milestones: readonly number[], schedulers: number): void {
  if (milestones.length !== schedulers - 1) {
    throw new ArgumentError(
      `SequentialLR: expects number of schedulers provided to be one more than the number of milestone points, but got number of schedulers ${schedulers} and the number of milestones to be equal to ${milestones.length}`,
    );
  }
  for (const [index, milestone] of milestones.entries()) {
    expectCount('SequentialLR', 'milestones', milestone, 0);
    if (milestone < (milestones[index - 1] ?? 0)) {
      throw new ArgumentError(`SequentialLR: milestones should rise, got [${milestones.join(', ')}]`);
    }
  }
}

/** Several schedules at once, each changing what the one before has set (`torch.optim.lr_scheduler.ChainedScheduler`). */
export class ChainedScheduler implements ComposableSchedule {
  readonly optimizer: Schedulable;
  /** PyTorch's class name. */
  readonly name: string = 'ChainedScheduler';
  lastEpoch = 0;
  readonly #schedulers: readonly ComposableSchedule[];
  #lastLr: number[];

  /** Throws ArgumentError where there is no schedule, or one has another optimizer or needs a metric. */
  constructor(
    optimizer: Schedulable,
    { schedulers }: { readonly schedulers: readonly ComposableSchedule[] },
  ) {
    checkSchedulers('ChainedScheduler', optimizer, schedulers);
    this.optimizer = optimizer;
    this.#schedulers = [...schedulers];
    this.#lastLr = lrsOf(optimizer);
  }

  step(_metric?: number): void {
    for (const scheduler of this.#schedulers) scheduler.step();
    this.#moved(this.lastEpoch + 1);
  }

  begin(lastEpoch: number): void {
    for (const scheduler of this.#schedulers) scheduler.begin(lastEpoch);
    this.#moved(lastEpoch + 1);
  }

  restart(): void {
    setLrs(this.optimizer, initialLrs(this.optimizer));
    this.begin(-1);
  }

  #moved(epoch: number): void {
    this.lastEpoch = epoch;
    this.#lastLr = lrsOf(this.optimizer);
  }

  getLastLr(): number[] {
    return [...this.#lastLr];
  }

  stateDict(): ScheduleState {
    return {
      scheduler: this.name,
      lastEpoch: this.lastEpoch,
      lastLr: [...this.#lastLr],
      schedulers: this.#schedulers.map((scheduler) => scheduler.stateDict()),
    };
  }

  loadStateDict(state: ScheduleState): void {
    const reader = new StateReader(this.name, state);
    reader.expectKind();
    const lastEpoch = reader.number('lastEpoch');
    const lastLr = reader.numbers('lastLr', this.optimizer.paramGroups.length);
    loadAll(this.#schedulers, reader.states('schedulers', this.#schedulers.length));
    this.lastEpoch = lastEpoch;
    this.#lastLr = lastLr;
  }
}
