import { ArgumentError } from '../core/errors.ts';
import { fma32 } from '../core/numeric.ts';
import type { Tensor } from '../core/tensor.ts';
import { type AxisView, axisView, gatherChannels } from './channels.ts';
import { nuclearNorm } from './nuclear.ts';

/** Order of a norm, as `torch.norm` takes it: any number, the infinities, Frobenius (the 2-norm) or nuclear (sum of singular values). */
export type NormOrder = number | 'fro' | 'nuc';

const fround = Math.fround;

/**
 * Norms of the channels along `axis`, each over everything else: `torch.norm(t, p, dim=the other axes)` of a contiguous float32 tensor, f32[channels].
 *
 * Channels with nearly equal norms are ranked by their last bits, so that sums are taken in PyTorch's order and rounded where it
 * rounds (the bits are the same for the orders 0, 1, 2 and the infinities; for others C's `powf` makes about one norm in 1,000 differ in its last bit): in float32, one after the other in memory order; for p = 2 over memory that lies together, in the eight lanes of AVX2. Throws
 * ArgumentError for matrix norms over anything but two axes ('fro' over one, too, is a vector's).
 */
export function channelNorms(t: Tensor, axis: number, p: NormOrder): Float32Array {
  const view = axisView(t.shape, axis);
  if (p === 'nuc') return nuclearNorms(t, axis);
  if (p === 'fro') {
    if (t.shape.length > 3) throw notAMatrix(t, axis, p);
    return channelNorms(t, axis, 2);
  }
  if (typeof p !== 'number') throw new ArgumentError(`norm: order ${String(p)} is not supported`);
  const data = t.float32;
  if (p === 2) return view.outer === 1 ? laneNorms(data, view) : serialSquares(data, view);
  if (p === 1) return serialMagnitudes(data, view);
  if (p === Number.POSITIVE_INFINITY) return extremes(data, view, Math.max, 0);
  if (p === Number.NEGATIVE_INFINITY) return extremes(data, view, Math.min, Number.POSITIVE_INFINITY);
  if (p === 0) return serial(data, view, (x) => (x === 0 ? 0 : 1), same);
  const power = fround(p);
  const root = fround(1 / power);
  return serial(
    data,
    view,
    (x) => fround(Math.abs(x) ** power),
    (sum) => fround(sum ** root),
  );
}

const square = (x: number): number => fround(x * x);
const same = (x: number): number => x;

/** Sum of `term` over each channel, rounded to float32 at each step; then `finish`. */
function serial(
  data: Float32Array,
  { outer, channels, inner }: AxisView,
  term: (x: number) => number,
  finish: (sum: number) => number,
): Float32Array {
  const sums = new Float32Array(channels);
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      let sum = sums[c]!;
      for (const end = i + inner; i < end; i++) sum = fround(sum + term(data[i]!));
      sums[c] = sum;
    }
  }
  for (let c = 0; c < channels; c++) sums[c] = finish(sums[c]!);
  return sums;
}

// The two common orders have loops of their own: one that calls a function at every element takes twice as long.
function serialMagnitudes(data: Float32Array, { outer, channels, inner }: AxisView): Float32Array {
  const sums = new Float32Array(channels);
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      let sum = sums[c]!;
      for (const end = i + inner; i < end; i++) sum = fround(sum + Math.abs(data[i]!));
      sums[c] = sum;
    }
  }
  return sums;
}

function serialSquares(data: Float32Array, { outer, channels, inner }: AxisView): Float32Array {
  const sums = new Float32Array(channels);
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      let sum = sums[c]!;
      for (const end = i + inner; i < end; i++) sum = fround(sum + square(data[i]!));
      sums[c] = sum;
    }
  }
  for (let c = 0; c < channels; c++) sums[c] = Math.sqrt(sums[c]!);
  return sums;
}

function extremes(
  data: Float32Array,
  { outer, channels, inner }: AxisView,
  pick: (a: number, b: number) => number,
  start: number,
): Float32Array {
  const found = new Float32Array(channels).fill(start);
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      let best = found[c]!;
      for (const end = i + inner; i < end; i++) best = pick(best, Math.abs(data[i]!));
      found[c] = best;
    }
  }
  return found;
}

/**
 * 2-norms of channels that lie together. PyTorch adds the squares in eight lanes, then the lanes in order, then what is left over: four at a
 * time as rounded squares, the last up to three by fused multiply-adds (as its compiler made of that loop).
 */
function laneNorms(data: Float32Array, { channels, inner }: AxisView): Float32Array {
  const norms = new Float32Array(channels);
  const whole = inner - (inner % 8);
  const fours = inner - (inner % 4);
  for (let c = 0; c < channels; c++) {
    const start = c * inner;
    let i = start;
    let [a0, a1, a2, a3, a4, a5, a6, a7] = [0, 0, 0, 0, 0, 0, 0, 0];
    for (const end = start + whole; i < end; i += 8) {
      a0 = fround(a0 + square(data[i]!));
      a1 = fround(a1 + square(data[i + 1]!));
      a2 = fround(a2 + square(data[i + 2]!));
      a3 = fround(a3 + square(data[i + 3]!));
      a4 = fround(a4 + square(data[i + 4]!));
      a5 = fround(a5 + square(data[i + 5]!));
      a6 = fround(a6 + square(data[i + 6]!));
      a7 = fround(a7 + square(data[i + 7]!));
    }
    let sum = fround(fround(fround(a0 + a1) + a2) + a3);
    sum = fround(fround(fround(fround(sum + a4) + a5) + a6) + a7);
    for (const end = start + fours; i < end; i++) sum = fround(sum + square(data[i]!));
    for (const end = start + inner; i < end; i++) sum = fma32(data[i]!, data[i]!, sum);
    norms[c] = Math.sqrt(sum);
  }
  return norms;
}

const notAMatrix = (t: Tensor, axis: number, p: NormOrder): ArgumentError => {
  const others = t.shape.map((_, index) => index).filter((index) => index !== axis);
  return new ArgumentError(
    `norm '${p}': is a matrix norm, over exactly two axes; the channels of ${t} along axis ${axis} have the axes ${others.join(', ')}`,
  );
};

function nuclearNorms(t: Tensor, axis: number): Float32Array {
  const [rows, columns, ...rest] = t.shape.filter((_, index) => index !== axis);
  if (rows === undefined || columns === undefined || rest.length > 0) throw notAMatrix(t, axis, 'nuc');
  return Float32Array.from({ length: t.shape[axis]! }, (_, channel) =>
    nuclearNorm(gatherChannels(t.float32, t.shape, axis, Int32Array.of(channel)), rows, columns),
  );
}
