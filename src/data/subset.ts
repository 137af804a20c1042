import { ArgumentError } from '../core/errors.ts';
import { defaultGenerator, type Generator } from '../core/random.ts';
import { type Batch, checkIndex, type Dataset, type Sample } from './dataset.ts';

/** Some samples of a data set, in an order of their own (PyTorch's `Subset`): sample `i` is sample `indices[i]` of `dataset`. */
export class Subset implements Dataset {
  readonly dataset: Dataset;
  readonly indices: readonly number[];
  readonly length: number;
  declare readonly classes?: readonly string[];
  /** There where the data set has it; `indices` are those of the subset. */
  declare readonly batch?: (indices: readonly number[]) => Batch;

  /** Throws ArgumentError where an index is no sample of `dataset`. */
  constructor(dataset: Dataset, indices: readonly number[]) {
    for (const index of indices) checkIndex('Subset', index, dataset.length);
    this.dataset = dataset;
    this.indices = indices;
    this.length = indices.length;
    if (dataset.classes !== undefined) this.classes = dataset.classes;
    if (dataset.batch !== undefined) {
      this.batch = (rows) => ({ ...dataset.batch!(rows.map((row) => this.#place(row))), indices: rows });
    }
  }

  /** The sample at `index` of the subset. Throws ArgumentError where there is none. */
  get(index: number, random: Generator): Sample | Promise<Sample> {
    return this.dataset.get(this.#place(index), random);
  }

  #place(index: number): number {
    checkIndex('Subset', index, this.length);
    return this.indices[index]!;
  }
}

/** As Python's `math.isclose(a, 1)`. */
const isCloseToOne = (a: number): boolean => Math.abs(a - 1) <= 1e-9 * Math.max(Math.abs(a), 1);

/**
 * Splits a data set at random into parts that do not overlap. Equals `torch.utils.data.random_split(dataset, lengths, generator)`: the
 * same samples in the same parts for the same seed.
 *
 * @param lengths Numbers of samples that add up to the whole, or fractions that add up to 1; what fractions leave over goes to the
 * parts one by one, the first first.
 * @param generator Draws the permutation; the default generator if left out.
 * @throws ArgumentError where the lengths do not add up, or one is negative or no whole number.
 */
export function randomSplit(
  dataset: Dataset,
  lengths: readonly number[],
  generator: Generator = defaultGenerator,
): Subset[] {
  const sizes = sizesOf(lengths, dataset.length);
  const order = Array.from(generator.randperm(dataset.length));
  let start = 0;
  return sizes.map((size) => {
    start += size;
    return new Subset(dataset, order.slice(start - size, start));
  });
}

function sizesOf(lengths: readonly number[], count: number): readonly number[] {
  const sum = lengths.reduce((total, length) => total + length, 0);
  if (isCloseToOne(sum) && sum <= 1) {
    const wrong = lengths.find((fraction) => !(fraction >= 0 && fraction <= 1));
    if (wrong !== undefined)
      throw new ArgumentError(`randomSplit: expected fractions in [0, 1], got ${wrong}`);
    const sizes = lengths.map((fraction) => Math.floor(count * fraction));
    const left = count - sizes.reduce((total, size) => total + size, 0);
    for (let part = 0; part < left; part++) sizes[part % sizes.length]!++;
    return sizes;
  }
  const wrong = lengths.find((length) => !(Number.isSafeInteger(length) && length >= 0));
  if (wrong !== undefined || sum !== count) {
    throw new ArgumentError(
      `randomSplit: expected numbers of samples that add up to ${count}, or fractions that add up to 1; got ${lengths.join(' + ')} = ${sum}`,
    );
  }
  return lengths;
}
