import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { faultsOfCuts, RandomNet } from '../../test/cut-at-random.ts';
import { attr } from '../ir/index.ts';
import { CONTRIB } from './contrib.ts';
import { CONTRIB_CHANNELS } from './contrib-channels.ts';

const domain = 'com.microsoft';

describe("channels of onnxruntime's operators", () => {
  it('have a rule in each of them', () => {
    expect(CONTRIB.map(({ opType }) => opType).filter((opType) => !(opType in CONTRIB_CHANNELS))).toEqual([]);
  });

  it('of what FusedConv adds are tied with its filters', () => {
    expect(
      channelLabels(
        'FusedConv',
        ['float32[2, 3, 4, 4]', 'float32[5, 3, 1, 1]', 'float32[5]', 'float32[2, 5, 4, 4]'],
        { domain, attributes: { activation: attr.string('Relu') } },
      ),
    ).toMatchObject({
      inputs: [expect.anything(), '0: b0, 1: a1', '0: b0', '0: a0, 1: b0, 2: d2, 3: d3'],
      outputs: ['0: a0, 1: b0'],
    });
  });

  it.each([
    [{ transA: 1 }, 'float32[2, 4, 3]', 'float32[2, 4, 5]', '0: a0, 1: a1, 2: b2', '0: a0, 1: a2, 2: b2'],
    [{ transB: 1 }, 'float32[2, 3, 4]', 'float32[2, 5, 4]', '0: a0, 1: b1, 2: a2', '0: a0, 1: a1, 2: b1'],
    [
      { transBatchA: 1 },
      'float32[3, 2, 4]',
      'float32[2, 4, 5]',
      '0: a1, 1: a2, 2: b2',
      '0: a1, 1: a0, 2: b2',
    ],
    [
      { transA: 1, transBatchA: 1 },
      'float32[4, 2, 3]',
      'float32[2, 4, 5]',
      '0: a1, 1: a0, 2: b2',
      '0: a1, 1: a2, 2: b2',
    ],
  ])('are found for FusedMatMul with %j', (flags, a, b, right, output) => {
    const attributes = Object.fromEntries(
      Object.entries(flags).map(([name, value]) => [name, attr.int(value)]),
    );
    const { inputs, outputs } = channelLabels('FusedMatMul', [a, b], { domain, attributes });
    expect(inputs[1]).toBe(right);
    expect(outputs).toEqual([output]);
  });

  it('of an input, a skip and vectors are one in SkipLayerNormalization, and not in its statistics', () => {
    expect(
      channelLabels(
        'SkipLayerNormalization',
        ['float32[2, 3, 4]', 'float32[3, 4]', 'float32[4]', 'float32[4]', 'float32[4]'],
        { domain, outputs: 4 },
      ),
    ).toMatchObject({
      inputs: ['0: a0, 1: a1, 2: a2', '0: a1, 1: a2', '0: a2', '0: a2', '0: a2'],
      outputs: ['0: a0, 1: a1, 2: a2', '0: a0, 1: a1', '0: a0, 1: a1', '0: a0, 1: a1, 2: a2'],
      inexact: ["com.microsoft.SkipLayerNormalization 'node': normalizes over channels"],
    });
  });

  it.each(['BiasGelu', 'FastGelu'])('have a bias of %s with them', (opType) => {
    expect(channelLabels(opType, ['float32[2, 4]', 'float32[4]'], { domain })).toMatchObject({
      inputs: ['0: a0, 1: a1', '0: a1'],
      outputs: ['0: a0, 1: a1'],
    });
  });

  it('of a residual branch are proven through SkipLayerNormalization', async () => {
    const net = new RandomNet();
    const x = net.linear('before', net.input('x', [2, 5, 6]), 6, 8);
    const hidden = net.op('QuickGelu', [net.linear('up', x, 8, 16)], {}, domain);
    const normed = net.op(
      'SkipLayerNormalization',
      [net.linear('down', hidden, 16, 8), x, net.weight('gamma', [8], 1), net.weight('beta', [8])],
      {},
      domain,
    );
    net.builder.output(net.linear('after', normed, 8, 4));
    expect(await faultsOfCuts(net.graph)).toEqual([]);
  });

  it.each([
    [0, 'float32[2, 3, 4, 4]', '0: a0, 1: a1'],
    [1, 'float32[2, 4, 4, 3]', '0: a0, 3: a3'],
  ])('stay in QLinearGlobalAveragePool with channels_last = %d', (last, shape, output) => {
    const input = shape.replace('float32', 'uint8');
    expect(
      channelLabels('QLinearGlobalAveragePool', [input, 'float32[]', 'uint8[]', 'float32[]', 'uint8[]'], {
        domain,
        attributes: { channels_last: attr.int(last) },
      }).outputs,
    ).toEqual([output]);
  });

  it('meet in QLinearAdd', () => {
    const scale = ['float32[]', 'uint8[]'];
    expect(
      channelLabels('QLinearAdd', ['uint8[2, 3]', ...scale, 'uint8[3]', ...scale, ...scale], { domain }),
    ).toMatchObject({
      inputs: ['0: a0, 1: a1', '', '', '0: a1', '', '', '', ''],
      outputs: ['0: a0, 1: a1'],
    });
  });

  it.each([
    ['DynamicQuantizeMatMul', ['float32[2, 3]', 'uint8[3, 4]', 'float32[4]', 'uint8[4]', 'float32[4]']],
    [
      'MatMulIntegerToFloat',
      ['uint8[2, 3]', 'uint8[3, 4]', 'float32[]', 'float32[4]', 'uint8[]', 'uint8[4]', 'float32[4]'],
    ],
  ])('have scales, zero points and biases of the columns with them in %s', (opType, inputs) => {
    const found = channelLabels(opType, inputs, { domain });
    expect(found.inputs).toEqual([
      '0: a0, 1: a1',
      '0: a1, 1: b1',
      ...inputs.slice(2).map((input) => (input.endsWith('[4]') ? '0: b1' : '')),
    ]);
    expect(found.outputs).toEqual(['0: a0, 1: b1']);
  });
});
