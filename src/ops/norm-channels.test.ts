import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { cutAtRandom, faultsOfCuts, RandomNet } from '../../test/cut-at-random.ts';
import { type Attribute, attr, type Value } from '../ir/index.ts';
import { analyzeChannels } from '../structural/index.ts';

const MAP = 'float32[2, 4, 3, 3]';
const VECTOR = 'float32[4]';
const axis = (value: number) => ({ attributes: { axis: attr.int(value) } });

/** A map of 8 channels that a convolution made, on which a normalization is tried, and a convolution that reads its result. */
function between(tried: (net: RandomNet, x: Value) => Value, opset = 18): RandomNet['graph'] {
  const net = new RandomNet({ opset });
  const made = net.pointwise('before', net.input('image', [2, 3, 6, 6]), 3, 8);
  net.builder.output(net.pointwise('after', net.op('Relu', [tried(net, made)]), 8, 5));
  return net.graph;
}

const vectors = (net: RandomNet, size: number): Value[] =>
  [1, 0].map((mean) => net.weight(mean === 1 ? 'scale' : 'bias', [size], mean));

describe('channels of BatchNormalization', () => {
  it('have scale, bias, mean and variance with them', () => {
    expect(channelLabels('BatchNormalization', [MAP, VECTOR, VECTOR, VECTOR, VECTOR])).toMatchObject({
      inputs: ['0: a0, 1: a1, 2: a2, 3: a3', '0: a1', '0: a1', '0: a1', '0: a1'],
      outputs: ['0: a0, 1: a1, 2: a2, 3: a3'],
      inexact: [],
    });
  });

  it('belong to places of the image, too, where opset 8 and older say so', () => {
    const places = 'float32[4, 3, 3]';
    const { inputs } = channelLabels('BatchNormalization', [MAP, places, places, places, places], {
      opset: 8,
      attributes: { spatial: attr.int(0) },
    });
    expect(inputs[4]).toBe('0: a1, 1: a2, 2: a3');
  });

  it('mix images in training, and give running statistics of each channel', () => {
    const { outputs, inexact } = channelLabels('BatchNormalization', [MAP, VECTOR, VECTOR, VECTOR, VECTOR], {
      attributes: { training_mode: attr.int(1) },
      outputs: 3,
    });
    expect(outputs.slice(1)).toEqual(['0: a1', '0: a1']);
    expect(inexact).toEqual(["BatchNormalization 'node': normalizes over batch and image"]);
  });

  it('are proven', async () => {
    const graph = between((net, x) =>
      net.op('BatchNormalization', [
        x,
        ...vectors(net, 8),
        net.weight('mean', [8]),
        net.weight('variance', [8], 1),
      ]),
    );
    expect(await faultsOfCuts(graph)).toEqual([]);
  });
});

describe('channels of InstanceNormalization', () => {
  it('are normalized one by one', async () => {
    const graph = between((net, x) => net.op('InstanceNormalization', [x, ...vectors(net, 8)]));
    const { groups } = await cutAtRandom(graph, { seeds: [] });
    expect(groups.coupling.inexact).toEqual([]);
    expect(await faultsOfCuts(graph)).toEqual([]);
  });

  it.each(['width', 'whole'] as const)(
    'are mixed where a GroupNorm was written with it, and go by %s of groups',
    async (heads) => {
      const graph = between((net, x) => {
        const apart = net.op('Reshape', [x, net.numbers(2, 4, -1)]);
        const ones = net.weight('ones', [4], 1);
        const even = net.op('InstanceNormalization', [apart, ones, net.weight('zeros', [4])]);
        const whole = net.op('Reshape', [even, net.numbers(2, 8, 6, 6)]);
        const scaled = net.op('Mul', [whole, net.weight('scale', [8, 1, 1])]);
        return net.op('Add', [scaled, net.weight('bias', [8, 1, 1])]);
      });
      const { groups, cuts } = await cutAtRandom(graph, { heads, seeds: [1] });
      const [lane] = groups.lanes;
      expect(lane?.cells.map(({ length }) => length)).toEqual(heads === 'width' ? [2, 2, 2, 2] : [4]);
      // Groups that go whole take nothing from the means of the others.
      expect(cuts[0]?.verification.notEqual.length).toBe(heads === 'width' ? 1 : 0);
      expect(await faultsOfCuts(graph, { heads })).toEqual([]);
    },
  );
});

