import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { attr, type Graph } from '../ir/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { profileGraph } from '../profile/index.ts';
import { analyzeChannels } from './analyze.ts';
import { cutChannels } from './cut.ts';
import { groupChannels } from './group-channels.ts';
import { unshareVectors } from './unshare.ts';
import { assertVerified, verify } from './verify.ts';

/** Three convolutions whose biases are one vector, as exporters write those of fresh models. */
function sharedBiases(): Graph {
  const b = new GraphBuilder();
  const weight = (...shape: number[]) => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    const data = Float32Array.from({ length: size }, (_, at) => Math.sin(at + size));
    return b.constant(Tensor.of(data, shape), 'weight');
  };
  const bias = b.constant(Tensor.of(Float32Array.of(1, 2, 3, 4)), 'bias');
  let x = b.input('x', 'float32', [1, 3, 5, 5]);
  for (const [inputs, own] of [
    [3, bias],
    [4, bias],
    [4, bias],
  ] as const) {
    x = b.op('Relu', [b.op('Conv', [x, weight(4, inputs, 3, 3), own])]);
    if (inputs === 4) x = b.op('Pad', [x, b.constant(Tensor.int64([0, 0, 1, 1, 0, 0, 1, 1]), 'pads')]);
  }
  b.output(
    b.op('ReduceSum', [x, b.constant(Tensor.int64([1]), 'axes')], { attributes: { keepdims: attr.int(1) } }),
    'y',
  );
  return b.graph;
}

describe('unshareVectors', () => {
  it('gives each reader of a vector its own, and leaves matrices and numbers shared', () => {
    const graph = sharedBiases();
    const copies = unshareVectors(graph);
    expect([...copies.values()].map(({ name }) => name)).toEqual(['bias', 'bias']);
    const read = graph.nodes.filter(({ opType }) => opType === 'Conv').map((node) => node.input(2));
    expect(new Set(read).size).toBe(3);
    expect(new Set(read.map((value) => value.initializer)).size).toBe(1);
    graph.lint();
    expect(unshareVectors(graph).size).toBe(0);
  });

  it('lets layers that share a bias be cut apart, and makes one of those that stay alike', async () => {
    const groups = groupChannels(analyzeChannels(sharedBiases()));
    expect(groups.groups).toHaveLength(3);
    const { parameters } = profileGraph(sharedBiases()).totals;
    const removed = new Uint8Array(groups.unitCount);
    const whole = cutChannels(groups, removed).graph;
    expect(profileGraph(whole).totals.parameters).toBe(parameters);
    removed[groups.groups[0]!.units[1]!] = 1;
    const { graph } = cutChannels(groups, removed);
    assertVerified(await verify(groups, removed, graph));
    const biases = graph.nodes.filter(({ opType }) => opType === 'Conv').map((node) => node.input(2));
    expect(biases.map((value) => [...value.initializer!.data])).toEqual([
      [1, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
    expect(biases[1]).toBe(biases[2]);
    expect(biases[1]).not.toBe(biases[0]);
  });
});
