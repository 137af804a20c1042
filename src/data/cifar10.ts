import { FormatError } from '../core/errors.ts';
import { datasetOfBytes, normalizationOf } from './byte-images.ts';
import { checkLabels } from './mnist.ts';
import { CIFAR10_NORMALIZATION, type Normalization } from './normalize.ts';
import type { TensorDataset } from './tensor-dataset.ts';

/** CIFAR-10's classes. */
export const CIFAR10_CLASSES: readonly string[] = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
];

/** Bytes of an image: red, green and blue planes of 32x32. */
const IMAGE = 3 * 32 * 32;
/** A label and an image. Source: "Binary version" of Krizhevsky's page of CIFAR-10. */
const RECORD = 1 + IMAGE;

/** Options of `readCifar10` and `cifar10`. */
export interface Cifar10Options {
  /** True: `CIFAR10_NORMALIZATION`; false: values in [0, 1]; or another, such as `IMAGENET_NORMALIZATION`. Default true. */
  readonly normalize?: boolean | Normalization;
}

/**
 * Reads a batch of CIFAR-10's binary version (or several, joined): float32[N, 3, 32, 32] and int64[N]. Throws FormatError where the file is no
 * whole number of records of 3,073 bytes, or a label is no class.
 */
export function readCifar10(bytes: Uint8Array, options: Cifar10Options = {}): TensorDataset {
  const count = Math.floor(bytes.byteLength / RECORD);
  const left = bytes.byteLength - count * RECORD;
  if (left !== 0 || count === 0) {
    throw new FormatError(
      'CIFAR-10',
      `the file has ${bytes.byteLength} bytes; expected a multiple of ${RECORD}, a label and an image of 32x32 each time`,
      { offset: count * RECORD },
    );
  }
  const labels = new Uint8Array(count);
  const pixels = new Uint8Array(count * IMAGE);
  for (let index = 0; index < count; index++) {
    const start = index * RECORD;
    labels[index] = bytes[start]!;
    pixels.set(bytes.subarray(start + 1, start + RECORD), index * IMAGE);
  }
  checkLabels('CIFAR-10', labels, CIFAR10_CLASSES.length, (index) => index * RECORD);
  return cifar10(pixels, labels, options);
}

/**
 * CIFAR-10 out of pixels, [N, 3, 32, 32] in one piece, and labels below 10: float32[N, 3, 32, 32] and int64[N]. Throws FormatError where they do not
 * fit each other or a label is no class.
 */
export function cifar10(pixels: Uint8Array, labels: Uint8Array, options: Cifar10Options = {}): TensorDataset {
  if (pixels.byteLength !== labels.byteLength * IMAGE) {
    throw new FormatError(
      'CIFAR-10',
      `${labels.byteLength} labels take ${labels.byteLength * IMAGE} bytes of pixels, got ${pixels.byteLength}`,
    );
  }
  checkLabels('CIFAR-10', labels, CIFAR10_CLASSES.length, (index) => index);
  return datasetOfBytes({
    caller: 'cifar10',
    pixels,
    labels,
    channels: 3,
    height: 32,
    width: 32,
    padding: 0,
    normalization: normalizationOf(options.normalize ?? true, CIFAR10_NORMALIZATION),
    classes: CIFAR10_CLASSES,
  });
}
