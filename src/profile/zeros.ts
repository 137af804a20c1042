import { dtypeInfo } from '../core/dtype.ts';
import { toFloat32 } from '../core/float16.ts';
import { stridesOf, type Tensor } from '../core/tensor.ts';
import type { WeightLayout } from '../ops/index.ts';

/** Elements that are zero, of either sign. Packed and complex tensors count as having none. */
export function countZeros(tensor: Tensor): number {
  const { kind, bits } = dtypeInfo(tensor.dtype);
  if (kind === 'string' || kind === 'complex' || bits < 8 || tensor.dtype === 'float8e8m0') return 0;
  return zerosOf(toFloat32(tensor).float32);
}

/** 1 for the bits of a float32 zero of either sign, else 0: without the sign, 0 alone goes below 0 when 1 is taken off. */
const isZero = (bits: number): number => ((bits & 0x7fffffff) - 1) >>> 31;

/**
 * Zeros among float32 numbers, by their bits and without branches, so that it does not matter how they are scattered. The four quarters are read
 * side by side: with several places of memory asked for at once, weights that are in no cache take a third of the time.
 */
function zerosOf(values: Float32Array): number {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const quarter = 2 * Math.floor(bits.length / 8);
  const [second, third, fourth, rest] = [quarter, 2 * quarter, 3 * quarter, 4 * quarter];
  let zeros = 0;
  for (let i = 0; i < quarter; i += 2) {
    zeros =
      (zeros +
        isZero(bits[i]!) +
        isZero(bits[i + 1]!) +
        isZero(bits[second + i]!) +
        isZero(bits[second + i + 1]!) +
        isZero(bits[third + i]!) +
        isZero(bits[third + i + 1]!) +
        isZero(bits[fourth + i]!) +
        isZero(bits[fourth + i + 1]!)) |
      0;
  }
  for (let i = rest; i < bits.length; i++) zeros += isZero(bits[i]!);
  return zeros;
}

/** How many units of a kind are wholly zero (for N:M: satisfy the pattern), of how many. */
export interface ZeroUnits {
  readonly zero: number;
  readonly total: number;
}

/** Zeros of a weight by what they make up together. Kinds a weight does not have are left out: a linear layer has no kernels. */
export interface GranularSparsity {
  readonly weights: ZeroUnits;
  /** Rows of kernels (along the last kernel axis). */
  readonly rows?: ZeroUnits;
  /** Columns of kernels (along the first kernel axis). */
  readonly columns?: ZeroUnits;
  /** Kernels: one input channel of one filter. */
  readonly kernels?: ZeroUnits;
  /** Filters: all weights of one output channel. */
  readonly filters?: ZeroUnits;
  /** Input channels: all weights that read it. */
  readonly channels?: ZeroUnits;
  /** Groups of M consecutive input channels with at most N non-zeros, by pattern such as `2:4`. */
  readonly patterns?: Readonly<Record<string, ZeroUnits>>;
}

/** Patterns that hardware knows. */
const PATTERNS = [
  [2, 4],
  [1, 4],
] as const;

/** Counts, for every way of keeping some axes fixed, how many of the resulting slices are wholly zero. */
function slices(values: Float32Array, shape: readonly number[], axes: readonly number[]): ZeroUnits {
  const strides = stridesOf(shape);
  const inner = shape.flatMap((_, axis) => (axes.includes(axis) ? [axis] : []));
  const outer = shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  const offsets = (chosen: readonly number[]): Int32Array =>
    chosen.reduce<Int32Array>((before, axis) => {
      const size = shape[axis]!;
      const next = new Int32Array(before.length * size);
      for (let i = 0; i < before.length; i++) {
        for (let j = 0; j < size; j++) next[i * size + j] = before[i]! + j * strides[axis]!;
      }
      return next;
    }, Int32Array.of(0));
  const starts = offsets(outer);
  const steps = offsets(inner);
  let zero = 0;
  for (const start of starts) {
    let alive = false;
    for (let i = 0; i < steps.length && !alive; i++) alive = values[start + steps[i]!] !== 0;
    if (!alive) zero++;
  }
  return { zero, total: starts.length };
}

/** N:M groups along the input axis that have at most N non-zeros; a last group of fewer than M channels is not counted. */
function pattern(
  values: Float32Array,
  shape: readonly number[],
  axis: number,
  n: number,
  m: number,
): ZeroUnits {
  const stride = stridesOf(shape)[axis]!;
  const channels = shape[axis]!;
  const groups = Math.floor(channels / m);
  let zero = 0;
  let total = 0;
  // Blocks hold all channels; within one, channels are `stride` apart.
  for (let block = 0; block < values.length; block += channels * stride) {
    for (let group = 0; group < groups; group++) {
      const start = block + group * m * stride;
      for (let base = start; base < start + stride; base++) {
        let alive = 0;
        for (let i = 0; i < m; i++) if (values[base + i * stride] !== 0) alive++;
        if (alive <= n) zero++;
      }
      total += stride;
    }
  }
  return { zero, total };
}

/** Sparsity of a weight by granularity, without running anything. Linear in its elements. */
export function granularSparsity(tensor: Tensor, layout: WeightLayout | null): GranularSparsity {
  const weights = { zero: countZeros(tensor), total: tensor.size };
  if (!layout || tensor.shape.length < 2 || layout.input === null) return { weights };
  const { shape } = tensor;
  const values = toFloat32(tensor).float32;
  const all = shape.map((_, axis) => axis);
  const { kernel, output, input } = layout;
  return {
    weights,
    ...(kernel.length >= 2
      ? { rows: slices(values, shape, [kernel.at(-1)!]), columns: slices(values, shape, [kernel[0]!]) }
      : {}),
    ...(kernel.length >= 1 ? { kernels: slices(values, shape, kernel) } : {}),
    filters: slices(
      values,
      shape,
      all.filter((axis) => axis !== output),
    ),
    channels: slices(
      values,
      shape,
      all.filter((axis) => axis !== input),
    ),
    patterns: Object.fromEntries(
      PATTERNS.map(([n, m]) => [`${n}:${m}`, pattern(values, shape, input, n, m)]),
    ),
  };
}

/** Sums counts of several weights; kinds that only some have are summed over those. */
export function addSparsity(parts: readonly GranularSparsity[]): GranularSparsity {
  const add = (units: readonly (ZeroUnits | undefined)[]): ZeroUnits | undefined => {
    const known = units.filter((unit) => unit !== undefined);
    if (known.length === 0) return undefined;
    return {
      zero: known.reduce((sum, unit) => sum + unit.zero, 0),
      total: known.reduce((sum, unit) => sum + unit.total, 0),
    };
  };
  const optional = <K extends 'rows' | 'columns' | 'kernels' | 'filters' | 'channels'>(key: K) => {
    const sum = add(parts.map((part) => part[key]));
    return sum ? { [key]: sum } : {};
  };
  const patterns = PATTERNS.flatMap(([n, m]) => {
    const sum = add(parts.map((part) => part.patterns?.[`${n}:${m}`]));
    return sum ? [[`${n}:${m}`, sum] as const] : [];
  });
  return {
    weights: add(parts.map((part) => part.weights)) ?? { zero: 0, total: 0 },
    ...optional('rows'),
    ...optional('columns'),
    ...optional('kernels'),
    ...optional('filters'),
    ...optional('channels'),
    ...(patterns.length > 0 ? { patterns: Object.fromEntries(patterns) } : {}),
  };
}
