/** Slices of a row-major tensor along one axis: the channels of structured pruning. */

/** The shape with another size along `axis`. */
export const withShape = (shape: readonly number[], axis: number, size: number): number[] =>
  shape.map((dim, index) => (index === axis ? size : dim));

/** A tensor seen as `[outer, channels, inner]` around an axis. */
export interface AxisView {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

/** Sizes before, at and behind an axis. */
export function axisView(shape: readonly number[], axis: number): AxisView {
  let outer = 1;
  let inner = 1;
  shape.forEach((dim, index) => {
    if (index < axis) outer *= dim;
    else if (index > axis) inner *= dim;
  });
  return { outer, channels: shape[axis]!, inner };
}

/** Channels along `axis` whose mask entries do not sum to 0, ascending. */
export function livingChannels(mask: Float32Array, shape: readonly number[], axis: number): Int32Array {
  const { outer, channels, inner } = axisView(shape, axis);
  const sums = new Float64Array(channels);
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (const end = i + inner; i < end; i++) sum += mask[i]!;
      sums[c]! += sum;
    }
  }
  const living: number[] = [];
  sums.forEach((sum, channel) => {
    if (sum !== 0) living.push(channel);
  });
  return Int32Array.from(living);
}

/** The given channels alone, in memory of their own. */
export function gatherChannels(
  data: Float32Array,
  shape: readonly number[],
  axis: number,
  picked: Int32Array,
): Float32Array {
  const { outer, channels, inner } = axisView(shape, axis);
  const out = new Float32Array(outer * picked.length * inner);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (const channel of picked) {
      const from = (o * channels + channel) * inner;
      if (inner === 1) out[to] = data[from]!;
      else out.set(data.subarray(from, from + inner), to);
      to += inner;
    }
  }
  return out;
}

/** Puts channels that `gatherChannels` took back into their places in `target`. */
export function scatterChannels(
  part: Float32Array,
  target: Float32Array,
  shape: readonly number[],
  axis: number,
  picked: Int32Array,
): void {
  const { outer, channels, inner } = axisView(shape, axis);
  let from = 0;
  for (let o = 0; o < outer; o++) {
    for (const channel of picked) {
      const to = (o * channels + channel) * inner;
      if (inner === 1) target[to] = part[from]!;
      else target.set(part.subarray(from, from + inner), to);
      from += inner;
    }
  }
}

/** A mask that is `base` (1, if left out) on the channels with `keep` set, and 0 on the others. */
export function channelMask(
  shape: readonly number[],
  axis: number,
  keep: Uint8Array,
  base?: Float32Array,
): Float32Array {
  const { outer, channels, inner } = axisView(shape, axis);
  const out = new Float32Array(outer * channels * inner);
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++, i += inner) {
      if (keep[c] === 0) continue;
      // A call costs more than a few steps of a loop.
      if (inner < 32) for (let j = i; j < i + inner; j++) out[j] = base ? base[j]! : 1;
      else if (base) out.set(base.subarray(i, i + inner), i);
      else out.fill(1, i, i + inner);
    }
  }
  return out;
}
