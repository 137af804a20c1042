import { ArgumentError } from '../core/errors.ts';
import { Choice } from './choice.ts';
import type { Decider } from './decide.ts';
import { betterFit, type Fitted, fitMetric, type Metric, missOf } from './fit.ts';

/** A cut that was measured. */
export interface Measurement {
  /** What is counted beside it (bytes of weights, multiply-accumulates), as a share of the whole model's. */
  readonly share: number;
  /** Median of what was measured. */
  readonly value: number;
  /** All that was measured, in order. */
  readonly values: readonly number[];
}

/** How a measured budget is fitted. */
export interface MeasuredOptions {
  /** The target, given what the whole model was measured at. */
  readonly targetOf: (whole: number) => number;
  readonly tolerance: number;
  /** Most calls of `measure`. */
  readonly maxMeasurements: number;
  /** How often a cut that seems to fit is measured before it is believed, and the whole model as well. */
  readonly repeats: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, most: number) => void;
}

/** A cut that was measured, while the search goes on. */
interface Point {
  readonly share: number;
  readonly fitted: Fitted;
  readonly values: number[];
  /** Median of `values`. */
  value: number;
}

/** How near to an end of the interval the next guess may be, as a share of it: a straight line through noise can point anywhere. */
const MARGIN = 0.1;

/**
 * The cut whose measured size comes nearest to a target, in few measurements. What can be counted tells where to look: first as if the size went with it, then on the straight line between the nearest
 * cuts above and below the target. Medians count; what seems to fit is measured again. Throws the signal's reason
 * where it is aborted, ArgumentError where a measurement is no number above 0.
 */
export async function fitMeasured(
  decider: Decider,
  metric: Metric,
  measure: (removed: Uint8Array) => Promise<number>,
  options: MeasuredOptions,
): Promise<{
  readonly fitted: Fitted;
  readonly before: number;
  readonly measurements: readonly Measurement[];
}> {
  const { tolerance, maxMeasurements, repeats, signal, onProgress } = options;
  let done = 0;
  const measureAgain = async (point: Point): Promise<void> => {
    signal?.throwIfAborted();
    const value = await measure(point.fitted.choice.removed);
    if (!(value > 0 && Number.isFinite(value)))
      throw new ArgumentError(`fitBudget: measure gave ${value}; expected a number above 0`);
    point.values.push(value);
    point.value = medianOf(point.values);
    onProgress?.(++done, maxMeasurements);
  };
  const points: Point[] = [];
  const add = async (fitted: Fitted, share: number, times = 1): Promise<Point> => {
    const point: Point = { share, fitted, values: [], value: Number.NaN };
    points.push(point);
    for (let time = 0; time < times && done < maxMeasurements; time++) await measureAgain(point);
    return point;
  };
  const nothing = new Choice(decider.groups);
  const full = metric(nothing.removed);
  // Half of all measurements at most tell what is compared with.
  const times = Math.min(repeats, maxMeasurements >> 1);
  const whole = await add({ choice: nothing, ratio: 0, value: full }, 1, times);
  const target = options.targetOf(whole.value);
  const least = metric(decider.choose(1).removed) / full;
  const misses = (point: Point): boolean => Math.abs(missOf(point.value, target)) > tolerance;
  const known = ({ choice }: Fitted): Point | undefined =>
    points.find(({ fitted }) => fitted.choice.equals(choice));
  /** What to measure next: a cut again, or a new one. */
  const next = (): Point | Fitted | undefined => {
    const bracket = bracketOf(points, target);
    const doubtful = doubtfulEnd(bracket, target, repeats, 2 * tolerance);
    if (doubtful) return doubtful;
    // More measurements of the same cut say no more.
    return nextShares(points, bracket, target, least)
      .map((share) => fitMetric(decider, metric, share * full, CLOSE))
      .map((guess) => known(guess) ?? guess)
      .find((guess) => !('values' in guess) || guess.values.length < repeats);
  };
  while (done < maxMeasurements && whole.value > target) {
    const chosen = next();
    if (!chosen) break;
    if ('values' in chosen) await measureAgain(chosen);
    const point = 'values' in chosen ? chosen : await add(chosen, chosen.value / full);
    while (done < maxMeasurements && point.values.length < repeats && !misses(point))
      await measureAgain(point);
    if (point !== whole && !misses(point)) break;
  }
  // Ratios that names have of their own are kept, whatever the whole model takes.
  const start = decider.choose(0);
  const cuts = points.filter((point) => point !== whole || start.equals(nothing));
  const [first, ...others] = cuts;
  const best = first
    ? others.reduce((a, b) => betterFit(a, b, target, tolerance), first)
    : await add({ choice: start, ratio: 0, value: metric(start.removed) }, metric(start.removed) / full);
  return {
    fitted: { ...best.fitted, value: best.value },
    before: whole.value,
    measurements: points.map(({ share, value, values }) => ({ share, value, values })),
  };
}

/** The middle one, or the mean of the two in the middle. */
function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** How near the counted share must come to the one that is looked for. */
const CLOSE = 0.005;

/** The cuts nearest to the target on either side; null where there is none. */
interface Bracket {
  readonly above: Point | null;
  readonly below: Point | null;
}

function bracketOf(points: readonly Point[], target: number): Bracket {
  const below = points
    .filter(({ value }) => value <= target)
    .reduce<Point | null>((a, b) => (a && a.share >= b.share ? a : b), null);
  const above = points
    .filter(({ share, value }) => value > target && share > (below?.share ?? 0))
    .reduce<Point | null>((a, b) => (a && a.share <= b.share ? a : b), null);
  return { above, below };
}

/** Of two cuts nearly alike of which neither fits, the one to be measured again: there is more noise than difference. Null where they differ, or were measured often enough. */
function doubtfulEnd(
  { above, below }: Bracket,
  target: number,
  repeats: number,
  alike: number,
): Point | null {
  if (!above || !below || above.share - below.share > alike * above.share) return null;
  const open = [above, below].filter(({ values }) => values.length < repeats);
  return open.sort((a, b) => Math.abs(a.value - target) - Math.abs(b.value - target))[0] ?? null;
}

/** Where to look next, the best guess first; none where all that may go is not enough. */
function nextShares(
  points: readonly Point[],
  { above, below }: Bracket,
  target: number,
  least: number,
): readonly number[] {
  if (!above) return [];
  if (below) {
    const width = above.share - below.share;
    const place = (target - below.value) / (above.value - below.value);
    const guess = below.share + width * Math.min(1 - MARGIN, Math.max(MARGIN, place));
    return [guess, below.share + width / 2];
  }
  if (above.share <= least) return [];
  // Beyond the last cut that was not enough: along the line through it and the one before where that falls, else as if size went with the share.
  const before = points.find((point) => point !== above && point.share > above.share);
  const slope = before ? (before.value - above.value) / (before.share - above.share) : 0;
  const falls = slope > 0 ? slope : above.value / above.share;
  const guess = above.share - (above.value - target) / falls;
  return [Math.max(least, Math.min(guess, above.share * (1 - MARGIN)))];
}
