import type { DataLoader } from '../data/index.ts';
import type { AnyModule } from '../nn/index.ts';
import { schedule, selectParameters } from '../prune/index.ts';
import {
  GradualMagnitude,
  groupLasso,
  l1Scales,
  l1Weights,
  MovementPruning,
  type Regularizer,
  RigL,
  type TrainingCallback,
} from '../train/index.ts';
import type { TrainCommandOptions } from './training-options.ts';
import type { Penalty } from './training-parse.ts';
import { UsageError } from './usage-error.ts';

type GradualOptions = Pick<
  TrainCommandOptions,
  'gradual' | 'sparsity' | 'gradualScope' | 'gradualEvery' | 'include' | 'exclude' | 'seed' | 'epochs'
>;

/** Share of the run after which sparsity is final, so that the rest can recover. */
const GROWING = 0.75;

/** Steps between changes of the masks at most, and changes in a run at least. */
const [USUAL_STEPS, LEAST_CHANGES] = [100, 20];

/** Throws UsageError for options of gradual pruning that do not go together. */
export function checkGradual({
  gradual,
  sparsity,
  gradualEvery,
  include,
  exclude,
}: Omit<GradualOptions, 'epochs'>): void {
  if (gradual === undefined) {
    if (sparsity !== undefined)
      throw new UsageError('--sparsity has no part here: it is where --gradual METHOD ends');
    if (gradualEvery !== undefined)
      throw new UsageError('--gradual-every has no part here: give --gradual METHOD');
    if (include ?? exclude) {
      throw new UsageError(
        `--${include ? 'include' : 'exclude'} has no part here: it is for --gradual METHOD`,
      );
    }
  } else if (sparsity === undefined) {
    throw new UsageError('--gradual needs the sparsity to end with: --sparsity 0.9');
  }
}

/** Steps between changes of the masks. */
export const gradualEvery = ({ gradualEvery: given, epochs }: GradualOptions, loader: DataLoader): number =>
  given ?? Math.max(1, Math.min(USUAL_STEPS, Math.floor((epochs * loader.length) / LEAST_CHANGES)));

/** The gradual methods that the options ask for. */
export function gradualOf(model: AnyModule, options: GradualOptions, loader: DataLoader): TrainingCallback[] {
  const { gradual, sparsity: final = 0, gradualScope: scope, include, exclude, seed = 0 } = options;
  if (gradual === undefined) return [];
  const every = gradualEvery(options, loader);
  // Masks change at multiples of `every`: one of them is to be the last.
  const end = every * Math.max(1, Math.floor((GROWING * options.epochs * loader.length) / every));
  const chosen = { ...(include ? { include } : {}), ...(exclude ? { exclude } : {}) };
  const initial = maskedShare(model, chosen);
  if (gradual === 'rigl') {
    if (initial > 0) {
      throw new UsageError('--gradual rigl begins with masks of its own: give --no-keep-zeros too');
    }
    return [new RigL({ model, sparsity: final, every, end, seed, ...chosen })];
  }
  if (final < initial) {
    throw new UsageError(
      `--sparsity: ${final} is less than the ${initial.toFixed(4)} that is zero already; give more, or --no-keep-zeros`,
    );
  }
  const growing = { model, schedule: schedule.cubic({ initial, final, end }), scope, every, ...chosen };
  return [gradual === 'magnitude' ? new GradualMagnitude(growing) : new MovementPruning(growing)];
}

/** Share of the chosen weights that has a mask of 0 already. */
function maskedShare(model: AnyModule, chosen: Pick<GradualOptions, 'include' | 'exclude'>): number {
  let [size, masked] = [0, 0];
  for (const [module, name] of selectParameters(model, chosen)) {
    const { mask, size: own } = module.getParameter(name);
    size += own;
    for (const kept of mask?.float32 ?? []) if (kept === 0) masked++;
  }
  return size === 0 ? 0 : masked / size;
}

const PENALTIES: Readonly<Record<Penalty['kind'], (lambda: number) => Regularizer>> = {
  l1: (lambda) => l1Weights(lambda),
  slimming: (lambda) => l1Scales(lambda),
  'group-lasso': (lambda) => groupLasso(lambda),
};

/** The terms that `--sparse-training` adds to the loss. */
export const regularizersOf = (penalties: readonly Penalty[] = []): Regularizer[] =>
  penalties.map(({ kind, lambda }) => PENALTIES[kind](lambda));
