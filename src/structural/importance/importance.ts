import { ArgumentError } from '../../core/errors.ts';
import { Generator } from '../../core/random.ts';
import type { ChannelGroup, ChannelGroups } from '../groups.ts';
import { activationScores } from './activations.ts';
import { AGGREGATES, Aggregation, lampScores, NORMALIZATIONS, normalizeScores } from './contributions.ts';
import { filterDistances } from './fpgm.ts';
import { gradientScores } from './gradients.ts';
import { batchNormMagnitudes, type ContributionsOf, magnitudes } from './magnitude.ts';
import { picked } from './member-axes.ts';
import { importanceMethod } from './methods.ts';
import type { ImportanceOptions } from './options.ts';
import { wandaScores } from './wanda.ts';

/**
 * A score for each unit of coupled channels, by number: the larger, the more important. Each member of a group (a filter, a slice that reads the channels, a scale) says something of its units by the method's formula, see
 * `IMPORTANCE_METHODS` and the functions named there; what it says of the indices of one unit is summed, what the members say is aggregated, and the scores of a group are normalized.
 *
 * Groups of which nothing can go are not looked at: their units have score 0.
 *
 * ```ts
 * const groups = groupChannels(analyzeChannels(graph));
 * const scores = await importance(groups, { method: 'taylor', data: loader, maxBatches: 10 });
 * ```
 *
 * Throws ArgumentError where options are unknown, data, targets or a loss are missing or do not fit, the method cannot score a group and there is no `fallback`, or scores are not finite; UnsupportedError where a node on the way has no gradient;
 * EngineError where the model is to be run and the engine is missing or fails.
 */
export async function importance(groups: ChannelGroups, options: ImportanceOptions): Promise<Float64Array> {
  checkOptions(options);
  const { method, aggregate = 'mean', signal } = options;
  signal?.throwIfAborted();
  const normalize = options.normalize ?? (method === 'lamp' || method === 'random' ? 'none' : 'mean');
  const asked = groups.groups.filter(({ units }) => units.some((unit) => groups.whyNot[unit] === null));
  const scores = new Float64Array(groups.unitCount);
  if (asked.length === 0) return scores;
  const aggregation = new Aggregation(groups.unitCount);
  /** Gives the groups with units that can go and of which nothing was said. */
  const score = (some: readonly ChannelGroup[], contributions: ContributionsOf): ChannelGroup[] =>
    some.filter((group) => {
      const missing = aggregation.write(group, contributions(group), aggregate, scores);
      return missing.some((unit) => groups.whyNot[unit] === null);
    });
  const open = score(asked, await contributionsOf(groups, asked, options));
  if (open.length > 0) {
    const left = options.fallback
      ? score(open, magnitudes(open, powerOf(options.fallback), options.members ?? 'out-in'))
      : open;
    if (left.length > 0) throw notScored(left, options);
  }
  for (const group of asked) {
    if (method === 'lamp') lampScores(scores, group.units);
    normalizeScores(scores, group.units, normalize);
    checkFinite(scores, group);
  }
  return scores;
}

const powerOf = (method: 'l1' | 'l2'): 1 | 2 => (method === 'l1' ? 1 : 2);

function contributionsOf(
  groups: ChannelGroups,
  asked: readonly ChannelGroup[],
  options: ImportanceOptions,
): ContributionsOf | Promise<ContributionsOf> {
  const { method, members } = options;
  switch (method) {
    case 'l1':
    case 'l2':
      return magnitudes(asked, powerOf(method), members ?? 'out-in');
    case 'lamp':
      return magnitudes(asked, 2, members ?? 'out-in');
    case 'batch-norm':
      return batchNormMagnitudes(asked);
    case 'fpgm':
      return filterDistances(asked, members ?? 'out', options);
    case 'taylor':
    case 'taylor-multi':
    case 'hessian':
      return gradientScores(groups, asked, method, options);
    case 'activation-mean':
    case 'apoz':
      return activationScores(groups, asked, method, options);
    case 'wanda':
      return wandaScores(groups, asked, options);
    case 'random':
      return randomNumbers(groups.unitCount, options.seed ?? 0);
  }
}

/** Uniform in [0, 1), as `torch.rand` in float64 draws them for all units. */
function randomNumbers(unitCount: number, seed: number): ContributionsOf {
  const numbers = new Generator(seed).rand64(unitCount);
  return ({ units }) => [{ units, scores: picked(numbers, units) }];
}

function checkOptions(options: ImportanceOptions): void {
  importanceMethod(options.method);
  const oneOf = (name: string, given: string | undefined, known: readonly string[]): void => {
    if (given === undefined || known.includes(given)) return;
    throw new ArgumentError(`importance: ${name} expects ${known.join(', ')}, got '${given}'`);
  };
  oneOf('aggregate', options.aggregate, AGGREGATES);
  oneOf('normalize', options.normalize, NORMALIZATIONS);
  oneOf('members', options.members, ['out', 'out-in']);
  oneOf('fallback', options.fallback, ['l1', 'l2']);
  const { threshold } = options;
  if (threshold !== undefined && !(threshold >= 0)) {
    throw new ArgumentError(`importance: threshold expects a number >= 0, got ${threshold}`);
  }
}

/** What a group would have to have. */
const LACKING: Partial<Readonly<Record<ImportanceOptions['method'], string>>> = {
  'batch-norm': 'no batch norm scales all of its channels',
  wanda: 'no weight of a later layer reads all of its channels',
};

const MOST_NAMED = 3;

function notScored(groups: readonly ChannelGroup[], { method, fallback }: ImportanceOptions): ArgumentError {
  const named = groups.slice(0, MOST_NAMED).map(({ name }) => `'${name}'`);
  const more = groups.length > MOST_NAMED ? ` and ${groups.length - MOST_NAMED} more` : '';
  const why = LACKING[method] ?? 'none of its weights or values is looked at';
  const help = fallback
    ? 'choose another method'
    : "give fallback: 'l2' for such groups, or choose another method";
  return new ArgumentError(
    `importance: '${method}' cannot score ${named.join(', ')}${more}: ${why}; ${help}`,
  );
}

function checkFinite(scores: Float64Array, { units, name }: ChannelGroup): void {
  const unit = units.find((own) => !Number.isFinite(scores[own]!));
  if (unit === undefined) return;
  throw new ArgumentError(
    `importance: the score of unit ${unit} of '${name}' is ${scores[unit]}; are there weights or inputs that are not finite?`,
  );
}
