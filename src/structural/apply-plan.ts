import { ArgumentError, StructuralError } from '../core/errors.ts';
import type { ChannelGroups, Member } from './groups.ts';
import { modelFacts, type Plan, type PlanGroup, type PlanMember, planGroups } from './plan.ts';

/** Most channels or problems that an error lists. */
const MOST_LISTED = 8;

const listed = (numbers: readonly number[]): string =>
  `${numbers.slice(0, MOST_LISTED).join(', ')}${numbers.length > MOST_LISTED ? ', …' : ''}`;

/** Where indices of a plan are counted. */
const placeOf = (name: string, axis: number, parts: object | undefined): string =>
  `${name}|${axis}|${parts ? 'parts' : ''}`;

/** The units that the indices of one axis of a parameter belong to. */
interface Axis {
  readonly shape: readonly number[];
  readonly unitAt: Map<number, number>;
  readonly indicesOf: Map<number, number[]>;
}

/**
 * The units that a plan removes from a model, of which its blocks are gone already: what each group's `remove` lists, found by the name, shape and axis of its first member. The other members follow from the model and are not looked at, so that only `remove` needs
 * to be edited.
 *
 * Throws ArgumentError where the plan is of another model (a parameter is missing or has another shape) or was applied to it before, or where only some of the channels that make one unit are listed; StructuralError where a
 * channel cannot go, with the reason, or where the channels cannot go together.
 */
export function removedBy(plan: Plan, groups: ChannelGroups): Uint8Array {
  if (plan.heads !== groups.heads) {
    throw new ArgumentError(
      `plan: was made with heads '${plan.heads}', the model's channels are grouped with '${groups.heads}'; group them as the plan does`,
    );
  }
  const axes = axesOf(groups);
  const removed = new Uint8Array(groups.unitCount);
  const asked = new Map<string, Set<number>>();
  for (const group of plan.groups) {
    const member = firstMember(group);
    const place = placeOf(member.parameter, member.axis, member.parts);
    const axis = axes.get(place);
    if (!axis) throw missing(member, group, axes);
    if (axis.shape.join() !== member.shape.join()) {
      throw new ArgumentError(
        `plan: '${member.parameter}' is [${axis.shape.join(', ')}] in the model and [${member.shape.join(', ')}] in the plan; the plan is of another model, or was applied to this one already`,
      );
    }
    const indices = asked.get(place) ?? new Set<number>();
    asked.set(place, indices);
    for (const index of group.remove) indices.add(index);
    take(groups, group, member, axis, removed);
  }
  for (const [place, indices] of asked) checkWhole(place, axes.get(place)!, indices, removed);
  const [problem, ...others] = groups.problems(removed);
  if (problem !== undefined) {
    const more = others.length > 0 ? ` (and ${others.length} more)` : '';
    throw new StructuralError(`plan: these channels cannot go together: ${problem}${more}`);
  }
  return removed;
}

/** The first member of a group of a plan. Throws ArgumentError where it has none. */
function firstMember(group: PlanGroup): PlanMember {
  const [first] = group.members;
  if (first) return first;
  throw new ArgumentError(
    `plan: group '${group.name}' has no members; the first one says which parameter 'remove' counts in`,
  );
}

function axesOf(groups: ChannelGroups): ReadonlyMap<string, Axis> {
  const axes = new Map<string, Axis>();
  for (const group of groups.groups) {
    for (const member of group.members) {
      const place = placeOf(member.name, member.axis, member.parts);
      const axis = axes.get(place) ?? { shape: shapeOf(member), unitAt: new Map(), indicesOf: new Map() };
      axes.set(place, axis);
      member.indices.forEach((index, at) => {
        const unit = member.units[at]!;
        axis.unitAt.set(index, unit);
        const known = axis.indicesOf.get(unit);
        if (known) known.push(index);
        else axis.indicesOf.set(unit, [index]);
      });
    }
  }
  return axes;
}

const shapeOf = ({ value }: Member): readonly number[] => value.initializer?.shape ?? [];

function missing(member: PlanMember, group: PlanGroup, axes: ReadonlyMap<string, Axis>): ArgumentError {
  const { parameter, axis } = member;
  const names = [...new Set([...axes.keys()].map((place) => place.split('|')[0]!))];
  const has = names.includes(parameter)
    ? `axis ${axis} of its '${parameter}' carries no channels that are followed`
    : `it has no '${parameter}'; it has ${names.slice(0, MOST_LISTED).join(', ')}${names.length > MOST_LISTED ? ', …' : ''}`;
  return new ArgumentError(`plan: group '${group.name}' does not fit the model: ${has}`);
}

