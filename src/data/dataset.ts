import { byteLengthOf } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';

/** One example: what the model sees, and what it should say. */
export interface Sample {
  /** The model's input without the batch axis, such as float32[C, H, W]. */
  readonly input: Tensor;
  /** The class as an int64 scalar (`int64[]`), or any other tensor. */
  readonly target: Tensor;
}

/** Samples stacked along a new first axis. */
export interface Batch {
  /** [N, ...input]. */
  readonly input: Tensor;
  /** [N, ...target]. */
  readonly target: Tensor;
  /** Which samples of the data set these are, in the order of the rows. */
  readonly indices: readonly number[];
  /** The target of each sample alone, where it is no row of `target`: what is measured sample by sample needs it. */
  readonly sampleTargets?: () => readonly Tensor[];
}

/** Samples that are reached by index: PyTorch's map-style `torch.utils.data.Dataset`. */
export interface Dataset {
  /** Number of samples. */
  readonly length: number;
  /** Names of the classes, where targets are classes. */
  readonly classes?: readonly string[];
  /**
   * The sample at `index`, 0 ... length - 1. Whatever is random in it is drawn from `random`, and from nothing else: a loader hands in a
   * generator of this very sample, so that a run can be repeated and resumed.
   */
  get(index: number, random: Generator): Sample | Promise<Sample>;
  /**
   * The samples at `indices` in one go, where that is faster than one by one. Only data sets in which nothing is random have it; the
   * numbers equal those of `get`.
   */
  batch?(indices: readonly number[]): Batch;
}

/** Throws ArgumentError where `index` is no sample of a data set of `length`. */
export function checkIndex(caller: string, index: number, length: number): void {
  if (Number.isInteger(index) && index >= 0 && index < length) return;
  throw new ArgumentError(
    length === 0
      ? `${caller}: there is no sample ${index}, the data set is empty`
      : `${caller}: there is no sample ${index}; expected a whole number of 0 to ${length - 1}`,
  );
}

/** Bytes that one row (everything but the first axis) of a tensor takes. */
export const rowBytesOf = (tensor: Tensor): number =>
  byteLengthOf(
    tensor.dtype,
    tensor.shape.slice(1).reduce((size, dim) => size * dim, 1),
  );

/** A new tensor of the rows of `tensor` at `indices`, in that order. The indices were checked before. */
export function takeRows(tensor: Tensor, indices: readonly number[]): Tensor {
  const rowBytes = rowBytesOf(tensor);
  const from = tensor.bytes;
  const bytes = new Uint8Array(indices.length * rowBytes);
  indices.forEach((index, row) => {
    bytes.set(from.subarray(index * rowBytes, (index + 1) * rowBytes), row * rowBytes);
  });
  return new Tensor(tensor.dtype, [indices.length, ...tensor.shape.slice(1)], { bytes });
}
