import { existsSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { FileError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { DataLoader, Generator, randomSplit } from '../data/index.ts';
import type { CalibrationBatch, CalibrationData } from '../structural/index.ts';
import { inputsFrom } from './inputs.ts';
import type { LoadedModel } from './load.ts';
import type { CalibrationOptions } from './shrink-options.ts';
import { withCommas } from './table.ts';
import { openData } from './training-data.ts';
import { UsageError } from './usage-error.ts';

/** Samples to measure on, and the words that say which they are. */
export interface OpenedCalibration {
  readonly data: CalibrationData;
  /** True where samples have classes to compare outputs with. */
  readonly hasTargets: boolean;
  /** `inputs of calibration.npy (64 samples)` */
  readonly text: string;
}

const ARRAYS = ['.npy', '.npz', '.safetensors'];

/**
 * Opens what `--data` names: inputs of the model by name or place in an array file, or a data set as training takes it. Null where none is given. Throws UsageError and FileError where it cannot be
 * read or does not fit the model.
 */
export async function openCalibration(
  options: CalibrationOptions & { readonly seed?: number },
  model: LoadedModel,
): Promise<OpenedCalibration | null> {
  const { data: path, samples, batchSize } = options;
  if (path === undefined) return null;
  if (!existsSync(path))
    throw new FileError(path, 'cannot be read: there is no such file or folder (--data)');
  if (statSync(path).isFile() && ARRAYS.includes(extname(path).toLowerCase()))
    return ofArrays(path, options, model);
  const [input, ...others] = model.graph.feeds;
  if (!input || others.length > 0) {
    throw new UsageError(
      `--data: '${path}' is a data set, which has one input; the model takes ${model.graph.feeds.length}: give an .npz or .safetensors file with an array for each`,
    );
  }
  const declared = input.type?.kind === 'tensor' ? input.type.shape : null;
  const shape = model.profileShapes?.[input.name] ?? declared;
  const opened = await openData(
    {
      data: path,
      batchSize,
      normalize: options.dataNormalize,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
    },
    shape?.map((dim) => (typeof dim === 'number' ? dim : null)) ?? null,
  );
  const { dataset } = opened.train;
  const count = Math.min(samples, dataset.length);
  // Not the first ones: folders of images come class by class.
  const [drawn] = randomSplit(dataset, [count, dataset.length - count], new Generator(options.seed ?? 0));
  const batch = builtInBatch(model);
  return {
    data: new DataLoader(drawn!, { batchSize: batch ?? batchSize, dropLast: batch !== null }),
    hasTargets: true,
    text: count < dataset.length ? `${withCommas(count)} samples of ${opened.train.text}` : opened.train.text,
  };
}

/** Samples that a model takes at once, neither more nor less; null where it takes any number, or single ones. */
function builtInBatch({ graph }: LoadedModel): number | null {
  const type = graph.feeds[0]?.type;
  const batch = type?.kind === 'tensor' ? type.shape?.[0] : null;
  return typeof batch === 'number' && batch > 1 ? batch : null;
}

function ofArrays(path: string, options: CalibrationOptions, model: LoadedModel): OpenedCalibration {
  const inputs = inputsFrom('--data', path, model.graph);
  const counts = new Set(Object.values(inputs).map(({ shape }) => shape[0] ?? 1));
  const [rows = 0] = counts;
  if (counts.size !== 1 || rows === 0) {
    throw new UsageError(
      `--data: the inputs in '${path}' have ${[...counts].join(', ')} samples; expected as many of each, and at least one`,
    );
  }
  const batch = builtInBatch(model);
  const size = batch ?? options.batchSize;
  const most = Math.min(rows, options.samples);
  const used = batch === null ? most : most - (most % batch);
  if (used === 0) {
    throw new UsageError(
      `--data: '${path}' holds ${rows} ${rows === 1 ? 'sample' : 'samples'}; the model takes ${batch} at a time`,
    );
  }
  const batches: CalibrationBatch[] = [];
  for (let from = 0; from < used; from += size) {
    const to = Math.min(used, from + size);
    batches.push({
      input: Object.fromEntries(
        Object.entries(inputs).map(([name, tensor]) => [name, rowsOf(tensor, from, to)]),
      ),
    });
  }
  const first = used < rows ? `, the first ${withCommas(used)}` : '';
  return {
    data: batches,
    hasTargets: false,
    text: `inputs of ${path} (${withCommas(rows)} ${rows === 1 ? 'sample' : 'samples'}${first})`,
  };
}

/** Some rows of the first axis, over the same memory. */
function rowsOf({ dtype, shape, bytes }: Tensor, from: number, to: number): Tensor {
  const each = bytes.byteLength / shape[0]!;
  return new Tensor(dtype, [to - from, ...shape.slice(1)], {
    bytes: bytes.subarray(from * each, to * each),
  });
}
