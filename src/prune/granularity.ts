import { ArgumentError } from '../core/errors.ts';
import { sizeOf, stridesOf } from '../core/tensor.ts';
import type { WeightLayout } from '../ops/index.ts';

/**
 * What is pruned as one.
 *
 * - `fine-grained`: single weights.
 * - `vector`: rows (along the last kernel axis) or columns (along the one before it) inside kernels.
 * - `kernel`: the window between one input and one output channel.
 * - `filter`: all weights of one output channel.
 * - `block`: `rows` x `columns` of the weight seen as a matrix, output channels x (input channels · kernel window); blocks at the edges are smaller.
 * - `nm`: single weights so that at most `n` of every `m` consecutive input channels remain, for each output channel and place in the window.
 *   Where the input channels are no multiple of `m`, the last, smaller group keeps its `n` largest too.
 * - `layer`: all weights.
 */
export type Granularity =
  | { readonly kind: 'fine-grained' }
  | { readonly kind: 'vector'; readonly along?: 'rows' | 'columns' }
  | { readonly kind: 'kernel' }
  | { readonly kind: 'filter' }
  | { readonly kind: 'block'; readonly rows: number; readonly columns: number }
  | { readonly kind: 'nm'; readonly n: number; readonly m: number }
  | { readonly kind: 'layer' };

const NAMED: Readonly<Record<string, Granularity>> = {
  weight: { kind: 'fine-grained' },
  'fine-grained': { kind: 'fine-grained' },
  vector: { kind: 'vector', along: 'rows' },
  row: { kind: 'vector', along: 'rows' },
  column: { kind: 'vector', along: 'columns' },
  kernel: { kind: 'kernel' },
  filter: { kind: 'filter' },
  layer: { kind: 'layer' },
};

/**
 * The granularity that a word stands for: `weight` (or `fine-grained`), `row` (or `vector`), `column`, `kernel`, `filter`, `layer`, blocks as `block:4x1` and
 * N:M as `2:4`. Throws ArgumentError for others.
 */
export function parseGranularity(text: string): Granularity {
  const granularity = (Object.hasOwn(NAMED, text) ? NAMED[text] : undefined) ?? numbered(text);
  if (!granularity) {
    throw new ArgumentError(
      `granularity '${text}': expected weight, row, column, kernel, filter, layer, block:RxC such as block:4x1, or N:M such as 2:4`,
    );
  }
  checkGranularity(granularity);
  return granularity;
}

function numbered(text: string): Granularity | null {
  const block = /^block:(\d+)x(\d+)$/.exec(text);
  if (block) return { kind: 'block', rows: Number(block[1]), columns: Number(block[2]) };
  const nm = /^(\d+):(\d+)$/.exec(text);
  return nm ? { kind: 'nm', n: Number(nm[1]), m: Number(nm[2]) } : null;
}

/**
 * A weight as a matrix: `rows` output channels by `inputs * window` columns, input channels per group counted before places in the window. Groups of
 * a granularity are numbered so that entry (o, c) belongs to `rowGroup[o] + columnGroup[c]`.
 */
export interface Grouping {
  /** Number of groups. */
  readonly count: number;
  readonly rowGroup: Int32Array;
  readonly columnGroup: Int32Array;
  /** Number of weights in each group. */
  readonly sizes: Float64Array;
}

/** A weight as a matrix of output channels, with the way there from the weight's own order. */
export interface MatrixView {
  readonly rows: number;
  readonly columns: number;
  readonly inputs: number;
  /** Sizes of the kernel window; empty for linear layers. */
  readonly window: readonly number[];
  /** Where matrix entry `i` lies in the weight; null where the weight lies in the matrix's order already. */
  readonly order: Int32Array | null;
}

/** `float32[16, 3, 3, 3]`-like words for messages. */
const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** The layout of a weight of which nothing is known: a convolution's `[out, in, ...kernel]`, or a linear layer's `[out, in]`. */
export const assumedLayout = (shape: readonly number[]): WeightLayout => ({
  output: 0,
  input: shape.length > 1 ? 1 : null,
  kernel: shape.map((_, axis) => axis).slice(2),
  groups: 1,
});

/** Output channels of a weight, those of all groups together. */
export function outputChannels(shape: readonly number[], layout: WeightLayout): number {
  return shape[layout.output]! * (isTransposed(layout) ? layout.groups : 1);
}

/** Transposed convolutions count output channels per group, and input channels of all groups. */
const isTransposed = ({ output, input, kernel }: WeightLayout): boolean =>
  input !== null && input < output && kernel.length > 0;

