import { readBy, staticShape, type Value } from '../ir/index.ts';
import { findOperator, layerOf } from '../ops/index.ts';
import { layerName } from './analyze.ts';
import { costOf, type ModelCost } from './cost.ts';
import type { Coupling } from './coupling.ts';
import type { Decision } from './decide.ts';
import type { ChannelGroup, ChannelGroups, Member, Role } from './groups.ts';
import type { PlanBlock } from './plan-blocks.ts';

/** Plain data, as JSON has it. */
export type PlanJson =
  | null
  | boolean
  | number
  | string
  | readonly PlanJson[]
  | { readonly [key: string]: PlanJson };

/** What plans of this version begin with. */
export const PLAN_FORMAT = 'secateur-plan/1';

/** An axis of a parameter that loses indices with a group. */
export interface PlanMember {
  /** Its name, as PyTorch's: `model.0.conv.weight`. */
  readonly parameter: string;
  /** Its shape before the cut. */
  readonly shape: readonly number[];
  readonly axis: number;
  readonly role: Role;
  /**
   * Set where the axis holds other channels for each of `count` equal parts of axis `along` (a grouped convolution's input axis): an index is then `part * size + position`, `size` being that of the
   * axis.
   */
  readonly parts?: { readonly along: number; readonly count: number };
  /** True where a linear layer's weight is stored as `[in, out]`, and PyTorch's checkpoint has it as `[out, in]`. */
  readonly transposed?: boolean;
  /** Indices along the axis that go, ascending. */
  readonly remove: readonly number[];
}

/** Why channels of a group go. */
export interface PlanWhy {
  /** How they were ranked. */
  readonly method: string;
  /** Share of the group's units that was to go. */
  readonly asked: number;
  /** Scores of the channels in `remove`, in order; left out where they are not known. */
  readonly scores?: readonly number[];
}

/** What goes of channels that are coupled. */
export interface PlanGroup {
  /** Name of the first layer that makes the channels. */
  readonly name: string;
  /** Names of all layers that make them. */
  readonly layers: readonly string[];
  /** How many channels of the group the first member has before the cut. */
  readonly channels: number;
  /** Channels that go: indices along the axis of the first member. What is edited is this list; everything else follows from it. */
  readonly remove: readonly number[];
  readonly why: PlanWhy;
  /** Every parameter that is cut with these channels. The first one makes them, and says what `remove` counts: it loses just these indices. */
  readonly members: readonly PlanMember[];
}

/** A number before and after a cut. */
export interface BeforeAfter {
  readonly before: number;
  readonly after: number;
}

/** What is cut where, and why: plain data that is written, read by people, edited, and applied to another copy of a model or to its checkpoint. */
export interface Plan {
  readonly format: typeof PLAN_FORMAT;
  /** When it was made, as the caller wrote it. */
  readonly created?: string;
  readonly model: {
    /** Shapes of the inputs that costs are for. */
    readonly inputs: Readonly<Record<string, readonly number[]>>;
    readonly parameters: BeforeAfter;
    readonly macs: BeforeAfter;
  };
  /** How channels were put together: see `GroupOptions`. */
  readonly heads: 'width' | 'whole';
  /** What was asked for. */
  readonly options: Readonly<Record<string, PlanJson>>;
  /** Blocks that go whole, before channels do; left out where there are none. */
  readonly blocks?: readonly PlanBlock[];
  /** Groups that lose channels, of the model without these blocks. */
  readonly groups: readonly PlanGroup[];
  /** Layers that lose none, or fewer than asked. */
  readonly kept: readonly { readonly layer: string; readonly why: string }[];
}

/** What a plan says beside the cut. */
export interface PlanFacts {
  /** How channels were ranked. */
  readonly method: string;
  /** Score of each unit. */
  readonly scores?: Float64Array;
  /** What was asked for. Undefined values are left out. */
  readonly options?: object;
  /** Blocks that are left out, and what the model was with them: `groups` are of the model without. */
  readonly blocks?: readonly PlanBlock[];
  readonly whole?: Pick<ModelCost, 'parameters' | 'macs'>;
  readonly created?: string;
}

