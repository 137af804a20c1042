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
  // Where each block of `inner` elements begins, counted in blocks, axis by axis.
  let blocks = Int32Array.of(0);
  for (let axis = 0; axis <= last; axis++) {
    const size = tensor.shape[axis]!;
    const indices = along.get(axis);
    const count = indices?.length ?? size;
    const next = new Int32Array(blocks.length * count);
    let at = 0;
    for (const block of blocks) {
      for (let index = 0; index < count; index++) next[at++] = block * size + (indices?.[index] ?? index);
    }
    blocks = next;
  }
  const to = new Uint8Array(blocks.length * inner * width);
  copyBlocks(tensor.bytes, to, blocks, inner * width);
  return new Tensor(tensor.dtype, shape, { bytes: to });
}

/** Shortest run, in words, that is handed to the engine's own copy: shorter ones cost more than they save. */
const LONG_RUN = 48;

/** Copies blocks of `bytes` bytes one behind another; neighbouring ones together, by words of four bytes where both sides allow it. */
function copyBlocks(from: Uint8Array, to: Uint8Array, blocks: Int32Array, bytes: number): void {
  const byWords = bytes % 4 === 0 && from.byteOffset % 4 === 0 && from.byteLength % 4 === 0;
  const source = byWords ? new Uint32Array(from.buffer, from.byteOffset, from.byteLength / 4) : from;
  const target = byWords ? new Uint32Array(to.buffer) : to;
  const length = byWords ? bytes / 4 : bytes;
  let at = 0;
  for (let block = 0; block < blocks.length; ) {
    const first = blocks[block]!;
    let count = 1;
    while (block + count < blocks.length && blocks[block + count] === first + count) count++;
    const start = first * length;
    const run = count * length;
    if (run >= LONG_RUN) target.set(source.subarray(start, start + run), at);
    else for (let word = 0; word < run; word++) target[at + word] = source[start + word]!;
    at += run;
    block += count;
  }
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
