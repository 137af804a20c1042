import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import type { AnyModule, Parameter } from '../nn/index.ts';
import type { ChannelGroups, Member } from '../structural/index.ts';
import type { Regularizer } from './objective.ts';

/**
 * Penalty on channels that are going to be removed, `λ/2 Σ w²` over all weights that make, read or scale them: grown from epoch to epoch it drives them to 0 before they are cut (growing regularization, Wang
 * et al. 2021, there on filters; here on all that is coupled).
 *
 * @param removed for each unit of `groups` 1 where it will go; the groups are those of the graph that `model` was made of
 *
 * Throws ArgumentError where λ is negative or not finite; when the model is traced, where it lacks a parameter of the groups.
 */
export function penalizeChannels(groups: ChannelGroups, removed: Uint8Array, lambda: number): Regularizer {
  if (!(Number.isFinite(lambda) && lambda >= 0))
    throw new ArgumentError(`penalizeChannels: lambda expects a number of at least 0, got ${lambda}`);
  const members = groups.groups.flatMap((group) =>
    group.members.filter((member) => !member.parts && member.units.some((unit) => removed[unit] === 1)),
  );
  return (model, like) => {
    const parameters = new Map(model.namedParameters());
    const terms = members.flatMap((member) => {
      const parameter = parameters.get(member.name);
      if (!parameter) {
        if (isBuffer(model, member.name)) return [];
        throw new ArgumentError(
          `penalizeChannels: the model has no parameter '${member.name}'; give the one its groups were found in`,
        );
      }
      const weight = like.tracer
        .tensor(parameter)
        .mul(like.tracer.constant(flags(member, parameter, removed)));
      return [weight.mul(weight).sum()];
    });
    const [first, ...rest] = terms;
    if (!first)
      throw new ArgumentError('penalizeChannels: there is nothing to penalize; choose channels first');
    return rest.reduce((sum, term) => sum.add(term), first).mul(lambda / 2);
  };
}

const isBuffer = (model: AnyModule, name: string): boolean =>
  [...model.namedBuffers()].some(([own]) => own === name);

/** 1 where a channel goes, along the member's axis. */
function flags(member: Member, { shape }: Parameter, removed: Uint8Array): Tensor {
  const size = shape[member.axis]!;
  const along = new Float32Array(size);
  member.indices.forEach((index, at) => {
    along[index] = removed[member.units[at]!]!;
  });
  return Tensor.of(
    along,
    shape.map((_, axis) => (axis === member.axis ? size : 1)),
  );
}
