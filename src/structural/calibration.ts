import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { type Graph, printType } from '../ir/index.ts';

/** Inputs a model is run on, and what it should say to them; a `Batch` of `DataLoader` is one. */
export interface CalibrationBatch {
  /** The input, `[N, …]`; several by name for graphs of several inputs. */
  readonly input: Tensor | Readonly<Record<string, Tensor>>;
  /** What a loss compares the outputs with, `[N, …]`: only methods that take gradients need it. */
  readonly target?: Tensor;
  /** The target of each sample alone, where it is no row of `target`: methods that go by samples need it. */
  readonly sampleTargets?: () => readonly Tensor[];
}

/** Batches to measure on, gone through once: a `DataLoader`, a list, a generator. */
export type CalibrationData = Iterable<CalibrationBatch> | AsyncIterable<CalibrationBatch>;

/** How calibration data is gone through. */
export interface CalibrationOptions {
  /** Batches at most; all by default. */
  readonly maxBatches?: number;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
  /** Called after each batch with the share that is done, where it is known how many there are: from `maxBatches`, or from the `length` of the data. */
  readonly onProgress?: (done: number) => void;
}

/**
 * The batches of calibration data, in order. Throws ArgumentError where there are none or `maxBatches` is no whole number above 0, the signal's reason where it is aborted.
 */
export async function* batchesOf(
  data: CalibrationData,
  { maxBatches, signal, onProgress }: CalibrationOptions = {},
): AsyncGenerator<CalibrationBatch, void, void> {
  if (maxBatches !== undefined && !(Number.isSafeInteger(maxBatches) && maxBatches > 0)) {
    throw new ArgumentError(
      `calibration: maxBatches expects a whole number of batches above 0, got ${maxBatches}`,
    );
  }
  const total = Math.min(maxBatches ?? Number.POSITIVE_INFINITY, countOf(data) ?? Number.POSITIVE_INFINITY);
  let done = 0;
  for await (const batch of data) {
    signal?.throwIfAborted();
    yield batch;
    done++;
    if (total !== Number.POSITIVE_INFINITY) onProgress?.(done / total);
    if (done === maxBatches) return;
  }
  if (done === 0)
    throw new ArgumentError('calibration: there are no batches; give at least one of { input, target }');
}

function countOf(data: CalibrationData): number | undefined {
  const count: unknown = 'length' in data ? data.length : 'size' in data ? data.size : undefined;
  return typeof count === 'number' ? count : undefined;
}

/**
 * The inputs of a batch by the names the graph has for them. Sizes are those of the batch: only the first axis may differ from what the graph declares.
 *
 * Throws ArgumentError, which names the input, where one is missing, unknown, or of another dtype or shape.
 */
export function feedsOf(batch: CalibrationBatch, graph: Graph): Record<string, Tensor> {
  const { feeds } = graph;
  const expected = feeds.map(({ name, type }) => `'${name}' ${printType(type)}`).join(', ');
  const { input } = batch;
  if (input instanceof Tensor && feeds.length !== 1) {
    throw new ArgumentError(
      `calibration: the graph takes ${feeds.length} inputs (${expected}), got one tensor; give { input: { name: tensor } }`,
    );
  }
  const given: Readonly<Record<string, Tensor>> =
    input instanceof Tensor ? { [feeds[0]!.name]: input } : input;
  const unknown = Object.keys(given).find((name) => !feeds.some((feed) => feed.name === name));
  if (unknown !== undefined) {
    throw new ArgumentError(`calibration: no input is named '${unknown}'; the graph takes ${expected}`);
  }
  const inputs: Record<string, Tensor> = {};
  for (const { name, type } of feeds) {
    const tensor = given[name];
    if (!tensor)
      throw new ArgumentError(`calibration: input '${name}' is missing; the graph takes ${expected}`);
    const { dtype, shape } = type?.kind === 'tensor' ? type : { dtype: null, shape: null };
    const fits =
      (dtype === null || dtype === tensor.dtype) &&
      (shape === null ||
        (shape.length === tensor.shape.length &&
          shape.every((dim, axis) => axis === 0 || typeof dim !== 'number' || dim === tensor.shape[axis])));
    if (!fits) {
      throw new ArgumentError(
        `calibration: input '${name}' is ${printType(type)}, got ${tensor}; only the batch size may differ`,
      );
    }
    inputs[name] = tensor;
  }
  return inputs;
}

/** Samples in a batch: the size of the first axis of its inputs. Throws ArgumentError where they differ there. */
export function sampleCount(batch: CalibrationBatch): number {
  const { input } = batch;
  const counts = (input instanceof Tensor ? [input] : Object.values(input)).map(({ shape }) => shape[0] ?? 1);
  const [first = 1] = counts;
  if (counts.every((count) => count === first)) return first;
  throw new ArgumentError(
    `calibration: the inputs of a batch have ${counts.join(', ')} rows; expected as many of each`,
  );
}

/** The samples of a batch as batches of one, over the same memory. Throws ArgumentError where inputs and target have different numbers of them. */
export function samplesOf(batch: CalibrationBatch): CalibrationBatch[] {
  const count = sampleCount(batch);
  const { input } = batch;
  const targets = targetsOf(batch, count);
  return Array.from({ length: count }, (_, index) => ({
    input:
      input instanceof Tensor
        ? rowOf(input, index)
        : Object.fromEntries(Object.entries(input).map(([name, tensor]) => [name, rowOf(tensor, index)])),
    ...(targets ? { target: targets[index]! } : {}),
  }));
}

function targetsOf({ target, sampleTargets }: CalibrationBatch, count: number): readonly Tensor[] | null {
  if (sampleTargets) {
    const targets = sampleTargets();
    if (targets.length === count) return targets;
    throw new ArgumentError(
      `calibration: a batch of ${count} has ${targets.length} sampleTargets; expected one for each sample`,
    );
  }
  if (!target) return null;
  if (target.shape[0] !== count) {
    throw new ArgumentError(
      `calibration: a batch of ${count} has the target ${target}; expected a row for each sample, or sampleTargets`,
    );
  }
  return Array.from({ length: count }, (_, index) => rowOf(target, index));
}

function rowOf(tensor: Tensor, index: number): Tensor {
  const { dtype, shape, bytes } = tensor;
  const length = bytes.byteLength / (shape[0] ?? 1);
  return new Tensor(dtype, [1, ...shape.slice(1)], {
    bytes: bytes.subarray(index * length, (index + 1) * length),
  });
}
