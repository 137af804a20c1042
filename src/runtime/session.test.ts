import { describe, expect, it } from 'vitest';
import { EngineError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { concatBytes, serializeOnnx } from '../io/index.ts';
import type { Graph, Value } from '../ir/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { randomInputs } from './inputs.ts';
import { compareLatency, measureLatency, quantile } from './latency.ts';
import { createSession } from './session.ts';

/** y = relu(x · w), x: float32[batch, 2]. */
function smallGraph(): { graph: Graph; weight: Tensor; product: Value } {
  const builder = new GraphBuilder();
  const weight = Tensor.of(Float32Array.of(1, -1, 2, -2), [2, 2]);
  const x = builder.input('x', 'float32', ['batch', 2]);
  const product = builder.op('MatMul', [x, builder.constant(weight, 'w')]);
  builder.output(builder.op('Relu', [product]), 'y');
  return { graph: builder.graph, weight, product };
}

const x = Tensor.of(Float32Array.of(1, 10), [1, 2]);

describe('Session', () => {
  it('runs a graph', async () => {
    const session = await createSession(smallGraph().graph);
    const outputs = await session.run({ x });
    expect([...outputs.keys()]).toEqual(['y']);
    expect(outputs.get('y')?.shape).toEqual([1, 2]);
    expect([...(outputs.get('y')?.float32 ?? [])]).toEqual([21, 0]);
    await session.dispose();
  });

  it('runs the bytes of a file', async () => {
    const session = await createSession(concatBytes(serializeOnnx(smallGraph().graph)));
    expect([...((await session.run({ x })).get('y')?.float32 ?? [])]).toEqual([21, 0]);
    await session.dispose();
  });

  it('gives tapped values beside the outputs, and leaves the graph as it was', async () => {
    const { graph, product } = smallGraph();
    const session = await createSession(graph, { taps: [product] });
    const outputs = await session.run({ x });
    expect([...(outputs.get(product.name)?.float32 ?? [])]).toEqual([21, -21]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['y']);
    await session.dispose();
  });

  it('sees changes of fed parameters, and not of baked ones', async () => {
    const { graph, weight } = smallGraph();
    const fed = await createSession(graph, { feedParameters: true });
    const baked = await createSession(graph);
    weight.float32.fill(3);
    expect([...((await fed.run({ x })).get('y')?.float32 ?? [])]).toEqual([33, 33]);
    expect([...((await baked.run({ x })).get('y')?.float32 ?? [])]).toEqual([21, 0]);
    expect(fed.inputs.map(({ name }) => name)).toEqual(['x']);
    await fed.dispose();
    await baked.dispose();
  });

  it('names an input that is missing, unknown, or does not fit', async () => {
    const session = await createSession(smallGraph().graph);
    await expect(session.run({})).rejects.toThrow(
      "Session: input 'x' is missing; expected 'x' float32[batch, 2]",
    );
    await expect(session.run({ x, z: x })).rejects.toThrow("Session: no input is named 'z'");
    await expect(session.run({ x: Tensor.zeros('float32', [1, 3]) })).rejects.toThrow(
      "Session: input 'x' is float32[batch, 2], got float32[1, 3]",
    );
    await expect(session.run({ x: Tensor.zeros('int64', [1, 2]) })).rejects.toThrow(EngineError);
    await session.dispose();
  });

  it('does not run after it was disposed of', async () => {
    const session = await createSession(smallGraph().graph);
    await session.dispose();
    await session.dispose();
    await expect(session.run({ x })).rejects.toThrow(
      'Session: it was disposed of and cannot run; create a new one',
    );
  });

  it('passes on why the engine refuses a model', async () => {
    await expect(createSession(Uint8Array.of(1, 2, 3))).rejects.toThrow(
      /onnxruntime-node refuses the model: /,
    );
  });

  it('says which dtypes the engine does not take, and which taps it does not know', async () => {
    const session = await createSession(concatBytes(serializeOnnx(smallGraph().graph)));
    await expect(session.run({ x: Tensor.zeros('bfloat16', [1]) })).rejects.toThrow(
      'takes no bfloat16 inputs',
    );
    await session.dispose();
    await expect(createSession(smallGraph().graph, { taps: [smallGraph().product] })).rejects.toThrow(
      /the tap 'MatMul_output_0' is no value of graph/,
    );
  });

  it('carries every dtype the engine takes', async () => {
    for (const dtype of ['float64', 'float16', 'int8', 'uint8', 'int32', 'int64', 'bool'] as const) {
      const builder = new GraphBuilder();
      builder.output(builder.op('Identity', [builder.input('x', dtype, [3])]), 'y');
      const session = await createSession(builder.graph);
      const { x: input } = randomInputs(builder.graph, { seed: 1 });
      const output = (await session.run({ x: input! })).get('y');
      expect(output?.dtype).toBe(dtype);
      expect(output?.bytes).toEqual(input?.bytes);
      await session.dispose();
    }
  });
});

describe('randomInputs', () => {
  it('is the same for the same seed, takes symbols as 1 and given shapes as they are', () => {
    const { graph } = smallGraph();
    expect(randomInputs(graph, { seed: 3 }).x?.shape).toEqual([1, 2]);
    expect(randomInputs(graph, { shapes: { x: [4, 2] } }).x?.shape).toEqual([4, 2]);
    const elements = (seed: number): number[] => [...(randomInputs(graph, { seed }).x?.float32 ?? [])];
    expect(elements(3)).toEqual(elements(3));
    expect(elements(3)).not.toEqual(elements(4));
  });

  it('says which input it cannot make', () => {
    const { graph } = smallGraph();
    graph.addInput('names', { kind: 'tensor', dtype: 'string', shape: [1] });
    expect(() => randomInputs(graph)).toThrow("randomInputs: input 'names' takes strings; give them");
    graph.addInput('unknown', null);
    expect(() => randomInputs(graph)).toThrow(/input '(names|unknown)'/);
  });
});

describe('threads', () => {
  it('refuses a number that no machine has', async () => {
    for (const threads of [0, 1.5, 1025, Number.NaN]) {
      await expect(createSession(smallGraph().graph, { threads })).rejects.toThrow(
        `createSession: threads must be a whole number from 1 to 1024, got ${threads}`,
      );
    }
  });
});

describe('latency', () => {
  it('times runs and states threads and engine', async () => {
    const session = await createSession(smallGraph().graph, { threads: 1 });
    const seen: number[] = [];
    const latency = await measureLatency(
      session,
      { x },
      { minRuns: 5, minTime: 0, onProgress: (done) => seen.push(done) },
    );
    expect(latency).toMatchObject({ runs: 5, threads: 1, engine: 'onnxruntime-node' });
    expect(latency.min).toBeGreaterThan(0);
    expect(latency.p10).toBeLessThanOrEqual(latency.median);
    expect(latency.median).toBeLessThanOrEqual(latency.p90);
    expect(seen.at(-1)).toBe(1);
    await session.dispose();
  });

  it('runs sessions in turn, equally often, and stops when told to', async () => {
    const session = await createSession(smallGraph().graph, { threads: 1 });
    const both = [
      { session, feeds: { x } },
      { session, feeds: { x } },
    ];
    const results = await compareLatency(both, { minRuns: 3, minTime: 0 });
    expect(results.map(({ runs }) => runs)).toEqual([3, 3]);
    await expect(compareLatency(both, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    await session.dispose();
  });

  it('makes a session for a graph, on random inputs unless others are given', async () => {
    const { graph } = smallGraph();
    const options = { minRuns: 4, minTime: 0, threads: 1 };
    expect(await measureLatency(graph, undefined, options)).toMatchObject({ runs: 4, threads: 1 });
    const [a, b] = await compareLatency(
      [
        { session: graph, feeds: { x } },
        { session: graph, feeds: randomInputs(graph) },
      ],
      options,
    );
    expect([a?.runs, b?.runs]).toEqual([4, 4]);
    await expect(measureLatency(graph, {}, options)).rejects.toThrow("input 'x' is missing");
  });

  it('goes on for the time asked for, unless the spread is small enough', async () => {
    const session = await createSession(smallGraph().graph, { threads: 1 });
    const all = await measureLatency(session, { x }, { minRuns: 2, maxRuns: 30, minTime: 60_000 });
    expect(all.runs).toBe(30);
    expect(all.spread).toBeCloseTo((all.p90 - all.p10) / all.median, 12);
    const steady = await measureLatency(session, { x }, { minRuns: 2, minTime: 60_000, steady: Infinity });
    expect(steady.runs).toBe(2);
    await session.dispose();
  });

  it('takes quantiles between neighbours', () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([5], 0.9)).toBe(5);
  });
});
