import { dtypeInfo } from '../core/dtype.ts';
import { UnsupportedError } from '../core/errors.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';

/** Indices that are picked along an axis, in that order. */
export interface Picked {
  readonly axis: number;
  readonly indices: readonly number[];
}

/** The elements at some indices of an axis, in that order: `T[…, I, …] -> T[…, indices.length, …]`. Throws UnsupportedError for dtypes packed below a byte. */
export const gatherAxis = (tensor: Tensor, axis: number, indices: readonly number[]): Tensor =>
  gatherAxes(tensor, [{ axis, indices }]);

/** As `gatherAxis` along several axes at once, in one pass over what stays. */
export function gatherAxes(tensor: Tensor, picks: readonly Picked[]): Tensor {
  const width = bytesEach(tensor);
  if (picks.length === 0) return tensor;
  const along = new Map(picks.map(({ axis, indices }) => [axis, indices] as const));
  const last = Math.max(...along.keys());
  const shape = tensor.shape.map((dim, axis) => along.get(axis)?.length ?? dim);
  const inner = sizeOf(tensor.shape.slice(last + 1));
  // Where what is picked along the last such axis begins, counted in its own elements, axis by axis.
  let rows = Int32Array.of(0);
  for (let axis = 0; axis < last; axis++) {
    const size = tensor.shape[axis]!;
    const indices = along.get(axis);
    const count = indices?.length ?? size;
    const next = new Int32Array(rows.length * count);
    let at = 0;
    for (const row of rows) {
      for (let index = 0; index < count; index++) next[at++] = row * size + (indices?.[index] ?? index);
    }
    rows = next;
  }
  const picked = along.get(last)!;
  const to = new Uint8Array(rows.length * picked.length * inner * width);
  copyRows(tensor.bytes, to, { rows, size: tensor.shape[last]!, picked, bytes: inner * width });
  return new Tensor(tensor.dtype, shape, { bytes: to });
}

/** What is copied: of each row of `size` blocks, those that are picked. */
interface Copying {
  readonly rows: Int32Array;
  readonly size: number;
  readonly picked: readonly number[];
  /** Of a block. */
  readonly bytes: number;
}

/** Shortest run, in words, that is handed to the engine's own copy: shorter ones cost more than they save. */
const LONG_RUN = 48;

/** Copies by words of four bytes where both sides allow it, neighbouring blocks together. */
function copyRows(from: Uint8Array, to: Uint8Array, { rows, size, picked, bytes }: Copying): void {
  const byWords = bytes % 4 === 0 && from.byteOffset % 4 === 0 && from.byteLength % 4 === 0;
  const source = byWords ? new Uint32Array(from.buffer, from.byteOffset, from.byteLength / 4) : from;
  const target = byWords ? new Uint32Array(to.buffer) : to;
  const length = byWords ? bytes / 4 : bytes;
  const runs = runsOf(picked);
  const starts = Int32Array.from(runs, ([first]) => first * length);
  const lengths = Int32Array.from(runs, ([, count]) => count * length);
  let at = 0;
  for (const row of rows) {
    const base = row * size * length;
    for (let index = 0; index < starts.length; index++) {
      const [start, run] = [base + starts[index]!, lengths[index]!];
      if (run >= LONG_RUN) target.set(source.subarray(start, start + run), at);
      else for (let word = 0; word < run; word++) target[at + word] = source[start + word]!;
      at += run;
    }
  }
}

/** Neighbouring indices as `[first, count]`. */
function runsOf(indices: readonly number[]): [first: number, count: number][] {
  const runs: [number, number][] = [];
  for (const index of indices) {
    const before = runs.at(-1);
    if (before && before[0] + before[1] === index) before[1]++;
    else runs.push([index, 1]);
  }
  return runs;
}

/** As `gatherAxis`, with other indices for each of equally long parts of axis `along`; all lists are of one length. */
export function gatherParts(
  tensor: Tensor,
  axis: number,
  along: number,
  indices: readonly (readonly number[])[],
): Tensor {
  const length = tensor.shape[along]! / indices.length;
  const parts = indices.map((own, part) => {
    const rows = Array.from({ length }, (_, row) => part * length + row);
    return gatherAxes(tensor, [
      { axis: along, indices: rows },
      { axis, indices: own },
    ]);
  });
  return concatAxis(parts, along);
}

/** Tensors of one dtype joined along an axis; other axes agree. */
function concatAxis(parts: readonly Tensor[], axis: number): Tensor {
  const first = parts[0]!;
  const shape = first.shape.map((dim, own) =>
    own === axis ? parts.reduce((sum, part) => sum + part.shape[axis]!, 0) : dim,
  );
  const outer = sizeOf(first.shape.slice(0, axis));
  const to = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (const part of parts) {
      const width = part.byteLength / outer;
      to.set(part.bytes.subarray(row * width, (row + 1) * width), at);
      at += width;
    }
  }
  return new Tensor(first.dtype, shape, { bytes: to });
}

function bytesEach({ dtype }: Tensor): number {
  const { bits } = dtypeInfo(dtype);
  if (dtype !== 'string' && bits >= 8) return bits / 8;
  throw new UnsupportedError(
    `Tensor of ${dtype}: its elements are not whole bytes and cannot be picked; convert it first`,
  );
}
