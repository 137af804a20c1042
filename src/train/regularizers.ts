import { ArgumentError } from '../core/errors.ts';
import { type AnyModule, BatchNorm1d, BatchNorm2d, type Parameter, type Variable } from '../nn/index.ts';
import { type SelectOptions, selectParameters } from '../prune/index.ts';
import type { Regularizer } from './objective.ts';

/** Which weights a penalty is on: as `selectParameters`, by default those of convolutions and linear layers. */
export type PenaltySelection = Pick<SelectOptions, 'include' | 'exclude' | 'types'>;

/** Options of `groupLasso`. */
export interface GroupLassoOptions extends PenaltySelection {
  /** Axis along which the groups lie, negative ones counted from the end; by default that of the filters, which is 0 but for transposed convolutions and weights that are multiplied from the right. */
  readonly dim?: number;
}

/** Added to the sum of squares of a group: without it the norm's gradient at 0 would be 0 / 0. */
const GROUP_EPSILON = 1e-12;

/**
 * L1 penalty on weights, `λ Σ|w|`: its gradient is `λ sign(w)`, 0 at 0. Throws ArgumentError where λ is negative or not finite; when the model is traced, where nothing is selected.
 *
 * ```ts
 * new Trainer(model, { optimizer, regularizers: [l1Weights(1e-5)] });
 * ```
 */
export function l1Weights(lambda: number, options: PenaltySelection = {}): Regularizer {
  checkLambda('l1Weights', lambda);
  return (model, like) => penalty(lambda, like, selected(model, options), absoluteSum);
}

/**
 * L1 penalty on the weights of batch norms, the scales of channels (network slimming, Liu et al. 2017): channels that the network can do without get scales near 0. Throws ArgumentError where λ is negative
 * or not finite; when the model is traced, where no batch norm has weights.
 */
export function l1Scales(lambda: number): Regularizer {
  checkLambda('l1Scales', lambda);
  return (model, like) => {
    const scales = [...model.parameterPlaces()].flatMap(({ module, name, parameter }) =>
      name.endsWith('weight') && isBatchNorm(module) ? [parameter] : [],
    );
    if (scales.length > 0) return penalty(lambda, like, scales, absoluteSum);
    throw new ArgumentError(
      `l1Scales: ${model.typeName} has no batch norm with weights; a file exported for inference has them folded into its convolutions (groupLasso works there)`,
    );
  };
}

/**
 * Group lasso (Wen et al. 2016; Yuan & Lin 2006): `λ Σ_g √(size of g) ‖w_g‖₂` over filters, or other slices along an axis, which go to 0 as a whole. `√(Σw² + 1e-12)` stands for the norm, so that the gradient
 * `λ √(size) w / ‖w_g‖₂` is 0 where a group is. Throws ArgumentError where λ is negative or not finite; when the model is traced, where nothing is selected or a weight has no such axis.
 */
export function groupLasso(lambda: number, options: GroupLassoOptions = {}): Regularizer {
  checkLambda('groupLasso', lambda);
  return (model, like) =>
    penalty(lambda, like, selected(model, options), (weight, parameter) => {
      const rank = parameter.shape.length;
      const dim = options.dim ?? parameter.layout?.output ?? 0;
      const axis = dim < 0 ? dim + rank : dim;
      if (!Number.isInteger(axis) || axis < 0 || axis >= rank) {
        throw new ArgumentError(
          `groupLasso: dim ${dim} is out of range for a weight of shape [${parameter.shape.join(', ')}]; expected ${-rank} to ${rank - 1}`,
        );
      }
      const others = [...parameter.shape.keys()].filter((each) => each !== axis);
      const squares = weight.mul(weight);
      const sums = others.length === 0 ? squares : squares.sum(others);
      const groupSize = parameter.size / Math.max(1, parameter.shape[axis]!);
      return sums.add(GROUP_EPSILON).sqrt().sum().mul(Math.sqrt(groupSize));
    });
}

/** `λ` times the sum of a term over parameters. */
function penalty(
  lambda: number,
  like: Variable,
  parameters: readonly Parameter[],
  term: (weight: Variable, parameter: Parameter) => Variable,
): Variable {
  const terms = parameters.map((parameter) => term(like.tracer.tensor(parameter), parameter));
  return terms.reduce((sum, each) => sum.add(each)).mul(lambda);
}

const absoluteSum = (weight: Variable): Variable => weight.abs().sum();

const selected = (model: AnyModule, { include, exclude, types }: PenaltySelection): Parameter[] =>
  selectParameters(model, { include, exclude, types }).map(([module, name]) => module.getParameter(name));

/** A batch norm of a file is known by its running statistics. */
const isBatchNorm = (module: AnyModule): boolean =>
  module instanceof BatchNorm1d ||
  module instanceof BatchNorm2d ||
  [...module.namedBuffers('', { recurse: false })].some(([name]) => name.endsWith('running_var'));

function checkLambda(caller: string, lambda: number): void {
  if (Number.isFinite(lambda) && lambda >= 0) return;
  throw new ArgumentError(`${caller}: lambda expects a number of at least 0, got ${lambda}`);
}
