import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import type { Parameter } from '../nn/index.ts';
import type { ChannelGroups, Member } from '../structural/index.ts';
import type { Regularizer } from './objective.ts';

/**
 * Penalty on channels that are going to be removed, `λ/2 Σ w²` over all weights that make, read, scale or shift them: its gradient is `λ w`. Grown from epoch to epoch it drives them to 0 before they are cut (growing
 * regularization, Wang et al. 2021, there on filters; here on all that is coupled). A weight between two channels that both go counts twice.
 *
 * @param removed for each unit of `groups` 1 where it will go; the groups are those of the graph that `model` was made of
 *
 * Throws ArgumentError where λ is negative or not finite, or nothing is to go; when the model is traced, where it lacks a weight of the groups.
 */
export function penalizeChannels(groups: ChannelGroups, removed: Uint8Array, lambda: number): Regularizer {
  if (!(Number.isFinite(lambda) && lambda >= 0))
    throw new ArgumentError(`penalizeChannels: lambda expects a number of at least 0, got ${lambda}`);
  const members = groups.groups.flatMap((group) =>
    group.members.filter((member) => member.units.some((unit) => removed[unit] === 1)),
  );
  if (members.length === 0)
    throw new ArgumentError('penalizeChannels: no channel is to go; choose some with decide first');
  return (model, like) => {
    const parameters = new Map(model.namedParameters());
    const terms = members.flatMap((member) => {
      const parameter = parameters.get(member.name);
      if (!parameter) {
        // Running statistics, and constants that no one trains.
        if (member.role === 'side') return [];
        throw new ArgumentError(
          `penalizeChannels: the model has no parameter '${member.name}'; give the one its groups were found in`,
        );
      }
      const { tracer } = like;
      const weight = tracer.tensor(parameter).mul(tracer.constant(flags(member, parameter, removed)));
      return [weight.mul(weight).sum()];
    });
    return terms.reduce((sum, term) => sum.add(term)).mul(lambda / 2);
  };
}

/** 1 where channels go, in a shape that spreads over the parameter's. */
function flags({ axis, indices, units, parts }: Member, { shape }: Parameter, removed: Uint8Array): Tensor {
  const size = shape[axis]!;
  const rows = parts ? shape[parts.along]! : 1;
  const rowsOfPart = parts ? rows / parts.count : 1;
  const along = new Float32Array(rows * size);
  indices.forEach((index, at) => {
    if (removed[units[at]!] !== 1) return;
    const [part, place] = [Math.floor(index / size), index % size];
    for (let row = part * rowsOfPart; row < (part + 1) * rowsOfPart; row++) along[row * size + place] = 1;
  });
  // Parts lie along an axis before this one: the outputs of a grouped convolution.
  return Tensor.of(
    along,
    shape.map((own, each) => (each === axis || each === parts?.along ? own : 1)),
  );
}