/** A weight as a matrix of output channels. Throws ArgumentError where the layout does not fit the shape. */
export function matrixView(shape: readonly number[], layout: WeightLayout): MatrixView {
  const axes = [layout.output, ...(layout.input === null ? [] : [layout.input]), ...layout.kernel];
  if (
    axes.length !== shape.length ||
    new Set(axes).size !== shape.length ||
    axes.some((axis) => !(axis in shape))
  ) {
    throw new ArgumentError(
      `granularity: the layout (output axis ${layout.output}, input axis ${layout.input}, kernel axes [${layout.kernel.join(', ')}]) does not cover the axes of a weight of shape ${shapeText(shape)}`,
    );
  }
  const groups = isTransposed(layout) ? layout.groups : 1;
  const rows = outputChannels(shape, layout);
  const inputs = layout.input === null ? 1 : shape[layout.input]! / groups;
  const window = layout.kernel.map((axis) => shape[axis]!);
  const columns = inputs * sizeOf(window);
  const inOrder = groups === 1 && axes.every((axis, index) => axis === index);
  if (inOrder) return { rows, columns, inputs, window, order: null };
  const strides = stridesOf(shape);
  const rowsPerGroup = rows / groups;
  const order = new Int32Array(rows * columns);
  const inside = windowOffsets(
    window,
    layout.kernel.map((axis) => strides[axis]!),
  );
  const inputStride = layout.input === null ? 0 : strides[layout.input]!;
  for (let o = 0, i = 0; o < rows; o++) {
    const group = Math.floor(o / rowsPerGroup);
    const row = (o % rowsPerGroup) * strides[layout.output]!;
    for (let c = 0; c < inputs; c++) {
      const start = row + (group * inputs + c) * inputStride;
      for (const offset of inside) order[i++] = start + offset;
    }
  }
  return { rows, columns, inputs, window, order };
}

function windowOffsets(window: readonly number[], strides: readonly number[]): number[] {
  let offsets = [0];
  window.forEach((size, axis) => {
    offsets = offsets.flatMap((offset) =>
      Array.from({ length: size }, (_, place) => offset + place * strides[axis]!),
    );
  });
  return offsets;
}

/**
 * Why a granularity cannot be had of a weight, with what to do instead; null where it can. Vectors and kernels need a kernel window, columns one of
 * two axes; everything but single weights needs output channels, which a bias does not have.
 */
export function granularityProblem(
  granularity: Granularity,
  shape: readonly number[],
  layout: WeightLayout | null,
): string | null {
  const { kind } = granularity;
  if (kind === 'fine-grained' || kind === 'layer') return null;
  if (layout === null && shape.length < 2) {
    return `'${kind}' needs output and input channels, and a parameter of shape ${shapeText(shape)} has none; use 'fine-grained'`;
  }
  const { kernel, input } = layout ?? assumedLayout(shape);
  if ((kind === 'kernel' || kind === 'vector') && kernel.length === 0) {
    return `'${kind}' needs a kernel window, and a weight of shape ${shapeText(shape)} has none; use 'fine-grained', 'block', 'nm' or 'filter' for it`;
  }
  if (kind === 'vector' && granularity.along === 'columns' && kernel.length < 2) {
    return `'vector' along columns needs a kernel window of two axes, and a weight of shape ${shapeText(shape)} has one; use rows`;
  }
  if (kind === 'nm' && input === null) {
    return `'nm' needs input channels, and a weight of shape ${shapeText(shape)} has none; use 'filter'`;
  }
  return null;
}

/** Throws ArgumentError where the numbers of a granularity are no sizes. */
export function checkGranularity(granularity: Granularity): void {
  const whole = (value: number, least: number): boolean => Number.isSafeInteger(value) && value >= least;
  if (granularity.kind === 'block' && !(whole(granularity.rows, 1) && whole(granularity.columns, 1))) {
    throw new ArgumentError(
      `granularity 'block': rows and columns must be whole numbers >= 1, got ${granularity.rows} x ${granularity.columns}`,
    );
  }
  if (granularity.kind === 'nm') {
    const { n, m } = granularity;
    if (!whole(n, 0) || !whole(m, 1) || n > m)
      throw new ArgumentError(`granularity 'nm': expected whole numbers 0 <= n <= m, m >= 1, got ${n}:${m}`);
  }
}

