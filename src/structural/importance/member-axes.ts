import type { Value } from '../../ir/index.ts';
import { constantSource, layerOf } from '../../ops/index.ts';
import type { ChannelGroup, Member } from '../groups.ts';
import type { AxisOf } from './axis-sums.ts';
import type { Contribution } from './contributions.ts';

/**
 * The members of a group whose weights count, makers of channels first: `out`, filters alone; `out-in`, also the slices that read the channels, and scales of normalizations. Biases, means and variances never count.
 */
export function countedMembers({ members }: ChannelGroup, which: 'out' | 'out-in'): readonly Member[] {
  const makers = members.filter(({ role }) => role === 'out');
  if (which === 'out') return makers;
  const others = members.filter((member) => member.role === 'in' || isScaleOf(member, ANY_NORM));
  return [...makers, ...others];
}

/** The scales of batch norms among the members of a group. */
export const batchNormScales = ({ members }: ChannelGroup): readonly Member[] =>
  members.filter((member) => isScaleOf(member, BATCH_NORM));

/** PyTorch's classes, as `Layer.type` has them. */
const ANY_NORM = /Norm\d?d?$/;
const BATCH_NORM = /^BatchNorm/;

/** True where a member goes along as the weight of a normalization of such a type. */
function isScaleOf({ role, value, node }: Member, type: RegExp): boolean {
  if (role !== 'side') return false;
  const layer = layerOf(node);
  if (!layer || !type.test(layer.type)) return false;
  const weight = layer.parameters.find(({ name }) => name === 'weight');
  const read = weight && node.inputs[weight.input];
  return Boolean(read) && constantSource(read!)?.value === value;
}

const keyOf = ({ axis, parts }: AxisOf): string =>
  parts ? `${axis} in ${parts.count} along ${parts.along}` : String(axis);

/** The axes that members are on, each once, by value. */
export function axesOf(members: Iterable<Member>): ReadonlyMap<Value, readonly AxisOf[]> {
  const found = new Map<Value, Map<string, AxisOf>>();
  for (const { value, axis, parts } of members) {
    const own = found.get(value) ?? new Map<string, AxisOf>();
    const asked = parts ? { axis, parts } : { axis };
    own.set(keyOf(asked), asked);
    found.set(value, own);
  }
  return new Map([...found].map(([value, axes]) => [value, [...axes.values()]]));
}

/** A number for each index of axes of values. */
export class AxisScores {
  readonly #vectors = new Map<Value, Map<string, Float64Array>>();

  set(value: Value, axis: AxisOf, vector: Float64Array): void {
    const own = this.#vectors.get(value) ?? new Map<string, Float64Array>();
    own.set(keyOf(axis), vector);
    this.#vectors.set(value, own);
  }

  /** The numbers of the axis a member is on. Undefined where none were set. */
  vector(member: Member): Float64Array | undefined {
    return this.#vectors.get(member.value)?.get(keyOf(member));
  }

  /** What the numbers say of a member's units; nothing where none were set. */
  of(member: Member): readonly Contribution[] {
    const vector = this.vector(member);
    return vector ? [{ units: member.units, scores: picked(vector, member.indices) }] : [];
  }
}

/** The numbers at some indices. */
export function picked(vector: Float64Array, indices: Int32Array): Float64Array {
  const scores = new Float64Array(indices.length);
  for (let at = 0; at < indices.length; at++) scores[at] = vector[indices[at]!]!;
  return scores;
}
