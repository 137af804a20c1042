import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { attr, type Value } from '../ir/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { createSession, randomInputs } from '../runtime/index.ts';
import { leaveOutZeros } from './leave-out-zeros.ts';

const [STEPS, FEATURES, HIDDEN] = [3, 2, 4];

const steps = (count: number, at: number): Tensor =>
  Tensor.of(
    Float32Array.from({ length: count }, (_, index) => Math.sin(index + at)),
    [count],
  );

/** An LSTM whose states are sliced from what `fill` makes of their sizes, which are computed from the batch. */
function recurrent(fill: (b: GraphBuilder, sizes: Value, zero: Value) => Value): GraphBuilder {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [STEPS, 'batch', FEATURES]);
  const ints = (...values: number[]): Value => b.constant(Tensor.int64(values));
  const batch = b.op('Slice', [b.op('Shape', [x]), ints(1), ints(2)]);
  const sizes = b.op('Concat', [ints(2), batch, ints(HIDDEN)], { attributes: { axis: attr.int(0) } });
  const states = fill(b, sizes, b.constant(Tensor.of(Float32Array.of(0), [1, 1, 1]), 'zero'));
  const [h, c] = [0, 1].map((at) => b.op('Slice', [states, ints(at), ints(at + 1), ints(0)]));
  const weight = (size: number): Value =>
    b.constant(steps(4 * HIDDEN * size, size).reshape([1, 4 * HIDDEN, size]), 'weight');
  const [y] = b.ops('LSTM', [x, weight(FEATURES), weight(HIDDEN), null, null, h!, c!], {
    outputs: 3,
    attributes: { hidden_size: attr.int(HIDDEN) },
  });
  b.output(y!, 'y');
  return b;
}

async function outputOf({ graph }: GraphBuilder): Promise<number[]> {
  const session = await createSession(graph, { threads: 1 });
  try {
    return (await session.run(randomInputs(graph, { seed: 1 }))).get('y')!.toNumbers();
  } finally {
    await session.dispose();
  }
}

const filled = (value: number) => (b: GraphBuilder, sizes: Value) =>
  b.op('ConstantOfShape', [sizes], {
    attributes: { value: attr.tensor(Tensor.of(Float32Array.of(value), [1])) },
  });

describe('leaveOutZeros', () => {
  it.each([
    ['filled in', filled(0)],
    [
      'filled in where nothing else is said',
      (b: GraphBuilder, sizes: Value) => b.op('ConstantOfShape', [sizes]),
    ],
    ['repeated', (b: GraphBuilder, sizes: Value, zero: Value) => b.op('Expand', [zero, sizes])],
  ])('leaves out states of zeros that are %s, and what computed them', async (_, fill) => {
    const builder = recurrent(fill);
    const before = await outputOf(builder);
    expect(leaveOutZeros(builder.graph)).toEqual({ graph: builder.graph, modified: true });
    expect(builder.graph.nodes.map(({ opType }) => opType)).toEqual(['LSTM']);
    expect(builder.graph.lint()).toEqual([]);
    expect(await outputOf(builder)).toEqual(before);
    expect(leaveOutZeros(builder.graph).modified).toBe(false);
  });

  it.each([
    ['are not zero', filled(0.5)],
    ['are computed otherwise', (b: GraphBuilder, sizes: Value) => b.op('Relu', [filled(0)(b, sizes)])],
  ])('leaves states that %s', async (_, fill) => {
    const builder = recurrent(fill);
    const text = String(builder.graph);
    expect(leaveOutZeros(builder.graph).modified).toBe(false);
    expect(String(builder.graph)).toBe(text);
  });
});
