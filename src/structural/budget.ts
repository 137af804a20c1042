import { ArgumentError } from '../core/errors.ts';
import { costOf, type ModelCost } from './cost.ts';
import { Decider, type Decision } from './decide.ts';
import type { DecideOptions } from './decide-options.ts';
import { type Fitted, fitMetric, missOf } from './fit.ts';
import { fitMeasured, type Measurement } from './fit-measured.ts';
import type { ChannelGroups } from './groups.ts';
import { largestThatStay } from './largest-layers.ts';

/** How much of something is to stay: a share of what the model has (0.5: half), or a number in its own unit. */
export type BudgetAmount = { readonly share: number } | { readonly value: number };

/** Measures the model that stays when some units (1) go: bytes of its file, or milliseconds of a run. */
export type MeasureRemoved = (removed: Uint8Array) => Promise<number>;

/**
 * What is to be reached: a number of parameters or of multiply-accumulates, bytes of a written file, or milliseconds of a run. The last two are measured by the caller: a file as it is written
 * or compressed, a latency as the median of some runs.
 */
export type Budget =
  | { readonly parameters: BudgetAmount }
  | { readonly macs: BudgetAmount }
  | { readonly fileSize: BudgetAmount; readonly measure: MeasureRemoved }
  | { readonly latency: BudgetAmount; readonly measure: MeasureRemoved };

/** How a budget is fitted. */
export interface FitOptions extends Omit<DecideOptions, 'ratio'> {
  /** How far from the target is near enough, as a share of it. Default 0.02. */
  readonly tolerance?: number;
  /** Most measurements of a file or latency, at least 2. Default 12. */
  readonly maxMeasurements?: number;
  readonly signal?: AbortSignal;
  /** Called after each measurement. */
  readonly onProgress?: (done: number, most: number) => void;
}

/** What can be budgeted. */
export type BudgetOf = 'parameters' | 'macs' | 'fileSize' | 'latency';

/** How near a budget was come to. */
export interface Reached {
  readonly of: BudgetOf;
  /** What the whole model has. */
  readonly before: number;
  readonly target: number;
  /** What the cut model has. */
  readonly value: number;
  /** (value - target) / target. */
  readonly miss: number;
  /** True where the miss is no more than the tolerance. */
  readonly within: boolean;
  /** Why the miss is larger; null where it is not. */
  readonly why: string | null;
  /** The ratio that came nearest. */
  readonly ratio: number;
  /** What was measured on the way; empty where costs are counted. */
  readonly measurements: readonly Measurement[];
}

/**
 * Decides how much must go so that a budget is reached within the tolerance, 2 % by default: by bisection over the ratio, and at its end by single layers. Ratios that names have of their own stay.
 * Files and latencies are measured a few times only; between measurements, bytes of weights and multiply-accumulates say where to look next. Where the budget cannot be reached, gives what comes
 * nearest, and `reached.why` says what stands in the way.
 *
 * Throws ArgumentError where the budget or an option is not what it may be, and the signal's reason where it is aborted.
 */
export async function fitBudget(
  groups: ChannelGroups,
  scores: Float64Array,
  budget: Budget,
  options: FitOptions = {},
): Promise<Decision & { readonly reached: Reached }> {
  const { tolerance = 0.02, maxMeasurements = 12, signal, onProgress, ...deciding } = options;
  const { of, amount, measure } = parsedBudget(budget);
  if (!(tolerance > 0 && tolerance < 1))
    throw new ArgumentError(`fitBudget: tolerance must be a number between 0 and 1, got ${tolerance}`);
  if (!Number.isSafeInteger(maxMeasurements) || maxMeasurements < 2)
    throw new ArgumentError(`fitBudget: maxMeasurements must be a whole number >= 2, got ${maxMeasurements}`);
  signal?.throwIfAborted();
  const decider = new Decider(groups, scores, { ...deciding, ratio: 0 });
  const nothing = new Uint8Array(groups.unitCount);
  const whole = costOf(groups, nothing);
  const counted = COUNTED[of];
  const metric = (removed: Uint8Array): number => costOf(groups, removed)[counted];
  let before = whole[counted];
  let fitted: Fitted;
  let measurements: readonly Measurement[] = [];
  let target = 0;
  if (measure) {
    const found = await fitMeasured(decider, metric, measure, {
      targetOf: (size) => targetOf(amount, size),
      tolerance,
      maxMeasurements,
      repeats: of === 'latency' ? 3 : 1,
      ...(signal ? { signal } : {}),
      ...(onProgress ? { onProgress } : {}),
    });
    ({ fitted, measurements, before } = found);
    target = targetOf(amount, before);
  } else {
    target = targetOf(amount, before);
    fitted = fitMetric(decider, metric, target, tolerance);
  }
  const miss = missOf(fitted.value, target);
  const within = Math.abs(miss) <= tolerance;
  const decision = decider.decision(fitted.choice, fitted.ratio, 'the budget is reached without it');
  const isAll = fitted.choice.equals(decider.choose(1));
  const why = within ? null : whyMissed(of, { before, target, value: fitted.value }, groups, decision, isAll);
  return {
    ...decision,
    reached: {
      of,
      before,
      target,
      value: fitted.value,
      miss,
      within,
      why,
      ratio: fitted.ratio,
      measurements,
    },
  };
}

