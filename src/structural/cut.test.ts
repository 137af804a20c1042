import { describe, expect, it } from 'vitest';
import { DTYPES } from '../core/dtype.ts';
import { StructuralError } from '../core/errors.ts';
import { toFloat32 } from '../core/float16.ts';
import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, type Graph, type Value } from '../ir/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { createSession } from '../runtime/index.ts';
import { analyzeChannels } from './analyze.ts';
import { type Cut, cutChannels } from './cut.ts';
import { groupChannels } from './group-channels.ts';
import type { ChannelGroups } from './groups.ts';
import { silence } from './silence.ts';

const random = new Generator(3);

function weight(b: GraphBuilder, ...shape: number[]): Value {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return b.constant(
    Tensor.of(
      random.rand(size).map((draw) => draw - 0.5),
      shape,
    ),
    'weight',
  );
}

/** x `f32[batch, 4]` through a hidden layer of 6 that is repeated by an Expand whose shape is computed. */
function expanded(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['batch', 4]);
  const hidden = b.op('MatMul', [x, weight(b, 4, 6)]);
  const wide = b.op('Unsqueeze', [hidden, b.constant(Tensor.int64([1]))]);
  const batch = b.op('Slice', [
    b.op('Shape', [x]),
    b.constant(Tensor.int64([0])),
    b.constant(Tensor.int64([1])),
  ]);
  const shape = b.op('Concat', [batch, b.constant(Tensor.int64([3, 6]))], {
    attributes: { axis: attr.int(0) },
  });
  b.output(b.op('MatMul', [b.op('Expand', [wide, shape]), weight(b, 6, 2)]), 'y');
  return b.graph;
}

/** Scores of tokens against each other, divided by the square root of a width that is read off the keys. */
function scaled(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [1, 5, 4]);
  const [q, k] = [b.op('MatMul', [x, weight(b, 4, 6)]), b.op('MatMul', [x, weight(b, 4, 6)])];
  const width = b.op('Gather', [b.op('Shape', [k]), b.constant(Tensor.int64(2))]);
  const root = b.op('Sqrt', [b.op('Cast', [width], { attributes: { to: attr.int(DTYPES.float32.onnx) } })]);
  const turned = b.op('Transpose', [k], { attributes: { perm: attr.ints([0, 2, 1]) } });
  b.output(b.op('Div', [b.op('MatMul', [q, turned]), root]), 'y');
  return b.graph;
}

/** The width of a hidden layer, which can be cut, says how another layer is reshaped and how much of a constant is added; that layer reaches an output. */
function borrowed(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['batch', 4]);
  const hidden = b.op('MatMul', [x, weight(b, 4, 6)]);
  b.output(b.op('MatMul', [hidden, weight(b, 6, 2)]), 'z');
  const [batch, width] = [0, 1].map((axis) =>
    b.op('Gather', [b.op('Shape', [hidden]), b.constant(Tensor.int64([axis]))]),
  );
  const half = b.op('Div', [width!, b.constant(Tensor.int64([2]))]);
  const target = b.op('Concat', [batch!, half, b.constant(Tensor.int64([2]))], {
    attributes: { axis: attr.int(0) },
  });
  const kept = b.op('Reshape', [b.op('MatMul', [x, weight(b, 4, 6)]), target]);
  const zero = b.constant(Tensor.int64(0));
  const limit = b.op('Squeeze', [half, b.constant(Tensor.int64([0]))]);
  const steps = b.op('Cast', [b.op('Range', [zero, limit, b.constant(Tensor.int64(1))])], {
    attributes: { to: attr.int(DTYPES.float32.onnx) },
  });
  b.output(b.op('Add', [kept, b.op('Unsqueeze', [steps, b.constant(Tensor.int64([1]))])]), 'y');
  return b.graph;
}

function cutFirst(graph: Graph): {
  readonly groups: ChannelGroups;
  readonly removed: Uint8Array;
  readonly cut: Cut;
} {
  const groups = groupChannels(analyzeChannels(graph));
  const removed = new Uint8Array(groups.unitCount);
  removed[groups.groups[0]!.units[1]!] = 1;
  return { groups, removed, cut: cutChannels(groups, removed) };
}

async function run(graph: Graph, x: Tensor): Promise<number[]> {
  const session = await createSession(graph, { threads: 1 });
  try {
    return [...(await session.run({ x })).get('y')!.toNumbers()];
  } finally {
    await session.dispose();
  }
}

