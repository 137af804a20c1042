import { byteLengthOf, dtypeInfo } from '../core/dtype.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import type { Batch, Sample } from './dataset.ts';

/** Makes a batch out of samples; `indices` are those of the samples. */
export type Collate = (samples: readonly Sample[], indices: readonly number[]) => Batch;

/**
 * Stacks inputs and targets along a new first axis, as PyTorch's `default_collate`. Throws ShapeError, which names the sample, where one
 * differs from the first in dtype or shape, ArgumentError for no samples at all.
 */
export const stackSamples: Collate = (samples, indices) => ({
  input: stack('input', samples, indices),
  target: stack('target', samples, indices),
  indices,
});

function stack(field: 'input' | 'target', samples: readonly Sample[], indices: readonly number[]): Tensor {
  const first = samples[0]?.[field];
  if (first === undefined) throw new ArgumentError('stackSamples: expected one sample at least');
  if (dtypeInfo(first.dtype).bits < 8) {
    throw new ArgumentError(`stackSamples: the ${field} is ${first}; expected elements of whole bytes`);
  }
  const bytes = new Uint8Array(byteLengthOf(first.dtype, samples.length * first.size));
  samples.forEach((sample, row) => {
    const tensor = sample[field];
    if (tensor.dtype !== first.dtype || tensor.shape.join() !== first.shape.join()) {
      throw new ShapeError(
        `stackSamples: the ${field} of sample ${indices[row]} is ${tensor}, that of sample ${indices[0]} is ${first}; resize them to one shape, or pass a collate function of your own`,
      );
    }
    bytes.set(tensor.bytes, row * tensor.byteLength);
  });
  return new Tensor(first.dtype, [samples.length, ...first.shape], { bytes });
}
