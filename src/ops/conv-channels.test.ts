import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { cutAtRandom, faultsOfCuts, RandomNet, reasonsOf } from '../../test/cut-at-random.ts';
import { type Attribute, attr, type Value } from '../ir/index.ts';
import { analyzeChannels, type Coupling } from '../structural/index.ts';

const group = (groups: number): Record<string, Attribute> => ({ group: attr.int(groups) });

/** A map of channels that a convolution made, on which another is tried, and a convolution that reads its result. */
function between(
  channels: number,
  filters: number,
  tried: (net: RandomNet, x: Value) => Value,
): RandomNet['graph'] {
  const net = new RandomNet();
  const image = net.input('image', [2, 3, 6, 6]);
  const made = net.op('Relu', [net.pointwise('before', image, 3, channels)]);
  net.builder.output(net.pointwise('after', tried(net, made), filters, 5));
  return net.graph;
}

/** Why rows of matrices cannot go whole. */
const rowReasons = ({ rectangles, frozen }: Coupling): (string | null)[] => [
  ...new Set(rectangles.flatMap(({ rows }) => [...rows].map(frozen)).filter((why) => why !== null)),
];

describe('channels of a convolution', () => {
  it('are the filters in the output, and tie the input with the weight and the filters with the bias', () => {
    expect(channelLabels('Conv', ['float32[1, 3, 5, 5]', 'float32[4, 3, 2, 2]', 'float32[4]'])).toMatchObject(
      {
        inputs: [expect.stringMatching(/^1: a1/), expect.stringMatching(/^0: b0, 1: a1/), '0: b0'],
        outputs: ['1: b0'],
        sources: ['b0'],
      },
    );
  });

  it('stay on spatial axes, where a window slides, and pass on the batch', () => {
    const { frozen, outputs } = channelLabels('Conv', ['float32[2, 3, 4, 5]', 'float32[4, 3, 1, 1]']);
    expect(frozen).toEqual({
      a2: "Conv 'node': slides a window over them",
      a3: "Conv 'node': slides a window over them",
    });
    expect(outputs).toEqual(['0: a0, 1: b0']);
  });

  it('stay where the bias cannot be cut', () => {
    const net = new RandomNet();
    const bias = net.input('bias', [4]);
    const x = net.op('Conv', [net.input('x', [1, 3, 4, 4]), net.weight('w', [4, 3, 1, 1]), bias]);
    net.builder.output(net.pointwise('after', x, 4, 2));
    expect(reasonsOf(net.graph)).toContain("Conv 'Conv_output_0': is combined with what cannot be cut");
  });

  it('go equally from each group, and other ones from each', async () => {
    const graph = between(8, 12, (net, x) =>
      net.op('Conv', [x, net.weight('w', [12, 2, 3, 3]), net.weight('b', [12])], group(4)),
    );
    const { groups } = await cutAtRandom(graph, { seeds: [] });
    expect(groups.lanes.map(({ cells }) => cells.map(({ length }) => length))).toEqual([
      [2, 2, 2, 2],
      [3, 3, 3, 3],
    ]);
    expect(await faultsOfCuts(graph)).toEqual([]);
  });

  it('go with their group where groups go whole', async () => {
    const graph = between(8, 12, (net, x) =>
      net.op('Conv', [x, net.weight('w', [12, 2, 3, 3]), net.weight('b', [12])], group(4)),
    );
    const { groups, cuts } = await cutAtRandom(graph, { heads: 'whole', seeds: [1] });
    expect(groups.lanes.map(({ cells }) => cells.map(({ length }) => length))).toEqual([[4]]);
    const gone = cuts[0]!.removed.reduce((sum, one) => sum + one, 0);
    const conv = cuts[0]!.cut.graph.nodes.find((node) => node.attributes.has('group'));
    expect(conv?.int('group')).toBe(4 - gone);
    expect(await faultsOfCuts(graph, { heads: 'whole' })).toEqual([]);
  });

  it.each([
    ['one filter for each channel', 8, 8, 8],
    ['two filters for each channel', 8, 16, 8],
    ['one filter for each group', 16, 4, 4],
    ['groups of one filter and others around', 6, 9, 3],
  ])('are proven for %s', async (_, channels, filters, groups) => {
    const graph = between(channels, filters, (net, x) =>
      net.op(
        'Conv',
        [x, net.weight('w', [filters, channels / groups, 3, 3]), net.weight('b', [filters])],
        group(groups),
      ),
    );
    expect(await faultsOfCuts(graph)).toEqual([]);
    expect(await faultsOfCuts(graph, { heads: 'whole' })).toEqual([]);
  });

  it('make a group for each channel that stays of a depthwise convolution', async () => {
    const graph = between(8, 16, (net, x) => net.op('Conv', [x, net.weight('w', [16, 1, 3, 3])], group(8)));
    const { cuts } = await cutAtRandom(graph, { seeds: [1, 2] });
    for (const { removed, cut } of cuts) {
      const stay = 8 - removed.reduce((sum, one) => sum + one, 0);
      const conv = cut.graph.nodes.find((node) => node.attributes.has('group'))!;
      expect(stay).toBeLessThan(8);
      expect(conv.int('group')).toBe(stay);
      expect(conv.input(1).initializer?.shape).toEqual([2 * stay, 1, 3, 3]);
    }
  });

  it('go equally from groups whose input is no layer', async () => {
    const net = new RandomNet();
    const grouped = net.op('Conv', [net.input('x', [1, 4, 5, 5]), net.weight('w', [8, 2, 3, 3])], group(2));
    net.builder.output(net.pointwise('after', grouped, 8, 3));
    const { groups } = await cutAtRandom(net.graph, { seeds: [] });
    expect(groups.lanes.map(({ cells }) => cells.map(({ length }) => length))).toEqual([[4, 4]]);
    expect(await faultsOfCuts(net.graph)).toEqual([]);
    expect(rowReasons(analyzeChannels(net.graph))).toEqual([
      "Conv 'Conv_output_0': reads groups of channels that cannot be cut",
    ]);
  });

  it('stay where a weight with other channels for each group is computed', () => {
    const net = new RandomNet();
    const made = net.pointwise('before', net.input('x', [1, 3, 5, 5]), 3, 4);
    const weight = net.op('Mul', [net.weight('w', [4, 2, 1, 1]), net.weight('mask', [4, 2, 1, 1])]);
    net.builder.output(net.op('GlobalMaxPool', [net.op('Conv', [made, weight], group(2))]));
    expect(reasonsOf(net.graph)).toContainEqual(
      expect.stringContaining("its weight 'Mul_output_0' is computed, and cannot be cut group by group"),
    );
  });

  it('of a matrix of channels and places go in whole rows', async () => {
    const net = new RandomNet();
    const features = net.op('Relu', [net.linear('before', net.input('x', [2, 3]), 3, 24)]);
    const map = net.op('Reshape', [features, net.numbers(2, 6, 4)]);
    const slid = net.op('Conv', [map, net.weight('w', [4, 6, 3])]);
    net.builder.output(net.op('Conv', [slid, net.weight('v', [2, 4, 1])]));
    expect(await faultsOfCuts(net.graph)).toEqual([]);
  });
});

