import { ArgumentError } from '../core/errors.ts';

/** Sparsity to be reached at a step, in [0, 1]; steps are counted from 0. It never falls. */
export type SparsitySchedule = (step: number) => number;

/** How sparsity grows. */
export interface SparsityScheduleOptions {
  /** Sparsity before `start`, in [0, 1]; default 0. */
  readonly initial?: number;
  /** Sparsity from the end on, in [initial, 1]. */
  readonly final: number;
  /** Step at which it begins to grow; default 0. */
  readonly start?: number;
  /** Step from which on it is final; else `start + steps`. */
  readonly end?: number;
  /** Number of steps from `start` to the end. */
  readonly steps?: number;
  /** It grows at every so many steps only, counted from `start`; default 1. */
  readonly frequency?: number;
}

interface Span {
  readonly initial: number;
  readonly final: number;
  readonly start: number;
  readonly end: number;
  readonly frequency: number;
}

/** Throws ArgumentError where the options cannot be. */
function spanOf(name: string, options: SparsityScheduleOptions, endOptional = false): Span {
  const { initial = 0, final, start = 0, end, steps, frequency = 1 } = options;
  for (const [option, value] of Object.entries({ initial, final })) {
    if (typeof value !== 'number' || !(value >= 0 && value <= 1)) {
      throw new ArgumentError(`${name} schedule: ${option} expects a sparsity in [0, 1], got ${value}`);
    }
  }
  if (final < initial) {
    throw new ArgumentError(
      `${name} schedule: final expects at least the initial sparsity ${initial}, got ${final}`,
    );
  }
  expectWhole(name, 'start', start, 0);
  expectWhole(name, 'frequency', frequency, 1);
  if (end !== undefined && steps !== undefined) {
    throw new ArgumentError(`${name} schedule: expects end or steps, not both`);
  }
  if (steps !== undefined) expectWhole(name, 'steps', steps, 0);
  const last = end ?? (steps === undefined ? undefined : start + steps);
  if (last === undefined && !endOptional) {
    throw new ArgumentError(`${name} schedule: expects end, or steps from the start on`);
  }
  if (last !== undefined && !(Number.isSafeInteger(last) && last >= start)) {
    throw new ArgumentError(
      `${name} schedule: end expects a whole number not before the start ${start}, got ${last}`,
    );
  }
  return { initial, final, start, end: last ?? start, frequency };
}

function expectWhole(name: string, option: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new ArgumentError(`${name} schedule: ${option} expects a whole number >= ${least}, got ${value}`);
}

/** A schedule out of the sparsity at a share of the way, in (0, 1). */
function along(name: string, span: Span, sparsity: (share: number) => number): SparsitySchedule {
  const { initial, final, start, end, frequency } = span;
  return (step) => {
    if (Number.isNaN(step)) throw new ArgumentError(`${name} schedule: step expects a number, got NaN`);
    // What is reached at the end is exact, rounding or not.
    if (step >= end) return final;
    if (step <= start) return initial;
    const taken = Math.floor((step - start) / frequency) * frequency;
    if (taken === 0) return initial;
    return Math.min(final, Math.max(initial, sparsity(taken / (end - start))));
  };
}

/** All at once: `initial` before the start, `final` from it on. `end`, `steps` and `frequency` play no part. Throws ArgumentError for options that cannot be. */
function oneShot(options: SparsityScheduleOptions): SparsitySchedule {
  const span = spanOf('oneShot', options, true);
  return along('oneShot', { ...span, end: span.start }, () => span.final);
}

/** In a straight line: `s_i + (s_f - s_i) (t - t0) / (end - t0)`. Throws ArgumentError for options that cannot be. */
function linear(options: SparsityScheduleOptions): SparsitySchedule {
  const span = spanOf('linear', options);
  const { initial, final } = span;
  return along('linear', span, (share) => initial + (final - initial) * share);
}

/** Fast first, then slower: `s_f + (s_i - s_f) (1 - (t - t0) / (n Δt))³` (Zhu and Gupta 2017), where `n Δt = end - start` and `Δt` is the frequency. Throws ArgumentError for options that cannot be. */
function cubic(options: SparsityScheduleOptions): SparsitySchedule {
  const span = spanOf('cubic', options);
  const { initial, final } = span;
  return along('cubic', span, (share) => {
    const left = 1 - share;
    return final + (initial - final) * (left * left * left);
  });
}

/**
 * Each round prunes the same share of what remains: `1 - s = (1 - s_i) ((1 - s_f) / (1 - s_i)) ** ((t - t0) / (end - t0))`, the iterative pruning of lottery tickets
 * (Frankle and Carbin 2019). Throws ArgumentError for options that cannot be, and for a final sparsity of 1, which no number of rounds reaches.
 */
function exponential(options: SparsityScheduleOptions): SparsitySchedule {
  const span = spanOf('exponential', options);
  const { initial, final } = span;
  if (final === 1) {
    throw new ArgumentError(
      'exponential schedule: final expects a sparsity below 1, since a share of what remains always remains, got 1',
    );
  }
  const kept = (1 - final) / (1 - initial);
  return along('exponential', span, (share) => 1 - (1 - initial) * kept ** share);
}

/** Schedules of sparsity: how much is to be pruned at a step of training, or at a round of pruning. */
export const schedule: {
  readonly oneShot: (options: SparsityScheduleOptions) => SparsitySchedule;
  readonly linear: (options: SparsityScheduleOptions) => SparsitySchedule;
  readonly cubic: (options: SparsityScheduleOptions) => SparsitySchedule;
  readonly exponential: (options: SparsityScheduleOptions) => SparsitySchedule;
} = { oneShot, linear, cubic, exponential };

/** A name that `scheduleByName` takes. */
export type ScheduleName = keyof typeof schedule;

/** Names that `scheduleByName` takes. */
export const scheduleNames: readonly ScheduleName[] = ['oneShot', 'linear', 'cubic', 'exponential'];

/** `one-shot` is `oneShot`. */
const plain = (name: string): string => name.toLowerCase().replace(/[-_]/g, '');

/** A schedule of sparsity by name, in any case, `one-shot` too; for command lines and files. Throws ArgumentError where the name is not known or the options cannot be. */
export function scheduleByName(name: string, options: SparsityScheduleOptions): SparsitySchedule {
  const found = scheduleNames.find((known) => plain(known) === plain(name));
  if (found) return schedule[found](options);
  throw new ArgumentError(`sparsity schedule '${name}' is not known; expected ${scheduleNames.join(', ')}`);
}
