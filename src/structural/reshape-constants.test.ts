import { describe, expect, it } from 'vitest';
import { runGraph } from '../../test/model-files.ts';
import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import type { Graph } from '../ir/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { randomInputs } from '../runtime/index.ts';
import { analyzeChannels } from './analyze.ts';
import { cutChannels } from './cut.ts';
import { groupChannels } from './group-channels.ts';
import { reshapeConstants } from './reshape-constants.ts';
import { assertVerified, verify } from './verify.ts';

/** A convolution of 6 channels on a 4x4 map, and a linear layer whose weight is `[6, 4, 4, 5]` and reshaped where it is read. */
function network(times = 1): Graph {
  const builder = new GraphBuilder();
  const generator = new Generator(2);
  const random = (name: string, shape: number[]) =>
    builder.constant(Tensor.of(generator.randn(shape.reduce((a, b) => a * b, 1)), shape), name);
  const x = builder.input('x', 'float32', [1, 2, 4, 4]);
  const map = builder.op('Relu', [builder.op('Conv', [x, random('conv.weight', [6, 2, 1, 1])])]);
  const flat = builder.op('Reshape', [map, builder.constant(Tensor.int64([1, 96]), 'flat')]);
  const stored = random('fc.weight', [6, 4, 4, 5]);
  for (let time = 0; time < times; time++) {
    const target = builder.constant(Tensor.int64([-1, 5]), 'target');
    builder.output(builder.op('MatMul', [flat, builder.op('Reshape', [stored, target])]), `y${time}`);
  }
  return builder.graph;
}

describe('reshapeConstants', () => {
  it('gives a weight the shape it is read with, under its name', async () => {
    const [graph, reshaped] = [network(), network()];
    reshapeConstants(reshaped);
    reshaped.lint();
    expect(reshaped.value('fc.weight').initializer?.shape).toEqual([96, 5]);
    expect(reshaped.nodes.filter(({ opType }) => opType === 'Reshape').length).toBe(1);
    const inputs = randomInputs(graph, { seed: 1 });
    const [before, after] = [await runGraph(graph, inputs), await runGraph(reshaped, inputs)];
    expect(after.get('y0')?.toNumbers()).toEqual(before.get('y0')?.toNumbers());
  });

  it('keeps among the inputs what older files list there', () => {
    const graph = network();
    graph.markInput(graph.value('fc.weight'));
    reshapeConstants(graph);
    graph.lint();
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x', 'fc.weight']);
    expect(graph.inputs[1]!.initializer?.shape).toEqual([96, 5]);
  });

  it('leaves what is read twice', () => {
    const graph = network(2);
    const text = String(graph);
    reshapeConstants(graph);
    expect(String(graph)).toBe(text);
  });

  it('lets channels go that such a weight reads', async () => {
    const groups = groupChannels(analyzeChannels(network()));
    const removed = new Uint8Array(groups.unitCount);
    const [first] = groups.groups;
    for (const unit of first!.units.subarray(0, 3)) removed[unit] = 1;
    const { graph } = cutChannels(groups, removed);
    expect(graph.value('fc.weight').initializer?.shape).toEqual([48, 5]);
    assertVerified(await verify(groups, removed, graph));
  });
});
