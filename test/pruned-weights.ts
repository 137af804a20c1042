/**
 * What pruning half must have left of weights, worked out from the definitions: which group an element belongs to, how many
 * groups go, and that those that went were worth no more than those that stayed. Shares no code with the library.
 */
import { expect } from 'vitest';
import type { Tensor } from '../src/core/tensor.ts';
import type { AnyModule, Parameter } from '../src/nn/index.ts';

/** A weight before it was pruned, with its place. */
export interface Weight {
  readonly parameter: Parameter;
  readonly before: Float32Array;
}

/** Copies of the weights. Call before pruning. */
export const weightsOf = (targets: Iterable<readonly [AnyModule, string]>): Weight[] =>
  Array.from(targets, ([module, name]) => {
    const parameter = module.getParameter(name);
    return { parameter, before: parameter.data.float32.slice() };
  });

/** Where an element lies: its index, coordinates, and sizes to number groups by. */
export interface Place {
  readonly index: number;
  /** Coordinates in the weight's own axes. */
  readonly at: readonly number[];
  /** Output channel, input channel of its group, place in the window: row and column. */
  readonly o: number;
  readonly i: number;
  readonly y: number;
  readonly x: number;
  readonly inputs: number;
  readonly height: number;
  readonly width: number;
}

/** Number of the group an element belongs to; groups are numbered from 0 without gaps. */
export type GroupOf = (place: Place) => number;

export const weight: GroupOf = ({ index }) => index;
export const channel =
  (dim: number): GroupOf =>
  ({ at }) =>
    at[dim]!;
export const row: GroupOf = ({ o, i, y, inputs, height }) => (o * inputs + i) * height + y;
export const column: GroupOf = ({ o, i, x, inputs, width }) => (o * inputs + i) * width + x;
export const kernel: GroupOf = ({ o, i, inputs }) => o * inputs + i;
export const filter: GroupOf = ({ o }) => o;
export const layer: GroupOf = () => 0;
export const block =
  (rows: number, columns: number): GroupOf =>
  ({ o, i, y, x, inputs, height, width }) =>
    Math.floor(o / rows) * Math.ceil((inputs * height * width) / columns) +
    Math.floor(((i * height + y) * width + x) / columns);
/** `m` input channels in a row, for one output channel and one place in the window. */
const run =
  (m: number): GroupOf =>
  ({ o, i, y, x, inputs, height, width }) =>
    ((o * Math.ceil(inputs / m) + Math.floor(i / m)) * height + y) * width + x;

/** Groups of one weight, element by element. */
function numberGroups({ parameter }: Weight, groupOf: GroupOf): Int32Array {
  const { shape, layout, size } = parameter;
  if (!layout || layout.input === null) throw new Error('a weight has output and input channels');
  const { output, input, kernel: window } = layout;
  if (layout.groups > 1 && input < output)
    throw new Error('no model here has grouped transposed convolutions');
  const [heightAxis, widthAxis] = window.length === 2 ? window : [-1, window[0] ?? -1];
  const height = shape[heightAxis!] ?? 1;
  const width = shape[widthAxis!] ?? 1;
  const groups = new Int32Array(size);
  const at = shape.map(() => 0);
  for (let index = 0; index < size; index++) {
    groups[index] = groupOf({
      index,
      at,
      o: at[output]!,
      i: at[input]!,
      y: at[heightAxis!] ?? 0,
      x: at[widthAxis!] ?? 0,
      inputs: shape[input]!,
      height,
      width,
    });
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis] = at[axis]! + 1;
      if (at[axis]! < shape[axis]!) break;
      at[axis] = 0;
    }
  }
  return groups;
}

/** What a group is worth from the magnitudes of its elements; null for chance. */
export type Worth = 'mean' | 'root mean square' | 'largest' | null;

/** Half of a count as Python rounds it: halves to even. */
function half(count: number): number {
  const low = Math.floor(count / 2);
  return count % 2 === 0 ? low : low + (low % 2);
}

