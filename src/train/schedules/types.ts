/** What schedules change in a group of parameters. */
export interface ScheduledGroup {
  /** Learning rate. */
  lr: number;
  /** Learning rate before any schedule changed it; the first schedule notes it. */
  initialLr?: number;
  /** SGD, RMSprop; `OneCycleLR` cycles it. */
  momentum?: number;
  /** Adam, AdamW; `OneCycleLR` cycles the first. */
  betas?: [number, number];
}

/** What a schedule works on: an optimizer, or anything that has groups with learning rates. */
export interface Schedulable {
  readonly paramGroups: readonly ScheduledGroup[];
}

/** A value that JSON can hold. */
export type ScheduleJson = number | string | boolean | null | readonly ScheduleJson[] | ScheduleState;

/** What a schedule remembers, as plain JSON. */
export interface ScheduleState {
  readonly [name: string]: ScheduleJson;
}

/** A learning-rate schedule. Making one sets the learning rates of step 0. */
export interface Schedule {
  readonly optimizer: Schedulable;
  /** Steps taken so far, 0 at first. */
  readonly lastEpoch: number;
  /** Sets the learning rates of the next step or epoch. Only `ReduceLROnPlateau` looks at the metric, and it must be given one. */
  step(metric?: number): void;
  /** The learning rates that this schedule set last, one a group. */
  getLastLr(): number[];
  /** What it remembers, options included, without functions. */
  stateDict(): ScheduleState;
  /**
   * Takes back what `stateDict` gave, and sets the learning rates that the optimizer had then: going on gives the same numbers as never having stopped.
   * Throws ArgumentError where the state is another schedule's, or of another number of groups; nothing has changed then.
   */
  loadStateDict(state: ScheduleState): void;
}
