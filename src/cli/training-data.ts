import { existsSync } from 'node:fs';
import { FileError } from '../core/errors.ts';
import {
  DataLoader,
  type Dataset,
  Generator,
  IMAGENET_NORMALIZATION,
  randomSplit,
  Subset,
} from '../data/index.ts';
import { type LoadedDataset, loadDataset } from '../node/index.ts';
import { withProgress } from './progress.ts';
import { withCommas } from './table.ts';
import type { DataOptions } from './training-options.ts';
import { UsageError } from './usage-error.ts';

/** Samples for one purpose, and the words that say which they are. */
export interface Part {
  readonly dataset: Dataset;
  /** `the test half (10,000 samples)` */
  readonly text: string;
}

/** A data set of the command line, divided as the options say. */
export interface OpenedData {
  readonly path: string;
  readonly kind: LoadedDataset['kind'];
  readonly train: Part;
  readonly validation: Part;
  /** Samples that are looked at only in the end; null where the test half is the validation. */
  readonly test: Part | null;
  readonly classes: readonly string[] | null;
  /** Of one sample: [3, 32, 32]. */
  readonly inputShape: readonly number[];
}

/** A sentence on each image that could not be read would drown the rest. */
const MOST_BROKEN = 5;

/**
 * Opens the data set that `--data` names, in the size that a model takes. `shape` is the model's input with its batch axis; null stands for what it
 * leaves open. Throws UsageError where the samples do not fit the model or are not labelled with classes; the errors of readers otherwise.
 */
export async function openData(
  options: Omit<DataOptions, 'line'>,
  shape: readonly (number | null)[] | null,
): Promise<OpenedData> {
  const { data: path, validationSplit, limit, seed = 0 } = options;
  if (!existsSync(path))
    throw new FileError(path, 'cannot be read: there is no such file or folder (--data)');
  if (validationSplit !== undefined && !(validationSplit > 0 && validationSplit < 1)) {
    throw new UsageError(
      `--validation-split: expected a share between 0 and 1 such as 0.1, got ${validationSplit}`,
    );
  }
  const [channels, height, width] = shape?.length === 4 ? shape.slice(1) : [];
  const broken: string[] = [];
  const loaded = await withProgress('reading the data', () =>
    loadDataset(path, {
      ...(typeof height === 'number' && typeof width === 'number'
        ? { size: height === width ? height : ([height, width] as const) }
        : {}),
      ...(channels === 1 || channels === 3 ? { channels } : {}),
      normalize: { data: true, none: false, imagenet: IMAGENET_NORMALIZATION }[options.normalize],
      seed,
      onBroken: ({ path: image, reason }) => broken.push(`${image}: ${reason}`),
    }),
  );
  warnOfBroken(broken);
  checkInput(path, loaded.inputShape, shape);
  await checkTargets(path, loaded.train);
  const parts = divide(loaded, options);
  const limited = (part: Part): Part => (limit === undefined ? part : first(part, limit));
  return {
    path,
    kind: loaded.kind,
    train: limited(parts.train),
    validation: limited(parts.validation),
    test: parts.test && limited(parts.test),
    classes: loaded.classes ?? null,
    inputShape: loaded.inputShape,
  };
}

function warnOfBroken(broken: readonly string[]): void {
  if (broken.length === 0) return;
  const shown = broken.slice(0, MOST_BROKEN);
  const rest = broken.length - shown.length;
  process.stderr.write(
    `secateur: ${broken.length} ${broken.length === 1 ? 'image' : 'images'} cannot be read:\n${shown.map((line) => `  ${line}\n`).join('')}${rest > 0 ? `  … and ${rest} more\n` : ''}`,
  );
}

/** `[3, 32, 32]` */
export const dims = (shape: readonly (number | null)[]): string =>
  `[${shape.map((dim) => dim ?? '?').join(', ')}]`;

function checkInput(path: string, sample: readonly number[], shape: readonly (number | null)[] | null): void {
  const wanted = shape?.slice(1);
  if (!wanted) return;
  if (wanted.length === sample.length && wanted.every((dim, axis) => dim === null || dim === sample[axis]))
    return;
  throw new UsageError(
    `--data: the samples of '${path}' are ${dims(sample)}; the model takes ${dims(wanted)}`,
  );
}

async function checkTargets(path: string, dataset: Dataset): Promise<void> {
  const { target } = await dataset.get(0, new Generator(0));
  if (target.shape.length === 0 && (target.dtype === 'int64' || target.dtype === 'int32')) return;
  throw new UsageError(
    `--data: the targets of '${path}' are ${target}; expected a class for each sample, a whole number`,
  );
}

const samples = (dataset: Dataset): string =>
  `${withCommas(dataset.length)} ${dataset.length === 1 ? 'sample' : 'samples'}`;

const part = (dataset: Dataset, name: string): Part => ({ dataset, text: `${name} (${samples(dataset)})` });

function divide(
  { train, test, split }: LoadedDataset,
  { validationSplit, seed = 0 }: Omit<DataOptions, 'line'>,
): Pick<OpenedData, 'train' | 'validation' | 'test'> {
  const half =
    split === 'files' ? 'the test half' : `a fifth of the samples, held out as a test half by seed ${seed}`;
  if (validationSplit === undefined) {
    return { train: part(train, 'the training half'), validation: part(test, half), test: null };
  }
  const count = Math.round(train.length * validationSplit);
  if (count === 0 || count === train.length) {
    throw new UsageError(
      `--validation-split: ${validationSplit} of ${train.length} training samples leaves ${count === 0 ? 'none for validation' : 'none to train on'}`,
    );
  }
  const [rest, held] = randomSplit(train, [train.length - count, count], new Generator(seed));
  return {
    train: part(rest!, 'the rest of the training half'),
    validation: part(
      held!,
      `${Number((validationSplit * 100).toFixed(2))} % of the training half, drawn by seed ${seed}`,
    ),
    test: part(test, half),
  };
}

function first({ dataset, text }: Part, limit: number): Part {
  if (dataset.length <= limit) return { dataset, text };
  const subset = new Subset(
    dataset,
    Array.from({ length: limit }, (_, index) => index),
  );
  return { dataset: subset, text: text.replace(/ \([^()]*\)$/, ` (the first ${samples(subset)})`) };
}

/** Batches to judge on, in the data's order. */
export const evaluationLoader = (
  dataset: Dataset,
  { batchSize }: Pick<DataOptions, 'batchSize'>,
): DataLoader => new DataLoader(dataset, { batchSize });

/** What stands in JSON on the data. */
export const dataFacts = ({ path, kind, train, validation, test }: OpenedData): object => {
  const facts = ({ dataset, text }: Part) => ({ samples: dataset.length, what: text });
  return {
    path,
    kind,
    train: facts(train),
    validation: facts(validation),
    test: test && facts(test),
  };
};

/** Lines that say which samples are which. */
export const dataLines = ({ train, validation, test }: OpenedData): string[] => [
  `training on         ${train.text}`,
  `validation          ${validation.text}`,
  ...(test ? [`test                ${test.text}, looked at only in the end`] : []),
];
