import { describe, expect, it } from 'vitest';
import { Tensor } from '../../core/tensor.ts';
import { resnet } from '../../models/index.ts';
import { trace } from '../../nn/index.ts';
import { GraphBuilder } from '../../ops/index.ts';
import { analyzeChannels } from '../analyze.ts';
import { groupChannels } from '../group-channels.ts';
import { layerCuts } from './layer-cuts.ts';

describe('layerCuts', () => {
  it('counts the channels of each group before and after', () => {
    const builder = new GraphBuilder();
    const weight = (shape: readonly number[], name: string) =>
      builder.constant(Tensor.full(shape, 0.5), `${name}.weight`);
    const x = builder.input('x', 'float32', [1, 3]);
    const a = builder.op('Relu', [builder.op('MatMul', [x, weight([3, 6], 'a')])]);
    const b = builder.op('MatMul', [a, weight([6, 6], 'b')]);
    builder.output(builder.op('MatMul', [builder.op('Add', [a, b]), weight([6, 2], 'head')]), 'y');
    const groups = groupChannels(analyzeChannels(builder.graph));
    const removed = new Uint8Array(groups.unitCount);
    const [stream] = groups.groups;
    for (const unit of stream!.units.subarray(0, 2)) removed[unit] = 1;
    expect(layerCuts(groups, removed)).toEqual([
      { group: 0, name: 'a', layers: ['a', 'b'], before: 6, after: 4 },
      { group: 1, name: 'head', layers: ['head'], before: 2, after: 2 },
    ]);
  });

  it('tells each width of a stream by itself', () => {
    const groups = groupChannels(analyzeChannels(trace(resnet(20).eval(), [[1, 3, 32, 32]])));
    const cuts = layerCuts(groups, new Uint8Array(groups.unitCount)).filter(({ group }) => group === 0);
    expect(cuts.map(({ name, layers, before }) => [name, layers.length, before])).toEqual([
      ['conv1', 4, 16],
      ['layer2.0.conv2', 3, 32],
      ['layer3.0.conv2', 3, 64],
    ]);
  });
});
