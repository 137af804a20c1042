import { ArgumentError } from '../core/errors.ts';
import { toFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import type { AnyModule, Parameter } from '../nn/index.ts';
import { countZeros } from '../profile/index.ts';
import {
  customFromMask,
  type Granularity,
  GroupStructured,
  globalUnstructured,
  L1Unstructured,
  l1Unstructured,
  type PruningTarget,
  pruneGranular,
  type SelectOptions,
  selectParameters,
} from '../prune/index.ts';

/** A weight that pruning is about. */
export interface Prunable {
  /** Path of its module, such as `conv1`; with the parameter's name, `lstm.weight_ih`, where several of one module are meant. */
  readonly layer: string;
  readonly module: AnyModule;
  /** Name of the parameter in the module. */
  readonly name: string;
  readonly parameter: Parameter;
}

/** The weights that pruning is about, with the paths of their modules; see `selectParameters`. */
export function prunables(model: AnyModule, options: SelectOptions = {}): Prunable[] {
  const paths = new Map<AnyModule, string>();
  for (const [path, module] of model.namedModules()) paths.set(module, path);
  const selected = selectParameters(model, options);
  return selected.map(([module, name]) => {
    const path = paths.get(module) ?? '';
    const alone = selected.filter(([other]) => other === module).length === 1;
    return {
      layer: alone ? path : path === '' ? name : `${path}.${name}`,
      module,
      name,
      parameter: module.getParameter(name),
    };
  });
}

/** Zeros among the entries of a parameter as it is used. */
export const zerosOf = ({ data }: Parameter): number => countZeros(data);

/** Pruned entries of a parameter: those whose mask is 0. */
export const prunedOf = ({ mask }: Parameter): number => (mask ? countZeros(mask) : 0);

/** Share of pruned entries among the weights given. */
export function prunedShare(weights: readonly { readonly parameter: Parameter }[]): number {
  const size = weights.reduce((sum, { parameter }) => sum + parameter.size, 0);
  const pruned = weights.reduce((sum, { parameter }) => sum + prunedOf(parameter), 0);
  return size === 0 ? 0 : pruned / size;
}

/** Prunes a model until it has a sparsity; what is pruned stays pruned. `round` counts from 1. A function of model, sparsity and round, so that a run that was killed can repeat it. */
export type PruneStep = (model: AnyModule, sparsity: number, round: number) => void | Promise<void>;

/** What prunes in a run of rounds: a function, or one with a name, by which a run that goes on knows its checkpoint. */
export type PruneMethod = PruneStep | { readonly name: string; readonly prune: PruneStep };

/** Masks of a model's pruned parameters, by place, to be held against later. */
export type HeldMasks = ReadonlyMap<string, Tensor>;

/** Copies of all masks of a model. */
export function heldMasks(model: AnyModule): HeldMasks {
  const masks = new Map<string, Tensor>();
  for (const { path, name, parameter } of model.parameterPlaces()) {
    if (parameter.mask) masks.set(`${path}:${name}`, parameter.mask.clone());
  }
  return masks;
}

/** Prunes again what was pruned before, whatever a method did to the masks since. Gives how many more entries are pruned now. */
export function holdMasks(model: AnyModule, before: HeldMasks): number {
  let more = 0;
  for (const { path, name, parameter } of [...model.parameterPlaces()]) {
    const held = before.get(`${path}:${name}`)?.float32;
    const mask = parameter.mask?.float32;
    const owner = path === '' ? model : model.getSubmodule(path);
    if (held?.some((keep, index) => keep === 0 && (mask?.[index] ?? 1) !== 0)) {
      const both = held.map((keep, index) => (keep === 0 ? 0 : (mask?.[index] ?? 1)));
      if (parameter.pruning) {
        parameter.pruning.mask.setData(both);
        parameter.refresh();
      } else customFromMask(owner, name, new Tensor('float32', parameter.shape, both));
    }
    more += prunedOf(parameter) - (held?.reduce((sum, keep) => sum + Number(keep === 0), 0) ?? 0);
  }
  return more;
}

/** How `magnitudePruning` ranks. */
export interface MagnitudePruningOptions extends SelectOptions {
  /** Rank over all layers together (`global`, the default) or bring each layer to the same sparsity. */
  readonly scope?: 'global' | 'layer';
  /** Groups that go as one; single weights by default. Ranked by mean magnitude. */
  readonly granularity?: Granularity | undefined;
  /** Sparsity of each layer relative to the others, such as those of `amountsFrom`: they are scaled until the whole has the sparsity asked for. Layers that are left out are not pruned. */
  readonly amounts?: Readonly<Record<string, number>> | undefined;
}

/**
 * Magnitude pruning (Han et al. 2015) of all that is selected, to the sparsity asked for. Groups are whole: of them as many go as it takes to have that sparsity. A layer that is pruned by
 * itself keeps its last weight or group. Throws ArgumentError where nothing is selected, a layer of `amounts` is none or its amount no share, and for the granularity `nm`, which says by itself how much goes.
 */
export function magnitudePruning(options: MagnitudePruningOptions = {}): PruneStep {
  const { scope = 'global', granularity, amounts } = options;
  if (granularity?.kind === 'nm') {
    throw new ArgumentError(
      `magnitudePruning: ${granularity.n}:${granularity.m} says by itself how much is pruned, not in rounds; use pruneGranular`,
    );
  }
  for (const [layer, amount] of Object.entries(amounts ?? {})) {
    if (!(amount >= 0 && amount <= 1))
      throw new ArgumentError(
        `magnitudePruning: amounts expects shares in [0, 1], got ${amount} for '${layer}'`,
      );
  }
  return (model, sparsity) => {
    const weights = prunables(model, options);
    if (amounts) {
      const shares = scaledAmounts(weights, amounts, sparsity);
      for (const weight of weights) pruneTo([weight], shares.get(weight)!, granularity);
    } else if (scope === 'global') pruneTo(weights, sparsity, granularity);
    else for (const weight of weights) pruneTo([weight], sparsity, granularity);
  };
}

/** Prunes weights, ranked together, until a share of them is pruned. One by itself keeps its last entry: a layer without any would let nothing through. */
function pruneTo(weights: readonly Prunable[], sparsity: number, granularity?: Granularity): void {
  const size = weights.reduce((sum, { parameter }) => sum + parameter.size, 0);
  const pruned = weights.reduce((sum, { parameter }) => sum + prunedOf(parameter), 0);
  const targets = weights.map(({ module, name }): PruningTarget => [module, name]);
  const [only] = targets;
  // Layers by themselves are rounded up, so that together they are not below what is asked for.
  const wanted =
    targets.length === 1
      ? Math.min(Math.ceil(size * sparsity - 1e-6), size - 1)
      : Math.round(size * sparsity);
  if (wanted <= pruned || !only) return;
  if (granularity && granularity.kind !== 'fine-grained') pruneGroups(weights, wanted, granularity);
  else if (targets.length === 1) l1Unstructured(only[0], only[1], { count: wanted - pruned });
  else globalUnstructured(targets, L1Unstructured, { amount: { count: wanted - pruned } });
}

/** Prunes the smallest groups, as many as it takes to have a number of pruned weights. The last group of all stays. */
function pruneGroups(weights: readonly Prunable[], wanted: number, granularity: Granularity): void {
  const targets = weights.map(({ module, name }): PruningTarget => [module, name]);
  for (;;) {
    const missing = wanted - weights.reduce((sum, { parameter }) => sum + prunedOf(parameter), 0);
    const sizes = missing > 0 ? livingGroups(weights, granularity) : [];
    let [count, sum] = [0, 0];
    for (; count < sizes.length - 1 && sum < missing; count++) sum += sizes[count]!;
    if (count === 0) return;
    // Groups at the edge, or pruned in part, are smaller than the others of their weight: what is missing yet goes in another turn.
    pruneGranular(targets, {
      granularity,
      amount: { count },
      scope: targets.length > 1 ? 'global' : 'local',
    });
  }
}

/** Groups of which something is left, by rising score: how many weights are left in each, in the mean over those of the same parameter. */
function livingGroups(weights: readonly Prunable[], granularity: Granularity): Float32Array {
  const ranked = weights.map(({ parameter }) => {
    const method = new GroupStructured(granularity, 0);
    method.prepare(parameter);
    const mask = parameter.mask ?? new Tensor('float32', parameter.shape, onesOf(parameter.size));
    const { scores } = method.rank(toFloat32(parameter.data), mask);
    return { scores, size: (parameter.size - prunedOf(parameter)) / scores.length };
  });
  const count = ranked.reduce((sum, { scores }) => sum + scores.length, 0);
  const all = new Float32Array(count);
  const sizes = new Float32Array(count);
  let offset = 0;
  for (const { scores, size } of ranked) {
    all.set(scores, offset);
    sizes.fill(size, offset, offset + scores.length);
    offset += scores.length;
  }
  const order = new Uint32Array(count).map((_, index) => index).sort((a, b) => all[a]! - all[b]!);
  return Float32Array.from(order, (index) => sizes[index]!);
}

const onesOf = (size: number): Float32Array<ArrayBuffer> => new Float32Array(size).fill(1);

/** Amounts of which together are the sparsity asked for, found by bisection: times one factor where that is less than they are, else with what each leaves raised to one power, which is never nothing. */
function scaledAmounts(
  weights: readonly Prunable[],
  amounts: Readonly<Record<string, number>>,
  sparsity: number,
): ReadonlyMap<Prunable, number> {
  const unknown = Object.keys(amounts).find((layer) => !weights.some((weight) => weight.layer === layer));
  if (unknown !== undefined)
    throw new ArgumentError(`magnitudePruning: amounts name the layer '${unknown}', which is not pruned`);
  const size = weights.reduce((sum, { parameter }) => sum + parameter.size, 0);
  const scaled = (factor: number): Map<Prunable, number> =>
    new Map(
      weights.map((weight) => {
        const amount = amounts[weight.layer] ?? 0;
        return [weight, factor <= 1 ? amount * factor : 1 - (1 - amount) ** factor];
      }),
    );
  const reached = (shares: ReadonlyMap<Prunable, number>): number =>
    weights.reduce((sum, weight) => sum + shares.get(weight)! * weight.parameter.size, 0) / size;
  let [low, high] = [0, 1];
  while (reached(scaled(high)) < sparsity && high < 1e6) high *= 2;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (reached(scaled(middle)) < sparsity) low = middle;
    else high = middle;
  }
  return scaled(high);
}
