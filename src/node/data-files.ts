import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ArgumentError, FileError, FormatError } from '../core/errors.ts';
import {
  ConcatDataset,
  type Dataset,
  FASHION_MNIST_CLASSES,
  FASHION_MNIST_NORMALIZATION,
  MNIST_CLASSES,
  MNIST_NORMALIZATION,
  type MnistOptions,
  mnist,
  type Normalization,
  readCifar10,
  type TensorDataset,
} from '../data/index.ts';
import { readBytes } from './file.ts';

/** Options of `loadMnist`. */
export interface LoadMnistOptions extends Omit<MnistOptions, 'classes'> {
  /** The 60,000 training images, or the 10,000 test images. Default true. */
  readonly train?: boolean;
  /** Whose names the classes have, and by whose figures `normalize: true` goes. Default 'mnist'. */
  readonly variant?: 'mnist' | 'fashion';
}

const VARIANTS = {
  mnist: { classes: MNIST_CLASSES, normalization: MNIST_NORMALIZATION },
  fashion: { classes: FASHION_MNIST_CLASSES, normalization: FASHION_MNIST_NORMALIZATION },
} as const;

/** A file as LeCun's page has it; unpacking programs make the first dash a dot. */
const idxNames = (half: string, kind: 'images-idx3' | 'labels-idx1'): string[] =>
  [`${half}-${kind}-ubyte`, `${half}-${kind.replace('-', '.')}-ubyte`].flatMap((name) => [
    name,
    `${name}.gz`,
  ]);

/** Paths of the images and labels of one half of MNIST in a folder; null where one is missing. */
export function mnistFiles(directory: string, train: boolean): { images: string; labels: string } | null {
  const half = train ? 'train' : 't10k';
  const find = (kind: 'images-idx3' | 'labels-idx1'): string | undefined =>
    idxNames(half, kind)
      .map((name) => join(directory, name))
      .find((path) => existsSync(path));
  const images = find('images-idx3');
  const labels = find('labels-idx1');
  return images === undefined || labels === undefined ? null : { images, labels };
}

/**
 * Reads MNIST, or Fashion-MNIST, out of a folder of idx files, packed by gzip or not: float32[N, 1, size, size] and int64[N]. The names are
 * `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and `t10k-…`, also with `.gz`. Throws FileError where a file is missing or cannot be read,
 * FormatError where one is damaged, ArgumentError for options that do not fit.
 */
export function loadMnist(directory: string, options: LoadMnistOptions = {}): TensorDataset {
  const { train = true, variant = 'mnist', normalize = true, size = 28 } = options;
  if (!Object.hasOwn(VARIANTS, variant)) {
    throw new ArgumentError(`loadMnist: expected the variant 'mnist' or 'fashion', got '${variant}'`);
  }
  const { classes, normalization } = VARIANTS[variant];
  const files = mnistFiles(directory, train);
  if (files === null) {
    const half = train ? 'train' : 't10k';
    throw new FileError(
      directory,
      `holds no ${train ? 'training' : 'test'} half of MNIST; expected ${half}-images-idx3-ubyte and ${half}-labels-idx1-ubyte, or those with .gz`,
    );
  }
  return inFolder(directory, () =>
    mnist(readBytes(files.images), readBytes(files.labels), {
      size,
      classes,
      normalize: normalize === true ? normalization : normalize,
    }),
  );
}

/** Options of `loadCifar10`. */
export interface LoadCifar10Options {
  /** The 50,000 training images, or the 10,000 test images. Default true. */
  readonly train?: boolean;
  /** As of `readCifar10`. Default true. */
  readonly normalize?: boolean | Normalization;
}

/** Paths of the binary batches of CIFAR-10 of one half; they need not be there. */
export const cifar10Files = (directory: string, train: boolean): string[] =>
  (train ? [1, 2, 3, 4, 5].map((number) => `data_batch_${number}.bin`) : ['test_batch.bin']).map((name) =>
    join(directory, name),
  );

/**
 * Reads CIFAR-10's binary version out of a folder, `data_batch_1.bin` … `data_batch_5.bin` or `test_batch.bin`: float32[3, 32, 32] and int64[]. In memory
 * the training half takes 614 MB. Throws FileError where a file is missing, FormatError where one is damaged.
 */
export function loadCifar10(directory: string, options: LoadCifar10Options = {}): Dataset {
  const { train = true, normalize = true } = options;
  const parts = cifar10Files(directory, train).map((path) =>
    inFolder(path, () => readCifar10(readBytes(path), { normalize })),
  );
  return parts.length === 1 ? parts[0]! : new ConcatDataset(parts);
}

/** Runs a reader of bytes; its errors name the path. */
function inFolder<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(path, error.message, {}, { cause: error });
  }
}
