import type { Choice } from './choice.ts';
import type { Decider } from './decide.ts';
import type { Cluster } from './lane-steps.ts';
import { cutToMultiple, keepToMultiple } from './rounding.ts';

/** A choice, and what the model it leaves has of something. */
export interface Fitted {
  readonly choice: Choice;
  /** The ratio it was decided at; single steps may have been taken beyond. */
  readonly ratio: number;
  readonly value: number;
}

/** What a budget is of: smaller where more goes. */
export type Metric = (removed: Uint8Array) => number;

/** Halvings of the ratio: the last interval is smaller than one channel of the largest layers. */
const HALVINGS = 20;

/** Share of the tolerance at which a search ends. */
const CLOSE_ENOUGH = 0.05;

/** How far a value is from the target, as a share of it. */
export const missOf = (value: number, target: number): number => (value - target) / target;

/** The better of two for a budget: within the tolerance, one that does not exceed the target; else the nearer. */
export function betterFit<T extends { readonly value: number }>(
  a: T,
  b: T,
  target: number,
  tolerance: number,
): T {
  const keeps = ({ value }: T): boolean => value <= target && -missOf(value, target) <= tolerance;
  if (keeps(a) !== keeps(b)) return keeps(a) ? a : b;
  return Math.abs(b.value - target) < Math.abs(a.value - target) ? b : a;
}

/**
 * The choice that comes nearest to a target: by bisection over the ratio, then, as many layers lose a channel (or a multiple) at the same ratio, by single layers between the last two ratios. Where all
 * that may go is not enough it gives that, where nothing needs to go nothing.
 */
export function fitMetric(decider: Decider, metric: Metric, target: number, tolerance: number): Fitted {
  const at = (ratio: number): Fitted => {
    const choice = decider.choose(ratio);
    return { choice, ratio, value: metric(choice.removed) };
  };
  let above = at(0);
  if (above.value <= target) return above;
  let below = at(1);
  if (below.value >= target) return below;
  let best = betterFit(above, below, target, tolerance);
  const isClose = (): boolean => Math.abs(missOf(best.value, target)) <= tolerance * CLOSE_ENOUGH;
  for (let halving = 0; halving < HALVINGS && !isClose(); halving++) {
    const middle = at((above.ratio + below.ratio) / 2);
    if (middle.value > target) above = middle;
    else below = middle;
    best = betterFit(best, middle, target, tolerance);
  }
  if (isClose()) return best;
  const differ = (cluster: Cluster): boolean =>
    cluster.groups.some((id) => above.choice.lost[id] !== below.choice.lost[id]);
  const free = decider.clusters.filter((cluster) => decider.isFree(cluster));
  const seen = (fitted: Fitted): void => {
    best = betterFit(best, fitted, target, tolerance);
  };
  const misses = (): boolean => Math.abs(missOf(best.value, target)) > tolerance;
  const reached = towards(decider, metric, target, above, free.filter(differ), seen);
  // Where layers that the ratio moves are not fine enough: any, and then one against another.
  if (misses()) towards(decider, metric, target, reached, free, seen);
  for (let left = MOST_EXCHANGES, from: Fitted | null = null; misses() && left > 0 && from !== best; ) {
    from = best;
    for (const choice of exchanges(decider, from.choice, free)) {
      seen({ choice, ratio: from.ratio, value: metric(choice.removed) });
      left--;
      if (!misses() || left === 0) break;
    }
  }
  return best;
}

/** Choices that are tried where nothing simpler comes near enough. */
const MOST_EXCHANGES = 400;

/** Choices that differ from one by a step (or multiple) more or less of one cluster, or by one more of one and one less of another. */
function* exchanges(decider: Decider, from: Choice, clusters: readonly Cluster[]): Generator<Choice> {
  const less = clusters.flatMap((cluster) => {
    const choice = from.copy();
    return keepToMultiple(choice, cluster, decider.rules) ? [{ cluster, choice }] : [];
  });
  for (const start of [{ cluster: null, choice: from }, ...less]) {
    if (start.cluster) yield start.choice;
    for (const cluster of clusters) {
      const choice = start.choice.copy();
      if (cluster !== start.cluster && cutToMultiple(choice, cluster, decider.rules)) yield choice;
    }
  }
}

/** Takes the next step (or multiple) of one cluster after another, those that matter least first, as long as more than the target is left; tells of everything it saw. */
function towards(
  decider: Decider,
  metric: Metric,
  target: number,
  from: Fitted,
  clusters: readonly Cluster[],
  seen: (fitted: Fitted) => void,
): Fitted {
  const { ratio } = from;
  let reached = from;
  const nextScore = ({ steps }: Cluster): number =>
    steps.find((step) => from.choice.isNext(step))?.score ?? Number.POSITIVE_INFINITY;
  for (const cluster of clusters.toSorted((a, b) => nextScore(a) - nextScore(b) || 0)) {
    const choice = reached.choice.copy();
    if (!cutToMultiple(choice, cluster, decider.rules)) continue;
    const fitted = { choice, ratio, value: metric(choice.removed) };
    seen(fitted);
    if (fitted.value > target) reached = fitted;
  }
  return reached;
}
