import { ArgumentError, StateDictError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { isEdited } from './apply-plan.ts';
import { gatherAxes, gatherParts } from './gather.ts';
import type { Plan, PlanMember } from './plan.ts';

/** What PyTorch's wrappers put before every name: `DataParallel` and `torch.compile`. */
const WRAPPERS = ['', 'module.', '_orig_mod.'] as const;

/** All that goes of one parameter. */
interface ParameterCut {
  readonly parameter: string;
  readonly shape: readonly number[];
  readonly transposed: boolean;
  /** Indices that go, by axis. */
  readonly axes: ReadonlyMap<number, ReadonlySet<number>>;
  readonly parts: PartedCut | null;
}

/** An axis that loses other indices for each part of another. */
interface PartedCut {
  readonly axis: number;
  readonly along: number;
  readonly count: number;
  readonly remove: ReadonlySet<number>;
}

/**
 * Cuts the tensors of a checkpoint (a state dict, by name) as a plan says, without a graph: those of blocks that go are left out, and what stays of others is gathered along the axes of every member. Names may have the prefix of a PyTorch wrapper (`module.`, `_orig_mod.`); weights of linear
 * layers may lie as `[out, in]` or `[in, out]`. Tensors the plan does not name are handed on; `untouchedBy` tells those among them that may need a cut of their own. The tensors given are not changed.
 *
 * Throws StateDictError where parameters of the plan are missing, ArgumentError where one has another shape, or where `remove` of a group was edited and its members were not brought after it
 * (`renewPlan`), UnsupportedError for dtypes below a byte.
 */
export function applyPlanToTensors(plan: Plan, tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const result = new Map(tensors);
  for (const name of namesOfBlocks(plan, tensors)) result.delete(name);
  const found = cutsOf(plan).map((cut) => ({ cut, name: nameIn(tensors, cut.parameter) }));
  const missing = found.flatMap(({ cut, name }) => (name === null ? [cut.parameter] : []));
  if (missing.length > 0) {
    throw new StateDictError(
      `plan: cuts parameters that the tensors do not have: ${listed(missing)}. The tensors are of another model, or are named otherwise there`,
      missing,
    );
  }
  for (const { cut, name } of found) {
    if (name !== null) result.set(name, cutTensor(cut, tensors.get(name)!));
  }
  return result;
}

/**
 * Names of tensors that a plan leaves alone though one of their sizes is that of a channel axis it cuts: where a checkpoint has more than the graph the plan is of (a batch norm that was folded away, say), these need a cut by hand.
 */
export function untouchedBy(plan: Plan, tensors: ReadonlyMap<string, Tensor>): readonly string[] {
  const cuts = cutsOf(plan);
  const named = new Set(cuts.map(({ parameter }) => nameIn(tensors, parameter)));
  for (const name of namesOfBlocks(plan, tensors)) named.add(name);
  const sizes = new Set(cuts.flatMap(({ shape, axes }) => [...axes.keys()].map((axis) => shape[axis]!)));
  return [...tensors]
    .filter(([name, { shape }]) => !named.has(name) && shape.some((size) => sizes.has(size)))
    .map(([name]) => name);
}

/** What PyTorch's batch norm has beside its statistics: no graph knows it. */
const COUNTER = 'num_batches_tracked';

/** Names of tensors that go with a plan's blocks. Throws StateDictError where there are none of a block. */
function namesOfBlocks({ blocks = [] }: Plan, tensors: ReadonlyMap<string, Tensor>): readonly string[] {
  return blocks.flatMap(({ name, parameters }) => {
    const found = parameters.flatMap((parameter) => nameIn(tensors, parameter) ?? []);
    if (found.length === 0 && parameters.length > 0) {
      throw new StateDictError(
        `plan: removes block '${name}', of which the tensors have nothing (${parameters[0]}, …). The tensors are of another model, or are named otherwise there`,
        parameters,
      );
    }
    const counters = found.map((parameter) => parameter.replace(/[^.]*$/, COUNTER));
    return [...found, ...new Set(counters)];
  });
}

/** Most names that an error lists. */
const MOST_LISTED = 8;

const listed = (names: readonly string[]): string =>
  `${names
    .slice(0, MOST_LISTED)
    .map((name) => `"${name}"`)
    .join(', ')}${names.length > MOST_LISTED ? ` and ${names.length - MOST_LISTED} more` : ''}`;

/** The name of a parameter among the tensors; null where it is not there. */
const nameIn = (tensors: ReadonlyMap<string, Tensor>, parameter: string): string | null =>
  WRAPPERS.map((prefix) => prefix + parameter).find((name) => tensors.has(name)) ?? null;

function cutsOf(plan: Plan): readonly ParameterCut[] {
  const byName = new Map<string, PlanMember[]>();
  for (const group of plan.groups) {
    if (group.remove.length === 0) continue;
    if (isEdited(group)) {
      throw new ArgumentError(
        `plan: 'remove' of group '${group.name}' was edited, its members were not brought after it; apply the plan to the model first and write it anew, then to the tensors`,
      );
    }
    for (const member of group.members) {
      const known = byName.get(member.parameter);
      if (known) known.push(member);
      else byName.set(member.parameter, [member]);
    }
  }
  return [...byName].map(([parameter, members]) => cutOf(parameter, members));
}

function cutOf(parameter: string, members: readonly PlanMember[]): ParameterCut {
  const axes = new Map<number, Set<number>>();
  let parts: (Omit<PartedCut, 'remove'> & { readonly remove: Set<number> }) | null = null;
  for (const { axis, parts: parted, remove } of members) {
    if (parted) {
      parts ??= { axis, ...parted, remove: new Set() };
      for (const index of remove) parts.remove.add(index);
      continue;
    }
    const known = axes.get(axis) ?? new Set();
    axes.set(axis, known);
    for (const index of remove) known.add(index);
  }
  const transposed = members.some((member) => member.transposed === true);
  return { parameter, shape: members[0]?.shape ?? [], transposed, axes, parts };
}

function cutTensor({ parameter, shape, transposed, axes, parts }: ParameterCut, tensor: Tensor): Tensor {
  const isReversed = orientation(parameter, shape, transposed, tensor.shape);
  let result = tensor;
  if (parts) {
    const goes = axes.get(parts.along) ?? new Set<number>();
    result = gatherParts(result, parts.axis, parts.along, partsThatStay(parameter, parts, shape, goes));
  }
  const picks = [...axes].map(([axis, remove]) => {
    const indices = Array.from(Array(shape[axis]!).keys()).filter((index) => !remove.has(index));
    return { axis: isReversed ? 1 - axis : axis, indices };
  });
  return gatherAxes(result, picks);
}

/** True where a tensor lies the other way round than the plan counts its axes. Throws ArgumentError where its shape is another. */
function orientation(
  parameter: string,
  shape: readonly number[],
  transposed: boolean,
  found: readonly number[],
): boolean {
  const same = shape.join() === found.join();
  const reversed = shape.length === 2 && shape.toReversed().join() === found.join();
  // A square weight is known by its exporter alone.
  if (transposed ? reversed : same) return transposed;
  if (same || reversed) return reversed;
  const expected = transposed ? shape.toReversed() : shape;
  throw new ArgumentError(
    `plan: '${parameter}' is [${found.join(', ')}] among the tensors and was [${expected.join(', ')}] when the plan was made; the tensors are of another model, or were cut already`,
  );
}

/** For each part, the positions that stay; parts that go whole take those of another. */
function partsThatStay(
  parameter: string,
  { axis, along, count, remove }: PartedCut,
  shape: readonly number[],
  goes: ReadonlySet<number>,
): readonly (readonly number[])[] {
  const size = shape[axis]!;
  const length = shape[along]! / count;
  const positions = Array.from({ length: count }, (_, part) => {
    const isGone = Array.from({ length }, (_unused, row) => part * length + row).every((row) =>
      goes.has(row),
    );
    if (isGone) return null;
    return Array.from(Array(size).keys()).filter((position) => !remove.has(part * size + position));
  });
  const alive = positions.find((own) => own !== null) ?? [];
  const uneven = positions.findIndex((own) => own !== null && own.length !== alive.length);
  if (uneven >= 0) {
    throw new ArgumentError(
      `plan: '${parameter}' would keep ${positions[uneven]?.length} channels in part ${uneven} and ${alive.length} in others; each part must lose equally many`,
    );
  }
  return positions.map((own) => own ?? alive);
}