/** The plan of a decision. Scores are written with 6 digits. */
export function makePlan(groups: ChannelGroups, decision: Decision, facts: PlanFacts): Plan {
  const { removed } = decision;
  const cut = decision.groups.filter(({ removed: count }) => count > 0);
  return {
    format: PLAN_FORMAT,
    ...(facts.created === undefined ? {} : { created: facts.created }),
    model: modelFacts(groups, removed, facts.whole),
    heads: groups.heads,
    options: plainOptions(facts.options ?? {}),
    ...(facts.blocks && facts.blocks.length > 0 ? { blocks: facts.blocks } : {}),
    groups: cut.flatMap(({ group, asked }) =>
      planGroups(groups, group, removed, (units) => ({
        method: facts.method,
        asked,
        ...(facts.scores ? { scores: units.map((unit) => shortened(facts.scores![unit]!)) } : {}),
      })),
    ),
    kept: [...keptLayers(decision), ...notFollowed(groups.coupling), ...ofComputedWeights(groups.coupling)],
  };
}

/** What a model is and costs, before and after a cut; `before` is what it was with blocks that are left out. */
export function modelFacts(
  groups: ChannelGroups,
  removed: Uint8Array,
  before: Pick<ModelCost, 'parameters' | 'macs'> = costOf(groups, new Uint8Array(groups.unitCount)),
): Plan['model'] {
  const after = costOf(groups, removed);
  return {
    inputs: groups.coupling.shapes,
    parameters: { before: before.parameters, after: after.parameters },
    macs: { before: before.macs, after: after.macs },
  };
}

/** A score as it is written. */
const shortened = (score: number): number => Number(score.toPrecision(6));

/**
 * What goes of a group, with every parameter that follows: one entry, unless no layer of the group has all the channels that go (a sum of a layer's first half with another layer); then one for each layer that tells more of
 * them. `whyOf` is asked with the unit of each channel in `remove`.
 */
export function planGroups(
  { coupling }: ChannelGroups,
  group: ChannelGroup,
  removed: Uint8Array,
  whyOf: (units: readonly number[]) => PlanWhy,
): readonly PlanGroup[] {
  const left = new Set(Array.from(group.units).filter((unit) => removed[unit] === 1));
  const result: PlanGroup[] = [];
  while (left.size > 0) {
    const telling = tellingMember(coupling, group.members, left);
    if (!telling) break;
    const { first, units } = telling;
    const others = group.members.filter((member) => member !== first);
    const members = [first, ...others].map((member) => planMember(member, units));
    const layer = coupling.sources.find(({ value, axis }) => value === first.value && axis === first.axis);
    result.push({
      name: result.length === 0 ? group.name : (layer?.name ?? group.name),
      layers: group.layers,
      channels: first.indices.length,
      remove: members[0]!.remove,
      why: whyOf(Array.from(first.units).filter((unit) => units.has(unit))),
      members: members.filter(({ remove }) => remove.length > 0),
    });
    for (const unit of units) left.delete(unit);
  }
  return result;
}

/** The member that has the most of some units, of several the one whose layer comes first; null where none has any. */
function tellingMember(
  { sources }: Coupling,
  members: readonly Member[],
  units: ReadonlySet<number>,
): { readonly first: Member; readonly units: ReadonlySet<number> } | null {
  const placeOf = ({ value, axis }: Member): number => {
    const place = sources.findIndex((source) => source.value === value && source.axis === axis);
    return place < 0 ? sources.length : place;
  };
  const makes = members.filter(({ role, parts }) => role === 'out' && !parts);
  const told = (makes.length > 0 ? makes : members.filter(({ parts }) => !parts))
    .map((member) => ({
      first: member,
      units: new Set(Array.from(member.units).filter((unit) => units.has(unit))),
      place: placeOf(member),
    }))
    .filter((one) => one.units.size > 0)
    .sort((a, b) => b.units.size - a.units.size || a.place - b.place);
  return told[0] ?? null;
}

