import { ArgumentError } from '../../core/errors.ts';
import { ChainedScheduler, SequentialLR, type SequentialLROptions } from './compose.ts';
import {
  CosineAnnealingLR,
  type CosineAnnealingLROptions,
  CosineAnnealingWarmRestarts,
  type CosineAnnealingWarmRestartsOptions,
} from './cosine.ts';
import { OneCycleLR, type OneCycleLROptions } from './one-cycle.ts';
import { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from './plateau.ts';
import type { ComposableSchedule } from './scheduler.ts';
import {
  ConstantLR,
  type ConstantLROptions,
  ExponentialLR,
  type ExponentialLROptions,
  LinearLR,
  type LinearLROptions,
  MultiStepLR,
  type MultiStepLROptions,
  PolynomialLR,
  type PolynomialLROptions,
  StepLR,
  type StepLROptions,
} from './steps.ts';
import type { Schedulable, Schedule } from './types.ts';

/** Kinds of arguments; `!` marks those that must be given. */
type Kind = 'number' | 'numbers' | 'number or numbers' | 'boolean' | 'text' | 'schedules';

interface Entry {
  readonly args: Readonly<Record<string, Kind | `${Kind}!`>>;
  readonly make: (optimizer: Schedulable, options: never) => Schedule;
}

const entry = <O>(
  make: (optimizer: Schedulable, options: O) => Schedule,
  args: Readonly<Record<string, Kind | `${Kind}!`>>,
): Entry => ({ make, args: { ...args, last_epoch: 'number' } });

const SCHEDULES: Readonly<Record<string, Entry>> = {
  StepLR: entry((of, options: StepLROptions) => new StepLR(of, options), {
    step_size: 'number!',
    gamma: 'number',
  }),
  MultiStepLR: entry((of, options: MultiStepLROptions) => new MultiStepLR(of, options), {
    milestones: 'numbers!',
    gamma: 'number',
  }),
  ConstantLR: entry((of, options: ConstantLROptions) => new ConstantLR(of, options), {
    factor: 'number',
    total_iters: 'number',
  }),
  LinearLR: entry((of, options: LinearLROptions) => new LinearLR(of, options), {
    start_factor: 'number',
    end_factor: 'number',
    total_iters: 'number',
  }),
  ExponentialLR: entry((of, options: ExponentialLROptions) => new ExponentialLR(of, options), {
    gamma: 'number!',
  }),
  PolynomialLR: entry((of, options: PolynomialLROptions) => new PolynomialLR(of, options), {
    total_iters: 'number',
    power: 'number',
  }),
  CosineAnnealingLR: entry((of, options: CosineAnnealingLROptions) => new CosineAnnealingLR(of, options), {
    T_max: 'number!',
    eta_min: 'number',
  }),
  CosineAnnealingWarmRestarts: entry(
    (of, options: CosineAnnealingWarmRestartsOptions) => new CosineAnnealingWarmRestarts(of, options),
    { T_0: 'number!', T_mult: 'number', eta_min: 'number' },
  ),
  OneCycleLR: entry((of, options: OneCycleLROptions) => new OneCycleLR(of, options), {
    max_lr: 'number or numbers!',
    total_steps: 'number',
    epochs: 'number',
    steps_per_epoch: 'number',
    pct_start: 'number',
    anneal_strategy: 'text',
    cycle_momentum: 'boolean',
    base_momentum: 'number or numbers',
    max_momentum: 'number or numbers',
    div_factor: 'number',
    final_div_factor: 'number',
    three_phase: 'boolean',
  }),
  ReduceLROnPlateau: {
    make: (of, options: ReduceLROnPlateauOptions) => new ReduceLROnPlateau(of, options),
    args: {
      mode: 'text',
      factor: 'number',
      patience: 'number',
      threshold: 'number',
      threshold_mode: 'text',
      cooldown: 'number',
      min_lr: 'number or numbers',
      eps: 'number',
    },
  },
  SequentialLR: entry((of, options: SequentialLROptions) => new SequentialLR(of, options), {
    schedulers: 'schedules!',
    milestones: 'numbers!',
  }),
  ChainedScheduler: {
    make: (of, options: { schedulers: readonly ComposableSchedule[] }) => new ChainedScheduler(of, options),
    args: { schedulers: 'schedules!' },
  },
};

/** Names that `scheduleByName` takes: all schedules but those that need a function. */
export const scheduleNames: readonly string[] = Object.keys(SCHEDULES);

const isNumber = (value: unknown): value is number => typeof value === 'number';
const isNumbers = (value: unknown): value is number[] => Array.isArray(value) && value.every(isNumber);

/** A schedule in a list: `{ scheduler: 'LinearLR', args: { total_iters: 5 } }`. */
interface Named {
  readonly scheduler: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

const isNamed = (value: unknown): value is Named =>
  typeof value === 'object' && value !== null && 'scheduler' in value && typeof value.scheduler === 'string';

const FITS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  number: isNumber,
  numbers: isNumbers,
  'number or numbers': (value) => isNumber(value) || isNumbers(value),
  boolean: (value) => typeof value === 'boolean',
  text: (value) => typeof value === 'string',
  schedules: (value) => Array.isArray(value) && value.every(isNamed),
};

/** `step_size` is `stepSize` here, `T_max` is `tMax`. */
const camel = (name: string): string =>
  name
    .replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
    .replace(/^\w/, (letter) => letter.toLowerCase());

/**
 * A schedule by PyTorch's class name, in any case, with PyTorch's arguments: `scheduleByName('StepLR', optimizer, { step_size: 30 })`; for command lines and files.
 * Schedules inside others are written `{ scheduler: 'LinearLR', args: { total_iters: 5 } }`. Throws ArgumentError where the name or an argument is not known, is of another kind, or is missing.
 */
export function scheduleByName(
  name: string,
  optimizer: Schedulable,
  args: Readonly<Record<string, unknown>> = {},
): Schedule {
  const known = scheduleNames.find((candidate) => candidate.toLowerCase() === name.toLowerCase());
  const found = known === undefined ? undefined : SCHEDULES[known];
  if (!found) {
    throw new ArgumentError(`schedule '${name}' is not known; expected ${scheduleNames.join(', ')}`);
  }
  // As in PyTorch an argument of None is as good as none.
  const given = Object.entries(args).filter(([, value]) => value !== undefined && value !== null);
  for (const [arg, value] of given) {
    const kind = Object.hasOwn(found.args, arg) ? found.args[arg] : undefined;
    if (kind === undefined) {
      throw new ArgumentError(
        `${known}: '${arg}' is no argument; expected ${Object.keys(found.args).join(', ')}`,
      );
    }
    const plain = kind.replace('!', '') as Kind;
    if (!FITS[plain](value)) {
      throw new ArgumentError(`${known}: ${arg} expects ${plain}, got ${JSON.stringify(value)}`);
    }
  }
  for (const [arg, kind] of Object.entries(found.args)) {
    if (kind.endsWith('!') && !given.some(([own]) => own === arg)) {
      throw new ArgumentError(`${known}: ${arg} must be given`);
    }
  }
  const options = given.map(([arg, value]): [string, unknown] => [
    camel(arg),
    arg === 'schedulers' ? (value as Named[]).map((inner) => composable(inner, optimizer)) : value,
  ]);
  return found.make(optimizer, Object.fromEntries(options) as never);
}

/** A schedule inside another; the other refuses those it cannot take. */
const composable = ({ scheduler, args }: Named, optimizer: Schedulable): ComposableSchedule =>
  scheduleByName(scheduler, optimizer, args) as ComposableSchedule;