describe('channels of LayerNormalization', () => {
  it.each(['LayerNormalization', 'RMSNormalization'])('have scale and bias of %s with them', (opType) => {
    const bias = opType === 'LayerNormalization' ? ['float32[4]'] : [];
    const { inputs, outputs, inexact } = channelLabels(opType, ['float32[2, 3, 4]', 'float32[4]', ...bias], {
      opset: 23,
    });
    expect(inputs).toEqual(['0: a0, 1: a1, 2: a2', '0: a2', ...bias.map(() => '0: a2')]);
    expect(outputs).toEqual(['0: a0, 1: a1, 2: a2']);
    expect(inexact).toEqual([`${opType} 'node': normalizes over channels`]);
  });

  it('are on all axes from the one given, and not in its statistics', () => {
    expect(
      channelLabels('LayerNormalization', ['float32[2, 3, 4]', 'float32[3, 4]'], { ...axis(1), outputs: 3 }),
    ).toMatchObject({
      inputs: ['0: a0, 1: a1, 2: a2', '0: a1, 1: a2'],
      outputs: ['0: a0, 1: a1, 2: a2', '0: a0', '0: a0'],
    });
  });

  it.each([
    ['width', true],
    ['whole', true],
    ['width', false],
    ['whole', false],
  ] as const)('within heads go by %s, with a scale for each width: %s', async (heads, scaled) => {
    const net = new RandomNet();
    const made = net.linear('before', net.input('x', [2, 5, 6]), 6, 12);
    const apart = net.op('Reshape', [made, net.numbers(2, 5, 4, 3)]);
    const even = net.op('LayerNormalization', [apart, net.weight('scale', [scaled ? 3 : 1], 1)]);
    net.builder.output(net.linear('after', net.op('Reshape', [even, net.numbers(2, 5, 12)]), 12, 4));
    const { groups } = await cutAtRandom(net.graph, { heads, seeds: [] });
    const widths = scaled ? [3] : [3, 3, 3, 3];
    expect(groups.lanes[0]?.cells.map(({ length }) => length)).toEqual(heads === 'width' ? widths : [4]);
    expect(await faultsOfCuts(net.graph, { heads })).toEqual([]);
  });
});

describe('channels of GroupNormalization', () => {
  it.each([
    [18, 'width'],
    [18, 'whole'],
    [21, 'width'],
    [21, 'whole'],
  ] as const)('are normalized group by group at opset %d and go by %s', async (opset, heads) => {
    const graph = between(
      (net, x) =>
        net.op('GroupNormalization', [x, ...vectors(net, opset < 21 ? 4 : 8)], { num_groups: attr.int(4) }),
      opset,
    );
    const { groups, cuts } = await cutAtRandom(graph, { heads, seeds: [1] });
    expect(groups.lanes[0]?.cells.map(({ length }) => length)).toEqual(
      heads === 'width' ? [2, 2, 2, 2] : [4],
    );
    const gone = cuts[0]!.removed.reduce((sum, one) => sum + one, 0);
    const node = cuts[0]!.cut.graph.nodes.find(({ opType }) => opType === 'GroupNormalization');
    expect(node?.int('num_groups')).toBe(heads === 'width' ? 4 : 4 - gone);
    expect(await faultsOfCuts(graph, { heads })).toEqual([]);
  });

  it('stay where the groups of the scale cannot be cut', () => {
    const graph = between(
      (net, x) =>
        net.op('GroupNormalization', [x, net.input('scale', [4]), net.weight('bias', [4])], {
          num_groups: attr.int(4),
        }),
      18,
    );
    const { rectangles, frozen } = analyzeChannels(graph);
    expect(rectangles.flatMap(({ rows }) => [...rows].map(frozen))).toContain(
      "GroupNormalization 'GroupNormalization_output_0': has groups that cannot be cut",
    );
  });

  it('of one channel a group are not mixed', async () => {
    const graph = between(
      (net, x) => net.op('GroupNormalization', [x, ...vectors(net, 8)], { num_groups: attr.int(8) }),
      21,
    );
    const { groups } = await cutAtRandom(graph, { seeds: [] });
    expect(groups.coupling.inexact).toEqual([]);
    expect(await faultsOfCuts(graph)).toEqual([]);
  });
});

describe('channels of other normalizations', () => {
  it.each<[string, Record<string, Attribute>, string | null]>([
    ['LpNormalization', { axis: attr.int(1) }, null],
    ['LRN', { size: attr.int(3) }, 'normalizes over neighbouring channels'],
    ['MeanVarianceNormalization', {}, null],
    ['MeanVarianceNormalization', { axes: attr.ints([1, 2, 3]) }, 'normalizes over channels'],
    ['Dropout', {}, null],
  ])('stay where they are in %s', async (opType, attributes, mixes) => {
    const graph = between((net, x) => net.op(opType, [x], attributes));
    const { groups } = await cutAtRandom(graph, { seeds: [] });
    expect(groups.coupling.inexact.map(({ why }) => why)).toEqual(mixes ? [mixes] : []);
    expect(await faultsOfCuts(graph)).toEqual([]);
  });

  it('are in the mask of Dropout, too', () => {
    expect(channelLabels('Dropout', ['float32[2, 3]'], { outputs: 2 }).outputs).toEqual([
      '0: a0, 1: a1',
      '0: a0, 1: a1',
    ]);
  });

  it('keep their identity in columns where rows are normalized', () => {
    // Heads and widths, turned: the norm goes along the heads.
    const { coupling } = channelLabels('LpNormalization', ['float32[12] as [4, 3]'], axis(0));
    expect(coupling.rectangles.map(({ columns }) => columns?.length)).toEqual([3]);
  });
});
