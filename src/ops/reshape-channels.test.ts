import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { wrongLabels } from '../../test/moved-labels.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { attr } from '../ir/index.ts';
import { analyzeChannels } from '../structural/index.ts';
import { GraphBuilder } from './builder.ts';
import { reshapeBlocks } from './reshape-channels.ts';

const reshape = (from: string, to: readonly number[]) => channelLabels('Reshape', [from, Tensor.int64(to)]);

describe('blocks of a reshape', () => {
  it('are the smallest sets of axes of equal product, without axes of size 1', () => {
    expect(reshapeBlocks([2, 6, 4], [2, 2, 3, 4])).toEqual([
      { from: [0], to: [0] },
      { from: [1], to: [1, 2] },
      { from: [2], to: [3] },
    ]);
    expect(reshapeBlocks([1, 4, 9, 5], [6, 6, 1, 5, 1])).toEqual([
      { from: [1, 2], to: [0, 1] },
      { from: [3], to: [3] },
    ]);
    expect(reshapeBlocks([], [1, 1])).toEqual([]);
  });

  it('cover every axis above 1 once, in order, with equal products', () => {
    const shape = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 5 });
    fc.assert(
      fc.property(shape, fc.infiniteStream(fc.nat(99)), (from, choices) => {
        const to = regrouped(from, choices);
        const blocks = reshapeBlocks(from, to);
        for (const [sizes, axes] of [
          [from, blocks.flatMap((block) => block.from)],
          [to, blocks.flatMap((block) => block.to)],
        ] as const) {
          expect(axes).toEqual([...sizes.keys()].filter((axis) => sizes[axis] !== 1));
        }
        for (const block of blocks) {
          expect(sizeOf(block.from.map((axis) => from[axis]!))).toBe(
            sizeOf(block.to.map((axis) => to[axis]!)),
          );
        }
      }),
    );
  });
});

/** Another shape of as many elements: prime factors put together anew, with ones between. */
function regrouped(from: readonly number[], choices: Iterator<number>): number[] {
  const next = (): number => choices.next().value as number;
  const factors = from.flatMap((size) => (size === 4 ? [2, 2] : [size]));
  const to: number[] = [];
  for (const factor of factors) {
    if (to.length > 0 && next() % 2 === 0) to[to.length - 1]! *= factor;
    else to.push(factor);
    if (next() % 5 === 0) to.push(1);
  }
  return to;
}

