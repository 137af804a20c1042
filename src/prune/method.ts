import { ArgumentError } from '../core/errors.ts';
import { toFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import type { AnyModule } from '../nn/index.ts';
import { type MaskMethod, Parameter } from '../nn/index.ts';
import { gatherChannels, livingChannels, scatterChannels, withShape } from './channels.ts';

/**
 * On which entries a method works when a parameter is pruned again (PyTorch's `PRUNING_TYPE`): `unstructured`, on those that are not pruned
 * yet; `structured`, on the channels along `dim` that are not wholly pruned; `global`, on everything.
 */
export type PruningType = 'unstructured' | 'structured' | 'global';

/** Options of every pruning call. */
export interface ScoreOptions {
  /** Ranks in the parameter's place: a tensor of its shape, whose values say how important the entries are. */
  readonly importanceScores?: Tensor | undefined;
}

const sameShape = (a: Tensor, b: Tensor): boolean =>
  a.shape.length === b.shape.length && a.shape.every((dim, axis) => dim === b.shape[axis]);

const sizeText = (tensor: Tensor): string => `[${tensor.shape.join(', ')}]`;

/** Is it the `{ importanceScores }` behind the arguments of a method, and not an argument itself? */
function isScoreOptions(value: unknown): value is ScoreOptions {
  if (typeof value !== 'object' || value === null) return false;
  const keys = Object.keys(value);
  return keys.length === 1 && keys[0] === 'importanceScores';
}

/**
 * A way of pruning, as PyTorch's class of the same name. Extend it for one of your own: say on which entries it works, and compute a mask.
 *
 * ```ts
 * class EveryOther extends BasePruningMethod {
 *   readonly pruningType = 'unstructured';
 *   computeMask(t: Tensor, defaultMask: Tensor) {
 *     const mask = defaultMask.clone();
 *     mask.float32.forEach((_, i, elements) => { if (i % 2 === 0) elements[i] = 0; });
 *     return mask;
 *   }
 * }
 * EveryOther.apply(model.fc3, 'bias');
 * ```
 *
 * The tensors that `computeMask` gets are float32. Methods of type `structured` also need `dim`.
 */
export abstract class BasePruningMethod implements MaskMethod {
  /** On which entries the method works when a parameter is pruned again. */
  abstract readonly pruningType: PruningType;
  /** Name of the parameter the method was applied to; `''` before. */
  tensorName = '';
  /** Axis of the channels; methods of type `structured` have it. */
  readonly dim: number | undefined = undefined;

  /**
   * The mask for `t` (importance scores, or the parameter itself) on top of `defaultMask`, the mask so far (ones at first) of the same
   * shape. Neither must be changed. Anything it throws leaves the module as it was.
   */
  abstract computeMask(t: Tensor, defaultMask: Tensor): Tensor;

  /**
   * Makes a method of the arguments and prunes `module`'s parameter `name` with it: `weight` becomes `weight_orig` with the buffer `weight_mask`.
   * A parameter that is pruned already gets a PruningContainer, whose mask combines both. `{ importanceScores }` may follow the arguments.
   * Gives the method, or the container. Throws ArgumentError, as everything `computeMask` throws; the module is as it was then.
   */
  static apply<A extends unknown[]>(
    this: new (
      ...args: A
    ) => BasePruningMethod,
    module: AnyModule,
    name: string,
    ...args: NoInfer<A>
  ): BasePruningMethod;
  static apply<A extends unknown[]>(
    this: new (
      ...args: A
    ) => BasePruningMethod,
    module: AnyModule,
    name: string,
    ...args: [...A, ScoreOptions]
  ): BasePruningMethod;
  static apply(
    this: new (
      ...args: unknown[]
    ) => BasePruningMethod,
    module: AnyModule,
    name: string,
    ...args: unknown[]
  ): BasePruningMethod {
    const last = args.at(-1);
    if (!isScoreOptions(last)) return new this(...args).applyTo(module, name);
    return new this(...args.slice(0, -1)).applyTo(module, name, last);
  }

  /** As the static `apply`, for a method that was made already. A method can be applied once. */
  applyTo(module: AnyModule, name: string, options: ScoreOptions = {}): BasePruningMethod {
    return planPruning(this, module, name, options)();
  }

  /**
   * The mask for `t` where nothing is pruned yet: `computeMask` on a mask of ones. Methods override it where they know a shorter way to the same
   * mask.
   */
  computeFirstMask(t: Tensor): Tensor {
    return this.computeMask(t, ones(t.shape));
  }

  /** Called before `computeMask` with the parameter to be pruned, for methods that must know more of it than its elements. */
  prepare(_parameter: Parameter): void {}

  /** The pruned parameter's elements, `orig × mask`. Throws ArgumentError where `module` does not have the method's parameter, pruned. */
  applyMask(module: AnyModule): Tensor {
    const { orig, mask } = this.#prunedIn(module);
    return masked(this, orig, mask);
  }

  /** `t` with this method's mask on it, of a module or not: `t × computeMask(importanceScores ?? t, defaultMask ?? ones)`. */
  prune(t: Tensor, defaultMask?: Tensor, importanceScores?: Tensor): Tensor {
    const scores = scoresFor('tensor t', t, { importanceScores });
    return masked(this, t, checkedMask(this, this.computeMask(scores, defaultMask ?? ones(t.shape)), t));
  }

  /**
   * Makes the pruning of the method's parameter in `module` permanent: mask and original go, zeros stay. Nothing is undone. Throws
   * ArgumentError where it is not pruned.
   */
  remove(module: AnyModule): void {
    this.#prunedIn(module);
    module.removePruning(this.tensorName);
  }

  #prunedIn(module: AnyModule): { orig: Tensor; mask: Tensor } {
    const pruning = this.tensorName === '' ? null : parameterOf(module, this.tensorName).pruning;
    if (!pruning) {
      throw new ArgumentError(`Module ${module.typeName} has to be pruned before pruning can be removed`);
    }
    return pruning;
  }
}

