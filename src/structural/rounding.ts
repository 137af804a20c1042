import type { Choice } from './choice.ts';
import type { Cluster, Step } from './lane-steps.ts';
import type { ClusterWidths, Width } from './widths.ts';

/** What moving whole clusters needs to know. */
export interface RoundingRules {
  /** The number whose multiples may stay of a layer that is cut; 1: any. */
  readonly roundTo: number;
  /** For each cluster, the widths that keep multiples. */
  readonly widths: ReadonlyMap<Cluster, ClusterWidths>;
  /** For each group, how many units may go. */
  readonly most: Int32Array;
}

/** A cluster while its steps are taken and undone, with the channels that stay of each of its widths. */
class Rounding {
  readonly widths: readonly Width[];
  readonly #choice: Choice;
  readonly #steps: readonly Step[];
  readonly #rules: RoundingRules;
  readonly #shared: ReadonlyMap<number, number>;
  /** Channels that stay of each width. */
  readonly #kept: Map<Width, number>;

  constructor(choice: Choice, cluster: Cluster, rules: RoundingRules) {
    const { widths, shared } = rules.widths.get(cluster) ?? { widths: [], shared: new Map() };
    this.widths = rules.roundTo > 1 ? widths : [];
    this.#choice = choice;
    this.#steps = cluster.steps;
    this.#rules = rules;
    this.#shared = shared;
    this.#kept = new Map(
      this.widths.map((width) => {
        let kept = width.channels;
        for (const [unit, each] of width.each) if (choice.removed[unit] === 1) kept -= each;
        return [width, kept];
      }),
    );
  }

  /** True where a width is whole, or keeps a multiple. */
  isRound(width: Width): boolean {
    const kept = this.#kept.get(width)!;
    return kept === width.channels || kept % this.#rules.roundTo === 0;
  }

  /** The first of some widths that keeps no multiple. */
  uneven(widths = this.widths): Width | undefined {
    return widths.find((width) => !this.isRound(width));
  }

  /** Takes the least important step that can still be taken, of any lane or of these; gives it, or null where there is none. */
  takeNext(lanes: readonly number[] | null = null): Step | null {
    for (const own of this.#byPreference(lanes)) {
      const next = this.#steps.find(
        (step) =>
          own(step) && this.#choice.isNext(step) && this.#choice.refusal(step, this.#rules.most) === null,
      );
      if (next) return this.take(next);
    }
    return null;
  }

  /** Undoes the most important step that was taken, of any lane or of these; gives it, or null where there is none. */
  undoLast(lanes: readonly number[] | null = null): Step | null {
    for (const own of this.#byPreference(lanes)) {
      const last = this.#steps.findLast((step) => own(step) && this.#choice.isLast(step));
      if (last) return this.undo(last);
    }
    return null;
  }

  take(step: Step): Step {
    this.#choice.take(step);
    this.#count(step, -1);
    return step;
  }

  undo(step: Step): Step {
    this.#choice.undo(step);
    this.#count(step, 1);
    return step;
  }

  /** Lanes by what is moved with them: first those whose steps change the fewest other widths. */
  #byPreference(lanes: readonly number[] | null): readonly ((step: Step) => boolean)[] {
    if (!lanes) return [() => true];
    const sharing = (lane: number): number => this.#shared.get(lane) ?? 0;
    const levels = [...new Set(lanes.map(sharing))].sort((a, b) => a - b);
    return levels.map((level) => {
      const own = new Set(lanes.filter((lane) => sharing(lane) === level));
      return ({ lane }) => own.has(lane);
    });
  }

  #count({ units }: Step, sign: 1 | -1): void {
    for (const width of this.widths) {
      let channels = 0;
      for (const unit of units) channels += width.each.get(unit) ?? 0;
      if (channels > 0) this.#kept.set(width, this.#kept.get(width)! + sign * channels);
    }
  }
}

/** Takes steps until all of some widths keep multiples; null, with nothing changed, where that comes to none. `lanes`: those of a width that may be moved. */
function takeToMultiple(
  rounding: Rounding,
  widths: readonly Width[],
  lanes: (width: Width) => readonly number[],
): readonly Step[] | null {
  const steps: Step[] = [];
  for (let width = rounding.uneven(widths); width; width = rounding.uneven(widths)) {
    const step = rounding.takeNext(lanes(width));
    if (step) {
      steps.push(step);
      continue;
    }
    for (const taken of steps.reverse()) rounding.undo(taken);
    return null;
  }
  return steps;
}

/** Undoes steps until all of some widths keep multiples, or nothing more can be undone; gives them in order. */
function undoToMultiple(
  rounding: Rounding,
  widths: readonly Width[],
  lanes: (width: Width) => readonly number[],
): readonly Step[] {
  const steps: Step[] = [];
  for (let width = rounding.uneven(widths); width; width = rounding.uneven(widths)) {
    const step = rounding.undoLast(lanes(width));
    if (!step) break;
    steps.push(step);
  }
  return steps;
}

const lanesOf = ({ lanes }: Width): readonly number[] => lanes;

/** Takes a step of a cluster, and as many more as let its layers keep multiples. True where that could be; else nothing has changed. */
export function cutToMultiple(choice: Choice, cluster: Cluster, rules: RoundingRules): boolean {
  const rounding = new Rounding(choice, cluster, rules);
  const first = rounding.takeNext();
  if (!first) return false;
  if (takeToMultiple(rounding, rounding.widths, lanesOf)) return true;
  rounding.undo(first);
  return false;
}

/** Undoes a step of a cluster, and as many more as let its layers keep multiples. False where there was none. */
export function keepToMultiple(choice: Choice, cluster: Cluster, rules: RoundingRules): boolean {
  const rounding = new Rounding(choice, cluster, rules);
  if (!rounding.undoLast()) return false;
  undoToMultiple(rounding, rounding.widths, lanesOf);
  return true;
}

/**
 * Lets every layer of a cluster that is cut keep a multiple: `up` keeps more, `nearest` goes to the nearer multiple (to the larger one where both are as near) and never to nothing. Where no multiple can be
 * come to, nothing goes.
 */
export function roundCluster(
  choice: Choice,
  cluster: Cluster,
  rules: RoundingRules,
  rounding: 'up' | 'nearest',
): void {
  const own = new Rounding(choice, cluster, rules);
  if (rounding === 'nearest') toNearest(own);
  // Whole layers are round, so this comes to an end.
  undoToMultiple(own, own.widths, lanesOf);
}

/** Widths in turn go to the nearer multiple, those that the same lanes make together, by lanes that no width before them has. */
function toNearest(rounding: Rounding): void {
  const settled = new Set<number>();
  const byLanes = new Map<string, Width[]>();
  for (const width of rounding.widths) {
    const key = width.lanes.toSorted((a, b) => a - b).join();
    byLanes.set(key, [...(byLanes.get(key) ?? []), width]);
  }
  for (const widths of byLanes.values()) {
    const lanes = widths[0]!.lanes.filter((lane) => !settled.has(lane));
    const undone = undoToMultiple(rounding, widths, () => lanes);
    const isRound = rounding.uneven(widths) === undefined;
    for (const step of undone.toReversed()) rounding.take(step);
    const taken = takeToMultiple(rounding, widths, () => lanes);
    if (isRound && (!taken || sizeOf(undone) <= sizeOf(taken))) {
      for (const step of taken?.toReversed() ?? []) rounding.undo(step);
      for (const step of undone) rounding.undo(step);
    }
    for (const lane of lanes) settled.add(lane);
  }
}

const sizeOf = (steps: readonly Step[]): number => steps.reduce((sum, { units }) => sum + units.length, 0);
