import type { Choice } from './choice.ts';
import type { DecideOptions } from './decide-options.ts';
import type { ChannelGroup, ChannelGroups } from './groups.ts';
import type { Step } from './lane-steps.ts';

/** How far a group may be cut, whatever the ratio. */
export interface GroupBounds {
  /** The pattern by which it is left whole. */
  readonly ignoredBy: string | null;
  /** The ratio its name has of its own; null: the one asked for. */
  readonly ratio: number | null;
  /** How many units may go. */
  readonly most: number;
  /** Why no more may go: `at least 8 must stay`. */
  readonly mostBecause: string;
}

/** What there is to know of a group of which fewer units go than asked. */
export interface WhyNotFacts {
  readonly groups: ChannelGroups;
  readonly group: ChannelGroup;
  /** Bounds of every group, by id. */
  readonly bounds: readonly GroupBounds[];
  /** `most` of every group, by id. */
  readonly most: Int32Array;
  /** How many units were to go. */
  readonly asked: number;
  /** The same of its units that can go: a ratio is taken of these. */
  readonly askedOfOthers: number;
  readonly choice: Choice;
  /** The next step of each of its lanes that has one. */
  readonly next: readonly Step[];
  /** How many units would go without rounding. */
  readonly beforeRounding: number;
  readonly roundTo: number;
  readonly scope: NonNullable<DecideOptions['scope']>;
  /** What ended the cut before its ratio did; null: nothing. */
  readonly stop: string | null;
}

/** Why none or fewer units of a group go than asked, as the report says it; null where as many go. */
export function whyNotMore(facts: WhyNotFacts): string | null {
  const { group, bounds, asked, choice } = facts;
  const { ignoredBy } = bounds[group.id]!;
  if (ignoredBy !== null) return `is ignored: matches '${ignoredBy}'`;
  const removed = choice.lost[group.id]!;
  if (removed > 0 && removed >= asked) return null;
  if (asked === 0) {
    const isAsked = facts.stop === null || bounds[group.id]!.ratio !== null;
    return isAsked ? 'a ratio of 0 was asked for it' : `nothing goes: ${facts.stop}`;
  }
  const units = group.units.length;
  const frozen = frozenReasons(facts);
  const frozenCount = frozen.reduce((sum, { count }) => sum + count, 0);
  if (frozenCount === units) return listed(frozen, units);
  const reasons =
    facts.scope === 'layer' && removed > 0 && removed >= facts.askedOfOthers
      ? [listed(frozen, units), `the ratio is taken of the ${units - frozenCount} others`]
      : [...(units - frozenCount < asked ? [listed(frozen, units)] : []), ...othersThan(facts)];
  // Ranked over several layers, a layer has no number of its own to reach: what is usual then is no reason.
  const isUsual = (reason: string): boolean => reason === RANKED_ABOVE || reason === facts.stop;
  if (facts.scope !== 'layer' && removed > 0 && reasons.every(isUsual)) return null;
  const what = removed === 0 ? 'nothing goes' : `${removed} of ${units} go where ${asked} were asked for`;
  return `${what}: ${[...new Set(reasons)].join('; ')}`;
}

/** Of units that stay because others are less important. */
const RANKED_ABOVE = 'the rest ranks above what goes elsewhere';

interface Reason {
  readonly why: string;
  count: number;
}

/** Why single units cannot go, the most frequent reason first. */
function frozenReasons({ groups, group }: WhyNotFacts): readonly Reason[] {
  const reasons = new Map<string, Reason>();
  for (const unit of group.units) {
    const why = groups.whyNot[unit];
    if (why === null || why === undefined) continue;
    const known = reasons.get(why);
    if (known) known.count++;
    else reasons.set(why, { why, count: 1 });
  }
  return [...reasons.values()].sort((a, b) => b.count - a.count);
}

/** Most reasons that are told one by one. */
const MOST_REASONS = 3;

/** `reaches the output 'y'`, or `12 of 16 stay (reaches the output 'y'), 2 stay (…)`. */
function listed(reasons: readonly Reason[], units: number): string {
  const [first] = reasons;
  if (first && first.count === units) return first.why;
  const told = reasons
    .slice(0, MOST_REASONS)
    .map(({ why, count }, index) => `${count}${index === 0 ? ` of ${units}` : ''} must stay (${why})`);
  const more = reasons.length - told.length;
  return [...told, ...(more > 0 ? [`and ${more} more reasons`] : [])].join(', ');
}

/** Why units that could go stay. */
function othersThan(facts: WhyNotFacts): string[] {
  const { choice, group, next, most, roundTo, beforeRounding, scope, stop } = facts;
  const removed = choice.lost[group.id]!;
  if (roundTo > 1 && beforeRounding > removed) {
    const channels = widestOf(group);
    if (channels < roundTo) return [`it has ${channels} channels, and multiples of ${roundTo} are to stay`];
    const units = group.units.length;
    if (removed > 0) return [`what stays is rounded to a multiple of ${roundTo}`];
    return [`rounded to a multiple of ${roundTo}, all stay (${units - beforeRounding} of ${units} were to)`];
  }
  const refusals = next.map((step) => ({ step, refusal: choice.refusal(step, most) }));
  const open = refusals.filter(({ refusal }) => refusal === null).map(({ step }) => step);
  if (open.length > 0) {
    if (stop !== null) return [stop];
    return [scope === 'layer' ? tooLarge(facts, open) : RANKED_ABOVE];
  }
  // Lanes that are used up have no next step.
  if (refusals.length === 0) return ['the rest is needed: nothing would be left of it'];
  return refusals.map(({ refusal }) => {
    const by = facts.groups.groups[refusal?.group ?? group.id]!;
    const itself = by.id === group.id;
    const why =
      refusal?.by === 'needed'
        ? 'something that reads the rest would be left with no channel'
        : facts.bounds[by.id]!.mostBecause;
    return itself ? why : `the rest goes together with '${by.name}': ${why}`;
  });
}

/** Channels of the widest layer of a group. */
const widestOf = ({ members, units }: ChannelGroup): number =>
  members.reduce((most, { role, units: own }) => (role === 'out' ? Math.max(most, own.length) : most), 0) ||
  units.length;

/** Why a step that could be taken does not fit the ratio. */
function tooLarge({ groups, group, asked, choice }: WhyNotFacts, open: readonly Step[]): string {
  const missing = asked - choice.lost[group.id]!;
  const least = Math.min(
    ...open.map(({ units }) => units.filter((unit) => groups.groupOf[unit] === group.id).length),
  );
  if (least > missing) return `they go ${least} at a time`;
  const others = open.flatMap(({ units }) =>
    Array.from(units, (unit) => groups.groups[groups.groupOf[unit]!]!.name).filter(
      (name) => name !== group.name,
    ),
  );
  return `the rest goes together with '${others[0]}', of which no more goes`;
}