/**
 * Computes the mask that `method` gives a parameter, and changes nothing yet: what it returns sets the mask, and cannot fail. Throws ArgumentError, as
 * everything `computeMask` throws.
 */
export function planPruning(
  method: BasePruningMethod,
  module: AnyModule,
  name: string,
  options: ScoreOptions = {},
): () => BasePruningMethod {
  if (method.tensorName !== '') {
    throw new ArgumentError(
      `${method.constructor.name}: has been applied to '${method.tensorName}' already; make a new one`,
    );
  }
  const parameter = parameterOf(module, name);
  const scores = scoresFor(`parameter ${name} of ${module.typeName}`, parameter.data, options);
  const before = parameter.pruning;
  method.tensorName = name;
  try {
    method.prepare(parameter);
    if (!before) {
      const first = method.computeFirstMask(scores);
      const mask = checkedMask(method, first, parameter.data);
      return () => {
        module.setPruning(name, method, mask);
        return method;
      };
    }
    const mask = checkedMask(method, combineMasks(method, scores, before.mask), parameter.data);
    const container = containerOf(before.method);
    return () => {
      module.setPruning(name, container, mask);
      container.addPruningMethod(method);
      return container;
    };
  } catch (error) {
    method.tensorName = '';
    throw error;
  }
}

/** The methods that pruned one parameter, one after the other. */
export class PruningContainer extends BasePruningMethod {
  readonly pruningType = 'global';
  readonly #methods: BasePruningMethod[] = [];

  /** Throws ArgumentError where the methods act on parameters of different names. */
  constructor(...methods: BasePruningMethod[]) {
    super();
    this.tensorName = methods[0]?.tensorName ?? '';
    for (const method of methods) this.addPruningMethod(method);
  }

  /** Adds a method. Throws ArgumentError where it is none, or acts on a parameter of another name. */
  addPruningMethod(method: BasePruningMethod): void {
    // Calls from JavaScript can bring anything.
    if (!(method instanceof BasePruningMethod)) {
      throw new ArgumentError(`${String(method)} is not a BasePruningMethod subclass`);
    }
    if (method.tensorName !== this.tensorName) {
      throw new ArgumentError(
        `Can only add pruning methods acting on the parameter named '${this.tensorName}' to PruningContainer. Found '${method.tensorName}'`,
      );
    }
    this.#methods.push(method);
  }

  /** Number of methods. */
  get length(): number {
    return this.#methods.length;
  }

  /** The method at `index`; negative ones count from the end. */
  at(index: number): BasePruningMethod | undefined {
    return this.#methods.at(index);
  }

  [Symbol.iterator](): IterableIterator<BasePruningMethod> {
    return this.#methods[Symbol.iterator]();
  }

  /**
   * The last method's mask combined with `defaultMask`: computed on the part of `t` that its pruning type says, and put in that part's
   * place. Throws ArgumentError where the container is empty.
   */
  computeMask(t: Tensor, defaultMask: Tensor): Tensor {
    const method = this.#methods.at(-1);
    if (!method) throw new ArgumentError('PruningContainer: has no method; add one first');
    return combineMasks(method, t, defaultMask);
  }
}

