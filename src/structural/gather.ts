import { dtypeInfo } from '../core/dtype.ts';
import { UnsupportedError } from '../core/errors.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';

/** The elements at some indices of an axis, in that order: `T[…, I, …] -> T[…, indices.length, …]`. Throws UnsupportedError for dtypes packed below a byte. */
export function gatherAxis(tensor: Tensor, axis: number, indices: readonly number[]): Tensor {
  const size = tensor.shape[axis]!;
  const shape = tensor.shape.map((dim, own) => (own === axis ? indices.length : dim));
  const outer = sizeOf(tensor.shape.slice(0, axis));
  const inner = bytesEach(tensor) * sizeOf(tensor.shape.slice(axis + 1));
  const from = tensor.bytes;
  const to = new Uint8Array(outer * indices.length * inner);
  const runs = runsOf(indices);
  let at = 0;
  for (let row = 0; row < outer; row++) {
    const base = row * size;
    for (const [first, count] of runs) {
      const start = (base + first) * inner;
      to.set(from.subarray(start, start + count * inner), at);
      at += count * inner;
    }
  }
  return new Tensor(tensor.dtype, shape, { bytes: to });
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
    return gatherAxis(gatherAxis(tensor, along, rows), axis, own);
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

/** Neighbouring indices as `[first, count]`. */
function runsOf(indices: readonly number[]): [first: number, count: number][] {
  const runs: [number, number][] = [];
  for (const index of indices) {
    const last = runs.at(-1);
    if (last && last[0] + last[1] === index) last[1]++;
    else runs.push([index, 1]);
  }
  return runs;
}
