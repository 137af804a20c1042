import { Choice } from './choice.ts';
import { checkDecideOptions, type DecideOptions } from './decide-options.ts';
import type { ChannelGroup, ChannelGroups, Lane } from './groups.ts';
import { groupSignature } from './isomorphic.ts';
import { type Cluster, clustersOf, rankSteps, type Step } from './lane-steps.ts';
import { matchingPattern } from './layer-pattern.ts';
import { unevenLayers } from './report/uneven-layers.ts';
import { type RoundingRules, roundCluster } from './rounding.ts';
import { type GroupBounds, whyNotMore } from './why-not.ts';
import { clusterWidths } from './widths.ts';

/** What was decided of a group. */
export interface GroupDecision {
  readonly group: ChannelGroup;
  /** Share of its units that was to go. */
  readonly asked: number;
  /** How many units it has. */
  readonly units: number;
  /** How many go. */
  readonly removed: number;
  /** Why none or fewer than asked go; null where as many go as asked. */
  readonly whyNot: string | null;
}

/** What goes. */
export interface Decision {
  /** For each unit 1 where it goes. */
  readonly removed: Uint8Array;
  /** Every group, in order. */
  readonly groups: readonly GroupDecision[];
  /** Single layers that lose less than their groups, or keep no multiple of `roundTo`, and why. */
  readonly uneven: readonly { readonly layer: string; readonly why: string }[];
}

/**
 * How many of `units` go at a ratio: `units - trunc(units * (1 - ratio))`, as Torch-Pruning counts, so that the numbers agree. Any ratio above 0 takes at least one.
 */
export const unitsToRemove = (units: number, ratio: number): number =>
  units - Math.trunc(units * (1 - ratio));

/** How many units of a group can go at all: a ratio is taken of these, so that those beside units that must stay are not all taken. */
const unitsThatCanGo = (groups: ChannelGroups, { units }: ChannelGroup): number =>
  units.reduce((sum, unit) => sum + Number(groups.whyNot[unit] === null), 0);

/**
 * Decides which units go: the least important ones by `scores` (one a unit, larger is more important), in the steps that the groups' lanes allow, so that the result can always be cut. A group's
 * ratio is taken of the units that can go. Steps larger than what is left of a ratio are not taken. Of equal scores the lower index stays (see `rankSteps`). Every group of which none or
 * fewer go than asked says why.
 *
 * With `roundTo`, each layer that is cut keeps a multiple of that many channels of a group, narrower and wider layers of it alike; what can come to no multiple, or has fewer channels, is left whole. Where the channels that
 * only some layers have are too few to be chosen apart (see `clusterWidths`), the widest of these layers keeps a multiple, and the others may not.
 *
 * Throws ArgumentError where an option or score is not what it may be, or a pattern matches no layer.
 */
export function decide(groups: ChannelGroups, scores: Float64Array, options: DecideOptions): Decision {
  const decider = new Decider(groups, scores, options);
  return decider.decision(decider.choose(options.ratio), options.ratio);
}

/** Groups of which a ratio is taken together. */
interface RankingClass {
  /** null: the ratio that is asked for. */
  readonly ratio: number | null;
  /** Units of all its groups. */
  units: number;
}

/** Decides at one ratio after another: what does not depend on it is found once. */
export class Decider {
  readonly groups: ChannelGroups;
  readonly clusters: readonly Cluster[];
  /** How far each group may be cut at any ratio, and the multiples that layers keep. */
  readonly rules: RoundingRules;
  readonly #steps: readonly Step[];
  /** For each lane, its steps in order. */
  readonly #lanes: readonly (readonly Step[])[];
  /** For each group, the lanes that have units of it. */
  readonly #lanesOf: readonly (readonly number[])[];
  readonly #bounds: readonly GroupBounds[];
  readonly #scope: NonNullable<DecideOptions['scope']>;
  readonly #rounding: NonNullable<DecideOptions['rounding']>;
  readonly #roundTo: number;
  readonly #classes: readonly RankingClass[];
  /** The class each group is ranked in. */
  readonly #classOf: Int32Array;

