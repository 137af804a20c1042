import { ArgumentError } from '../core/errors.ts';
import { staticShape } from '../ir/index.ts';
import { renewPlan } from './apply-plan.ts';
import type { ChannelGroups } from './groups.ts';
import type { Plan, PlanGroup, PlanMember } from './plan.ts';

const placeOf = ({ parameter, axis }: PlanMember): string => `${parameter}|${axis}`;

/**
 * One plan out of several that were applied one after another, as rounds make them: it leads from the model that the first was made for, whose `groups` are given, to what the last left.
 *
 * Throws ArgumentError where there is none, one removes blocks, they do not follow each other, or their heads are taken in different ways; and as `renewPlan`.
 */
export function mergePlans(plans: readonly Plan[], groups: ChannelGroups): Plan {
  const [first] = plans;
  const last = plans.at(-1);
  if (!first || !last) throw new ArgumentError('plan: expected one at least to merge');
  const other = plans.find(({ heads }) => heads !== first.heads);
  if (other) {
    throw new ArgumentError(
      `plan: heads are taken by '${first.heads}' in one plan and by '${other.heads}' in another`,
    );
  }
  if (plans.some(({ blocks = [] }) => blocks.length > 0))
    throw new ArgumentError('plan: plans that remove blocks are not merged; apply them one after another');
  const shapes = new Map(
    groups.groups
      .flatMap(({ members }) => members)
      .map(({ name, value }) => [name, staticShape(value.initializer?.shape) ?? []]),
  );
  // By axis of a parameter, the indices that earlier plans left, as they were in the first model.
  const left = new Map<string, readonly number[]>();
  const merged = plans.flatMap((plan) => {
    const moved = plan.groups.map((group) => movedBack(group, left, shapes));
    const gone = new Map<string, Set<number>>();
    for (const member of plan.groups.flatMap(({ members }) => members)) {
      // What differs part by part goes with other axes.
      if (member.parts) continue;
      const place = placeOf(member);
      const indices = gone.get(place) ?? new Set<number>();
      gone.set(place, indices);
      for (const index of member.remove) indices.add(index);
      if (!left.has(place))
        left.set(
          place,
          Array.from({ length: member.shape[member.axis] ?? 0 }, (_, index) => index),
        );
    }
    for (const [place, indices] of gone)
      left.set(
        place,
        left.get(place)!.filter((_, index) => !indices.has(index)),
      );
    return moved;
  });
  const plan: Plan = { ...first, options: last.options, groups: merged, kept: last.kept };
  return renewPlan(plan, groups);
}

/** A group with the indices of its first member, from which the others follow, as they were in the first model. */
function movedBack(
  group: PlanGroup,
  left: ReadonlyMap<string, readonly number[]>,
  shapes: ReadonlyMap<string, readonly number[]>,
): PlanGroup {
  const [member] = group.members;
  const before = member && left.get(placeOf(member));
  if (!member || !before) return group;
  const count = member.shape[member.axis];
  if (before.length !== count) {
    throw new ArgumentError(
      `plan: '${member.parameter}' is [${member.shape.join(', ')}] in a plan, and the ones before leave ${before.length} along axis ${member.axis}; give plans in the order they were applied`,
    );
  }
  const remove = group.remove.map((index) => before[index]!);
  const shape = shapes.get(member.parameter) ?? member.shape;
  return { ...group, remove, members: [{ ...member, shape, remove }] };
}
