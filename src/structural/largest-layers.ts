import { sizeOf } from '../core/tensor.ts';
import type { Value } from '../ir/index.ts';
import type { Decision, GroupDecision } from './decide.ts';
import type { ChannelGroups } from './groups.ts';
import { KeptShapes } from './kept-sizes.ts';

/** How many layers are named. */
const MOST_NAMED = 3;

/** The layers that keep more than one channel and have the most parameters after a cut, with the reasons: `'fc' (5130 parameters; reaches the output 'y')`. Empty where there are none. */
export function largestThatStay(groups: ChannelGroups, { groups: decisions, removed }: Decision): string {
  const shapes = new KeptShapes(groups.coupling, groups.keptLabels(removed));
  const parametersOf = ({ group }: GroupDecision): number => {
    const weights = new Set<Value>(
      group.members.filter(({ role }) => role === 'out').map(({ value }) => value),
    );
    return [...weights].reduce((sum, value) => sum + sizeOf(shapes.after(value) ?? []), 0);
  };
  return decisions
    .filter(({ units, removed: gone }) => units - gone > 1)
    .map((decision) => ({ decision, parameters: parametersOf(decision) }))
    .sort((a, b) => b.parameters - a.parameters)
    .slice(0, MOST_NAMED)
    .map(
      ({ decision: { group, whyNot }, parameters }) =>
        `'${group.name}' (${parameters} parameters; ${whyNot})`,
    )
    .join(', ');
}
