import { describe, expect, it } from 'vitest';
import { channelLabels } from '../../test/channel-labels.ts';
import { cutAtRandom, faultsOfCuts, RandomNet, reasonsOf } from '../../test/cut-at-random.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, type Value } from '../ir/index.ts';
import { analyzeChannels } from '../structural/index.ts';

const perm = (...axes: number[]) => ({ perm: attr.ints(axes) });

/** Sizes of an attention. */
interface Attention {
  readonly steps: number;
  readonly features: number;
  readonly heads: number;
  readonly width: number;
  /** Heads of keys and values; `heads` by default. */
  readonly shared?: number;
}

const SIZES: Attention = { steps: 5, features: 6, heads: 4, width: 3 };

/** Scores, softmax and weighted sum of `[1, heads, steps, width]`, then a projection back to the features. */
function attended(
  net: RandomNet,
  q: Value,
  k: Value,
  v: Value,
  { steps, heads, width, features }: Attention,
): Value {
  const keys = net.op('Transpose', [k], perm(0, 1, 3, 2));
  const scores = net.op('Mul', [net.op('MatMul', [q, keys]), net.weight('scale', [1])]);
  const context = net.op('MatMul', [net.op('Softmax', [scores]), v]);
  const turned = net.op('Transpose', [context], perm(0, 2, 1, 3));
  return net.linear(
    'out',
    net.op('Reshape', [turned, net.numbers(1, steps, heads * width)]),
    heads * width,
    features,
  );
}

/** `[1, steps, heads * width]` as `[1, heads, steps, width]`. */
function split(net: RandomNet, x: Value, steps: number, heads: number, width: number): Value {
  return net.op('Transpose', [net.op('Reshape', [x, net.numbers(1, steps, heads, width)])], perm(0, 2, 1, 3));
}

/** Attention as exporters write it; keys and values of `shared` heads are repeated for the others. */
function attention(sizes: Attention): RandomNet['graph'] {
  const { steps, features, heads, width, shared = heads } = sizes;
  const net = new RandomNet();
  const x = net.input('x', [1, steps, features]);
  const of = (name: string, count: number): Value =>
    split(net, net.linear(name, x, features, count * width), steps, count, width);
  const repeated = (value: Value): Value => {
    if (shared === heads) return value;
    const times = heads / shared;
    const apart = net.op('Unsqueeze', [value, net.numbers(2)]);
    const wide = net.op('Expand', [apart, net.numbers(1, shared, times, steps, width)]);
    return net.op('Reshape', [wide, net.numbers(1, heads, steps, width)]);
  };
  net.builder.output(
    attended(net, of('q', heads), repeated(of('k', shared)), repeated(of('v', shared)), sizes),
  );
  return net.graph;
}

/** Queries, keys and values of one projection, split by a Reshape to `[1, steps, 3, heads, width]`. */
function packedAttention(sizes: Attention): RandomNet['graph'] {
  const { steps, features, heads, width } = sizes;
  const net = new RandomNet();
  const packed = net.linear('qkv', net.input('x', [1, steps, features]), features, 3 * heads * width);
  const apart = net.op('Reshape', [packed, net.numbers(1, steps, 3, heads, width)]);
  const turned = net.op('Transpose', [apart], perm(2, 0, 3, 1, 4));
  const [q, k, v] = [0, 1, 2].map((index) =>
    net.op('Gather', [turned, net.scalar(index)], { axis: attr.int(0) }),
  );
  net.builder.output(attended(net, q!, k!, v!, sizes));
  return net.graph;
}

