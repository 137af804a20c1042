import { ArgumentError } from '../../core/errors.ts';
import type { Value } from '../../ir/index.ts';
import type { Parameter } from '../../nn/index.ts';
import type { Expressions } from '../../ops/index.ts';

/** Parameters that share hyperparameters. Hyperparameters may be changed between steps; schedules do. */
export interface ParamGroup {
  readonly params: readonly Parameter[];
  /** Learning rate. */
  lr: number;
  /** Learning rate before any schedule changed it; schedules note it. */
  initialLr?: number;
  weightDecay: number;
  /** SGD, RMSprop. */
  momentum?: number;
  /** Adam, AdamW. */
  betas?: [number, number];
}

/** What a group may say; what it leaves out is as the optimizer's options say. */
export type GroupOptions<O> = Partial<O> & { readonly params: Iterable<Parameter> };

/** What `Optimizer` needs of one tensor that it updates: a parameter, or several small ones laid end to end. */
export interface UpdateContext {
  readonly make: Expressions;
  /** The elements now. */
  readonly param: Value;
  readonly grad: Value;
  /** State of this optimizer for the tensor, by name. */
  readonly state: Readonly<Record<string, Value>>;
  /** Scalars of `hyperparameters`, by name. */
  readonly hyper: Readonly<Record<string, Value>>;
}

/** New elements, and new state by name. */
export interface Update {
  readonly param: Value;
  readonly state: Readonly<Record<string, Value>>;
}

/** Number of steps taken, and the hyperparameters of each group: what a checkpoint holds beside the state tensors. */
export interface OptimizerState {
  readonly step: number;
  readonly groups: readonly Readonly<Record<string, number | readonly number[]>>[];
}

/**
 * Base of optimizers. An optimizer keeps hyperparameters and writes its update as graph nodes; the tensors of its state (momentum, …) live in the buffers of the training
 * step. Names, defaults and formulas are PyTorch's.
 */
export abstract class Optimizer<G extends ParamGroup = ParamGroup> {
  readonly paramGroups: readonly G[];
  /** Steps taken so far. */
  steps = 0;

  /** PyTorch's class name. */
  readonly name: string;

  /** Throws ArgumentError where there is no parameter, or one is in two groups. */
  constructor(name: string, groups: readonly G[]) {
    this.name = name;
    this.paramGroups = groups;
    const seen = new Set<Parameter>();
    for (const group of groups) {
      checkNumber('lr', group.lr, (x) => x >= 0);
      checkNumber('weightDecay', group.weightDecay, (x) => x >= 0);
      for (const parameter of group.params) {
        if (seen.has(parameter)) {
          throw new ArgumentError(`${this.name}: some parameters appear in more than one parameter group`);
        }
        seen.add(parameter);
      }
    }
    if (seen.size === 0) throw new ArgumentError(`${this.name}: got an empty parameter list`);
  }

  /** Names of the tensors kept for each parameter; all start as zeros. */
  abstract stateNames(group: G): readonly string[];

  /** Numbers that the next step's update reads, by name, the same names every step; they may change from step to step. */
  abstract hyperparameters(group: G): Readonly<Record<string, number>>;

  /** Writes the update of one tensor as nodes. */
  abstract update(group: G, context: UpdateContext): Update;

  /** Steps taken, and the hyperparameters that may have changed. */
  stateDict(): OptimizerState {
    return {
      step: this.steps,
      groups: this.paramGroups.map((group) =>
        Object.fromEntries(
          Object.entries(group).filter(
            (entry): entry is [string, number | number[]] => typeof entry[1] === 'number' || isPair(entry[1]),
          ),
        ),
      ),
    };
  }

  /** Takes back what `stateDict` gave. Throws ArgumentError where the number of groups differs; nothing has changed then. */
  loadStateDict(state: OptimizerState): void {
    if (state.groups.length !== this.paramGroups.length) {
      throw new ArgumentError(
        `${this.name}: expects the state of ${this.paramGroups.length} parameter groups, got ${state.groups.length}`,
      );
    }
    this.steps = state.step;
    this.paramGroups.forEach((group, index) => {
      Object.assign(group, state.groups[index]);
    });
  }
}

const isPair = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length === 2 && value.every((x) => typeof x === 'number');

/** Throws ArgumentError unless the number is finite and passes. */
export function checkNumber(name: string, value: number, passes: (value: number) => boolean): void {
  if (Number.isFinite(value) && passes(value)) return;
  throw new ArgumentError(`Optimizer: invalid ${name}: ${value}`);
}

/** Parameter groups out of parameters alone, or out of groups with options of their own. */
export function groupsOf<O extends object>(
  params: Iterable<Parameter> | readonly GroupOptions<O>[],
  defaults: Required<O>,
): (Required<O> & { readonly params: readonly Parameter[] })[] {
  const list: readonly (Parameter | GroupOptions<O>)[] = [...params];
  if (list.every((item): item is Parameter => !('params' in item))) return [{ ...defaults, params: list }];
  return list.map((item) => {
    if (!('params' in item)) {
      throw new ArgumentError(
        'Optimizer: expects parameters, or groups { params, … }, not a mixture of both',
      );
    }
    return { ...defaults, ...item, params: [...item.params] };
  });
}

/** `a * weight + b`, or b alone where there is no weight. */
export const decayed = ({ make, param, grad, hyper }: UpdateContext, weightDecay: number): Value =>
  weightDecay === 0 ? grad : make.add(grad, make.mul(param, hyper.weightDecay!));
