import type { Value } from '../../ir/index.ts';
import type { ChannelGroup, ChannelGroups } from '../groups.ts';
import { type ChannelValue, ChannelValues, keyOfValue } from './channel-values.ts';
import type { Contribution } from './contributions.ts';
import type { ContributionsOf } from './magnitude.ts';
import { measured } from './measured.ts';
import type { ImportanceOptions } from './options.ts';
import type { Workbench } from './workbench.ts';

/** What is told of the places of a value along its channels. */
type Statistic = 'mean-magnitude' | 'share-of-non-zeros' | 'sum-of-squares';

/**
 * What channels give on data, looked at in the last values that carry them before the layers that read them, so behind batch norm, activation and pooling: the mean of |a| (Molchanov et al. 2017, "Pruning Convolutional
 * Neural Networks for Resource Efficient Inference"), or the share of entries that are not zero, 1 - APoZ (Hu et al. 2016, "Network Trimming"). A unit of several places has their mean; each such value
 * counts as a member.
 */
export async function activationScores(
  groups: ChannelGroups,
  asked: readonly ChannelGroup[],
  method: 'activation-mean' | 'apoz',
  options: ImportanceOptions,
): Promise<ContributionsOf> {
  const places = new ChannelValues(groups);
  const values = new Map(asked.map((group) => [group, places.ahead(group)]));
  const statistic = method === 'apoz' ? 'share-of-non-zeros' : 'mean-magnitude';
  const numbers = await valueStatistics(groups, [...values.values()].flat(), statistic, options);
  return (group) =>
    (values.get(group) ?? []).map((value) => unitMeans(value, numbers(value)!, groups, group));
}

/** The mean over the places of each unit of a group. */
function unitMeans(
  { units }: ChannelValue,
  numbers: Float64Array,
  { unitCount, groupOf }: ChannelGroups,
  group: ChannelGroup,
): Contribution {
  const counts = new Int32Array(unitCount);
  for (const unit of units) if (unit >= 0) counts[unit]!++;
  const own: number[] = [];
  units.forEach((unit, place) => {
    if (unit >= 0 && groupOf[unit] === group.id) own.push(place);
  });
  return {
    units: Int32Array.from(own, (place) => units[place]!),
    scores: Float64Array.from(own, (place) => numbers[place]! / counts[units[place]!]!),
  };
}

/** Runs the model on the data and gives a number for each place of values along their channels. */
export async function valueStatistics(
  groups: ChannelGroups,
  values: readonly ChannelValue[],
  statistic: Statistic,
  options: ImportanceOptions,
): Promise<(value: ChannelValue) => Float64Array | undefined> {
  const distinct = [...new Map(values.map((value) => [keyOfValue(value), value])).values()];
  const names = new Map(distinct.map((value, index) => [keyOfValue(value), `importance/${index}`]));
  const averages = statistic !== 'sum-of-squares';
  const { sums, samples } = await measured({
    graph: groups.coupling.graph,
    options,
    averages,
    instrument: (bench) => {
      for (const each of distinct) {
        const value = bench.graph.value(each.value.name);
        const vector = vectorOf(bench, value, each.axes, statistic, options.threshold ?? 0);
        bench.builder.output(vector, names.get(keyOfValue(each))!);
      }
      return null;
    },
  });
  const numbers = new Map(
    [...sums].map(([name, sum]) => [name, averages ? sum.map((total) => total / samples) : sum]),
  );
  return (value) => numbers.get(names.get(keyOfValue(value)) ?? '');
}

/** A number for each place along axes, row-major in the order of `axes`. Written with operators that mean the same in all opsets. */
function vectorOf(
  { make }: Workbench,
  value: Value,
  axes: readonly number[],
  statistic: Statistic,
  threshold: number,
): Value {
  const shape = make.shape(value);
  const real = make.dtype(value) === 'float64' ? value : make.cast(value, 'float32');
  const entries =
    statistic === 'share-of-non-zeros'
      ? make.cast(make.greater(make.abs(real), threshold), 'float32')
      : statistic === 'mean-magnitude'
        ? make.abs(real)
        : make.mul(real, real);
  const others = [...shape.keys()].filter((axis) => !axes.includes(axis));
  const reduced = make.reduce('ReduceMean', entries, others, false);
  const ascending = [...axes].sort((a, b) => a - b);
  const ordered = make.transpose(
    reduced,
    axes.map((axis) => ascending.indexOf(axis)),
  );
  const places = axes.reduce((product, axis) => product * shape[axis]!, 1);
  const vector = make.reshape(ordered, [places]);
  if (statistic !== 'sum-of-squares') return vector;
  const repeated = others.reduce((product, axis) => product * shape[axis]!, 1);
  return make.mul(vector, repeated);
}
