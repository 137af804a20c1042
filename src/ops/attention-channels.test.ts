import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { cutAtRandom, faultsOfCuts, RandomNet, randomRemoval, reasonsOf } from '../../test/cut-at-random.ts';
import { type Attribute, attr, type Graph, type Node, type Value } from '../ir/index.ts';
import { analyzeChannels, type ChannelGroups, cutChannels, groupChannels } from '../structural/index.ts';

const MICROSOFT = 'com.microsoft';

/** Attention of 4 heads on `[2, 5, 6]`, and a layer that reads it. */
function selfAttention(
  sizes: readonly [queries: number, keys: number, values: number] = [12, 12, 12],
  attributes: Record<string, Attribute> = {},
  others: (net: RandomNet) => readonly (Value | null)[] = () => [],
): Graph {
  const net = new RandomNet();
  const [q, k, v] = sizes;
  const attended = net.op(
    'Attention',
    [
      net.input('x', [2, 5, 6]),
      net.weight('w', [6, q + k + v]),
      net.weight('b', [q + k + v]),
      ...others(net),
    ],
    {
      num_heads: attr.int(4),
      ...(q === v ? {} : { qkv_hidden_sizes: attr.ints(sizes) }),
      ...attributes,
    },
    MICROSOFT,
  );
  net.builder.output(net.linear('out', attended, v, 6));
  return net.graph;
}

/** Queries, keys and values of three layers into MultiHeadAttention of 4 heads. */
function multiHead(inputs: (net: RandomNet, steps: Value) => readonly (Value | null)[], values = 12): Graph {
  const net = new RandomNet();
  const made = inputs(net, net.input('x', [2, 5, 6]));
  const attended = net.op('MultiHeadAttention', made, { num_heads: attr.int(4) }, MICROSOFT);
  net.builder.output(net.linear('out', attended, values, 6));
  return net.graph;
}

const nodeOf = (graph: Graph, opType: string): Node => graph.nodes.find((node) => node.opType === opType)!;

const cells = ({ lanes }: ChannelGroups): number[][] =>
  lanes.map((lane) => lane.cells.map(({ length }) => length));

describe('channels of Attention', () => {
  it('tie queries with keys, and heads with all three', () => {
    const graph = selfAttention();
    expect(cells(groupChannels(analyzeChannels(graph)))).toEqual([
      [3, 3, 3, 3],
      [3, 3, 3, 3],
    ]);
    expect(cells(groupChannels(analyzeChannels(graph), { heads: 'whole' }))).toEqual([[4]]);
  });

  it.each([
    ['width', [12, 12, 12]],
    ['whole', [12, 12, 12]],
    ['width', [8, 8, 16]],
    ['whole', [8, 8, 16]],
  ] as const)('go by %s of heads from queries, keys and values of %j', async (heads, sizes) => {
    expect(await faultsOfCuts(selfAttention(sizes), { heads })).toEqual([]);
  });

  it('keep the scale of the width that was, and count heads and sizes', async () => {
    const width = (await cutAtRandom(selfAttention(), { seeds: [0] })).cuts[0]!.cut.graph;
    const node = nodeOf(width, 'Attention');
    expect(node.int('num_heads')).toBe(4);
    expect(node.float('scale')).toBeCloseTo(1 / Math.sqrt(3), 6);
    const stated = selfAttention([12, 12, 12], { scale: attr.float(0.25) });
    expect(
      nodeOf((await cutAtRandom(stated, { seeds: [0] })).cuts[0]!.cut.graph, 'Attention').float('scale'),
    ).toBe(0.25);

    const whole = await cutAtRandom(selfAttention([8, 8, 16]), { heads: 'whole', seeds: [1] });
    const left = 4 - whole.cuts[0]!.removed.reduce((sum, one) => sum + one, 0);
    const other = nodeOf(whole.cuts[0]!.cut.graph, 'Attention');
    expect(other.int('num_heads')).toBe(left);
    expect(other.ints('qkv_hidden_sizes')).toEqual([2 * left, 2 * left, 4 * left]);
    expect(other.attributes.has('scale')).toBe(false);
  });

  it('have a bias of scores for each head', async () => {
    const graph = selfAttention([12, 12, 12], {}, (net) => [null, null, net.weight('scores', [2, 4, 5, 5])]);
    expect(await faultsOfCuts(graph, { heads: 'whole' })).toEqual([]);
  });

  it('go with their heads alone where pairs of them are turned', () => {
    const graph = selfAttention([16, 16, 16], { do_rotary: attr.int(1) });
    const coupling = analyzeChannels(graph);
    expect(cells(groupChannels(coupling))).toEqual([[4, 4, 4, 4]]);
    expect(cells(groupChannels(coupling, { heads: 'whole' }))).toEqual([[4]]);
  });

  it('stay where keys and values are kept for the next step', () => {
    const graph = selfAttention([12, 12, 12], {}, (net) => [null, net.input('past', [2, 2, 4, 3, 3])]);
    expect(reasonsOf(graph)).toContain(
      "com.microsoft.Attention 'Attention_output_0': keeps keys and values for the next step",
    );
  });

  it('stay along the sequence, and those of masks', () => {
    const { frozen } = channelLabels(
      'Attention',
      ['float32[2, 5, 6]', 'float32[6, 36]', 'float32[36]', 'int32[2, 5]'],
      { domain: MICROSOFT, attributes: { num_heads: attr.int(4) } },
    );
    expect(frozen).toMatchObject({
      a1: "com.microsoft.Attention 'node': attends along this axis",
      d1: "com.microsoft.Attention 'node': masks by them",
    });
  });
});

