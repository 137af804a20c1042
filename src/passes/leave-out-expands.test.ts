import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { attr, type Value } from '../ir/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { createSession, randomInputs } from '../runtime/index.ts';
import { leaveOutExpands } from './leave-out-expands.ts';

async function outputOf({ graph }: GraphBuilder): Promise<number[]> {
  const session = await createSession(graph, { threads: 1 });
  try {
    const shapes = Object.fromEntries(graph.feeds.map(({ name }) => [name, [2, 3]]));
    return (await session.run(randomInputs(graph, { seed: 1, shapes }))).get('y')!.toNumbers();
  } finally {
    await session.dispose();
  }
}

/** x divided by what `expand` makes of its norm, in this order or the other. */
function normalized(
  expand: (b: GraphBuilder, norm: Value, x: Value) => Value,
  isSwapped = false,
): GraphBuilder {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['batch', 3]);
  const norm = b.op('ReduceL2', [x], { attributes: { axes: attr.ints([1]) } });
  const wide = expand(b, norm, x);
  b.output(b.op('Div', isSwapped ? [wide, x] : [x, wide]), 'y');
  return b;
}

const asInput = (b: GraphBuilder, norm: Value, x: Value): Value => b.op('Expand', [norm, b.op('Shape', [x])]);

describe('leaveOutExpands', () => {
  it.each([false, true])('lets nodes broadcast that do (swapped: %s)', async (isSwapped) => {
    const builder = normalized(asInput, isSwapped);
    const before = await outputOf(builder);
    expect(leaveOutExpands(builder.graph)).toEqual({ graph: builder.graph, modified: true });
    expect(builder.graph.nodes.map(({ opType }) => opType)).toEqual(['ReduceL2', 'Div']);
    expect(builder.graph.lint()).toEqual([]);
    expect(await outputOf(builder)).toEqual(before);
    expect(leaveOutExpands(builder.graph).modified).toBe(false);
  });

  it('leaves an Expand that makes the output larger, or that may: the batch is open', () => {
    const larger = normalized((b, norm) => b.op('Expand', [norm, b.constant(Tensor.int64([5, 1, 3]))]));
    const text = String(larger.graph);
    expect(leaveOutExpands(larger.graph).modified).toBe(false);
    expect(String(larger.graph)).toBe(text);
    // Two batches of the same name are the same, two of different names may not be.
    const b = new GraphBuilder();
    const [x, z] = [b.input('x', 'float32', ['batch', 3]), b.input('z', 'float32', ['other', 3])];
    const wide = b.op('Expand', [b.constant(Tensor.of(Float32Array.of(2), [1, 1])), b.op('Shape', [z])]);
    b.output(b.op('Mul', [x, wide]), 'y');
    expect(leaveOutExpands(b.graph).modified).toBe(false);
  });

  it('leaves what others read as it is', () => {
    const builder = normalized((b, norm, x) => {
      const wide = asInput(b, norm, x);
      b.output(b.op('Relu', [wide]), 'z');
      return wide;
    });
    expect(leaveOutExpands(builder.graph).modified).toBe(true);
    expect(builder.graph.nodes.map(({ opType }) => opType).sort()).toEqual([
      'Div',
      'Expand',
      'ReduceL2',
      'Relu',
      'Shape',
    ]);
  });
});
