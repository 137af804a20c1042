import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { parseOnnx } from '../io/index.ts';
import { attr, type Graph } from '../ir/index.ts';
import { GraphBuilder, inferShapes } from '../ops/index.ts';
import { createSession, randomInputs } from '../runtime/index.ts';
import { rebatch } from './rebatch.ts';

const BATCH = 2;

/** Splits channels into groups by a Reshape whose target holds the batch, and swaps them, as channel shuffle does. */
function shuffle(): Graph {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', [BATCH, 4, 3]);
  const reshaped = builder.op('Reshape', [x, builder.constant(Tensor.int64([BATCH, 2, 2, 3]))]);
  const swapped = builder.op('Transpose', [reshaped], { attributes: { perm: attr.ints([0, 2, 1, 3]) } });
  builder.output(builder.op('Reshape', [swapped, builder.constant(Tensor.int64([BATCH, 4, 3]))]), 'y');
  return builder.graph;
}

const outputShape = (graph: Graph): unknown => inferShapes(graph).get(graph.outputs[0]!)?.shape;

/** Outputs of both graphs for the same samples: one by one, and all at once. */
async function samplesOf(graph: Graph, single: Graph): Promise<[Float32Array, Float32Array]> {
  const feeds = randomInputs(graph, { seed: 7 });
  const run = async (runGraph: Graph, inputs: Record<string, Tensor>): Promise<Float32Array> => {
    const session = await createSession(runGraph);
    const [output] = (await session.run(inputs)).values();
    await session.dispose();
    return output!.float32;
  };
  const whole = await run(graph, feeds);
  const parts: number[] = [];
  for (let sample = 0; sample < BATCH; sample++) {
    const inputs = Object.fromEntries(
      Object.entries(feeds).map(([name, { float32, shape }]) => {
        const size = float32.length / BATCH;
        const elements = float32.slice(sample * size, (sample + 1) * size);
        return [name, Tensor.of(elements, [1, ...shape.slice(1)])];
      }),
    );
    parts.push(...(await run(single, inputs)));
  }
  return [whole, Float32Array.from(parts)];
}

describe('rebatch', () => {
  it('changes the batch in inputs and in target shapes, and leaves the original as it was', async () => {
    const graph = shuffle();
    const single = rebatch(graph, 1)!;
    expect(outputShape(single)).toEqual([1, 4, 3]);
    expect(outputShape(graph)).toEqual([2, 4, 3]);
    const [whole, parts] = await samplesOf(graph, single);
    expect(parts).toEqual(whole);
    expect(outputShape(rebatch(graph, 5)!)).toEqual([5, 4, 3]);
    expect(outputShape(rebatch(graph, BATCH)!)).toEqual([2, 4, 3]);
  });

  it('grows a batch of 1, flattened or with axes of size 1 behind it', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 1, 2, 3]);
    const flat = builder.op('Reshape', [x, builder.constant(Tensor.int64([1, 6]))]);
    const weight = builder.constant(
      new Tensor(
        'float32',
        [6, 2],
        Float32Array.from({ length: 12 }, (_, i) => i - 5),
      ),
    );
    const product = builder.op('MatMul', [flat, weight]);
    builder.output(builder.op('Reshape', [product, builder.constant(Tensor.int64([1, 1, 2]))]), 'y');
    const grown = rebatch(builder.graph, BATCH)!;
    expect(outputShape(grown)).toEqual([BATCH, 1, 2]);
    const [whole, parts] = await samplesOf(grown, builder.graph);
    expect([...whole]).toEqual([...parts]);
  });

  it('shares weights with the original', () => {
    const builder = new GraphBuilder();
    const weight = Tensor.full([4, 2], 1);
    const x = builder.input('x', 'float32', [BATCH, 4]);
    builder.output(builder.op('MatMul', [x, builder.constant(weight, 'w')]), 'y');
    expect(rebatch(builder.graph, 1)?.value('w').initializer).toBe(weight);
  });

  it('gives null where the batch is not one, or does not reach the outputs as it should', () => {
    const inputs = (...shapes: (readonly (number | string)[])[]): GraphBuilder => {
      const builder = new GraphBuilder();
      const values = shapes.map((shape, index) => builder.input(`x${index}`, 'float32', shape));
      for (const value of values) builder.output(builder.op('Relu', [value]));
      return builder;
    };
    expect(rebatch(inputs(['batch', 2]).graph, 1)).toBeNull();
    expect(rebatch(inputs([2, 2], [3, 2]).graph, 1)).toBeNull();
    // A constant of the batch's own size is added to it.
    const fixed = new GraphBuilder();
    const x = fixed.input('x', 'float32', [BATCH, 3]);
    fixed.output(fixed.op('Add', [x, fixed.constant(Tensor.full([BATCH, 3], 1), 'offset')]), 'y');
    expect(rebatch(fixed.graph, 1)).toBeNull();
    expect(rebatch(fixed.graph, 4)).toBeNull();
    // The batch is merged with the features.
    const merged = new GraphBuilder();
    const flat = merged.op('Reshape', [
      merged.input('x', 'float32', [BATCH, 3]),
      merged.constant(Tensor.int64([-1])),
    ]);
    merged.output(flat, 'y');
    expect(rebatch(merged.graph, 1)).toBeNull();
  });
});

const models = new URL('../../../shared/models/', import.meta.url);

describe.skipIf(!existsSync(models))('rebatch of shared models (skipped where ../shared is absent)', () => {
  it.each(['resnet_mini', 'splitnet', 'vit_mini'])('%s computes each sample alike', async (name) => {
    const graph = parseOnnx(readFileSync(new URL(`${name}.onnx`, models)));
    const single = rebatch(graph, 1);
    expect(single).not.toBeNull();
    const [whole, parts] = await samplesOf(graph, single!);
    expect(parts).toHaveLength(whole.length);
    parts.forEach((value, index) => {
      expect(Math.abs(value - whole[index]!)).toBeLessThan(1e-5);
    });
  });
});