describe('channels of Gemm', () => {
  it.each([
    [0, 0, 'float32[2, 3]', 'float32[3, 4]', 'b1', 'a1', '0'],
    [0, 1, 'float32[2, 3]', 'float32[4, 3]', 'b0', 'a1', '1'],
    [1, 1, 'float32[3, 2]', 'float32[4, 3]', 'b0', 'a0', '1'],
  ])('are found for transA = %d and transB = %d', (transA, transB, a, b, columns, inner, axis) => {
    const { inputs, outputs, sources } = channelLabels('Gemm', [a, b, 'float32[4]'], {
      attributes: { transA: attr.int(transA), transB: attr.int(transB) },
    });
    const rows = transA === 0 ? 'a0' : 'a1';
    expect(outputs).toEqual([`0: ${rows}, 1: ${columns}`]);
    expect(inputs[1]).toContain(`${axis}: ${inner}`);
    expect(inputs[2]).toBe(`0: ${columns}`);
    expect(sources).toEqual([`a${rows[1]}`, `b${columns[1]}`].map((name) => expect.stringMatching(name[0]!)));
  });

  it('take a C of rows, of columns, and of one element', () => {
    const of = (c: string) => channelLabels('Gemm', ['float32[2, 3]', 'float32[3, 4]', c]).inputs[2];
    expect(of('float32[2, 1]')).toBe('0: a0');
    expect(of('float32[2, 4]')).toBe('0: a0, 1: b1');
    expect(of('float32[1]')).toBe('');
  });
});

describe('channels of MatMul', () => {
  it('are columns of a weight on the right and rows of one on the left', () => {
    const net = new RandomNet();
    const left = net.op('MatMul', [net.weight('left', [4, 5]), net.input('x', [2, 5, 3])]);
    const right = net.op('MatMul', [left, net.weight('right', [3, 6])]);
    net.builder.output(net.op('ReduceSum', [right, net.numbers(1, 2)]));
    const { sources } = analyzeChannels(net.graph);
    expect(sources.map(({ value, axis }) => `${value.name} ${axis}`)).toEqual(['left 0', 'right 1']);
  });

  it('tie the leading axes as elementwise operators do', () => {
    expect(channelLabels('MatMul', ['float32[2, 1, 3, 4]', 'float32[5, 4, 6]'])).toMatchObject({
      inputs: [expect.stringContaining('3: a3'), expect.stringContaining('1: a3')],
      outputs: ['0: a0, 1: b0, 2: a2, 3: b2'],
    });
    expect(channelLabels('MatMul', ['float32[2, 3, 4]', 'float32[2, 4, 6]']).inputs[1]).toBe(
      '0: a0, 1: a2, 2: b2',
    );
  });

  it('of vectors are summed over', () => {
    expect(channelLabels('MatMul', ['float32[3]', 'float32[2, 3, 4]'])).toMatchObject({
      inputs: ['0: a0', '0: b0, 1: a0, 2: b2'],
      outputs: ['0: b0, 1: b2'],
    });
    expect(channelLabels('MatMul', ['float32[2, 3]', 'float32[3]'])).toMatchObject({
      inputs: ['0: a0, 1: a1', '0: a1'],
      outputs: ['0: a0'],
    });
  });

  it('stay where the other side cannot be cut', () => {
    const net = new RandomNet();
    const made = net.linear('made', net.input('x', [2, 3]), 3, 4);
    net.builder.output(net.op('MatMul', [made, net.input('y', [4, 5])]));
    expect(reasonsOf(net.graph)).toEqual([
      "MatMul 'MatMul_output_0_1': is multiplied with what cannot be cut",
    ]);
  });
});

