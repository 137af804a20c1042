import { ArgumentError } from '../core/errors.ts';
import { toFloat32 } from '../core/float16.ts';
import type { Generator } from '../core/random.ts';
import { maskSmallest } from '../core/selection.ts';
import { Tensor } from '../core/tensor.ts';
import type { AnyModule, Parameter } from '../nn/index.ts';
import { type Amount, checkAmount, countToPrune } from './amount.ts';
import { axisView } from './channels.ts';
import { applyMasks, globalMasks, type PruningTarget } from './global.ts';
import { GroupStructured, maskWithout, NMStructured } from './granular.ts';
import {
  assumedLayout,
  checkGranularity,
  type Granularity,
  granularityProblem,
  type Importance,
  outputChannels,
} from './granularity.ts';
import { type BasePruningMethod, ones, parameterOf, planPruning, scoresFor } from './method.ts';
import { L1Unstructured, RandomUnstructured } from './unstructured.ts';

/** Options of `pruneGranular`. */
export interface PruneGranularOptions {
  /** What is pruned as one; single weights if left out. */
  readonly granularity?: Granularity | undefined;
  /** How many groups go: of each parameter's, or with `scope: 'global'` of all together. Left out for 'nm', which says it itself. */
  readonly amount?: Amount | undefined;
  /** What ranks groups: mean magnitude ('l1', the default), root mean square ('l2'), or chance ('random'). */
  readonly importance?: Importance | undefined;
  /**
   * Scores in the weights' place, by module and parameter name: tensors of the parameter's shape, or with one score a filter
   * (`[output channels]`), such as those of `meanActivation` and `apoz`.
   */
  readonly importanceScores?: ReadonlyMap<AnyModule, Readonly<Record<string, Tensor>>> | undefined;
  /** Rank within each parameter ('local', the default) or across all ('global'). Layers are always ranked across all. */
  readonly scope?: 'local' | 'global' | undefined;
  /** Draws the numbers of 'random'; the default generator if left out. */
  readonly generator?: Generator | undefined;
}

interface Target {
  readonly module: AnyModule;
  readonly name: string;
  readonly parameter: Parameter;
  readonly scores: Tensor | undefined;
}

/**
 * Prunes parameters in groups of any granularity: the one function behind `secateur prune --granularity`. Each parameter becomes a pruned one
 * as by the functions of PyTorch, and pruning again combines: wholly pruned groups do not count any more.
 *
 * ```ts
 * pruneGranular([[conv, 'weight']], { granularity: { kind: 'nm', n: 2, m: 4 } });
 * pruneGranular(selectParameters(model), { granularity: { kind: 'filter' }, importance: 'l2', amount: 0.3, scope: 'global' });
 * ```
 *
 * Throws ArgumentError where a parameter cannot have such groups (a linear layer has no kernels) and for amounts that cannot be; nothing has
 * changed then.
 */
export function pruneGranular(targets: Iterable<PruningTarget>, options: PruneGranularOptions): void {
  const granularity = options.granularity ?? { kind: 'fine-grained' };
  checkGranularity(granularity);
  const checked = checkTargets(targets, granularity, options);
  if (granularity.kind === 'nm') {
    if (options.amount !== undefined) {
      throw new ArgumentError(
        `pruneGranular: ${granularity.n}:${granularity.m} says itself how much goes; leave amount out`,
      );
    }
    applyEach(checked, () => new NMStructured(granularity.n, granularity.m, options));
    return;
  }
  const { amount } = options;
  if (amount === undefined) throw new ArgumentError(`pruneGranular: '${granularity.kind}' needs an amount`);
  checkAmount(amount);
  const isGlobal = granularity.kind === 'layer' || options.scope === 'global';
  if (granularity.kind === 'fine-grained') {
    // Magnitudes and squares rank alike.
    const make = (): BasePruningMethod =>
      options.importance === 'random' ? new RandomUnstructured(amount, options) : new L1Unstructured(amount);
    if (isGlobal) globalMasks(pairsOf(checked), make(), scoresOf(checked));
    else applyEach(checked, make);
    return;
  }
  const make = (): GroupStructured => new GroupStructured(granularity, amount, options);
  if (isGlobal) pruneGroupsGlobally(checked, amount, make);
  else applyEach(checked, make);
}

