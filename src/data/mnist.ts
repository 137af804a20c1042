import { ArgumentError, FormatError } from '../core/errors.ts';
import { datasetOfBytes, normalizationOf } from './byte-images.ts';
import { readIdx } from './idx.ts';
import { MNIST_NORMALIZATION, type Normalization } from './normalize.ts';
import type { TensorDataset } from './tensor-dataset.ts';

/** MNIST's classes: the digits. */
export const MNIST_CLASSES: readonly string[] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

/** Fashion-MNIST's classes. Source: Xiao, Rasul and Vollgraf 2017, table 2, in torchvision's spelling. */
export const FASHION_MNIST_CLASSES: readonly string[] = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];

/** Options of `mnist`. */
export interface MnistOptions {
  /** 28, or 32 as LeNet-5 takes them: two black pixels at each edge. Default 28. */
  readonly size?: 28 | 32;
  /** True: `MNIST_NORMALIZATION` (mean 0.1307, std 0.3081); false: values in [0, 1]; or another. Default true. */
  readonly normalize?: boolean | Normalization;
  /** Default `MNIST_CLASSES`. */
  readonly classes?: readonly string[];
}

/**
 * MNIST, or what comes in its files, out of the bytes of an idx file of images and one of labels, packed by gzip or not: float32[N, 1, size, size]
 * and int64[N]. Throws FormatError where a file is damaged, the images are not uint8[N, 28, 28], labels are not as many, or a label is no class;
 * ArgumentError for another size.
 */
export function mnist(
  imagesIdx: Uint8Array,
  labelsIdx: Uint8Array,
  options: MnistOptions = {},
): TensorDataset {
  const { size = 28, normalize = true, classes = MNIST_CLASSES } = options;
  if (size !== 28 && size !== 32) {
    throw new ArgumentError(`mnist: expected the size 28 or 32, got ${String(size)}`);
  }
  const images = readIdx(imagesIdx);
  const labels = readIdx(labelsIdx);
  const [count, height, width] = images.shape;
  if (images.dtype !== 'uint8' || images.shape.length !== 3 || height !== 28 || width !== 28) {
    throw new FormatError('mnist', `the images are ${images}; expected uint8[N, 28, 28]`, { offset: 0 });
  }
  if (labels.dtype !== 'uint8' || labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw new FormatError('mnist', `the labels are ${labels}; expected uint8[${count}], one per image`, {
      offset: 0,
    });
  }
  checkLabels('mnist', labels.bytes, classes.length, (index) => 8 + index);
  return datasetOfBytes({
    caller: 'mnist',
    pixels: images.bytes,
    labels: labels.bytes,
    channels: 1,
    height,
    width,
    padding: (size - 28) / 2,
    normalization: normalizationOf(normalize, MNIST_NORMALIZATION),
    classes,
  });
}

/** Throws FormatError, which names the place in the file, where a label is no class. */
export function checkLabels(
  format: string,
  labels: Uint8Array,
  classes: number,
  offsetOf: (index: number) => number,
): void {
  const wrong = labels.findIndex((label) => label >= classes);
  if (wrong === -1) return;
  throw new FormatError(
    format,
    `the label of image ${wrong} is ${labels[wrong]}; expected 0 to ${classes - 1}`,
    { offset: offsetOf(wrong) },
  );
}
