/** Data sets, loaders, transforms of images, and readers of well-known files. */
export { Generator } from '../core/random.ts';
export { CIFAR10_CLASSES, type Cifar10Options, cifar10, readCifar10 } from './cifar10.ts';
export { type Collate, stackSamples } from './collate.ts';
export { ConcatDataset } from './concat.ts';
export {
  centerCrop,
  type Padding,
  type PadOptions,
  pad,
  type RandomCropOptions,
  randomCrop,
  randomHorizontalFlip,
} from './crop.ts';
export { DataError } from './data-error.ts';
export type { Batch, Dataset, Sample } from './dataset.ts';
export { type ReadIdxOptions, readIdx } from './idx.ts';
export { type Size, sizeOfImage } from './image-shape.ts';
export { type BatchRange, DataLoader, type DataLoaderOptions } from './loader.ts';
export { MappedDataset, type SampleMap, withTransform } from './mapped.ts';
export { type MixupOptions, mixup } from './mixup.ts';
export { FASHION_MNIST_CLASSES, MNIST_CLASSES, type MnistOptions, mnist } from './mnist.ts';
export {
  CIFAR10_NORMALIZATION,
  FASHION_MNIST_NORMALIZATION,
  IMAGENET_NORMALIZATION,
  MNIST_NORMALIZATION,
  type Normalization,
  normalize,
} from './normalize.ts';
export { type ResizeOptions, resize } from './resize.ts';
export { randomSplit, Subset } from './subset.ts';
export { TensorDataset, type TensorDatasetOptions } from './tensor-dataset.ts';
export { type ToFloatOptions, toFloat } from './to-float.ts';
export { compose, type Transform } from './transform.ts';
