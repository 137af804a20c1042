import { ArgumentError } from '../core/errors.ts';
import type { AnyModule, Parameter } from '../nn/index.ts';
import {
  type Granularity,
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
  /** Path of its module, such as `conv1`. */
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
  return selectParameters(model, options).map(([module, name]) => ({
    layer: paths.get(module) ?? '',
    module,
    name,
    parameter: module.getParameter(name),
  }));
}

/** Zeros among the entries of a parameter as it is used. */
export const zerosOf = ({ data }: Parameter): number =>
  data.float32.reduce((count, value) => count + Number(value === 0), 0);

/** Pruned entries of a parameter: those whose mask is 0. */
export const prunedOf = ({ mask }: Parameter): number =>
  mask ? mask.float32.reduce((count, value) => count + Number(value === 0), 0) : 0;

/** Share of pruned entries among the weights given. */
export function prunedShare(weights: readonly Prunable[]): number {
  const size = weights.reduce((sum, { parameter }) => sum + parameter.size, 0);
  const pruned = weights.reduce((sum, { parameter }) => sum + prunedOf(parameter), 0);
  return size === 0 ? 0 : pruned / size;
}

/** Prunes a model until it has a sparsity; what is pruned stays pruned. `round` counts from 1. */
export type PruneStep = (model: AnyModule, sparsity: number, round: number) => void | Promise<void>;

/** How `magnitudePruning` ranks. */
export interface MagnitudePruningOptions extends SelectOptions {
  /** Rank over all layers together (`global`, the default) or bring each layer to the same sparsity. */
  readonly scope?: 'global' | 'layer';
  /** Groups that go as one; single weights by default. Ranked by mean magnitude. */
  readonly granularity?: Granularity | undefined;
  /** Sparsity of each layer relative to the others, such as those of `amountsFrom`: they are scaled until the whole has the sparsity asked for. */
  readonly amounts?: Readonly<Record<string, number>> | undefined;
}

/** Magnitude pruning (Han et al. 2015) of all that is selected, to the sparsity asked for. Throws ArgumentError where nothing is selected or a layer of `amounts` is none. */
export function magnitudePruning(options: MagnitudePruningOptions = {}): PruneStep {
  const { scope = 'global', granularity, amounts } = options;
  return (model, sparsity) => {
    const weights = prunables(model, options);
    if (amounts) {
      const shares = scaledAmounts(weights, amounts, sparsity);
      for (const weight of weights) pruneTo([weight], shares.get(weight)!, granularity);
    } else if (scope === 'global') pruneTo(weights, sparsity, granularity);
    else for (const weight of weights) pruneTo([weight], sparsity, granularity);
  };
}

/** Prunes weights, ranked together, until a share of them is pruned. */
function pruneTo(weights: readonly Prunable[], sparsity: number, granularity?: Granularity): void {
  const size = weights.reduce((sum, { parameter }) => sum + parameter.size, 0);
  const pruned = weights.reduce((sum, { parameter }) => sum + prunedOf(parameter), 0);
  const missing = Math.round(size * sparsity) - pruned;
  if (missing <= 0 || size === pruned) return;
  const targets = weights.map(({ module, name }): PruningTarget => [module, name]);
  if (granularity && granularity.kind !== 'fine-grained') {
    // Groups count among those that are left, as in PyTorch's containers.
    const share = Math.min(1, missing / (size - pruned));
    pruneGranular(targets, { granularity, amount: share, scope: targets.length > 1 ? 'global' : 'local' });
  } else if (targets.length === 1) l1Unstructured(targets[0]![0], targets[0]![1], { count: missing });
  else globalUnstructured(targets, L1Unstructured, { amount: { count: missing } });
}

/** Amounts times one factor, at most all of a layer, such that together they are the sparsity asked for; found by bisection. */
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
    new Map(weights.map((weight) => [weight, Math.min(1, (amounts[weight.layer] ?? 0) * factor)]));
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
