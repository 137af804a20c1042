import { dtypeInfo } from '../core/dtype.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { type Batch, checkIndex, type Dataset, rowBytesOf, type Sample, takeRows } from './dataset.ts';

/** Options of `TensorDataset`. */
export interface TensorDatasetOptions {
  /** Names of the classes; targets are then indices into it. */
  readonly classes?: readonly string[];
}

/** Data held in memory: sample `i` is row `i` of `inputs` and of `targets` (PyTorch's `TensorDataset`). */
export class TensorDataset implements Dataset {
  /** [N, ...]. */
  readonly inputs: Tensor;
  /** [N, ...], or int64[N] for classes. */
  readonly targets: Tensor;
  readonly length: number;
  declare readonly classes?: readonly string[];

  /**
   * Throws ShapeError where the two have no common first axis, ArgumentError for elements that are no whole bytes, and where a class is
   * none of `classes`.
   */
  constructor(inputs: Tensor, targets: Tensor, options: TensorDatasetOptions = {}) {
    for (const [name, tensor] of [
      ['inputs', inputs],
      ['targets', targets],
    ] as const) {
      if (tensor.shape.length === 0) {
        throw new ShapeError(`TensorDataset: ${name} is ${tensor}; expected a first axis of samples`);
      }
      if (dtypeInfo(tensor.dtype).bits < 8) {
        throw new ArgumentError(`TensorDataset: ${name} is ${tensor}; expected elements of whole bytes`);
      }
    }
    if (inputs.shape[0] !== targets.shape[0]) {
      throw new ShapeError(
        `TensorDataset: inputs ${inputs} and targets ${targets} have ${inputs.shape[0]} and ${targets.shape[0]} samples; expected as many`,
      );
    }
    if (options.classes !== undefined) {
      checkClasses(targets, options.classes);
      this.classes = options.classes;
    }
    this.inputs = inputs;
    this.targets = targets;
    this.length = inputs.shape[0]!;
  }

  /** Row `index`; the tensors show the memory of the data set, so do not write to them. Throws ArgumentError where there is none. */
  get(index: number): Sample {
    checkIndex('TensorDataset', index, this.length);
    return { input: rowOf(this.inputs, index), target: rowOf(this.targets, index) };
  }

  /** The rows at `indices`, copied. Throws ArgumentError where one is not there. */
  batch(indices: readonly number[]): Batch {
    for (const index of indices) checkIndex('TensorDataset', index, this.length);
    return { input: takeRows(this.inputs, indices), target: takeRows(this.targets, indices), indices };
  }
}

function rowOf(tensor: Tensor, index: number): Tensor {
  const rowBytes = rowBytesOf(tensor);
  const bytes = tensor.bytes.subarray(index * rowBytes, (index + 1) * rowBytes);
  return new Tensor(tensor.dtype, tensor.shape.slice(1), { bytes });
}

function checkClasses(targets: Tensor, classes: readonly string[]): void {
  const { data } = targets;
  if (!(data instanceof BigInt64Array) || targets.shape.length !== 1) {
    throw new ArgumentError(
      `TensorDataset: targets is ${targets}; with classes, expected int64[${targets.shape[0]}]`,
    );
  }
  const count = BigInt(classes.length);
  const wrong = data.findIndex((label) => label < 0n || label >= count);
  if (wrong !== -1) {
    throw new ArgumentError(
      `TensorDataset: target ${wrong} is ${data[wrong]}; expected one of the ${classes.length} classes, 0 to ${classes.length - 1}`,
    );
  }
}