/** What is counted for each budget; for those that are measured, what says where to look. */
const COUNTED = {
  parameters: 'parameters',
  macs: 'macs',
  fileSize: 'weightBytes',
  latency: 'macs',
} as const satisfies Record<BudgetOf, keyof ModelCost>;

/** How each is called in sentences. */
const NAMES: Readonly<Record<BudgetOf, string>> = {
  parameters: 'parameters',
  macs: 'MACs',
  fileSize: 'bytes',
  latency: 'ms',
};

interface ParsedBudget {
  readonly of: BudgetOf;
  readonly amount: BudgetAmount;
  /** null: it is counted. */
  readonly measure: MeasureRemoved | null;
}

/** Throws ArgumentError where the budget is of nothing known, or its amount none. */
function parsedBudget(budget: Budget): ParsedBudget {
  const given: Readonly<Record<string, unknown>> = { ...budget };
  const named = (Object.keys(COUNTED) as BudgetOf[]).filter((of) => given[of] !== undefined);
  const [of] = named;
  if (of === undefined || named.length > 1) {
    throw new ArgumentError(
      `fitBudget: expected a budget of one of ${Object.keys(COUNTED).join(', ')}, got ${named.join(' and ') || 'none'}`,
    );
  }
  const amount = given[of] as { readonly share?: unknown; readonly value?: unknown };
  const { share, value } = amount;
  const isShare = typeof share === 'number' && share > 0 && share <= 1;
  const isValue = typeof value === 'number' && value > 0 && Number.isFinite(value);
  if (isShare === isValue) {
    throw new ArgumentError(
      `fitBudget: ${of} must be { share } above 0 up to 1, or { value } above 0, got ${JSON.stringify(amount)}`,
    );
  }
  if (!('measure' in budget)) {
    if (of === 'parameters' || of === 'macs') return { of, amount: amount as BudgetAmount, measure: null };
    throw new ArgumentError(`fitBudget: a budget of ${of} needs 'measure'`);
  }
  return { of, amount: amount as BudgetAmount, measure: budget.measure };
}

const targetOf = (amount: BudgetAmount, whole: number): number =>
  'share' in amount ? amount.share * whole : amount.value;

/** The sentence on a budget that is missed. */
function whyMissed(
  of: BudgetOf,
  { before, target, value }: { readonly before: number; readonly target: number; readonly value: number },
  groups: ChannelGroups,
  decision: Decision,
  isAll: boolean,
): string {
  const shown = (number: number): string =>
    `${of === 'latency' ? number.toPrecision(3) : Math.round(number)} ${NAMES[of]}`;
  if (before <= target) {
    const goes = decision.removed.some((gone) => gone === 1)
      ? 'only layers with a ratio of their own are cut'
      : 'nothing goes';
    return `the model has ${shown(before)}, no more than the ${shown(target)} asked for; ${goes}`;
  }
  const reached = `${shown(value)} where ${shown(target)} were asked for`;
  if (isAll && value > target) {
    const stay = largestThatStay(groups, decision);
    return `with all gone that may go, the model has ${reached}${stay === '' ? '' : `; the largest layers that stay: ${stay}`}`;
  }
  return `the model has ${reached}: no cut that comes nearer was found, as channels go in steps`;
}
