import { ArgumentError } from '../../core/errors.ts';
import { Tensor } from '../../core/tensor.ts';
import type { AnyModule, Parameter } from '../../nn/index.ts';
import { customFromMask, type SelectOptions, selectParameters } from '../../prune/index.ts';
import type { Trainer } from '../trainer.ts';

/** Which weights a gradual method prunes: as `selectParameters`, by default those of convolutions and linear layers. */
export type GradualSelection = Pick<SelectOptions, 'include' | 'exclude' | 'types'>;

/** A weight that is pruned during training. */
export interface GradualTarget {
  readonly module: AnyModule;
  /** Path of the module, such as `features.0`. */
  readonly path: string;
  /** Name in the module, such as `weight`. */
  readonly own: string;
  /** Name in the model, such as `features.0.weight`. */
  readonly name: string;
  readonly parameter: Parameter;
}

/** The chosen weights, in the model's order. Throws as `selectParameters`. */
export function chooseTargets(model: AnyModule, options: GradualSelection): GradualTarget[] {
  const { include, exclude, types } = options;
  const chosen = new Set(
    selectParameters(model, { include, exclude, types }).map(([module, name]) => module.getParameter(name)),
  );
  return [...model.parameterPlaces()].flatMap(({ module, path, name, parameter }) =>
    chosen.has(parameter)
      ? [{ module, path, own: name, name: path === '' ? name : `${path}.${name}`, parameter }]
      : [],
  );
}

/** Throws ArgumentError where a trainer does not train a weight: its mask would not reach the training step. */
export function checkTrained(caller: string, trainer: Trainer, targets: readonly GradualTarget[]): void {
  const trained = new Set(trainer.optimizer.paramGroups.flatMap(({ params }) => params));
  for (const { name, parameter } of targets) {
    if (trained.has(parameter) && parameter.requiresGrad) continue;
    throw new ArgumentError(
      `${caller}: '${name}' is not trained; give it to the optimizer, or leave it out with exclude`,
    );
  }
}

/** Sets the mask of a weight, which becomes a pruned one where it was none. */
export function setMask({ module, own, parameter }: GradualTarget, mask: Float32Array): void {
  if (parameter.pruning) {
    parameter.pruning.mask.setData(mask);
    parameter.refresh();
  } else customFromMask(module, own, new Tensor('float32', parameter.shape, mask));
}

/** Throws ArgumentError unless a number of steps is whole and at least 1. */
export function checkSteps(caller: string, option: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new ArgumentError(`${caller}: ${option} expects a whole number of at least 1, got ${value}`);
}
