import {
  compose,
  DataLoader,
  type Dataset,
  mixup,
  randomCrop,
  randomHorizontalFlip,
  withTransform,
} from '../data/index.ts';
import { dims } from './training-data.ts';
import type { OpenedModel } from './training-model.ts';
import type { DataOptions } from './training-options.ts';
import type { Augmentation } from './training-parse.ts';
import { UsageError } from './usage-error.ts';

/** Pixels that `crop` adds around an image of 32, as usual for CIFAR-10; other sizes in proportion. */
const cropPadding = (size: number): number => Math.max(1, Math.round(size / 8));

/** Changes of single images. */
function transformed(
  dataset: Dataset,
  list: readonly Augmentation[],
  inputShape: readonly number[],
): Dataset {
  const own = list.filter((name) => name !== 'mixup');
  if (own.length === 0) return dataset;
  const [, height, width] = inputShape;
  if (inputShape.length !== 3 || !height || !width) {
    throw new UsageError(
      `--augment ${own.join(',')} changes images; the samples here are ${dims(inputShape)}`,
    );
  }
  return withTransform(
    dataset,
    compose(
      ...own.map((name) =>
        name === 'crop'
          ? randomCrop([height, width], { padding: cropPadding(Math.min(height, width)) })
          : randomHorizontalFlip(),
      ),
    ),
  );
}

type TrainLoaderOptions = Pick<DataOptions, 'batchSize' | 'seed'> & {
  readonly augment?: readonly Augmentation[];
};

/** Batches to train on: in a new order each epoch, changed at random where `--augment` says so. */
export function trainLoader({ data, graph }: OpenedModel, options: TrainLoaderOptions): DataLoader {
  const { batchSize, seed = 0, augment = [] } = options;
  const single = transformed(data.train.dataset, augment, data.inputShape);
  if (!augment.includes('mixup')) return new DataLoader(single, { batchSize, shuffle: true, seed });
  // A model may know more classes than the data has.
  const type = graph().outputs[0]?.type;
  const columns = type?.kind === 'tensor' ? type.shape?.[1] : undefined;
  const classes = typeof columns === 'number' ? columns : data.classes?.length;
  const blends = mixup(single, classes === undefined ? {} : { classes });
  return new DataLoader(blends, { batchSize, shuffle: true, seed });
}

/** The same without blends, for what is measured on single images with one label each. */
export const calibrationLoader = (opened: OpenedModel, options: TrainLoaderOptions): DataLoader =>
  trainLoader(opened, { ...options, augment: (options.augment ?? []).filter((name) => name !== 'mixup') });