  constructor(groups: ChannelGroups, scores: Float64Array, options: DecideOptions) {
    checkDecideOptions(options);
    this.groups = groups;
    this.#scope = options.scope ?? 'layer';
    this.#rounding = options.rounding ?? 'up';
    this.#roundTo = options.roundTo ?? 1;
    this.#steps = rankSteps(groups, scores);
    this.#lanes = byLane(groups, this.#steps);
    this.#lanesOf = lanesOfGroups(groups);
    this.clusters = clustersOf(groups, this.#steps);
    this.#bounds = boundsOf(groups, options);
    this.rules = {
      roundTo: this.#roundTo,
      widths: this.#roundTo > 1 ? clusterWidths(groups, this.clusters) : new Map(),
      most: Int32Array.from(this.#bounds, ({ most }) => most),
    };
    const { classes, classOf } = rankingClasses(groups, this.clusters, this.#bounds, this.#scope);
    this.#classes = classes;
    this.#classOf = classOf;
  }

  /** What goes at a ratio. */
  choose(ratio: number): Choice {
    const choice = this.#unrounded(ratio);
    if (this.#roundTo > 1) {
      for (const cluster of this.clusters) roundCluster(choice, cluster, this.rules, this.#rounding);
    }
    return choice;
  }

  /** A choice with the reasons for what it leaves. `stop`: what else than the ratio ended the cut, such as a budget that is reached. */
  decision(choice: Choice, ratio: number, stop: string | null = null): Decision {
    const before = this.#roundTo > 1 ? this.#unrounded(ratio) : choice;
    const decisions = this.groups.groups.map((group): GroupDecision => {
      const { ignoredBy, ratio: own } = this.#bounds[group.id]!;
      const asked = ignoredBy === null ? (own ?? ratio) : 0;
      const units = group.units.length;
      const whyNot = whyNotMore({
        groups: this.groups,
        group,
        bounds: this.#bounds,
        most: this.rules.most,
        asked: unitsToRemove(units, asked),
        askedOfOthers: unitsToRemove(unitsThatCanGo(this.groups, group), asked),
        choice,
        next: this.#lanesOf[group.id]!.flatMap((lane) => this.#lanes[lane]![choice.taken[lane]!] ?? []),
        beforeRounding: before.lost[group.id]!,
        roundTo: this.#roundTo,
        scope: this.#scope,
        stop,
      });
      return { group, asked, units, removed: choice.lost[group.id]!, whyNot };
    });
    const { removed } = choice;
    const rounding = { roundTo: this.#roundTo, scope: this.#scope };
    return { removed, groups: decisions, uneven: unevenLayers(this.groups, removed, decisions, rounding) };
  }

  /** True where the ratio asked for says how much of a cluster goes. */
  isFree({ groups, steps }: Cluster): boolean {
    return steps.length > 0 && groups.every((id) => this.#bounds[id]!.ratio === null);
  }

  #unrounded(ratio: number): Choice {
    const choice = new Choice(this.groups);
    const isLocal = this.#scope === 'layer';
    const left = isLocal
      ? this.groups.lanes.map((lane) => this.#ofLane(lane, ratio))
      : this.#classes.map((own) => unitsToRemove(own.units, own.ratio ?? ratio));
    const closed = new Uint8Array(this.groups.lanes.length);
    for (const step of this.#steps) {
      if (closed[step.lane] === 1) continue;
      const own = isLocal ? step.lane : this.#classOf[this.groups.groupOf[step.units[0]!]!]!;
      const count = step.units.length;
      if (count <= left[own]! && choice.refusal(step, this.rules.most) === null) {
        choice.take(step);
        left[own]! -= count;
      } else closed[step.lane] = 1;
    }
    return choice;
  }

  /** How many units of a lane go at a ratio: queries and values of one packed weight each lose their share. */
  #ofLane({ cells }: Lane, ratio: number): number {
    let count = 0;
    let least = 1;
    for (const units of cells) {
      count += units.length;
      least = Math.min(least, this.#bounds[this.groups.groupOf[units[0]!]!]!.ratio ?? ratio);
    }
    return unitsToRemove(count, least);
  }
}

function byLane(groups: ChannelGroups, steps: readonly Step[]): readonly (readonly Step[])[] {
  const lanes: Step[][] = groups.lanes.map(() => []);
  for (const step of steps) lanes[step.lane]!.push(step);
  return lanes;
}

function lanesOfGroups(groups: ChannelGroups): readonly (readonly number[])[] {
  const lanes = groups.groups.map(() => new Set<number>());
  groups.lanes.forEach(({ cells }, lane) => {
    for (const units of cells) for (const unit of units) lanes[groups.groupOf[unit]!]!.add(lane);
  });
  return lanes.map((own) => [...own]);
}

/** Bounds of each group, from names and limits. */
function boundsOf(
  groups: ChannelGroups,
  { ignore = [], ratios = [], keepAtLeast = 1, maxRatio = 1 }: DecideOptions,
): readonly GroupBounds[] {
  const layers = layerNames(groups);
  const ignored = ignore.map((pattern) => ({
    pattern,
    matches: matchingPattern('decide: ignore', pattern, layers),
  }));
  const named = ratios.map(({ pattern, ratio }) => ({
    ratio,
    matches: matchingPattern('decide: ratios', pattern, layers),
  }));
  return groups.groups.map((group) => {
    const means = ({ matches }: { readonly matches: (layer: string) => boolean }): boolean =>
      group.layers.some(matches);
    const units = group.units.length;
    const ignoredBy = ignored.find(means)?.pattern ?? null;
    const kept = Math.max(0, units - keepAtLeast);
    // A ratio such as 0.29 of 100 is not to lose a unit to rounding.
    const byRatio = Math.floor(units * maxRatio + 1e-9);
    return {
      ignoredBy,
      ratio: named.find(means)?.ratio ?? null,
      most: ignoredBy === null ? Math.min(kept, byRatio) : 0,
      mostBecause:
        ignoredBy !== null
          ? `it is ignored, as it matches '${ignoredBy}'`
          : byRatio < kept
            ? `no more than the maximum ratio of ${maxRatio} may go`
            : `at least ${keepAtLeast} must stay`,
    };
  });
}

/** Names of all layers that make or read channels. */
function layerNames(groups: ChannelGroups): readonly string[] {
  const names = groups.groups.flatMap(({ layers, members }) => [
    ...layers,
    ...members.map(({ name }) => name.slice(0, Math.max(0, name.lastIndexOf('.')))),
  ]);
  return [...new Set(names.filter((name) => name !== ''))];
}

/** What is ranked together: every cluster by itself, all of them, or those that are alike; groups with a ratio of their own apart from the others. */
function rankingClasses(
  groups: ChannelGroups,
  clusters: readonly Cluster[],
  bounds: readonly GroupBounds[],
  scope: NonNullable<DecideOptions['scope']>,
): { readonly classes: readonly RankingClass[]; readonly classOf: Int32Array } {
  const classes = new Map<string, RankingClass & { readonly index: number }>();
  const classOf = new Int32Array(groups.groups.length);
  clusters.forEach(({ groups: ids }, place) => {
    const own = ids.flatMap((id) => bounds[id]!.ratio ?? []);
    const ratio = own.length === 0 ? null : Math.min(...own);
    const kind = {
      layer: () => String(place),
      global: () => '',
      isomorphic: () =>
        ids
          .map((id) => groupSignature(groups.groups[id]!))
          .sort()
          .join('\n\n'),
    }[scope]();
    const key = `${ratio}|${kind}`;
    const known = classes.get(key) ?? { ratio, units: 0, index: classes.size };
    classes.set(key, known);
    for (const id of ids) {
      classOf[id] = known.index;
      if (bounds[id]!.most > 0) known.units += unitsThatCanGo(groups, groups.groups[id]!);
    }
  });
  return { classes: [...classes.values()], classOf };
}