describe('cutChannels', () => {
  it('leaves the graph it is given, and what it was made of, as they were', () => {
    const graph = expanded();
    const before = String(graph);
    const { groups, cut } = cutFirst(graph);
    expect(cut.graph).not.toBe(groups.coupling.graph);
    expect(String(graph)).toBe(before);
    expect(groups.coupling.graph.initializers.map((value) => value.initializer?.shape.join())).toContain(
      '4,6',
    );
    expect(cut.graph.initializers.map((value) => value.initializer?.shape.join())).toContain('4,5');
    cut.graph.lint();
  });

  it('keeps the batch open where sizes are computed, and declared types symbolic', async () => {
    const { groups, removed, cut } = cutFirst(expanded());
    const x = Tensor.of(random.rand(12), [3, 4]);
    const [own, silenced] = [await run(cut.graph, x), await run(silence(groups, removed), x)];
    expect(own).toHaveLength(18);
    own.forEach((value, index) => {
      expect(value).toBeCloseTo(silenced[index]!, 6);
    });
    expect(cut.graph.value('y').type).toMatchObject({ shape: ['batch', 3, 2] });
    expect(cut.graph.value('MatMul_output_0').type).toMatchObject({ shape: ['batch', 5] });
  });

  it('keeps numbers that were computed from a size that is cut, and says so', async () => {
    const { groups, removed, cut } = cutFirst(scaled());
    const x = Tensor.of(random.rand(20), [1, 5, 4]);
    const [own, silenced] = [await run(cut.graph, x), await run(silence(groups, removed), x)];
    own.forEach((value, index) => {
      expect(value).toBeCloseTo(silenced[index]!, 6);
    });
    expect(cut.notes).toEqual([
      "Cast 'Cast_output_0': is computed from a size that was cut; its value stays 6",
    ]);
  });

  it.each(['float16', 'bfloat16'] as const)('keeps such numbers of %s, too', (dtype) => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [1, 5, 4]);
    const k = b.op('MatMul', [x, weight(b, 4, 6)]);
    const width = b.op('Gather', [b.op('Shape', [k]), b.constant(Tensor.int64(2))]);
    const cast = b.op('Cast', [width], { attributes: { to: attr.int(DTYPES[dtype].onnx) } });
    const root = b.op('Cast', [b.op('Sqrt', [cast])], { attributes: { to: attr.int(DTYPES.float32.onnx) } });
    b.output(b.op('Div', [b.op('MatMul', [k, weight(b, 6, 2)]), root]), 'y');
    const { cut } = cutFirst(b.graph);
    expect(cut.notes).toEqual([
      `Cast '${cast.name}': is computed from a size that was cut; its value stays 6`,
    ]);
    const kept = cut.graph.value(`${cast.name}_kept`).initializer!;
    expect([kept.dtype, ...toFloat32(kept).float32]).toEqual([dtype, 6]);
  });

  it('leaves what it does not touch the sizes that it had, though they are computed from some that are cut', async () => {
    const { removed, cut, groups } = cutFirst(borrowed());
    expect(removed).toContain(1);
    cut.graph.lint();
    expect(cut.graph.value('y').type).toMatchObject({ shape: ['batch', 3, 2] });
    const x = Tensor.of(random.rand(12), [3, 4]);
    expect(await run(cut.graph, x)).toEqual(await run(silence(groups, removed), x));
  });

  it('refuses flags of another number, and units that cannot go', () => {
    const groups = groupChannels(analyzeChannels(expanded()));
    expect(() => cutChannels(groups, new Uint8Array(1))).toThrow(
      new StructuralError(`cutChannels: expects a flag for each of ${groups.unitCount} units, got 1`),
    );
    expect(() => cutChannels(groups, new Uint8Array(groups.unitCount).fill(1))).toThrow(
      /^These channels cannot go together: .*cannot go: reaches the output 'y' \(and \d+ more\)$/,
    );
  });

  it('says which rule does not count a size anew', () => {
    const groups = groupChannels(analyzeChannels(expanded()));
    const removed = new Uint8Array(groups.unitCount);
    removed[groups.groups[0]!.units[1]!] = 1;
    const coupling = { ...groups.coupling, cutRule: () => undefined };
    expect(() => cutChannels({ ...groups, coupling }, removed)).toThrow(
      /^Expand '.*': (does not fit after the cut|'.*' should be)/,
    );
  });
});
