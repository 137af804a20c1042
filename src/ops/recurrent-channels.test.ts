import { describe, expect, it } from 'vitest';
import { type ChannelLabelsOptions, channelLabels } from '../../test/channel-labels.ts';
import { faultsOfCuts, RandomNet } from '../../test/cut-at-random.ts';
import { attr, type Value } from '../ir/index.ts';
import { analyzeChannels } from '../structural/index.ts';
import type { Bundle } from './operator.ts';

const HIDDEN = 4;
const FEATURES = 3;

const weights = (gates: number, directions: number): string[] => [
  `float32[${directions}, ${gates * HIDDEN}, ${FEATURES}]`,
  `float32[${directions}, ${gates * HIDDEN}, ${HIDDEN}]`,
  `float32[${directions}, ${2 * gates * HIDDEN}]`,
];

const options = (outputs: number, more: ChannelLabelsOptions['attributes'] = {}): ChannelLabelsOptions => ({
  attributes: { hidden_size: attr.int(HIDDEN), ...more },
  outputs,
});

describe('channels of recurrent layers', () => {
  it.each<[string, number, number]>([
    ['LSTM', 4, 3],
    ['GRU', 3, 2],
    ['RNN', 1, 2],
  ])('are tied in every gate of %s', (opType, gates, outputs) => {
    const { coupling, sources, ...found } = channelLabels(
      opType,
      ['float32[5, 2, 3]', ...weights(gates, 1)],
      options(outputs),
    );
    const labels = (name: string, axis: number): number[] => {
      const bundle: Bundle | undefined = coupling
        .channels(coupling.graph.value(name))
        .find(({ axes }) => axes[0] === axis);
      return [...bundle!.labels].map((label) => coupling.find(label));
    };
    const hidden = labels('c', 2);
    expect(new Set(hidden).size).toBe(HIDDEN);
    const times = (count: number): number[] => Array.from({ length: count }, () => hidden).flat();
    expect(labels('b', 1)).toEqual(times(gates));
    expect(labels('c', 1)).toEqual(times(gates));
    expect(labels('d', 1)).toEqual(times(2 * gates));
    expect(labels('b', 2)).toEqual(labels('a', 2));
    for (const output of coupling.graph.node('node').outputs) {
      const [bundle, ...others] = coupling.channels(output!);
      expect(others).toEqual([]);
      expect([...bundle!.labels].map((label) => coupling.find(label))).toEqual(hidden);
      expect(bundle!.axes).toEqual(output === coupling.graph.node('node').output() ? [3] : [2]);
    }
    expect(sources).toEqual(['b1', 'c1']);
    expect(coupling.consumers.map(({ value, axis }) => `${value.name}${axis}`)).toEqual(
      expect.arrayContaining(['b2', 'c2']),
    );
    const along = `${opType} 'node': runs along this axis, or takes it for the batch`;
    expect(found.frozen).toEqual({ a0: along, a1: along });
  });

  it('are the same in both directions, in states and peepholes, which have an axis for those', () => {
    const { outputs, inputs, frozen } = channelLabels(
      'LSTM',
      ['float32[5, 2, 3]', ...weights(4, 2), null, 'float32[2, 2, 4]', 'float32[2, 2, 4]', 'float32[2, 12]'],
      options(3, { direction: attr.string('bidirectional') }),
    );
    const hidden = 'b1.0 b1.1 b1.2 b1.3';
    expect(outputs).toEqual([`3: ${hidden}`, `2: ${hidden}`, `2: ${hidden}`]);
    expect(inputs[5]).toContain(`2: ${hidden}`);
    expect(inputs[6]).toContain(`2: ${hidden}`);
    expect(inputs[7]).toContain(`1: ${[hidden, hidden, hidden].join(' ')}`);
    expect(frozen).toMatchObject({
      b0: "LSTM 'node': runs in these directions",
      f0: "LSTM 'node': takes this axis for the batch",
    });
    expect(Object.keys(frozen)).not.toContain('b1');
  });

  it('lie on the last axis too where the batch comes first', () => {
    expect(
      channelLabels('GRU', ['float32[2, 5, 3]', ...weights(3, 1)], options(2, { layout: attr.int(1) }))
        .outputs,
    ).toEqual(['3: b1.0 b1.1 b1.2 b1.3', '2: b1.0 b1.1 b1.2 b1.3']);
  });

  it('cannot be cut where there is one', () => {
    const { frozen } = channelLabels(
      'RNN',
      ['float32[5, 1, 3]', 'float32[1, 1, 3]', 'float32[1, 1, 1]', 'float32[1, 2]'],
      {
        attributes: { hidden_size: attr.int(1) },
      },
    );
    expect(frozen).toMatchObject({ d1: "RNN 'node': has one hidden channel, which it needs" });
  });
});

describe('networks of two recurrent layers and a linear one', () => {
  const layer = (
    net: RandomNet,
    name: string,
    x: Value,
    features: number,
    directions: number,
    state: Value | null = null,
  ): Value => {
    const [hidden, gates] = [6, 4];
    const inputs = [
      x,
      net.weight(`${name}.weight_ih`, [directions, gates * hidden, features]),
      net.weight(`${name}.weight_hh`, [directions, gates * hidden, hidden]),
      net.weight(`${name}.bias`, [directions, 2 * gates * hidden]),
      ...(state ? [null, state, state] : []),
    ];
    const y = net.op('LSTM', inputs, {
      hidden_size: attr.int(hidden),
      direction: attr.string(directions === 2 ? 'bidirectional' : 'forward'),
    });
    // As torch.onnx.export writes it: steps, batch, features of all directions.
    const turned = net.op('Transpose', [y], { perm: attr.ints([0, 2, 1, 3]) });
    return net.op('Reshape', [turned, net.numbers(0, 0, -1)]);
  };

  it.each([1, 2])('compute what the silenced ones do, in %i directions', async (directions) => {
    const net = new RandomNet();
    const x = net.linear('embed', net.input('x', [5, 2, 3]), 3, 8);
    const first = layer(net, 'first', x, 8, directions);
    const second = layer(net, 'second', first, 6 * directions, directions);
    net.builder.output(net.linear('head', second, 6 * directions, 2), 'y');
    const { sources, frozen } = analyzeChannels(net.graph);
    expect(sources.filter(({ labels }) => frozen(labels[0]!) === null).map(({ name }) => name)).toEqual([
      'embed',
      'first',
      'first',
      'second',
      'second',
    ]);
    expect(await faultsOfCuts(net.graph)).toEqual([]);
  });

  it('are cut, too, where they start from zeros of the size of the batch, as torch.onnx.export writes them', async () => {
    const net = new RandomNet();
    const x = net.input('x', [5, 2, 3]);
    const batch = net.op('Slice', [net.op('Shape', [x]), net.numbers(1), net.numbers(2)]);
    const sizes = net.op('Concat', [net.numbers(1), batch, net.numbers(6)], { axis: attr.int(0) });
    const y = layer(net, 'lstm', x, 3, 1, net.op('ConstantOfShape', [sizes]));
    net.builder.output(net.linear('head', y, 6, 2), 'y');
    const { sources, frozen } = analyzeChannels(net.graph);
    expect(sources.filter(({ labels }) => frozen(labels[0]!) === null).map(({ name }) => name)).toEqual([
      'lstm',
      'lstm',
    ]);
    expect(await faultsOfCuts(net.graph)).toEqual([]);
  });
});
