import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import type { AnyModule, Parameter } from '../nn/index.ts';
import type { Amount } from './amount.ts';
import { type BasePruningMethod, combineMasks, ones, parameterOf, planPruning, scoresFor } from './method.ts';
import { type ChunkedMethod, CustomFromMask, L1Unstructured, RandomUnstructured } from './unstructured.ts';

/** A parameter by its module and its name there, such as `[model.conv1, 'weight']`. */
export type PruningTarget = readonly [module: AnyModule, name: string];

/** Importance scores by module and parameter name; what is left out is ranked by its own elements. */
export type ImportanceScores = ReadonlyMap<AnyModule, Readonly<Record<string, Tensor>>>;

/** Options of `globalUnstructured`: the method's own first argument, and scores. */
export interface GlobalOptions {
  readonly amount: Amount;
  readonly importanceScores?: ImportanceScores | undefined;
}

interface Target {
  readonly module: AnyModule;
  readonly name: string;
  readonly parameter: Parameter;
  readonly scores: Tensor;
}

/**
 * Prunes parameters together: entries are ranked across all of them, so that some lose more than others. `method` is `L1Unstructured`,
 * `RandomUnstructured` or a class of your own of type `unstructured`, made with `options` as `new method(options.amount)`. Each parameter gets its part of
 * the mask as a CustomFromMask. Throws ArgumentError; nothing has changed then.
 */
export function globalUnstructured(
  parameters: Iterable<PruningTarget>,
  method: new (amount: Amount) => BasePruningMethod,
  options: GlobalOptions,
): void {
  globalMasks(parameters, new method(options.amount), options.importanceScores);
}

/** `globalUnstructured` with a method that was made already. */
export function globalMasks(
  parameters: Iterable<PruningTarget>,
  method: BasePruningMethod,
  importanceScores: ImportanceScores = new Map(),
): void {
  const targets: Target[] = [];
  for (const [module, name] of parameters) {
    const parameter = parameterOf(module, name);
    const what = `parameter ${name} of ${module.typeName}`;
    const scores = scoresFor(what, parameter.data, {
      importanceScores: importanceScores.get(module)?.[name],
    });
    targets.push({ module, name, parameter, scores });
  }
  if (method.pruningType !== 'unstructured') {
    throw new ArgumentError(
      `Only "unstructured" pruningType supported for global pruning. Found method ${method.constructor.name} of type ${method.pruningType}`,
    );
  }
  const masks =
    isChunked(method) && targets.every(({ parameter }) => parameter.mask === null)
      ? method.masksOf(targets.map(({ scores }) => scores.float32))
      : splitMasks(method, targets);
  applyMasks(
    targets.map(({ module, name, parameter }, index) => ({
      module,
      name,
      mask: new Tensor('float32', parameter.shape, masks[index]!),
    })),
  );
}

/** Sets masks that were computed together, each on top of what is pruned already: all or none. */
export function applyMasks(
  masks: Iterable<{ readonly module: AnyModule; readonly name: string; readonly mask: Tensor }>,
): void {
  const plans: (() => BasePruningMethod)[] = [];
  for (const { module, name, mask } of masks) {
    plans.push(planPruning(new CustomFromMask(mask), module, name));
  }
  for (const commit of plans) commit();
}

/** The methods of this library can work on the parameters where they are; a subclass may compute its masks otherwise. */
const isChunked = (method: BasePruningMethod): method is BasePruningMethod & ChunkedMethod =>
  method.constructor === L1Unstructured || method.constructor === RandomUnstructured;

/** Any method's mask of all parameters in a row, cut into theirs. */
function splitMasks(method: BasePruningMethod, targets: readonly Target[]): Float32Array[] {
  const size = targets.reduce((sum, { parameter }) => sum + parameter.size, 0);
  const scores = new Float32Array(size);
  const mask = ones([size]);
  let offset = 0;
  for (const target of targets) {
    scores.set(target.scores.float32, offset);
    if (target.parameter.mask) mask.float32.set(target.parameter.mask.float32, offset);
    offset += target.parameter.size;
  }
  const combined = combineMasks(method, Tensor.of(scores), mask).float32;
  offset = 0;
  return targets.map(({ parameter }) => {
    offset += parameter.size;
    return combined.slice(offset - parameter.size, offset);
  });
}
