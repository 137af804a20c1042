import type { GroupDecision } from '../decide.ts';
import type { DecideOptions } from '../decide-options.ts';
import type { ChannelGroups } from '../groups.ts';
import { layerUnits, staying } from './layer-cuts.ts';

/** A layer, and how many of its channels of a group stay. */
interface Layer {
  readonly name: string;
  readonly units: Int32Array;
  readonly after: number;
}

/**
 * Layers that lose less than was asked of their group though the group as a whole does not, since the channels that go are those of other layers of it, and layers that are cut but keep no multiple of `roundTo`. What groups
 * say of themselves (`GroupDecision.whyNot`) is left out.
 */
export function unevenLayers(
  groups: ChannelGroups,
  removed: Uint8Array,
  decisions: readonly GroupDecision[],
  { roundTo = 1, scope = 'layer' }: Pick<DecideOptions, 'roundTo' | 'scope'>,
): { layer: string; why: string }[] {
  const byGroup = new Map<number, Layer[]>();
  for (const { group, name, units } of layerUnits(groups)) {
    const layer = { name, units, after: staying(units, removed) };
    byGroup.set(group, [...(byGroup.get(group) ?? []), layer]);
  }
  return [...byGroup].flatMap(([group, layers]) => {
    const { asked, whyNot } = decisions[group]!;
    return layers.flatMap((layer) => {
      const less = () => lessThanAsked(layer, layers, { groups, asked, roundTo, scope });
      const why = unrounded(layer, layers, roundTo) ?? (whyNot === null ? less() : null);
      return why === null ? [] : [{ layer: layer.name, why }];
    });
  });
}

/** Why a layer keeps no multiple; null where it does, or is whole. */
function unrounded({ units, after }: Layer, tied: readonly Layer[], roundTo: number): string | null {
  if (after === units.length || after % roundTo === 0) return null;
  const widest = tied.reduce((a, b) => (b.units.length > a.units.length ? b : a));
  const because =
    widest.units.length === units.length
      ? ''
      : `: they follow from what '${widest.name}' keeps, the widest layer tied to it`;
  return `${after} of ${units.length} stay, no multiple of ${roundTo}${because}`;
}

interface Asked {
  readonly groups: ChannelGroups;
  /** Share of the group that was to go. */
  readonly asked: number;
  readonly roundTo: number;
  readonly scope: NonNullable<DecideOptions['scope']>;
}

/** Why a layer loses less than its group was asked for, while others of the group lose enough; null where it does not. */
function lessThanAsked(
  { units, after }: Layer,
  tied: readonly Layer[],
  { groups, asked, roundTo, scope }: Asked,
): string | null {
  const before = units.length;
  const expected = Math.floor(asked * before);
  const gone = before - after;
  // Ranked over several groups, no layer has a number of its own to reach.
  const isEnough = gone >= expected || (scope !== 'layer' && gone > 0);
  if (isEnough || !tied.some((other) => other.after < other.units.length)) return null;
  const frozen = units.filter((unit) => groups.whyNot[unit] !== null);
  const what = gone === 0 ? 'nothing goes' : `${gone} of ${before} go where ${expected} were asked for`;
  if (frozen.length > 0 && gone >= Math.floor(asked * (before - frozen.length)))
    return `${what}: ${frozen.length} of ${before} must stay (${groups.whyNot[frozen[0]!]})`;
  if (expected - gone < roundTo) return `${what}: what stays is rounded to a multiple of ${roundTo}`;
  return `${what}: of the channels tied to it, those of other layers rank lower`;
}
