import type { ChannelGroup, ChannelGroups, Member } from '../groups.ts';
import { valueStatistics } from './activations.ts';
import { axisSums } from './axis-sums.ts';
import { type ChannelValue, ChannelValues } from './channel-values.ts';
import type { Contribution } from './contributions.ts';
import type { ContributionsOf } from './magnitude.ts';
import { AxisScores, axesOf, picked } from './member-axes.ts';
import type { ImportanceOptions } from './options.ts';

/**
 * Weight times input norm, after Wanda (Sun et al. 2024, "A Simple and Effective Pruning Approach for Large Language Models"), whose score of a weight is |w_ij| ‖x_j‖₂: summed here over the weights of the members that read a channel j,
 * `‖x_j‖₂ Σ_i |w_ij|`, with the norm over all samples and places of the data. Where a weight's index stands for several places of its input, the norm is the root of their mean square.
 */
export async function wandaScores(
  groups: ChannelGroups,
  asked: readonly ChannelGroup[],
  options: ImportanceOptions,
): Promise<ContributionsOf> {
  const places = new ChannelValues(groups);
  const readers = new Map(
    asked.map((group) => [
      group,
      group.members.flatMap((member) => {
        const reads = member.role === 'in' ? places.readBy(member) : [];
        return reads.length > 0 ? [{ member, reads }] : [];
      }),
    ]),
  );
  const all = [...readers.values()].flat();
  const squares = await valueStatistics(
    groups,
    all.flatMap(({ reads }) => reads),
    'sum-of-squares',
    options,
  );
  const magnitudes = new AxisScores();
  for (const [value, axes] of axesOf(all.map(({ member }) => member))) {
    axisSums(value.initializer!, axes, 1).forEach((vector, index) => {
      magnitudes.set(value, axes[index]!, vector);
    });
  }
  return (group) =>
    (readers.get(group) ?? []).map(({ member, reads }): Contribution => {
      const norms = normsFor(member, reads, magnitudes.vector(member)!.length, (read) => squares(read)!);
      const weights = picked(magnitudes.vector(member)!, member.indices);
      return { units: member.units, scores: weights.map((weight, at) => weight * norms[at]!) };
    });
}

/** The norm of what each index of a member reads. A weight that several nodes read has the norm of all of it. */
function normsFor(
  { indices, units }: Member,
  reads: readonly ChannelValue[],
  length: number,
  squaresOf: (read: ChannelValue) => Float64Array,
): Float64Array {
  const norms = new Float64Array(indices.length);
  for (const read of reads) {
    const squares = squaresOf(read);
    const matches =
      read.units.length === length && indices.every((index, at) => read.units[index] === units[at]);
    const byUnit = matches ? null : unitSquares(read.units, squares);
    for (let at = 0; at < indices.length; at++) {
      norms[at]! += byUnit ? (byUnit.get(units[at]!) ?? 0) : squares[indices[at]!]!;
    }
  }
  return norms.map(Math.sqrt);
}

/** The mean of the squares of each unit's places. */
function unitSquares(units: Int32Array, squares: Float64Array): ReadonlyMap<number, number> {
  const sums = new Map<number, { sum: number; count: number }>();
  units.forEach((unit, place) => {
    const own = sums.get(unit) ?? { sum: 0, count: 0 };
    sums.set(unit, { sum: own.sum + squares[place]!, count: own.count + 1 });
  });
  return new Map([...sums].map(([unit, { sum, count }]) => [unit, sum / count]));
}
