import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import type { Graph } from '../ir/index.ts';
import { Linear, manualSeed, Sequential } from '../nn/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { compareModels, differenceOf } from './compare.ts';

const QUICK = { minRuns: 3, minTime: 0, warmup: 1 };

/** y = x · w, of two features; names of input and output may be chosen. */
function linear(weight: readonly number[], names: { input?: string; output?: string } = {}): Graph {
  const builder = new GraphBuilder();
  const x = builder.input(names.input ?? 'x', 'float32', ['batch', 2]);
  const w = builder.constant(Tensor.of(Float32Array.from(weight), [2, 2]), 'w');
  builder.output(builder.op('MatMul', [x, w]), names.output ?? 'y');
  return builder.graph;
}

describe('compareModels', () => {
  it('shows what pruning changed and what it did not', async () => {
    const inputs = { x: Tensor.of(Float32Array.of(1, 10, 2, 20), [2, 2]) };
    const comparison = await compareModels(linear([1, 2, 3, 4]), linear([1, 0, 3, 4]), {
      inputs,
      latency: QUICK,
      threads: 1,
    });
    const { a, b, difference } = comparison;
    expect(a.totals).toMatchObject({ parameters: 4, zeros: 0, macs: 4 });
    expect(b.totals).toMatchObject({ parameters: 4, zeros: 1, sparsity: 0.25, macs: 4 });
    expect(a.sizes.raw).toBe(b.sizes.raw);
    // Outputs [31, 42], [62, 84] against [31, 40], [62, 80].
    expect(difference).toEqual({
      max: 4,
      mean: 1.5,
      notComparable: 0,
      outputs: { y: { max: 4, mean: 1.5, notComparable: 0 } },
    });
    expect(a.latency).toMatchObject({ runs: 3, threads: 1 });
    expect(b.latency?.runs).toBe(a.latency?.runs);
    expect(comparison.inputs).toEqual({ x: [2, 2] });
    expect(a.inputs).toEqual({ x: [1, 2] });
    expect(JSON.parse(JSON.stringify(comparison))).toEqual(comparison);
  });

  it('finds no difference between a model and itself, on random inputs, without latency', async () => {
    const graph = linear([1, 2, 3, 4]);
    const { a, difference, inputs } = await compareModels(graph, graph, { latency: false });
    expect(difference).toMatchObject({ max: 0, mean: 0 });
    expect(a.latency).toBeNull();
    expect(inputs).toEqual({ x: [1, 2] });
  });

  it('pairs inputs and outputs by place where the names differ', async () => {
    const other = linear([1, 2, 3, 5], { input: 'image', output: 'scores' });
    const inputs = { x: Tensor.of(Float32Array.of(1, 1), [1, 2]) };
    const { difference } = await compareModels(linear([1, 2, 3, 4]), other, { inputs, latency: false });
    expect(difference).toEqual({
      max: 1,
      mean: 0.5,
      notComparable: 0,
      outputs: { y: { max: 1, mean: 0.5, notComparable: 0 } },
    });
  });

  it('profiles both at the shapes that are asked for, whatever their inputs are named', async () => {
    const other = linear([1, 2, 3, 4], { input: 'image' });
    const shapes = { x: [3, 2] };
    const { a, b, inputs } = await compareModels(linear([1, 2, 3, 4]), other, { shapes, latency: false });
    expect([a.inputs, b.inputs, inputs]).toEqual([{ x: [3, 2] }, { image: [3, 2] }, { x: [3, 2] }]);
    expect([a.totals.macs, b.totals.macs]).toEqual([12, 12]);
  });

  it('compares modules, of which it needs the shapes', async () => {
    manualSeed(1);
    const [a, b] = [new Sequential(new Linear(3, 2)), new Sequential(new Linear(3, 2))];
    b.loadStateDict(a.stateDict());
    const { difference, ...both } = await compareModels(a, b, { shapes: [4, 3], latency: false });
    expect(difference.max).toBe(0);
    expect(both.a.totals).toMatchObject({ parameters: 8, macs: 4 * 6 });
    await expect(compareModels(a, b)).rejects.toThrow('give the shapes of the inputs of Sequential');
  });

  it('says which inputs cannot be paired', async () => {
    const builder = new GraphBuilder();
    const sum = builder.op('Add', [
      builder.input('p', 'float32', [1, 2]),
      builder.input('q', 'float32', [1, 2]),
    ]);
    builder.output(sum, 'y');
    await expect(compareModels(linear([1, 2, 3, 4]), builder.graph)).rejects.toThrow(
      "compareModels: the inputs cannot be paired: the first model has 'x', the second 'p', 'q'",
    );
  });
});

describe('differenceOf', () => {
  const output = (...values: number[]) => new Map([['y', Tensor.of(Float32Array.from(values))]]);

  it('leaves out what cannot be compared, and says how much that was', () => {
    const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
    expect(differenceOf(output(1, nan, nan, inf, inf, 2), output(2, nan, 1, inf, -inf, 2))).toEqual({
      max: 1,
      mean: 0.25,
      notComparable: 2,
      outputs: { y: { max: 1, mean: 0.25, notComparable: 2 } },
    });
  });

  it('takes the mean over all elements of all outputs', () => {
    const a = new Map([...output(0, 0, 0), ['n', Tensor.int64([5])] as const]);
    const b = new Map([...output(1, 1, 1), ['n', Tensor.int64([0])] as const]);
    expect(differenceOf(a, b)).toMatchObject({ max: 5, mean: 2, outputs: { n: { max: 5, mean: 5 } } });
  });

  it('reads half floats and strings', () => {
    const half = (bits: number) => new Map([['y', new Tensor('float16', [1], Uint16Array.of(bits))]]);
    expect(differenceOf(half(0x3c00), half(0x4000)).max).toBe(1);
    const text = (...words: string[]) => new Map([['y', new Tensor('string', [2], words)]]);
    expect(differenceOf(text('a', 'b'), text('a', 'c'))).toMatchObject({ max: 1, mean: 0.5 });
  });

  it('names outputs that do not fit each other', () => {
    expect(() => differenceOf(output(1), output(1, 2))).toThrow(
      "compareModels: output 'y' is float32[1] in the first model and float32[2] in the second",
    );
    expect(() => differenceOf(output(1), new Map())).toThrow(
      'compareModels: the first model has the outputs y, the second ',
    );
  });
});
