import { describe, expect, it } from 'vitest';
import { Tensor } from '../../core/tensor.ts';
import { resnet } from '../../models/index.ts';
import { trace } from '../../nn/index.ts';
import { GraphBuilder } from '../../ops/index.ts';
import { analyzeChannels } from '../analyze.ts';
import { groupChannels } from '../group-channels.ts';
import type { Plan } from '../plan.ts';
import { layerCuts, spreadUnevenly } from './layer-cuts.ts';

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

describe('spreadUnevenly', () => {
  const cut = (group: number, layers: string[], before: number, after: number) => ({
    group,
    name: layers[0]!,
    layers,
    before,
    after,
  });
  const plan = (asked: number, kept: Plan['kept'] = []): Plan => ({
    format: 'secateur-plan/1',
    model: { inputs: {}, parameters: { before: 2, after: 1 }, macs: { before: 2, after: 1 } },
    heads: 'width',
    options: {},
    groups: [{ name: 'b', layers: [], channels: 0, remove: [], why: { method: 'l2', asked }, members: [] }],
    kept,
  });

  it('names layers that lose less than their group was asked for', () => {
    const cuts = [
      cut(0, ['a'], 8, 8),
      cut(1, ['b', 'c'], 16, 16),
      cut(1, ['d'], 32, 26),
      cut(1, ['e'], 64, 40),
    ];
    expect(spreadUnevenly(cuts, plan(0.25, [{ layer: 'c', why: 'told' }]))).toEqual([
      { layer: 'b', why: 'nothing goes: of the channels tied to it, those of wider layers rank lower' },
      {
        layer: 'd',
        why: '6 of 32 go where 8 were asked for: of the channels tied to it, those of wider layers rank lower',
      },
    ]);
  });

  it('has nothing to say where all lose what was asked', () => {
    expect(spreadUnevenly([cut(0, ['a'], 8, 6), cut(1, ['b'], 8, 8)], plan(0.25))).toEqual([]);
  });
});