interface Group {
  readonly size: number;
  readonly masked: number;
  readonly worth: number;
}

function groupsOf(of: Weight, groupOf: GroupOf, worth: Worth): Group[] {
  const numbers = numberGroups(of, groupOf);
  const count = numbers.reduce((most, n) => Math.max(most, n), -1) + 1;
  const [size, masked, sum, most] = [0, 1, 2, 3].map(() => new Float64Array(count)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const mask = maskOf(of);
  numbers.forEach((group, index) => {
    const magnitude = Math.abs(of.before[index]!);
    size[group]!++;
    if (mask[index] === 0) masked[group]!++;
    sum[group]! += worth === 'root mean square' ? magnitude * magnitude : magnitude;
    most[group] = Math.max(most[group]!, magnitude);
  });
  return Array.from(size, (elements, group) => {
    const mean = sum[group]! / elements;
    const worths = { mean, 'root mean square': Math.sqrt(mean), largest: most[group]! };
    return { size: elements, masked: masked[group]!, worth: worth ? worths[worth] : 0 };
  });
}

function maskOf({ parameter }: Weight): Float32Array {
  const { mask } = parameter;
  if (!mask) throw new Error('the weight was not pruned');
  return mask.float32;
}

/** Sums of float32 numbers differ in their last bits by the order they were made in. */
const ROUNDING = 1e-5;

/** Half of the groups, of each weight or of all together, and the least worth ones of them. */
export function expectHalfOfGroups(
  weights: readonly Weight[],
  groupOf: GroupOf,
  options: { readonly worth: Worth; readonly together: boolean },
): void {
  const each = weights.map((of) => groupsOf(of, groupOf, options.worth));
  for (const groups of options.together ? [each.flat()] : each) {
    expect(groups.filter(({ size }) => size === 0)).toEqual([]);
    expect(groups.filter(({ size, masked }) => masked !== 0 && masked !== size)).toEqual([]);
    const pruned = groups.filter(({ masked }) => masked > 0);
    expect(pruned.length).toBe(half(groups.length));
    const most = pruned.reduce((max, { worth }) => Math.max(max, worth), 0);
    const least = groups.reduce(
      (min, { worth, masked }) => (masked > 0 ? min : Math.min(min, worth)),
      Infinity,
    );
    expect(most).toBeLessThanOrEqual(least * (1 + ROUNDING));
  }
  expectMasked(weights);
}

/** At most `n` of `m` input channels in a row stay, and those are the largest. */
export function expectNOfM(weights: readonly Weight[], n: number, m: number): void {
  for (const of of weights) {
    const members: number[][] = [];
    numberGroups(of, run(m)).forEach((group, index) => {
      members[group] = [...(members[group] ?? []), index];
    });
    const mask = maskOf(of);
    const magnitudes = (indices: readonly number[]) => indices.map((index) => Math.abs(of.before[index]!));
    const wrong = members.filter((group) => {
      const kept = group.filter((index) => mask[index] !== 0);
      const gone = group.filter((index) => mask[index] === 0);
      const number = Math.min(n, group.length);
      return kept.length !== number || Math.min(...magnitudes(kept)) < Math.max(0, ...magnitudes(gone));
    });
    expect(wrong).toEqual([]);
  }
  expectMasked(weights);
}

/** Masks hold 0 and 1 alone, what is masked is zero, and nothing else changed. */
function expectMasked(weights: readonly Weight[]): void {
  for (const of of weights) {
    const mask = maskOf(of);
    const { float32 } = of.parameter.data;
    const wrong = of.before.findIndex((value, index) => {
      const kept = mask[index]!;
      return (kept !== 0 && kept !== 1) || float32[index] !== value * kept;
    });
    expect(wrong).toBe(-1);
  }
}

/** Elements of a tensor that are zero. */
export const zeros = ({ float32 }: Tensor): number =>
  float32.reduce((sum, x) => (x === 0 ? sum + 1 : sum), 0);
