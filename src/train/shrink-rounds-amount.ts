import {
  type ChannelGroups,
  layerPattern,
  type PatternRatio,
  type ShrinkOptions,
} from '../structural/index.ts';
import { budgetOf, type RoundCutOptions, type ShrinkTarget } from './shrink-rounds-options.ts';

/** Units of each group of a model by a name that its group keeps when channels go. */
export type GroupSizes = Readonly<Record<string, number>>;

/** A name for each group: its layer's, and the how-manieth group of that layer it is. */
function groupKeys({ groups }: ChannelGroups): string[] {
  const seen = new Map<string, number>();
  return groups.map(({ name }) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return `${name}#${count}`;
  });
}

/** Units of each group. */
export const groupSizes = (groups: ChannelGroups): GroupSizes =>
  Object.fromEntries(groupKeys(groups).map((key, index) => [key, groups.groups[index]!.units.length]));

/** Where a run of rounds is. */
export interface RoundPlace {
  /** Counted from 1. */
  readonly round: number;
  readonly rounds: number;
  readonly groups: ChannelGroups;
  /** Sizes of the groups in the model that went in. */
  readonly dense: GroupSizes;
  /** What is budgeted: as it is now, and as it should be in the end. Not looked at for ratios. */
  readonly now: number;
  readonly final: number;
}

/**
 * What `shrink` is asked for in a round, so that this round and those left each take the same share, and all together what is asked of the run: the rest of a budget; and, for ratios, what is missing from the channels of the
 * model that went in. Shares of the rest would not do for these: each round takes at least one channel of a layer, so that many rounds take too much of small layers.
 */
export function askedOf(target: ShrinkTarget, own: RoundCutOptions, place: RoundPlace): ShrinkOptions {
  const { round, rounds, now, final } = place;
  const budget = budgetOf(target);
  const ratio = 'ratio' in target ? target.ratio : null;
  const { maxRatio } = own;
  const asked: ShrinkOptions = {
    ...ratiosOf(ratio, own, place),
    ...(maxRatio === undefined ? {} : { maxRatio: 1 - (1 - maxRatio) ** (1 / rounds) }),
  };
  if (!budget) return asked;
  const value = now * (Math.min(final, now) / now) ** (1 / (rounds - round + 1));
  return { ...asked, [budget.of]: { value } };
}

/** Ratios for a round: where layers are cut one by one, of each group for itself. */
function ratiosOf(
  ratio: number | null,
  { ratios = [], scope = 'layer' }: RoundCutOptions,
  place: RoundPlace,
): Pick<ShrinkOptions, 'ratio' | 'ratios'> {
  const { groups, rounds } = place;
  const keys = groupKeys(groups);
  const patterns = ratios.map(({ pattern }) => layerPattern(pattern));
  /** The pattern whose ratio a group has; -1: none. */
  const patternOf = groups.groups.map(({ layers }) => patterns.findIndex((is) => layers.some(is)));
  const partOf = (wanted: number, indices: readonly number[]): number => {
    const sum = (size: (index: number) => number): number =>
      indices.reduce((all, each) => all + size(each), 0);
    const now = (index: number): number => groups.groups[index]!.units.length;
    return missing(
      wanted,
      sum((index) => place.dense[keys[index]!] ?? now(index)),
      sum(now),
      place,
    );
  };
  const indices = [...groups.groups.keys()];
  if (scope === 'layer') {
    const each = indices.flatMap((index): PatternRatio[] => {
      const wanted = ratios[patternOf[index]!]?.ratio ?? ratio;
      const { name } = groups.groups[index]!;
      return wanted === null || name === '' ? [] : [{ pattern: name, ratio: partOf(wanted, [index]) }];
    });
    // The first that matches counts: longer names first, as those of modules mean all in them. The patterns given decide nothing any more, but are refused where they match no layer.
    each.sort((a, b) => b.pattern.length - a.pattern.length);
    return {
      ...(ratio === null ? {} : { ratio: 1 - (1 - ratio) ** (1 / rounds) }),
      ratios: [...each, ...ratios],
    };
  }
  const free = indices.filter(
    (index) =>
      patternOf[index]! < 0 && groups.groups[index]!.units.some((unit) => groups.whyNot[unit] === null),
  );
  return {
    ...(ratio === null ? {} : { ratio: partOf(ratio, free) }),
    ratios: ratios.map(({ pattern, ratio: wanted }, at) => ({
      pattern,
      ratio: partOf(
        wanted,
        indices.filter((index) => patternOf[index] === at),
      ),
    })),
  };
}

/** Share of `now` channels that goes in a round, so that as many of `dense` ones are left as the rounds so far are to leave. */
function missing(ratio: number, dense: number, now: number, { round, rounds }: RoundPlace): number {
  const left = Math.trunc(dense * (1 - ratio) ** (round / rounds) + 1e-9);
  // Half a channel more, so that what is left of `now` is not rounded down to one less.
  return left >= now ? 0 : 1 - (left + 0.5) / now;
}