describe('channels under another shape', () => {
  it('are seen as a matrix where their axis is split, and as a vector again where it is merged', () => {
    expect(reshape('float32[1, 6]', [1, 2, 3]).outputs).toEqual(['1x2: a1']);
    expect(reshape('float32[1, 6] as [1, 2, 3]', [6]).outputs).toEqual(['0: a1']);
    expect(reshape('float32[1, 6] as [1, 2, 3]', [1, 3, 2]).outputs).toEqual(['1x2: a1']);
  });

  it('are repeated over axes they are flattened with, and found again', () => {
    const flat = chain(['Reshape', [6, 1]], ['Expand', [2, 6, 4]], ['Reshape', [2, 24]]);
    expect(flat.labels).toEqual([[1, [...Array(24).keys()].map((at) => Math.floor(at / 4))]]);
    const back = chain(
      ['Reshape', [6, 1]],
      ['Expand', [2, 6, 4]],
      ['Reshape', [2, 24]],
      ['Reshape', [2, 6, 4]],
    );
    expect(back.labels).toEqual([[1, [0, 1, 2, 3, 4, 5]]]);
  });

  it('keep heads beside channels where a batch is merged with them', () => {
    // [batch, heads, tokens, width] to [batch * heads, tokens, width]
    const { labels } = chain(['Reshape', [1, 2, 1, 3]], ['Expand', [2, 2, 4, 3]], ['Reshape', [4, 4, 3]]);
    expect(labels).toEqual([['0x2', [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]]]);
  });

  it('are tied where their sub-pixels go into an image', () => {
    // Pixel shuffle of 2 channels: [1, 2 * r * r, h, w] to [1, 2, h * r, w * r]
    const { labels, coupling, graph } = chain(
      ['Reshape', [1, 2, 2, 2, 1, 1]],
      ['Expand', [1, 2, 2, 2, 3, 3]],
      ['Transpose', [0, 1, 4, 2, 5, 3]],
      ['Reshape', [1, 2, 6, 6]],
    );
    expect(labels).toEqual([[1, [0, 4]]]);
    const own = coupling.channels(graph.initializers[0]!)[0]!.labels;
    expect([...own].map((label) => coupling.find(label) - own[0]!)).toEqual([0, 0, 0, 0, 4, 4, 4, 4]);
  });

  it('keep rows and columns where a shuffle merges them in the other order', () => {
    const { labels, coupling } = chain(
      ['Reshape', [1, 2, 3, 1]],
      ['Transpose', [0, 2, 1, 3]],
      ['Reshape', [1, 6, 1]],
    );
    expect(labels).toEqual([[1, [0, 3, 1, 4, 2, 5]]]);
    expect(coupling.rectangles.map(({ columns }) => columns?.length)).toContain(3);
  });

  it('become a matrix where two axes with channels of their own become one', () => {
    const builder = new GraphBuilder();
    const weight = builder.constant(Tensor.of(new Float32Array(6), [2, 3]));
    const flat = builder.op('Reshape', [weight, builder.constant(Tensor.int64([6]))]);
    const coupling = analyzeChannels(builder.graph);
    const [matrix] = coupling.rectangles;
    const value = (name: string) => coupling.channels(coupling.graph.value(name));
    expect(value(flat.name)).toEqual([{ axes: [0], labels: matrix!.elements }]);
    const [rows, columns] = value(weight.name);
    const roots = (vector: Int32Array): number[] => [...vector].map((label) => coupling.find(label));
    expect(roots(matrix!.rows)).toEqual(roots(rows!.labels));
    expect(roots(matrix!.columns!)).toEqual(roots(columns!.labels));
  });

  it('stay where more axes with channels of their own would be one', () => {
    const { outputs, frozen } = reshape('float32[2, 3, 4]', [24]);
    expect(outputs).toEqual(['']);
    const why = "Reshape 'node': merges axes with independent channels into one";
    expect(frozen).toEqual({ a0: why, a1: why, a2: why });
  });

  it('pass axes of size 1 that come and go', () => {
    expect(channelLabels('Unsqueeze', ['float32[2, 3]', Tensor.int64([0, 2])]).outputs).toEqual([
      '1: a0, 3: a1',
    ]);
    expect(channelLabels('Squeeze', ['float32[1, 2, 1, 3]', Tensor.int64([0, -2])]).outputs).toEqual([
      '0: a1, 1: a3',
    ]);
    expect(channelLabels('Squeeze', ['float32[1, 2, 1, 3]', null]).outputs).toEqual(['0: a1, 1: a3']);
  });

  it('are not followed over more elements than anyone could cut', () => {
    const { labels, coupling, graph } = chain(
      ['Reshape', [1, 8, 1, 1]],
      ['Expand', [1, 8, 1024, 1025]],
      ['Reshape', [1, 8 * 1024 * 1025]],
    );
    expect(labels).toEqual([]);
    expect(coupling.frozen(coupling.channels(graph.initializers[0]!)[0]!.labels[0]!)).toContain(
      'spreads its channels over too many elements to follow',
    );
  });

  it('are those that onnxruntime puts there', async () => {
    const dim = fc.record({ size: fc.integer({ min: 1, max: 3 }), labelled: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(dim, { minLength: 1, maxLength: 5 }),
        fc.infiniteStream(fc.nat(99)),
        async (dims, choices) => {
          const full = dims.map(({ size }) => size);
          const order = [...full.keys()];
          for (let at = order.length - 1; at > 0; at--) {
            const other = (choices.next().value as number) % (at + 1);
            [order[at], order[other]] = [order[other]!, order[at]!];
          }
          const turned = order.map((axis) => full[axis]!);
          const { coupling } = chain(
            ['Reshape', dims.map(({ size, labelled }) => (labelled ? size : 1))],
            ['Expand', full],
            ['Transpose', order],
            ['Reshape', regrouped(turned, choices)],
          );
          expect(await wrongLabels({ coupling })).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** A vector of labels through some operators, each with its target shape or order; gives the labels at the end, counted from the vector's first. */
function chain(...operators: readonly (readonly [string, readonly number[]])[]) {
  const builder = new GraphBuilder();
  const size = sizeOf(operators[0]![1]);
  let value = builder.constant(Tensor.zeros('float32', [size]), 'vector');
  for (const [opType, numbers] of operators) {
    value =
      opType === 'Transpose'
        ? builder.op(opType, [value], { attributes: { perm: attr.ints(numbers) } })
        : builder.op(opType, [value, builder.constant(Tensor.int64(numbers), 'numbers')]);
  }
  const coupling = analyzeChannels(builder.graph);
  const channels = coupling.channels(coupling.graph.value(value.name));
  const [first = 0] = coupling.channels(coupling.graph.value('vector'))[0]?.labels ?? [];
  return {
    coupling,
    graph: coupling.graph,
    labels: channels.map(({ axes, labels }) => [
      axes.length === 1 ? axes[0] : axes.join('x'),
      [...labels].map((label) => coupling.find(label) - first),
    ]),
  };
}
