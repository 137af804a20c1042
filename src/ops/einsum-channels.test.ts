import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { faultsOfCuts, RandomNet } from '../../test/cut-at-random.ts';
import { attr } from '../ir/index.ts';

const equation = (text: string) => ({ attributes: { equation: attr.string(text) } });

describe('channels of Einsum', () => {
  it('are indices of the output that one operand has, and tie those that several have', () => {
    expect(
      channelLabels('Einsum', ['float32[2, 3, 4]', 'float32[4, 5, 6]'], equation('btd,dhk->bhtk')),
    ).toMatchObject({
      inputs: ['0: a0, 1: a1, 2: a2', '0: a2, 1: b1, 2: b2'],
      outputs: ['0: a0, 1: b1, 2: a1, 3: b2'],
      sources: expect.arrayContaining(['b1', 'b2']),
    });
  });

  it('follow an ellipsis from its end', () => {
    expect(
      channelLabels('Einsum', ['float32[2, 3, 4, 5]', 'float32[1, 3, 5, 6]'], equation('...ij,...jk')),
    ).toMatchObject({
      inputs: ['0: a0, 1: a1, 2: a2, 3: a3', '1: a1, 2: a3, 3: b3'],
      outputs: ['0: a0, 1: a1, 2: a2, 3: b3'],
    });
  });

  it('tie what three operands share', () => {
    expect(
      channelLabels('Einsum', ['float32[2, 3]', 'float32[3]', 'float32[3, 4]'], equation('ij,j,jk->ik')),
    ).toMatchObject({
      inputs: ['0: a0, 1: a1', '0: a1', '0: a1, 1: c1'],
      outputs: ['0: a0, 1: c1'],
    });
  });

  it('end where an index is summed over in one operand alone', () => {
    expect(channelLabels('Einsum', ['float32[2, 3]'], equation('ij->i'))).toMatchObject({
      outputs: ['0: a0'],
      frozen: {},
      inexact: [],
    });
  });

  it('stay on a diagonal', () => {
    const { frozen, outputs } = channelLabels('Einsum', ['float32[3, 3, 4]'], equation('iij->j'));
    expect(Object.values(frozen)).toEqual(Array(2).fill("Einsum 'node': takes a diagonal of them"));
    expect(outputs).toEqual(['0: a2']);
  });

  it.each(['width', 'whole'] as const)('of attention go by %s', async (heads) => {
    const net = new RandomNet();
    const x = net.input('x', [2, 5, 6]);
    const project = (name: string) =>
      net.op('Einsum', [x, net.weight(name, [6, 4, 3])], { equation: attr.string('btd,dhk->bthk') });
    const scores = net.op('Einsum', [project('q'), project('k')], {
      equation: attr.string('bqhk,bthk->bhqt'),
    });
    const context = net.op('Einsum', [net.op('Softmax', [scores]), project('v')], {
      equation: attr.string('bhqt,bthk->bqhk'),
    });
    net.builder.output(
      net.op('Einsum', [context, net.weight('out', [4, 3, 6])], { equation: attr.string('bqhk,hkd->bqd') }),
    );
    expect(await faultsOfCuts(net.graph, { heads })).toEqual([]);
  });

  it.each(['width', 'whole'] as const)('of heads that were split from one axis go by %s', async (heads) => {
    const net = new RandomNet();
    const x = net.input('x', [2, 5, 6]);
    const project = (name: string) =>
      net.op('Reshape', [net.linear(name, x, 6, 12), net.numbers(2, 5, 4, 3)]);
    const scores = net.op('Einsum', [project('q'), project('k')], {
      equation: attr.string('bqhk,bthk->bhqt'),
    });
    const context = net.op('Einsum', [net.op('Softmax', [scores]), project('v')], {
      equation: attr.string('bhqt,bthk->bqhk'),
    });
    net.builder.output(net.linear('out', net.op('Reshape', [context, net.numbers(2, 5, 12)]), 12, 6));
    expect(await faultsOfCuts(net.graph, { heads })).toEqual([]);
  });
});