const containerOf = (method: MaskMethod): PruningContainer => {
  if (method instanceof PruningContainer) return method;
  if (method instanceof BasePruningMethod) return new PruningContainer(method);
  throw new ArgumentError(
    `Parameter '${method.tensorName}': was pruned by a method that is no BasePruningMethod; remove it first`,
  );
};

/** The module's own parameter. Throws ArgumentError where there is none. */
export function parameterOf(module: AnyModule, name: string): Parameter {
  if (!module.hasParameter(name)) {
    throw new ArgumentError(`${module.typeName}: has no parameter '${name}' of its own`);
  }
  return module.getParameter(name);
}

/** A mask of ones. */
export const ones = (shape: readonly number[]): Tensor => Tensor.full(shape, 1);

/** The scores that rank `t`, as float32. Throws ArgumentError where they are given in another shape. */
export function scoresFor(what: string, t: Tensor, { importanceScores }: ScoreOptions): Tensor {
  if (importanceScores && !sameShape(importanceScores, t)) {
    throw new ArgumentError(
      `importanceScores should have the same shape as ${what}, got ${sizeText(importanceScores)} vs ${sizeText(t)}`,
    );
  }
  return toFloat32(importanceScores ?? t);
}

/** A method's mask as float32. Throws ArgumentError where it does not have the shape of `t`. */
function checkedMask(method: BasePruningMethod, mask: Tensor, t: Tensor): Tensor {
  if (!(mask instanceof Tensor) || !sameShape(mask, t)) {
    throw new ArgumentError(
      `${method.constructor.name}: computeMask should give a mask of shape ${sizeText(t)}, got ${String(mask)}`,
    );
  }
  return toFloat32(mask);
}

function masked(method: MaskMethod, orig: Tensor, mask: Tensor): Tensor {
  const parameter = new Parameter(orig.reshape(orig.shape));
  parameter.setPruning(method, mask);
  return parameter.data;
}

/** The new mask of a pruned tensor: `method`'s on the part it works on, the old one elsewhere. The old one stays as it is. */
export function combineMasks(method: BasePruningMethod, t: Tensor, mask: Tensor): Tensor {
  switch (method.pruningType) {
    case 'unstructured':
      return combineUnstructured(method, t, mask);
    case 'structured':
      return combineStructured(method, t, mask);
    case 'global':
      return checkedMask(method, method.computeMask(t, mask), t);
    default:
      throw new ArgumentError(`Unrecognized pruningType ${String(method.pruningType)}`);
  }
}

function combineUnstructured(method: BasePruningMethod, t: Tensor, mask: Tensor): Tensor {
  const old = mask.float32;
  let living = 0;
  for (let i = 0; i < old.length; i++) if (old[i] === 1) living++;
  const values = t.float32;
  const part = new Float32Array(living);
  for (let i = 0, j = 0; i < old.length; i++) if (old[i] === 1) part[j++] = values[i]!;
  const partial = Tensor.of(part);
  const fresh = checkedMask(method, method.computeFirstMask(partial), partial).float32;
  const combined = old.slice();
  for (let i = 0, j = 0; i < combined.length; i++) if (combined[i] === 1) combined[i] = fresh[j++]!;
  return new Tensor('float32', mask.shape, combined);
}

function combineStructured(method: BasePruningMethod, t: Tensor, mask: Tensor): Tensor {
  const { dim } = method;
  if (dim === undefined) {
    throw new ArgumentError(
      `${method.constructor.name}: pruning methods of pruningType "structured" need to have the attribute \`dim\` defined`,
    );
  }
  const rank = t.shape.length;
  const axis = dim < 0 ? dim + rank : dim;
  if (!Number.isInteger(axis) || axis < 0 || axis >= rank) {
    throw new ArgumentError(`Invalid index ${dim} for tensor of size ${sizeText(t)}`);
  }
  const channels = livingChannels(mask.float32, mask.shape, axis);
  const part = gatherChannels(t.float32, t.shape, axis, channels);
  const oldPart = gatherChannels(mask.float32, mask.shape, axis, channels);
  const shape = withShape(t.shape, axis, channels.length);
  const partial = new Tensor('float32', shape, part);
  const fresh = method.computeMask(partial, new Tensor('float32', shape, oldPart));
  const combined = mask.float32.slice();
  scatterChannels(checkedMask(method, fresh, partial).float32, combined, mask.shape, axis, channels);
  return new Tensor('float32', mask.shape, combined);
}
