import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { ArgumentError, FileError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import { type Dataset, type Normalization, randomSplit, type Size } from '../data/index.ts';
import { cifar10Files, loadCifar10, loadMnist, mnistFiles } from './data-files.ts';
import { ARRAY_NAMES, readArrays } from './data-files-arrays.ts';
import { cifar10PngBatches, readCifar10Png } from './data-files-cifar-png.ts';
import { type BrokenImage, classFolders, imageFolder, imagesIn } from './image-folder.ts';

/** Options of `loadDataset`; each kind of data takes those that mean something to it. */
export interface LoadDatasetOptions {
  /** MNIST: 28 or 32, default 28. Image folders: what images are made to, default 224. */
  readonly size?: Size;
  /**
   * True: by the figures of MNIST, Fashion-MNIST or CIFAR-10; image folders and arrays have none, and stay as they are. Figures: by those, for
   * all but arrays. False: by none. Default true.
   */
  readonly normalize?: boolean | Normalization;
  /** Image folders: 3 for RGB, 1 for grey. Default 3. */
  readonly channels?: 1 | 3;
  /** Arrays of bytes: where the channels are. By default told from the shape. */
  readonly layout?: 'hwc' | 'chw';
  /** Share of the samples that become the test half where the files have none. Default 0.2. */
  readonly heldOut?: number;
  /** Seed of that split. Default 0. */
  readonly seed?: number | bigint;
  /** Image folders: told of images that cannot be read. */
  readonly onBroken?: (image: BrokenImage) => void;
}

/** What `loadDataset` found. */
export interface LoadedDataset {
  readonly kind: 'mnist' | 'fashion-mnist' | 'cifar10' | 'cifar10-png' | 'images' | 'arrays';
  readonly train: Dataset;
  readonly test: Dataset;
  /** Names of the classes; none where targets are no classes. */
  readonly classes?: readonly string[];
  /** Of one sample, such as [3, 32, 32]. */
  readonly inputShape: readonly number[];
  /** 'files': the halves are those of the files; 'held-out': the test half was drawn out of the training samples. */
  readonly split: 'files' | 'held-out';
}

interface Halves {
  readonly kind: LoadedDataset['kind'];
  readonly train: Dataset;
  readonly test: Dataset | null;
}

/** Folders in which downloaded data lies below the folder that people name. */
const INSIDE = ['', 'raw', 'data', 'MNIST/raw', 'FashionMNIST/raw', 'cifar-10-batches-bin'];
const TEST_FOLDERS = ['val', 'valid', 'validation', 'test'];
const DEFAULT_SIZE = 224;

/** Each kind of data, in the order of trying: reads what is there, or gives null. */
const READERS: readonly ((folder: string, options: LoadDatasetOptions) => Promise<Halves | null>)[] = [
  readMnistHalves,
  readCifar10Halves,
  readCifar10PngHalves,
  readArrayHalves,
  readImageHalves,
];

/**
 * Opens the data set that a path holds, whichever it is:
 *
 * - MNIST or Fashion-MNIST in idx files (`train-images-idx3-ubyte` …, also `.gz`); the latter where the folder, or one above it, has "fashion" in its name.
 * - CIFAR-10's binary batches (`data_batch_1.bin` …), or the PNG batches of tfjs's examples (`cifar10_batch_0.png` …, `labels.json`).
 * - Arrays: `.npy` files, or one `.npz`, called x_train, y_train, x_test and y_test; x and y; or images and labels.
 * - Class folders of images, below `train` and `val` (`valid`, `validation`, `test`) or right in the folder.
 *
 * Files of downloads are also looked for in the folders `raw`, `data`, `MNIST/raw`, `FashionMNIST/raw` and `cifar-10-batches-bin`. Where there is no test half,
 * one is drawn out of the samples.
 *
 * Throws FileError, which says what was looked for, where there is none of these; FormatError where files are damaged; EngineError where images are to be
 * decoded and sharp is not installed; ArgumentError for options that do not fit.
 */
export async function loadDataset(path: string, options: LoadDatasetOptions = {}): Promise<LoadedDataset> {
  const { heldOut = 0.2, seed = 0 } = options;
  if (!(heldOut > 0 && heldOut < 1)) {
    throw new ArgumentError(`loadDataset: expected heldOut between 0 and 1, got ${heldOut}`);
  }
  const generator = new Generator(seed);
  if (!existsSync(path)) throw new FileError(path, 'cannot be read: there is no such file or folder');
  const halves = await findHalves(path, options);
  if (halves === null) {
    throw new FileError(
      path,
      `holds no data set that is known; looked for train-images-idx3-ubyte (MNIST), data_batch_1.bin (CIFAR-10), cifar10_batch_0.png with labels.json, .npy or .npz arrays (${ARRAY_NAMES}), and class folders of images`,
    );
  }
  const { kind } = halves;
  const split = halves.test === null ? 'held-out' : 'files';
  const [train, test] =
    halves.test === null ? holdOut(halves.train, heldOut, generator) : [halves.train, halves.test];
  if (train.length === 0 || test.length === 0) {
    throw new FileError(
      path,
      `has ${train.length} training and ${test.length} test samples; expected some of each`,
    );
  }
  const { input } = await train.get(0, generator);
  const { classes } = train;
  return {
    kind,
    train,
    test,
    inputShape: input.shape,
    split,
    ...(classes === undefined ? {} : { classes }),
  };
}

async function findHalves(path: string, options: LoadDatasetOptions): Promise<Halves | null> {
  if (!statSync(path).isDirectory()) return readArrayHalves(path, options);
  const folders = INSIDE.map((inside) => join(path, inside)).filter((folder) => existsSync(folder));
  for (const read of READERS) {
    // Class folders may have any name: those of downloads too.
    for (const folder of read === readImageHalves ? [path] : folders) {
      const halves = await read(folder, options);
      if (halves !== null) return halves;
    }
  }
  return null;
}

function holdOut(dataset: Dataset, share: number, generator: Generator): [Dataset, Dataset] {
  const count = Math.round(dataset.length * share);
  const [train, test] = randomSplit(dataset, [dataset.length - count, count], generator);
  return [train!, test!];
}

async function readMnistHalves(folder: string, options: LoadDatasetOptions): Promise<Halves | null> {
  if (mnistFiles(folder, true) === null) return null;
  const { size = 28, normalize = true } = options;
  if (size !== 28 && size !== 32) {
    throw new ArgumentError(
      `loadDataset: ${folder} holds MNIST, whose size is 28 or 32; got ${String(size)}`,
    );
  }
  const absolute = resolve(folder);
  const isFashion = [absolute, dirname(absolute), dirname(dirname(absolute))].some((place) =>
    basename(place).toLowerCase().includes('fashion'),
  );
  const given = { size, normalize, variant: isFashion ? 'fashion' : 'mnist' } as const;
  return {
    kind: isFashion ? 'fashion-mnist' : 'mnist',
    train: loadMnist(folder, { ...given, train: true }),
    test: mnistFiles(folder, false) === null ? null : loadMnist(folder, { ...given, train: false }),
  };
}

async function readCifar10Halves(folder: string, options: LoadDatasetOptions): Promise<Halves | null> {
  if (!cifar10Files(folder, true).some((path) => existsSync(path))) return null;
  const { normalize = true } = options;
  const hasTest = cifar10Files(folder, false).every((path) => existsSync(path));
  return {
    kind: 'cifar10',
    train: loadCifar10(folder, { normalize, train: true }),
    test: hasTest ? loadCifar10(folder, { normalize, train: false }) : null,
  };
}

async function readCifar10PngHalves(folder: string, options: LoadDatasetOptions): Promise<Halves | null> {
  if (cifar10PngBatches(folder, true).length === 0) return null;
  const { normalize = true } = options;
  const hasTest = cifar10PngBatches(folder, false).length > 0;
  return {
    kind: 'cifar10-png',
    train: await readCifar10Png(folder, { normalize, train: true }),
    test: hasTest ? await readCifar10Png(folder, { normalize, train: false }) : null,
  };
}

async function readArrayHalves(path: string, options: LoadDatasetOptions): Promise<Halves | null> {
  const arrays = readArrays(path, options.layout);
  return arrays === null ? null : { kind: 'arrays', ...arrays };
}

async function readImageHalves(folder: string, options: LoadDatasetOptions): Promise<Halves | null> {
  const { size = DEFAULT_SIZE, channels = 3, normalize = true, onBroken } = options;
  const open = (directory: string): Promise<Dataset> =>
    imageFolder(directory, {
      size,
      channels,
      normalize: typeof normalize === 'boolean' ? false : normalize,
      ...(onBroken === undefined ? {} : { onBroken }),
    });
  const train = join(folder, 'train');
  if (holdsClasses(train)) {
    const test = TEST_FOLDERS.map((name) => join(folder, name)).find(holdsClasses);
    const halves = {
      kind: 'images',
      train: await open(train),
      test: test === undefined ? null : await open(test),
    } as const;
    const [classes, others] = [halves.train.classes!, halves.test?.classes ?? halves.train.classes!];
    if (classes.join('\n') !== others.join('\n')) {
      throw new FileError(
        folder,
        `the class folders of train are ${classes.join(', ')}, those of ${basename(test!)} ${others.join(', ')}; expected the same`,
      );
    }
    return halves;
  }
  return holdsClasses(folder) ? { kind: 'images', train: await open(folder), test: null } : null;
}

/** True where a folder has folders of images in it; `images` beside `labels` is a detection data set. */
function holdsClasses(folder: string): boolean {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return false;
  const names = classFolders(folder);
  if (names.includes('images') && names.includes('labels')) return false;
  return names.some((name) => imagesIn(join(folder, name)).length > 0);
}