describe('channels of a transposed convolution', () => {
  it('lie on axis 0 of the weight where it reads them and on axis 1 where it makes them', () => {
    expect(
      channelLabels('ConvTranspose', ['float32[1, 3, 5, 5]', 'float32[3, 4, 2, 2]', 'float32[4]']),
    ).toMatchObject({
      inputs: [expect.stringMatching(/^1: a1/), expect.stringMatching(/^0: a1, 1: b1/), '0: b1'],
      outputs: ['1: b1'],
      sources: ['b1'],
    });
  });

  it.each([
    ['one group', 6, 4, 1, true],
    ['groups with a bias', 8, 12, 4, true],
    ['groups without a bias', 8, 12, 4, false],
    ['one output for each channel', 6, 6, 6, true],
    ['one output for each group', 12, 4, 4, false],
    ['several outputs for each channel, with a bias', 6, 12, 6, true],
  ])('are proven for %s', async (_, channels, outputs, groups, bias) => {
    const graph = between(channels, outputs, (net, x) =>
      net.op(
        'ConvTranspose',
        [
          x,
          net.weight('w', [channels, outputs / groups, 2, 2]),
          ...(bias ? [net.weight('b', [outputs])] : []),
        ],
        { ...group(groups), strides: attr.ints([2, 2]) },
      ),
    );
    expect(await faultsOfCuts(graph)).toEqual([]);
  });

  it('go with their group where groups go whole and a bias tells them apart', async () => {
    const graph = between(8, 12, (net, x) =>
      net.op('ConvTranspose', [x, net.weight('w', [8, 3, 2, 2]), net.weight('b', [12])], group(4)),
    );
    const { groups } = await cutAtRandom(graph, { heads: 'whole', seeds: [] });
    expect(groups.lanes.map(({ cells }) => cells.map(({ length }) => length))).toEqual([[4]]);
    expect(await faultsOfCuts(graph, { heads: 'whole' })).toEqual([]);
  });

  it('leave groups of several channels where no bias tells them apart', async () => {
    const graph = between(8, 12, (net, x) =>
      net.op('ConvTranspose', [x, net.weight('w', [8, 3, 2, 2])], group(4)),
    );
    expect(rowReasons(analyzeChannels(graph))).toEqual([
      "ConvTranspose 'ConvTranspose_output_0': gives each group several channels and has no bias that tells them apart",
    ]);
    expect(await faultsOfCuts(graph, { heads: 'whole' })).toEqual([]);
  });

  it('stay where the weight of several groups cannot be cut', () => {
    const net = new RandomNet();
    const x = net.input('x', [1, 4, 5, 5]);
    const made = net.op('ConvTranspose', [x, net.input('w', [4, 3, 2, 2]), net.weight('b', [6])], group(2));
    net.builder.output(net.pointwise('after', made, 6, 2));
    const { rectangles, frozen } = analyzeChannels(net.graph);
    expect(rectangles.flatMap(({ columns }) => [...(columns ?? [])].map(frozen))).toContain(
      "ConvTranspose 'ConvTranspose_output_0': has a weight that cannot be cut",
    );
  });
});
