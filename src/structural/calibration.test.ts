import { describe, expect, it, vi } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { DataLoader, TensorDataset } from '../data/index.ts';
import { Graph, tensorType } from '../ir/index.ts';
import { batchesOf, type CalibrationBatch, feedsOf, samplesOf } from './calibration.ts';

const labels = (values: readonly number[]): Tensor => Tensor.int64(values);
const batch = (rows: number): CalibrationBatch => ({
  input: new Tensor(
    'float32',
    [rows, 2],
    Float32Array.from({ length: rows * 2 }, (_, i) => i),
  ),
  target: labels(Array.from({ length: rows }, (_, i) => i)),
});

async function collected(batches: AsyncIterable<CalibrationBatch>): Promise<CalibrationBatch[]> {
  const all: CalibrationBatch[] = [];
  for await (const each of batches) all.push(each);
  return all;
}

function graphOf(...inputs: readonly (readonly [string, readonly (number | string)[]])[]): Graph {
  const graph = new Graph();
  for (const [name, shape] of inputs) graph.addInput(name, tensorType('float32', shape));
  return graph;
}

describe('batchesOf', () => {
  it('takes a DataLoader as it is', async () => {
    const data = new TensorDataset(
      new Tensor('float32', [5, 2], new Float32Array(10)),
      labels([0, 1, 2, 0, 1]),
    );
    const loader = new DataLoader(data, { batchSize: 2 });
    const onProgress = vi.fn();
    const batches = await collected(batchesOf(loader, { onProgress }));
    expect(batches.map(({ input }) => String(input))).toEqual([
      'float32[2, 2]',
      'float32[2, 2]',
      'float32[1, 2]',
    ]);
    expect(onProgress.mock.calls.map(([share]) => share)).toEqual([1 / 3, 2 / 3, 1]);
  });

  it('takes lists and generators, and at most maxBatches of them', async () => {
    const onProgress = vi.fn();
    expect(
      await collected(batchesOf([batch(1), batch(2), batch(3)], { maxBatches: 2, onProgress })),
    ).toHaveLength(2);
    expect(onProgress.mock.calls).toEqual([[0.5], [1]]);
    function* generated(): Generator<CalibrationBatch> {
      yield batch(1);
      yield batch(1);
    }
    const silent = vi.fn();
    expect(await collected(batchesOf(generated(), { onProgress: silent }))).toHaveLength(2);
    expect(silent).not.toHaveBeenCalled();
  });

  it('refuses no batches and numbers of them that are none', async () => {
    await expect(collected(batchesOf([]))).rejects.toThrow(
      'calibration: there are no batches; give at least one of { input, target }',
    );
    for (const maxBatches of [0, 1.5, Number.NaN]) {
      await expect(collected(batchesOf([batch(1)], { maxBatches }))).rejects.toThrow(
        `calibration: maxBatches expects a whole number of batches above 0, got ${maxBatches}`,
      );
    }
  });

  it('stops where the signal says so', async () => {
    const controller = new AbortController();
    const seen: CalibrationBatch[] = [];
    const run = async (): Promise<void> => {
      for await (const each of batchesOf([batch(1), batch(1)], { signal: controller.signal })) {
        seen.push(each);
        controller.abort(new Error('enough'));
      }
    };
    await expect(run()).rejects.toThrow('enough');
    expect(seen).toHaveLength(1);
  });
});

describe('feedsOf', () => {
  it('names the input of a graph that has one, and takes several by name', () => {
    const one = batch(3);
    expect(feedsOf(one, graphOf(['x', ['batch', 2]]))).toEqual({ x: one.input });
    const pair = { a: batch(1).input as Tensor, b: batch(1).input as Tensor };
    expect(Object.keys(feedsOf({ input: pair }, graphOf(['a', [1, 2]], ['b', [1, 2]])))).toEqual(['a', 'b']);
  });

  it('lets the batch size differ from the declared one, and nothing else', () => {
    expect(Object.keys(feedsOf(batch(3), graphOf(['x', [8, 2]])))).toEqual(['x']);
    expect(() => feedsOf(batch(3), graphOf(['x', [8, 4]]))).toThrow(
      "calibration: input 'x' is float32[8, 4], got float32[3, 2]; only the batch size may differ",
    );
    expect(() => feedsOf({ input: labels([1]) }, graphOf(['x', [1]]))).toThrow(
      "calibration: input 'x' is float32[1], got int64[1]; only the batch size may differ",
    );
  });

  it('says which inputs there are', () => {
    const graph = graphOf(['a', ['n', 2]], ['b', ['n', 2]]);
    expect(() => feedsOf(batch(1), graph)).toThrow(
      "calibration: the graph takes 2 inputs ('a' float32[n, 2], 'b' float32[n, 2]), got one tensor; give { input: { name: tensor } }",
    );
    const a = batch(1).input as Tensor;
    expect(() => feedsOf({ input: { a } }, graph)).toThrow(
      "calibration: input 'b' is missing; the graph takes 'a' float32[n, 2], 'b' float32[n, 2]",
    );
    expect(() => feedsOf({ input: { a, b: a, c: a } }, graph)).toThrow(
      "calibration: no input is named 'c'; the graph takes 'a' float32[n, 2], 'b' float32[n, 2]",
    );
  });
});

describe('samplesOf', () => {
  it('gives each row with its target, over the same memory', () => {
    const samples = samplesOf(batch(3));
    expect(samples.map(({ input }) => (input as Tensor).toNumbers())).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    expect(samples.map(({ target }) => [...target!.shape, ...target!.toNumbers()])).toEqual([
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
    const [named] = samplesOf({ input: { a: batch(2).input as Tensor } });
    expect((named!.input as Record<string, Tensor>).a!.toNumbers()).toEqual([0, 1]);
  });

  it('takes the targets of samples from the batch, where it has them', () => {
    const packed = {
      ...batch(2),
      target: labels([7, 7, 7]),
      sampleTargets: () => [labels([4]), labels([5])],
    };
    expect(samplesOf(packed).map(({ target }) => target!.toNumbers())).toEqual([[4], [5]]);
    expect(() => samplesOf({ ...packed, sampleTargets: () => [labels([4])] })).toThrow(
      'calibration: a batch of 2 has 1 sampleTargets; expected one for each sample',
    );
  });

  it('refuses inputs and targets of different numbers of rows', () => {
    const a = batch(2).input as Tensor;
    const b = batch(3).input as Tensor;
    expect(() => samplesOf({ input: { a, b } })).toThrow(
      'calibration: the inputs of a batch have 2, 3 rows; expected as many of each',
    );
    expect(() => samplesOf({ input: a, target: labels([1]) })).toThrow(
      'calibration: a batch of 2 has the target int64[1]; expected a row for each sample, or sampleTargets',
    );
  });
});