const pairsOf = (targets: readonly Target[]): PruningTarget[] =>
  targets.map(({ module, name }) => [module, name]);

function scoresOf(targets: readonly Target[]): Map<AnyModule, Record<string, Tensor>> {
  const map = new Map<AnyModule, Record<string, Tensor>>();
  for (const { module, name, scores } of targets) {
    if (scores) map.set(module, { ...map.get(module), [name]: scores });
  }
  return map;
}

function checkTargets(
  targets: Iterable<PruningTarget>,
  granularity: Granularity,
  options: PruneGranularOptions,
): Target[] {
  const checked: Target[] = [];
  const seen = new Set<Parameter>();
  for (const [module, name] of targets) {
    const parameter = parameterOf(module, name);
    if (seen.has(parameter)) {
      throw new ArgumentError(`pruneGranular: parameter '${name}' of ${module.typeName} is given twice`);
    }
    seen.add(parameter);
    const problem = granularityProblem(granularity, parameter.shape, parameter.layout);
    if (problem)
      throw new ArgumentError(`pruneGranular: parameter '${name}' of ${module.typeName}: ${problem}`);
    const given = options.importanceScores?.get(module)?.[name];
    checked.push({ module, name, parameter, scores: given && spread(given, parameter, name) });
  }
  return checked;
}

/** Scores of the parameter's shape out of scores of that shape, or of one a filter. */
function spread(given: Tensor, parameter: Parameter, name: string): Tensor {
  const { shape } = parameter;
  const layout = parameter.layout ?? assumedLayout(shape);
  if (given.shape.length !== 1 || shape.length === 1) return given;
  const filters = outputChannels(shape, layout);
  if (given.size !== filters) {
    throw new ArgumentError(
      `pruneGranular: scores of parameter '${name}' must have its shape [${shape.join(', ')}] or be one a filter, [${filters}]; got [${given.shape.join(', ')}]`,
    );
  }
  const perFilter = toFloat32(given).float32;
  const out = new Float32Array(parameter.size);
  const { outer, channels, inner } = axisView(shape, layout.output);
  // Transposed convolutions hold the filters of a group beside each other, and the groups along the input axis before.
  const groups = filters / channels;
  for (let o = 0, i = 0; o < outer; o++) {
    const first = Math.floor((o * groups) / outer) * channels;
    for (let c = 0; c < channels; c++)
      for (const end = i + inner; i < end; i++) out[i] = perFilter[first + c]!;
  }
  return new Tensor('float32', shape, out);
}

/** Applies a method to each parameter, all or none: every mask is computed before the first is set. */
function applyEach(targets: readonly Target[], make: () => BasePruningMethod): void {
  const plans = targets.map(({ module, name, scores }) =>
    planPruning(make(), module, name, { importanceScores: scores }),
  );
  for (const commit of plans) commit();
}

/** Ranks the groups of all parameters together. */
function pruneGroupsGlobally(targets: readonly Target[], amount: Amount, make: () => GroupStructured): void {
  const ranked = targets.map(({ parameter, name, scores, module }) => {
    const method = make();
    method.prepare(parameter);
    const t = scoresFor(`parameter ${name} of ${module.typeName}`, parameter.data, {
      importanceScores: scores,
    });
    const defaultMask = parameter.mask ?? ones(parameter.shape);
    return { groups: method.rank(t, defaultMask), defaultMask };
  });
  const chunks = ranked.map(({ groups }) => groups.scores);
  const total = chunks.reduce((sum, { length }) => sum + length, 0);
  const keeps = maskSmallest(chunks, countToPrune(amount, total));
  applyMasks(
    targets.map(({ module, name }, index) => {
      const { groups, defaultMask } = ranked[index]!;
      return { module, name, mask: maskWithout(groups, keeps[index]!, defaultMask) };
    }),
  );
}