describe('channels of MultiHeadAttention', () => {
  const three = (net: RandomNet, x: Value): Value[] =>
    ['q', 'k', 'v'].map((name) => net.linear(name, x, 6, 12));

  it.each(['width', 'whole'] as const)('go by %s of heads', async (heads) => {
    const graph = multiHead(three);
    const groups = groupChannels(analyzeChannels(graph), { heads });
    expect(cells(groups)).toEqual(
      heads === 'width'
        ? [
            [3, 3, 3, 3],
            [3, 3, 3, 3],
          ]
        : [[4]],
    );
    expect(await faultsOfCuts(graph, { heads })).toEqual([]);
  });

  it.each(['width', 'whole'] as const)('with wider values and biases go by %s of heads', async (heads) => {
    const graph = multiHead(
      (net, x) => [
        net.linear('q', x, 6, 8),
        net.linear('k', x, 6, 8),
        net.linear('v', x, 6, 16),
        net.weight('bias', [32]),
        null,
        net.weight('scores', [1, 4, 5, 5]),
      ],
      16,
    );
    expect(await faultsOfCuts(graph, { heads })).toEqual([]);
  });

  // onnxruntime computes packed queries, keys and values on other processors alone.
  it.each([
    ['width', 6],
    ['whole', 7],
  ] as const)('that are packed in one input go by %s of heads', (heads, seed) => {
    const graph = multiHead((net, x) => [
      net.op('Reshape', [net.linear('qkv', x, 6, 36), net.numbers(2, 5, 4, 3, 3)]),
    ]);
    const groups = groupChannels(analyzeChannels(graph), { heads });
    const removed = randomRemoval(groups, seed);
    const kept = groups.keptLabels(removed);
    const weight = groups.coupling.graph.initializers.find(({ name }) => name === 'qkv.weight')!;
    const columns = groups.coupling.channels(weight).find(({ axes }) => axes[0] === 1)!;
    const stays = [...columns.labels].map((label) => kept[label]!);
    const widths = [0, 1, 2, 3].map((head) => {
      const [q, k, v] = [0, 1, 2].map((which) => stays.slice((head * 3 + which) * 3).slice(0, 3));
      expect(q).toEqual(k);
      return [q!, v!].map((own) => own.reduce((sum, one) => sum + one, 0));
    });
    const left = widths.filter(([width]) => width !== 0);
    expect(left.every(([q, v]) => q === left[0]![0] && v === left[0]![1])).toBe(true);
    expect(removed).toContain(1);
    const cut = cutChannels(groups, removed).graph;
    const node = nodeOf(cut, 'MultiHeadAttention');
    expect(node.int('num_heads')).toBe(heads === 'whole' ? left.length : 4);
    expect(left.length < 4).toBe(heads === 'whole');
    expect(cut.value(nodeOf(cut, 'MatMul').input(1).name).initializer?.shape).toEqual([
      6,
      left.length * 3 * left[0]![0]!,
    ]);
  });

  it('stay where queries, keys and values are packed and carry labels otherwise', () => {
    const { frozen } = channelLabels('MultiHeadAttention', ['float32[2, 5, 4, 3, 6]'], {
      domain: MICROSOFT,
      attributes: { num_heads: attr.int(4) },
    });
    expect(Object.keys(frozen)).toEqual(['a1', 'a2', 'a3', 'a4']);
    expect(frozen.a2).toBe(
      "com.microsoft.MultiHeadAttention 'node': has queries, keys and values on one axis",
    );
  });

  it('stay where one of them cannot be cut', () => {
    const graph = multiHead((net, x) => [
      net.linear('q', x, 6, 12),
      net.input('k', [2, 5, 12]),
      net.linear('v', x, 6, 12),
    ]);
    expect(reasonsOf(graph)).toContain(
      "com.microsoft.MultiHeadAttention 'MultiHeadAttention_output_0': attends with what cannot be cut",
    );
    const bias = multiHead((net, x) => [...three(net, x), net.input('bias', [36])]);
    expect(reasonsOf(bias)).toContain(
      "com.microsoft.MultiHeadAttention 'MultiHeadAttention_output_0': adds a bias to what cannot be cut",
    );
  });
});
