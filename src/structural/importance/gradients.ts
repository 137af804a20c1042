import { addGradients } from '../../autograd/index.ts';
import { ArgumentError } from '../../core/errors.ts';
import type { Value } from '../../ir/index.ts';
import type { Expressions } from '../../ops/index.ts';
import type { ChannelGroup, ChannelGroups } from '../groups.ts';
import { type AxisOf, lengthOf } from './axis-sums.ts';
import { addLoss } from './loss.ts';
import type { ContributionsOf } from './magnitude.ts';
import { measured } from './measured.ts';
import { AxisScores, axesOf, countedMembers } from './member-axes.ts';
import type { ImportanceOptions } from './options.ts';

/** The methods that take gradients. */
export type GradientMethod = 'taylor' | 'taylor-multi' | 'hessian';

/**
 * What the loss is expected to change by when channels go, by derivatives of the loss at the weights as they are. For each member and index, over the weights w at it and the gradients g of the loss:
 *
 * - `taylor`: Σ |w g|, and `taylor-multi`: |Σ w g|, as Torch-Pruning's `GroupTaylorImportance` without and with `multivariable`; Molchanov et al. 2019 ("Importance Estimation for Neural Network Pruning") have the squares of the same
 *   terms. g is the gradient of a batch; as in that paper the scores of batches are averaged, weighed by their samples.
 * - `hessian`: Σ ½ h w² (optimal brain damage; LeCun et al. 1990) with the diagonal of the Hessian h taken as the mean of the squared gradients of single samples, the empirical Fisher information, as Torch-Pruning's `GroupHessianImportance`. The
 *   model is run sample by sample.
 *
 * The model computes as in evaluation. Gradients are made, multiplied and summed by the engine, in one graph.
 */
export async function gradientScores(
  groups: ChannelGroups,
  asked: readonly ChannelGroup[],
  method: GradientMethod,
  options: ImportanceOptions,
): Promise<ContributionsOf> {
  const which = options.members ?? 'out-in';
  const members = new Map(asked.map((group) => [group, countedMembers(group, which)]));
  const axes = axesOf([...members.values()].flat());
  const outputs = [...axes].flatMap(([value, own]) => own.map((axis) => ({ value, axis })));
  const { sums, samples } = await measured({
    graph: groups.coupling.graph,
    options,
    gradients: true,
    averages: true,
    perSample: method === 'hessian',
    instrument: (bench, target) => {
      const { loss, targetName, compositions } = addLoss(bench, target!, options);
      const present = [...axes.keys()].filter((value) => bench.graph.find(value.name));
      const weights = present.map((value) => bench.graph.value(value.name));
      const gradients = addGradients(bench.builder, { of: loss, withRespectTo: weights, compositions });
      if (gradients.every((gradient) => gradient === null)) {
        throw new ArgumentError(
          'importance: the loss depends on none of the weights; is it computed from the outputs?',
        );
      }
      const terms = new Map(
        present.map((value, index) => [
          value,
          termOf(bench.make, weights[index]!, gradients[index]!, method),
        ]),
      );
      outputs.forEach(({ value, axis }, index) => {
        const term = terms.get(value);
        if (!term) return;
        const sum = summedTo(bench.make, term, axis);
        bench.builder.output(method === 'taylor-multi' ? bench.make.abs(sum) : sum, `importance/${index}`);
      });
      return targetName;
    },
  });
  const scores = new AxisScores();
  outputs.forEach(({ value, axis }, index) => {
    const sum = sums.get(`importance/${index}`);
    // What the loss does not depend on can go.
    if (sum)
      scores.set(
        value,
        axis,
        sum.map((score) => score / samples),
      );
    else scores.set(value, axis, new Float64Array(lengthOf(value.initializer!.shape, axis)));
  });
  return (group) => (members.get(group) ?? []).flatMap((member) => scores.of(member));
}

/** What is summed over the elements at an index; null where the loss does not depend on the weight. In float32 at least. */
function termOf(
  make: Expressions,
  weight: Value,
  gradient: Value | null,
  method: GradientMethod,
): Value | null {
  if (!gradient) return null;
  const product = make.mul(wide(make, weight), wide(make, gradient));
  if (method === 'taylor') return make.abs(product);
  return method === 'hessian' ? make.mul(make.mul(product, product), 0.5) : product;
}

const wide = (make: Expressions, value: Value): Value =>
  make.dtype(value) === 'float64' ? value : make.cast(value, 'float32');

/** Sums over all but an axis, part by part where it has parts: a vector as `axisSums` gives it. */
function summedTo(make: Expressions, value: Value, { axis, parts }: AxisOf): Value {
  const shape = make.shape(value);
  if (!parts) {
    return make.reduceSum(
      value,
      [...shape.keys()].filter((own) => own !== axis),
      false,
    );
  }
  const { along, count } = parts;
  const split = [...shape.slice(0, along), count, shape[along]! / count, ...shape.slice(along + 1)];
  const place = axis < along ? axis : axis + 1;
  const rest = [...split.keys()].filter((own) => own !== place && own !== along);
  const matrix = make.reduceSum(make.reshape(value, split), rest, false);
  const byPart = along < place ? matrix : make.transpose(matrix, [1, 0]);
  return make.reshape(byPart, [count * shape[axis]!]);
}