function planMember(member: Member, gone: ReadonlySet<number>): PlanMember {
  const { name, axis, role, parts, indices, units } = member;
  return {
    parameter: name,
    shape: staticShape(member.value.initializer?.shape) ?? [],
    axis,
    role,
    ...(parts ? { parts } : {}),
    ...(isTransposed(member) ? { transposed: true } : {}),
    remove: Array.from(indices).filter((_, place) => gone.has(units[place]!)),
  };
}

/**
 * True where a checkpoint holds the weight the other way round: exporters write a linear layer as a product with the transposed weight, under a name of their own.
 */
function isTransposed({ value, name, node }: Member): boolean {
  if (value.name === name || value.initializer?.shape.length !== 2) return false;
  const parameter = layerOf(node)?.parameters.find(({ input }) => node.inputs[input] === value);
  const layout = parameter?.layout;
  return layout !== undefined && layout.input !== null && layout.input < layout.output;
}

/** The layers of groups that lose less than asked, and single layers, each reason once. */
function keptLayers({ groups, uneven }: Decision): Plan['kept'] {
  const told = groups.flatMap(({ group, whyNot }) =>
    whyNot === null ? [] : group.layers.map((layer) => ({ layer, why: whyNot })),
  );
  const byText = new Map([...told, ...uneven].map((one) => [`${one.layer}\n${one.why}`, one]));
  return [...byText.values()];
}

/** Layers beyond what is followed: they are in no group. */
function notFollowed({ notFollowed: nodes, nameOf }: Coupling): Plan['kept'] {
  return nodes.flatMap(({ node, why }) => {
    const weight = layerOf(node)?.parameters.find(({ layout }) => layout && layout.input !== null);
    const value = weight && node.inputs[weight.input];
    return value ? [{ layer: layerName(nameOf(value), node), why: `${node.label}: ${why}` }] : [];
  });
}

/** Layers whose weights are computed of constants in the graph itself, as a quantized model's are: they are no parameters, and make no channels of their own. */
function ofComputedWeights({ graph, notFollowed: left }: Coupling): Plan['kept'] {
  const notFollowed = new Set(left.map(({ node }) => node));
  return graph.nodes.flatMap((node) => {
    const weight = findOperator(node.domain, node.opType)?.weightedSum ? node.inputs[1] : null;
    if (!weight?.producer || notFollowed.has(node) || layerOf(node) !== null || !isOfConstants(weight))
      return [];
    return [
      {
        layer: node.name || node.output().name,
        why: `its weight is computed by ${weight.producer.label}, and only constants can be cut; prune a model before it is quantized`,
      },
    ];
  });
}

/** True where nothing that the graph is given goes into a value. */
function isOfConstants(value: Value): boolean {
  const seen = new Set<Value>([value]);
  for (const at of seen) {
    if (at.initializer) continue;
    if (!at.producer) return false;
    for (const input of readBy(at.producer)) seen.add(input);
  }
  return true;
}

/** The options as JSON has them. */
const plainOptions = (options: object): Readonly<Record<string, PlanJson>> =>
  JSON.parse(JSON.stringify(options)) as Readonly<Record<string, PlanJson>>;

/** The text of a plan to be read and edited: indented, with lists of numbers on a line of their own. Ends with a line break. */
export function planText(plan: Plan): string {
  const text = JSON.stringify(plan, null, 2);
  return `${text.replace(/\[\n\s*(-?[\d.e+-]+(?:,\s+-?[\d.e+-]+)*)\s+\]/g, (_, numbers: string) => `[${numbers.replace(/\s+/g, ' ')}]`)}\n`;
}