/** The groups of a weight. Throws ArgumentError where the weight cannot have them. */
export function groupingOf(granularity: Granularity, view: MatrixView): Grouping {
  const { rows, columns, inputs, window } = view;
  const places = sizeOf(window);
  const width = window.at(-1) ?? 1;
  const [rowStride, rowOf, columnOf] = ((): [number, (o: number) => number, (c: number) => number] => {
    switch (granularity.kind) {
      case 'fine-grained':
        return [columns, same, same];
      case 'vector':
        if (granularity.along !== 'columns') return [columns / width, same, (c) => Math.floor(c / width)];
        return [
          columns / window.at(-2)!,
          same,
          (c) => {
            const size = window.at(-2)! * width;
            return Math.floor(c / size) * width + (c % width);
          },
        ];
      case 'kernel':
        return [inputs, same, (c) => Math.floor(c / places)];
      case 'filter':
        return [1, same, none];
      case 'block':
        return [
          Math.ceil(columns / granularity.columns),
          (o) => Math.floor(o / granularity.rows),
          (c) => Math.floor(c / granularity.columns),
        ];
      case 'nm':
        return [
          Math.ceil(inputs / granularity.m) * places,
          same,
          (c) => Math.floor(Math.floor(c / places) / granularity.m) * places + (c % places),
        ];
      case 'layer':
        return [1, none, none];
    }
  })();
  const rowGroup = Int32Array.from({ length: rows }, (_, o) => rowOf(o) * rowStride);
  const columnGroup = Int32Array.from({ length: columns }, (_, c) => columnOf(c));
  const count = rows * columns === 0 ? 0 : rowGroup.at(-1)! + Math.max(...blockMaxima(columnGroup)) + 1;
  return { count, rowGroup, columnGroup, sizes: groupSizes(count, rowGroup, columnGroup) };
}

const same = (index: number): number => index;
const none = (): number => 0;

/** The largest entries of stretches that fit on the stack as arguments. */
function blockMaxima(values: Int32Array): number[] {
  const maxima: number[] = [];
  for (let i = 0; i < values.length; i += 4096) maxima.push(Math.max(...values.subarray(i, i + 4096)));
  return maxima;
}

function groupSizes(count: number, rowGroup: Int32Array, columnGroup: Int32Array): Float64Array {
  const sizes = new Float64Array(count);
  for (const row of rowGroup) for (const column of columnGroup) sizes[row + column]!++;
  return sizes;
}

/** How weights are ranked: by mean magnitude, by root mean square, or at random. */
export type Importance = 'l1' | 'l2' | 'random';

/**
 * Importance of each group: the mean of magnitudes ('l1') or the root of the mean of squares ('l2') over the group's entries, so that groups of
 * different sizes compare.
 */
export function groupScores(
  values: Float32Array,
  grouping: Grouping,
  view: MatrixView,
  importance: 'l1' | 'l2',
): Float32Array {
  const sums = new Float64Array(grouping.count);
  const { rowGroup, columnGroup } = grouping;
  const { order, columns } = view;
  const squares = importance === 'l2';
  for (let o = 0, i = 0; o < rowGroup.length; o++) {
    const row = rowGroup[o]!;
    for (let c = 0; c < columns; c++, i++) {
      const value = values[order === null ? i : order[i]!]!;
      sums[row + columnGroup[c]!]! += squares ? value * value : Math.abs(value);
    }
  }
  return Float32Array.from(sums, (sum, group) => {
    const mean = sum / grouping.sizes[group]!;
    return squares ? Math.sqrt(mean) : mean;
  });
}

/** `base` with 0 at all entries of the groups whose `keep` is 0. */
export function maskOfGroups(
  base: Float32Array,
  grouping: Grouping,
  view: MatrixView,
  keep: ArrayLike<number>,
): Float32Array {
  const out = base.slice();
  const { rowGroup, columnGroup } = grouping;
  const { order, columns } = view;
  for (let o = 0, i = 0; o < rowGroup.length; o++) {
    const row = rowGroup[o]!;
    for (let c = 0; c < columns; c++, i++) {
      if (keep[row + columnGroup[c]!] === 0) out[order === null ? i : order[i]!] = 0;
    }
  }
  return out;
}

/** Groups that still have an entry which is not masked. */
export function livingGroups(mask: Float32Array, grouping: Grouping, view: MatrixView): Uint8Array {
  const living = new Uint8Array(grouping.count);
  const { rowGroup, columnGroup } = grouping;
  const { order, columns } = view;
  for (let o = 0, i = 0; o < rowGroup.length; o++) {
    const row = rowGroup[o]!;
    for (let c = 0; c < columns; c++, i++) {
      if (mask[order === null ? i : order[i]!] !== 0) living[row + columnGroup[c]!] = 1;
    }
  }
  return living;
}
