import { describe, expect, it } from 'vitest';
import { noise } from '../../test/gradient-check.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { attr, Graph, tensorType } from '../ir/index.ts';
import { BLOCKED_DOMAIN } from '../ops/index.ts';
import { blockSize, useBlocks } from './blocked-convolutions.ts';
import { loadEngine } from './ort-node.ts';
import { createSession } from './session.ts';

type Case = readonly [
  what: string,
  x: readonly number[],
  w: readonly number[],
  attributes: Readonly<Record<string, readonly number[] | number>>,
];

const CASES: readonly Case[] = [
  ['dense', [2, 16, 7, 9], [32, 16, 3, 3], { pads: [1, 1, 1, 1] }],
  ['channels that fill no block', [1, 20, 6, 6], [12, 20, 3, 3], {}],
  ['stride and uneven padding', [1, 16, 9, 8], [16, 16, 3, 2], { strides: [2, 2], pads: [0, 1, 1, 0] }],
  ['dilation', [1, 16, 9, 9], [16, 16, 3, 3], { dilations: [2, 2] }],
  ['depthwise', [2, 20, 6, 7], [20, 1, 3, 3], { group: 20, pads: [1, 1, 1, 1] }],
  ['depthwise with stride', [1, 36, 8, 8], [36, 1, 3, 3], { group: 36, strides: [2, 2] }],
];

function convolution(
  [, x, w, attributes]: Case,
  bias: boolean,
): { graph: Graph; feeds: Record<string, Tensor> } {
  const graph = new Graph({ opset: 18 });
  const random = noise(11);
  const feeds: Record<string, Tensor> = {};
  const input = (name: string, shape: readonly number[]) => {
    feeds[name] = new Tensor(
      'float32',
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => random.next().value),
    );
    return graph.addInput(name, tensorType('float32', shape));
  };
  const inputs = [input('x', x), input('w', w), ...(bias ? [input('b', [w[0]!])] : [])];
  const made = Object.entries(attributes).map(([name, value]) => [
    name,
    typeof value === 'number' ? attr.int(value) : attr.ints(value),
  ]);
  graph.addOutput(
    graph.addNode({ opType: 'Conv', inputs, outputs: ['y'], attributes: Object.fromEntries(made) }).output(),
  );
  return { graph, feeds };
}

describe('convolutions on blocks of channels', () => {
  for (const each of CASES) {
    for (const bias of [false, true]) {
      it(`compute what plain ones do: ${each[0]}${bias ? ', with bias' : ''}`, async () => {
        const { graph, feeds } = convolution(each, bias);
        const results: Float32Array[] = [];
        for (const blocked of [false, true]) {
          const session = await createSession(graph, { blocked });
          results.push((await session.run(feeds)).get('y')!.float32);
          await session.dispose();
        }
        const [plain, blocked] = results as [Float32Array, Float32Array];
        expect(blocked).toHaveLength(plain.length);
        const difference = plain.reduce(
          (most, value, index) => Math.max(most, Math.abs(value - blocked[index]!)),
          0,
        );
        expect(difference).toBeLessThan(1e-4);
      });
    }
  }

  it('are written where weights are no constants, and nowhere else', async () => {
    const block = (await blockSize(await loadEngine())) ?? 16;
    const { graph, feeds } = convolution(CASES[0]!, false);
    useBlocks(graph, block);
    expect(graph.nodes.filter(({ domain }) => domain === BLOCKED_DOMAIN)).toHaveLength(3);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['y']);
    const other = convolution(CASES[0]!, false).graph;
    other.value('w').initializer = feeds.w!;
    useBlocks(other, block);
    expect(other.nodes.map(({ opType }) => opType)).toEqual(['Conv']);
  });

  it('leave 1x1 kernels, odd numbers of channels and other groups as they are', () => {
    for (const each of [
      ['1x1', [1, 16, 4, 4], [16, 16, 1, 1], {}],
      ['three channels', [1, 3, 4, 4], [16, 3, 3, 3], {}],
      ['groups', [1, 16, 4, 4], [16, 8, 3, 3], { group: 2 }],
      ['SAME', [1, 16, 4], [16, 16, 3], {}],
    ] as const) {
      const { graph } = convolution(each, false);
      useBlocks(graph, 16);
      expect(
        graph.nodes.map(({ opType }) => opType),
        each[0],
      ).toEqual(['Conv']);
    }
  });
});
