import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { AnyModule } from '../nn/index.ts';
import type { Amount } from './amount.ts';
import { BasePruningMethod, parameterOf, type ScoreOptions } from './method.ts';
import type { NormOrder } from './norm.ts';
import { LnStructured, RandomStructured } from './structured.ts';
import {
  CustomFromMask,
  Identity,
  L1Unstructured,
  type RandomOptions,
  RandomUnstructured,
} from './unstructured.ts';

/**
 * The functions of `torch.nn.utils.prune`. Each prunes the parameter `name` of `module` itself (not of modules below), gives `module` back, and
 * throws ArgumentError with the module left as it was.
 */

/** Makes a parameter a pruned one, with a mask of ones. */
export function identity<M extends AnyModule>(module: M, name: string): M {
  new Identity().applyTo(module, name);
  return module;
}

/** Prunes entries at random. */
export function randomUnstructured<M extends AnyModule>(
  module: M,
  name: string,
  amount: Amount,
  options: RandomOptions = {},
): M {
  new RandomUnstructured(amount, options).applyTo(module, name);
  return module;
}

/** Prunes the entries of smallest magnitude, or of smallest magnitude of their `importanceScores`. */
export function l1Unstructured<M extends AnyModule>(
  module: M,
  name: string,
  amount: Amount,
  options: ScoreOptions = {},
): M {
  new L1Unstructured(amount).applyTo(module, name, options);
  return module;
}

/** Options of `randomStructured`. */
export interface RandomStructuredOptions extends RandomOptions {
  /** Axis along which the channels lie; negative ones count from the end. */
  readonly dim: number;
}

/** Prunes whole channels along `dim` at random. */
export function randomStructured<M extends AnyModule>(
  module: M,
  name: string,
  amount: Amount,
  options: RandomStructuredOptions,
): M {
  new RandomStructured(amount, options.dim, options).applyTo(module, name);
  return module;
}

/** Options of `lnStructured`. */
export interface LnStructuredOptions extends ScoreOptions {
  /** Order of the norm: any number, ±Infinity, 'fro' or 'nuc'. */
  readonly n: NormOrder;
  /** Axis along which the channels lie; negative ones count from the end. */
  readonly dim: number;
}

/** Prunes the whole channels along `dim` whose Lₙ norm is smallest. */
export function lnStructured<M extends AnyModule>(
  module: M,
  name: string,
  amount: Amount,
  options: LnStructuredOptions,
): M {
  new LnStructured(amount, options.n, options.dim).applyTo(module, name, options);
  return module;
}

/** Prunes with a mask of the parameter's shape, on top of what is pruned already. */
export function customFromMask<M extends AnyModule>(module: M, name: string, mask: Tensor): M {
  new CustomFromMask(mask).applyTo(module, name);
  return module;
}

/**
 * Makes the pruning of a parameter permanent: `weight_orig` and `weight_mask` go, `weight` is an ordinary parameter again, with zeros where it
 * was pruned. Nothing is undone. Throws ArgumentError where the parameter is not pruned.
 */
export function remove<M extends AnyModule>(module: M, name: string): M {
  const pruning = module.hasParameter(name) ? parameterOf(module, name).pruning : null;
  if (!pruning) {
    throw new ArgumentError(
      `Parameter '${name}' of module ${module.typeName} has to be pruned before pruning can be removed`,
    );
  }
  if (pruning.method instanceof BasePruningMethod) pruning.method.remove(module);
  else module.removePruning(name);
  return module;
}

/** True where a parameter of the module, or of one below, is pruned and not made permanent yet. */
export function isPruned(module: AnyModule): boolean {
  for (const { pruning } of module.parameters()) if (pruning) return true;
  return false;
}