function take(
  groups: ChannelGroups,
  group: PlanGroup,
  { parameter, axis: number }: PlanMember,
  axis: Axis,
  removed: Uint8Array,
): void {
  const unknown = group.remove.filter((index) => !axis.unitAt.has(index));
  if (unknown.length > 0) {
    const indices = [...axis.unitAt.keys()];
    throw new ArgumentError(
      `plan: group '${group.name}' removes ${listed(unknown)} of axis ${number} of '${parameter}'; channels that can be told apart there are ${indices.length === 0 ? 'none' : `${Math.min(...indices)} to ${Math.max(...indices)}`}`,
    );
  }
  for (const index of group.remove) {
    const unit = axis.unitAt.get(index)!;
    const why = groups.whyNot[unit];
    if (why) throw new StructuralError(`plan: channel ${index} of '${parameter}' cannot go: ${why}`);
    removed[unit] = 1;
  }
}

/** Throws ArgumentError where a unit of several channels is listed only in part. */
function checkWhole(place: string, axis: Axis, asked: ReadonlySet<number>, removed: Uint8Array): void {
  for (const [unit, indices] of axis.indicesOf) {
    if (removed[unit] !== 1) continue;
    const left = indices.filter((index) => !asked.has(index));
    // Another group's list may be of the same unit, told by another parameter.
    if (left.length === 0 || left.length === indices.length) continue;
    const there = indices.filter((index) => asked.has(index));
    throw new ArgumentError(
      `plan: of '${place.split('|')[0]}', channels ${listed(there)} can only go together with ${listed(left)}; list all of them or none`,
    );
  }
}

/**
 * A plan whose `remove` lists were edited, for the groups of a model without the plan's blocks, with all that follows from them counted anew: members, parameters and multiply-accumulates. Scores of groups that were edited are left out; layers that are not cut any more, or now are,
 * are told so. Throws as `removedBy`.
 */
export function renewPlan(plan: Plan, groups: ChannelGroups): Plan {
  const removed = removedBy(plan, groups);
  const axes = axesOf(groups);
  /** What the plan says of each group by now. */
  const said = new Map<number, PlanGroup[]>();
  for (const group of plan.groups) {
    const id = groupOf(group, axes, groups);
    if (id !== undefined) said.set(id, [...(said.get(id) ?? []), group]);
  }
  const renewed = groups.groups.flatMap((group) => {
    const before = said.get(group.id) ?? [];
    return planGroups(groups, group, removed, () => before[0]?.why ?? { method: 'by hand', asked: 0 }).map(
      (next): PlanGroup => {
        const same = before.find(({ remove }) => remove.join() === next.remove.join());
        if (same && same.why.scores?.length === next.remove.length) return { ...next, why: same.why };
        const { method, asked } = next.why;
        return { ...next, why: { method, asked } };
      },
    );
  });
  const layersOf = (of: readonly PlanGroup[]): Set<string> =>
    new Set(of.filter(({ remove }) => remove.length > 0).flatMap(({ layers }) => layers));
  const [cutBefore, cutNow] = [layersOf(plan.groups), layersOf(renewed)];
  const edited = new Set(plan.groups.filter(isEdited).flatMap(({ layers }) => layers));
  // What was kept in part still is, unless it was edited; what was whole and is cut now has no reason any more.
  const kept = plan.kept.filter(({ layer }) =>
    cutNow.has(layer) ? cutBefore.has(layer) && !edited.has(layer) : !edited.has(layer),
  );
  const told = new Set(kept.map(({ layer }) => layer));
  // A plan of blocks alone says nothing of channels.
  const listed = plan.groups.length === 0 ? [] : groups.groups;
  const whole = new Set(listed.flatMap(({ layers }) => layers).filter((layer) => !cutNow.has(layer)));
  return {
    ...plan,
    // Where blocks are left out, `groups` are of the model without them.
    model: modelFacts(groups, removed, plan.blocks?.length ? beforeOf(plan) : undefined),
    groups: renewed,
    kept: [
      ...kept,
      ...[...whole].flatMap((layer) =>
        told.has(layer) ? [] : [{ layer, why: 'the plan takes nothing of it' }],
      ),
    ],
  };
}

const beforeOf = ({ model }: Plan): { readonly parameters: number; readonly macs: number } => ({
  parameters: model.parameters.before,
  macs: model.macs.before,
});

/** True where the members of a group do not follow from its `remove`. */
export const isEdited = (group: PlanGroup): boolean =>
  firstMember(group).remove.join() !== group.remove.join();

/** The group of a model that a group of a plan is about; also where its `remove` was emptied. */
function groupOf(
  group: PlanGroup,
  axes: ReadonlyMap<string, Axis>,
  groups: ChannelGroups,
): number | undefined {
  const { parameter, axis, parts, remove } = firstMember(group);
  const units = axes.get(placeOf(parameter, axis, parts))?.unitAt;
  const unit = units?.get(remove[0] ?? group.remove[0] ?? -1);
  return unit === undefined ? undefined : groups.groupOf[unit];
}