describe('channels of attention', () => {
  it.each([
    [
      'width',
      [
        [3, 3, 3, 3],
        [3, 3, 3, 3],
      ],
    ],
    ['whole', [[4]]],
  ] as const)('go by %s', async (heads, cells) => {
    const graph = attention(SIZES);
    const { groups } = await cutAtRandom(graph, { heads, seeds: [] });
    expect(groups.lanes.map((lane) => lane.cells.map(({ length }) => length))).toEqual(cells);
    expect(await faultsOfCuts(graph, { heads })).toEqual([]);
  });

  it.each(['width', 'whole'] as const)('of one packed projection go by %s', async (heads) => {
    const graph = packedAttention(SIZES);
    expect(await faultsOfCuts(graph, { heads })).toEqual([]);
  });

  it('of heads that share keys and values lose the same widths', async () => {
    const graph = attention({ ...SIZES, shared: 2 });
    const { groups } = await cutAtRandom(graph, { seeds: [] });
    expect(groups.lanes.map((lane) => lane.cells.map(({ length }) => length))).toEqual([
      [3, 3],
      [3, 3],
    ]);
    expect(await faultsOfCuts(graph)).toEqual([]);
  });

  it.each(['width', 'whole'] as const)(
    'with all heads sharing one of keys and values go by %s',
    async (heads) => {
      expect(await faultsOfCuts(attention({ ...SIZES, shared: 1 }), { heads })).toEqual([]);
    },
  );

  it.each(['width', 'whole'] as const)('that broadcast keys to groups of heads go by %s', async (heads) => {
    const { steps, features, width } = SIZES;
    const net = new RandomNet();
    const x = net.input('x', [1, steps, features]);
    const of = (name: string, ...sizes: number[]): Value => {
      const made = net.linear(name, x, features, sizes.reduce((a, b) => a * b) * width);
      const apart = net.op('Reshape', [made, net.numbers(1, steps, ...sizes, width)]);
      return net.op('Transpose', [apart], perm(0, 2, 3, 1, 4));
    };
    const keys = net.op('Transpose', [of('k', 2, 1)], perm(0, 1, 2, 4, 3));
    const scores = net.op('MatMul', [of('q', 2, 3), keys]);
    const sums = net.op('ReduceSum', [scores, net.numbers(3, 4)], { keepdims: attr.int(0) });
    net.builder.output(net.linear('out', net.op('Reshape', [sums, net.numbers(1, 6)]), 6, 4));
    expect(await faultsOfCuts(net.graph, { heads })).toEqual([]);
  });

  it.each(['width', 'whole'] as const)('that multiplies keys with values first goes by %s', async (heads) => {
    const { steps, features, heads: count, width } = SIZES;
    const net = new RandomNet();
    const x = net.input('x', [1, steps, features]);
    const of = (name: string): Value =>
      split(net, net.linear(name, x, features, count * width), steps, count, width);
    const context = net.op('MatMul', [net.op('Transpose', [of('k')], perm(0, 1, 3, 2)), of('v')]);
    const read = net.op('Transpose', [net.op('MatMul', [of('q'), context])], perm(0, 2, 1, 3));
    const flat = net.op('Reshape', [read, net.numbers(1, steps, count * width)]);
    net.builder.output(net.linear('out', flat, count * width, features));
    expect(await faultsOfCuts(net.graph, { heads })).toEqual([]);
  });
});

describe('channels of quantized products', () => {
  it('have scales and zero points with them', () => {
    const quantized = channelLabels('QLinearMatMul', [
      'uint8[2, 3]',
      'float32[2]',
      'uint8[2]',
      'uint8[3, 4]',
      'float32[4]',
      'uint8[4]',
      'float32[2, 1]',
      'uint8[2, 1]',
    ]);
    expect(quantized.inputs).toEqual([
      '0: a0, 1: a1',
      '0: a0',
      '0: a0',
      '0: a1, 1: d1',
      '0: d1',
      '0: d1',
      '0: a0',
      '0: a0',
    ]);
    const whole = channelLabels('MatMulInteger', ['uint8[2, 3]', 'uint8[3, 4]', 'uint8[2]', 'uint8[4]']);
    expect(whole.inputs.slice(2)).toEqual(['0: a0', '0: b1']);
  });

  it('are mixed where zero is not written as 0', () => {
    const of = (zero: number) =>
      channelLabels('MatMulInteger', [
        'uint8[2, 3]',
        'uint8[3, 4]',
        new Tensor('uint8', [], Uint8Array.of(zero)),
      ]).inexact;
    expect(of(0)).toEqual([]);
    expect(of(3)).toEqual(["MatMulInteger 'node': reads channels whose zero point is not 0"]);
  });
});
