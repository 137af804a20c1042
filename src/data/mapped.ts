import { Generator } from '../core/random.ts';
import type { Batch, Dataset, Sample } from './dataset.ts';
import type { Transform } from './transform.ts';

/** Makes one sample out of another, input and target together; see `Transform` for what it may do. */
export type SampleMap = (sample: Sample, random: Generator) => Sample | Promise<Sample>;

/** Each sample of a data set as a function leaves it, computed when it is asked for. */
export class MappedDataset implements Dataset {
  readonly dataset: Dataset;
  readonly map: SampleMap;
  readonly length: number;
  declare readonly classes?: readonly string[];

  constructor(dataset: Dataset, map: SampleMap) {
    this.dataset = dataset;
    this.map = map;
    this.length = dataset.length;
    if (dataset.classes !== undefined) this.classes = dataset.classes;
  }

  /** The mapped sample at `index`. */
  async get(index: number, random: Generator): Promise<Sample> {
    return this.map(await this.dataset.get(index, random), random);
  }
}

/** Some data set, its inputs transformed. */
class TransformedDataset extends MappedDataset {
  declare readonly batch?: (indices: readonly number[]) => Batch;

  constructor(dataset: Dataset, transform: Transform) {
    super(dataset, ({ input, target }, random) => ({ input: transform(input, random), target }));
    if (dataset.batch !== undefined && transform.batched === true) {
      this.batch = (indices) => {
        const { input, target } = dataset.batch!(indices);
        return { input: transform(input, new Generator(0)), target, indices };
      };
    }
  }
}

/**
 * A data set whose inputs pass through a transform when they are asked for. It has the fast `batch` where the data set has it and the
 * transform is `batched`.
 *
 * @example
 * withTransform(train, compose(randomCrop(32, { padding: 4 }), randomHorizontalFlip()))
 */
export const withTransform = (dataset: Dataset, transform: Transform): Dataset =>
  new TransformedDataset(dataset, transform);
