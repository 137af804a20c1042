import { byteLengthOf } from '../core/dtype.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import type { Generator } from '../core/random.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { type Batch, checkIndex, type Dataset, rowBytesOf, type Sample } from './dataset.ts';

/** Data sets one after the other (PyTorch's `ConcatDataset`). */
export class ConcatDataset implements Dataset {
  readonly datasets: readonly Dataset[];
  readonly length: number;
  /** Those of the data sets that name any. */
  declare readonly classes?: readonly string[];
  /** There where all data sets have it. */
  declare readonly batch?: (indices: readonly number[]) => Batch;
  /** Index of each data set's first sample. */
  readonly #starts: readonly number[];

  /** Throws ArgumentError where `datasets` is empty or two of them name other classes. */
  constructor(datasets: readonly Dataset[]) {
    if (datasets.length === 0) throw new ArgumentError('ConcatDataset: expected one data set at least');
    const classes = commonClasses(datasets);
    this.datasets = datasets;
    const starts: number[] = [];
    let length = 0;
    for (const dataset of datasets) {
      starts.push(length);
      length += dataset.length;
    }
    this.#starts = starts;
    this.length = length;
    if (classes !== undefined) this.classes = classes;
    if (datasets.every(({ batch }) => batch !== undefined)) this.batch = (indices) => this.#batch(indices);
  }

  /** The sample at `index`, counted through all data sets. Throws ArgumentError where there is none. */
  get(index: number, random: Generator): Sample | Promise<Sample> {
    const part = this.#partOf(index);
    return this.datasets[part]!.get(index - this.#starts[part]!, random);
  }

  /** Which data set holds a sample. */
  #partOf(index: number): number {
    checkIndex('ConcatDataset', index, this.length);
    // The last that begins at or before the sample; empty ones begin where their successor does.
    return this.#starts.findLastIndex((start) => start <= index);
  }

  #batch(indices: readonly number[]): Batch {
    const rowsOf = new Map<number, number[]>();
    indices.forEach((index, row) => {
      const part = this.#partOf(index);
      const rows = rowsOf.get(part);
      if (rows === undefined) rowsOf.set(part, [row]);
      else rows.push(row);
    });
    const pieces = [...rowsOf].map(([part, rows]) => ({
      rows,
      batch: this.datasets[part]!.batch!(rows.map((row) => indices[row]! - this.#starts[part]!)),
    }));
    const [first] = pieces;
    // No indices at all: the first data set knows what an empty batch looks like.
    if (first === undefined) return this.datasets[0]!.batch!([]);
    if (pieces.length === 1) return { ...first.batch, indices };
    const joined = (field: 'input' | 'target'): Tensor =>
      scattered(
        pieces.map(({ rows, batch }) => ({ rows, tensor: batch[field] })),
        indices.length,
        field,
      );
    return { input: joined('input'), target: joined('target'), indices };
  }
}

function commonClasses(datasets: readonly Dataset[]): readonly string[] | undefined {
  const named = datasets.flatMap(({ classes }) => (classes === undefined ? [] : [classes]));
  const [first, ...others] = named;
  const other = others.find(
    (classes) => classes.length !== first!.length || classes.some((name, index) => name !== first![index]),
  );
  if (other !== undefined) {
    throw new ArgumentError(
      `ConcatDataset: the data sets name other classes, [${first!.join(', ')}] and [${other.join(', ')}]; the same number would stand for two things`,
    );
  }
  return first;
}

/** One tensor out of several, whose rows go to the given rows. */
function scattered(
  pieces: readonly { readonly rows: readonly number[]; readonly tensor: Tensor }[],
  count: number,
  field: string,
): Tensor {
  const { dtype, shape } = pieces[0]!.tensor;
  const rowShape = shape.slice(1);
  const bytes = new Uint8Array(byteLengthOf(dtype, count * sizeOf(rowShape)));
  for (const { rows, tensor } of pieces) {
    if (tensor.dtype !== dtype || tensor.shape.slice(1).join() !== rowShape.join()) {
      throw new ShapeError(
        `ConcatDataset: the data sets have samples of ${field} ${dtype}[${rowShape.join(', ')}] and ${tensor.dtype}[${tensor.shape.slice(1).join(', ')}]; a batch takes one kind`,
      );
    }
    const rowBytes = rowBytesOf(tensor);
    rows.forEach((row, index) => {
      bytes.set(tensor.bytes.subarray(index * rowBytes, (index + 1) * rowBytes), row * rowBytes);
    });
  }
  return new Tensor(dtype, [count, ...rowShape], { bytes });
}
