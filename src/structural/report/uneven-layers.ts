import type { GroupDecision } from '../decide.ts';
import type { DecideOptions } from '../decide-options.ts';
import type { ChannelGroups } from '../groups.ts';
import { type LayerCut, layerCuts } from './layer-cuts.ts';

/**
 * Layers that lose less than was asked of their group though the group as a whole does not, since the channels that go are those of wider layers of it, and layers that are cut but keep no multiple of `roundTo`. What groups
 * say of themselves (`GroupDecision.whyNot`) is left out.
 */
export function unevenLayers(
  groups: ChannelGroups,
  removed: Uint8Array,
  decisions: readonly GroupDecision[],
  { roundTo = 1, scope = 'layer' }: Pick<DecideOptions, 'roundTo' | 'scope'>,
): { layer: string; why: string }[] {
  const cuts = layerCuts(groups, removed);
  return cuts.flatMap((cut) => {
    const { asked, whyNot } = decisions[cut.group]!;
    const tied = cuts.filter(({ group }) => group === cut.group);
    const why =
      unrounded(cut, tied, roundTo) ?? (whyNot === null ? lessThanAsked(cut, tied, asked, scope) : null);
    return why === null ? [] : cut.layers.map((layer) => ({ layer, why }));
  });
}

/** Why a layer keeps no multiple; null where it does, or is whole. */
function unrounded({ before, after }: LayerCut, tied: readonly LayerCut[], roundTo: number): string | null {
  if (after === before || after % roundTo === 0) return null;
  const widest = tied.reduce((a, b) => (b.before > a.before ? b : a));
  const because =
    widest.before === before
      ? ''
      : `: they follow from what '${widest.name}' keeps, the widest layer tied to it`;
  return `${after} of ${before} stay, no multiple of ${roundTo}${because}`;
}

/** Why a layer that wider layers are tied to loses less than its group was asked for; null where it does not. */
function lessThanAsked(
  { before, after }: LayerCut,
  tied: readonly LayerCut[],
  asked: number,
  scope: NonNullable<DecideOptions['scope']>,
): string | null {
  const expected = Math.floor(asked * before);
  const gone = before - after;
  // Ranked over several groups, no layer has a number of its own to reach.
  const isEnough = scope === 'layer' ? gone >= expected : gone > 0 || expected === 0;
  const isCut = tied.some((other) => other.after < other.before);
  if (isEnough || !isCut || !tied.some((other) => other.before > before)) return null;
  const what = gone === 0 ? 'nothing goes' : `${gone} of ${before} go where ${expected} were asked for`;
  return `${what}: of the channels tied to it, those of wider layers rank lower`;
}
