import { describe, expect, it } from 'vitest';
import { Tensor } from '../src/core/tensor.ts';
import { attr, type Graph, type Value } from '../src/ir/index.ts';
import { createSession, randomInputs } from '../src/runtime/index.ts';
import {
  analyzeChannels,
  costOf,
  cutChannels,
  type GroupOptions,
  groupChannels,
} from '../src/structural/index.ts';
import { silence } from '../src/structural/silence.ts';
import { verify } from '../src/structural/verify.ts';
import { randomRemoval } from './cut-at-random.ts';
import { SmallNetwork } from './small-network.ts';

/** A network with shorthands for operators that move elements. */
class Net extends SmallNetwork {
  ints(...numbers: number[]): Value {
    return this.builder.constant(Tensor.int64(numbers), 'numbers');
  }

  reshape(x: Value, ...shape: number[]): Value {
    return this.op('Reshape', [x, this.ints(...shape)]);
  }

  transpose(x: Value, ...perm: number[]): Value {
    return this.op('Transpose', [x], { perm: attr.ints(perm) });
  }

  concat(axis: number, ...parts: Value[]): Value {
    return this.op('Concat', parts, { axis: attr.int(axis) });
  }

  split(x: Value, axis: number, ...sizes: number[]): readonly Value[] {
    return this.builder.ops('Split', [x, this.ints(...sizes)], {
      outputs: sizes.length,
      attributes: { axis: attr.int(axis) },
    });
  }

  slice(x: Value, axis: number, start: number, end: number, step = 1): Value {
    return this.op('Slice', [x, this.ints(start), this.ints(end), this.ints(axis), this.ints(step)]);
  }

  take(x: Value, axis: number, index: number): Value {
    return this.op('Gather', [x, this.builder.constant(Tensor.int64(index), 'index')], {
      axis: attr.int(axis),
    });
  }

  relu(x: Value): Value {
    return this.op('Relu', [x]);
  }

  /** softmax(q kᵀ) v over the last two axes. */
  attend(q: Value, k: Value, v: Value): Value {
    const rank = this.sizes(k).length;
    const order = [...Array(rank - 2).keys(), rank - 1, rank - 2];
    const scores = this.op('MatMul', [q, this.transpose(k, ...order)]);
    return this.op('MatMul', [this.op('Softmax', [scores], { axis: attr.int(-1) }), v]);
  }

  /** The output `y`. */
  end(y: Value): Graph {
    this.builder.output(this.op('Identity', [y]), 'y');
    return this.graph;
  }
}

/** What came of cuts of a graph at random. */
interface Outcome {
  /** What is wrong with a cut. */
  readonly faults: readonly string[];
  /** Units there were to choose from. */
  readonly units: number;
  /** Layers that make them. */
  readonly layers: readonly string[];
}

/** Cuts a graph at random, with several seeds. */
async function outcomeOf(graph: Graph, options: GroupOptions = {}): Promise<Outcome> {
  const groups = groupChannels(analyzeChannels(graph), options);
  const faults: string[] = [];
  const whole = costOf(groups, new Uint8Array(groups.unitCount));
  for (const seed of [1, 2, 3]) {
    const removed = randomRemoval(groups, seed);
    const { graph: cut } = cutChannels(groups, removed);
    const { equal, checked } = await verify(groups, removed, cut, { seed, threads: 1 });
    if (!equal) faults.push(checked);
    if (costOf(groups, removed).macs >= whole.macs) faults.push('nothing is saved');
  }
  const free = [...groups.whyNot.keys()].filter((unit) => groups.whyNot[unit] === null);
  const layers = free.flatMap((unit) => groups.groups[groups.groupOf[unit]!]!.layers);
  return { faults, units: free.length, layers: [...new Set(layers)] };
}

const right = (units: number) => ({ faults: [], units });

describe('cuts through operators that move elements', () => {
  it('keep halves of a channel shuffle equal', async () => {
    const net = new Net(1);
    const x = net.conv(net.input([1, 3, 6, 6]), 'stem', 18);
    const split = net.reshape(x, 0, 3, 6, 6, 6);
    const shuffled = net.reshape(net.transpose(split, 0, 2, 1, 3, 4), 0, -1, 6, 6);
    const graph = net.classify(net.conv(net.relu(shuffled), 'next', 9, { groups: 3 }));
    expect(await outcomeOf(graph)).toMatchObject(right(6 + 9));
  });

  it('leave a batch open where the target of a Reshape is computed from it', async () => {
    const net = new Net(14);
    const x = net.conv(net.input(['N', 3, 4, 4]), 'stem', 12);
    const size = net.slice(net.op('Shape', [x]), 0, 0, 1);
    const by = (...sizes: number[]): Value => net.concat(0, size, net.ints(...sizes));
    const split = net.op('Reshape', [x, by(2, 6, 4, 4)]);
    const shuffled = net.op('Reshape', [net.transpose(split, 0, 2, 1, 3, 4), by(12, 4, 4)]);
    // Behind a merge with the batch, as windows have it.
    const rows = net.op('Mul', [size, net.ints(16)]);
    const last = net.op('Reshape', [net.transpose(shuffled, 0, 2, 3, 1), net.concat(0, rows, net.ints(12))]);
    const graph = net.end(net.matmul(net.relu(net.matmul(last, 'fc', 6)), 'head', 2));
    const groups = groupChannels(analyzeChannels(graph));
    const removed = randomRemoval(groups, 1);
    const smaller = cutChannels(groups, removed).graph;
    expect(smaller.value('stem.weight').initializer!.shape[0]).toBeLessThan(12);
    const feeds = randomInputs(graph, { shapes: { x: [3, 3, 4, 4] } });
    const [silenced, cut] = await Promise.all(
      [silence(groups, removed), smaller].map(async (model) => {
        const session = await createSession(model, { threads: 1 });
        try {
          return (await session.run(feeds)).get('y')!;
        } finally {
          await session.dispose();
        }
      }),
    );
    expect(cut!.shape).toEqual([48, 2]);
    for (const [at, number] of cut!.toNumbers().entries())
      expect(number).toBeCloseTo(silenced!.toNumbers()[at]!, 4);
  });

  it('follow a shuffle by constant indices', async () => {
    const net = new Net(2);
    const x = net.conv(net.input([1, 3, 6, 6]), 'stem', 6);
    const order = net.ints(5, 0, 3, 1, -2, 2);
    const graph = net.classify(net.conv(net.op('Gather', [x, order], { axis: attr.int(1) }), 'next', 4));
    expect(await outcomeOf(graph)).toMatchObject(right(10));
  });

  it('follow a shuffle by steps, two and two together', async () => {
    const net = new Net(3);
    const x = net.relu(net.conv(net.input([1, 3, 6, 6]), 'stem', 8));
    const [even, odd] = [net.slice(x, 1, 0, 8, 2), net.slice(x, 1, 1, 8, 2)];
    const graph = net.classify(net.concat(1, odd, net.conv(even, 'branch', 4)));
    expect(await outcomeOf(graph)).toMatchObject(right(8));
  });

  it.each(['reshape', 'DCR', 'CRD'])('take all sub-pixels of a channel together (%s)', async (kind) => {
    const net = new Net(4);
    const x = net.conv(net.input([1, 3, 4, 4]), 'stem', 12);
    const up =
      kind === 'reshape'
        ? net.reshape(net.transpose(net.reshape(x, 1, 3, 2, 2, 4, 4), 0, 1, 4, 2, 5, 3), 1, 3, 8, 8)
        : net.op('DepthToSpace', [x], { blocksize: attr.int(2), mode: attr.string(kind) });
    expect(await outcomeOf(net.classify(net.conv(up, 'next', 5)))).toMatchObject(right(8));
  });

  it('follow sub-pixels that become channels', async () => {
    const net = new Net(5);
    const x = net.relu(net.conv(net.input([1, 3, 4, 4]), 'stem', 5));
    const down = net.reshape(net.transpose(net.reshape(x, 1, 5, 2, 2, 2, 2), 0, 1, 3, 5, 2, 4), 1, 20, 2, 2);
    const other = net.op('SpaceToDepth', [x], { blocksize: attr.int(2) });
    expect(await outcomeOf(net.classify(net.concat(1, net.conv(down, 'next', 3), other)))).toMatchObject(
      right(8),
    );
  });

  it('follow a focus layer', async () => {
    const net = new Net(6);
    const x = net.relu(net.conv(net.input([1, 3, 4, 4]), 'stem', 5));
    const strided = (row: number, column: number): Value =>
      net.op('Slice', [x, net.ints(row, column), net.ints(2 ** 31 - 1, 99), net.ints(2, -1), net.ints(2, 2)]);
    const joined = net.concat(1, strided(0, 0), strided(1, 0), strided(0, 1), strided(1, 1));
    expect(await outcomeOf(net.classify(net.conv(joined, 'next', 4)))).toMatchObject(right(9));
  });

  it.each([
    ['sizes', 18],
    ['sizes', 13],
    ['even', 13],
    ['number', 18],
    ['attribute', 11],
    ['even attribute', 11],
    ['slices', 18],
    ['slices', 9],
  ])('count the parts of a C2f block anew (%s, opset %i)', async (kind, opset) => {
    const net = new Net(7, opset);
    const x = net.relu(net.conv(net.input([1, 3, 6, 6]), 'stem', 8));
    const parts = (): readonly Value[] => {
      if (kind === 'slices' && opset < 10) {
        const slice = (start: number, end: number): Value =>
          net.op('Slice', [x], { axes: attr.ints([1]), starts: attr.ints([start]), ends: attr.ints([end]) });
        return [slice(0, 4), slice(-4, 1000)];
      }
      if (kind === 'slices') return [net.slice(x, 1, 0, 4), net.slice(x, 1, 4, 2 ** 31 - 1)];
      if (kind === 'sizes') return net.split(x, 1, 4, 4);
      return net.builder.ops('Split', [x], {
        outputs: 2,
        attributes: {
          axis: attr.int(1),
          ...(kind === 'number' ? { num_outputs: attr.int(2) } : {}),
          ...(kind === 'attribute' ? { split: attr.ints([4, 4]) } : {}),
        },
      });
    };
    const [one, two] = parts();
    const three = net.op('Add', [net.relu(net.conv(two!, 'm.0', 4)), two!]);
    const joined = net.concat(1, one!, two!, net.conv(three, 'm.1', 3));
    expect(await outcomeOf(net.classify(net.conv(joined, 'out', 6)))).toMatchObject(right(17));
  });

  it('follow a map that is flattened before a linear layer', async () => {
    const net = new Net(8);
    const x = net.relu(net.conv(net.input([2, 3, 3, 3]), 'stem', 6));
    const hidden = net.relu(net.linear(net.op('Flatten', [x]), 'fc1', 7));
    expect(await outcomeOf(net.end(net.linear(hidden, 'fc2', 4)))).toMatchObject(right(13));
  });

  it('take all pixels of a channel that a linear layer makes, where they are resampled', async () => {
    const net = new Net(9);
    const x = net.relu(net.linear(net.input([2, 5]), 'fc', 24));
    const map = net.op('Resize', [net.reshape(x, 2, 6, 2, 2), null, null, net.ints(2, 6, 4, 4)]);
    const last = net.transpose(map, 0, 2, 3, 1);
    expect(await outcomeOf(net.end(net.matmul(last, 'head', 3)))).toMatchObject(right(6));
  });

  it('follow a stack of channels added by zeros around (shortcut A of ResNet)', async () => {
    const net = new Net(10);
    const x = net.relu(net.conv(net.input([1, 3, 4, 4]), 'stem', 4));
    const wide = net.op('Pad', [net.slice(x, 2, 0, 9, 2), net.ints(0, 2, 0, 0, 0, 2, 0, 0)]);
    const y = net.op('Add', [wide, net.slice(net.conv(x, 'wide', 8), 2, 0, 9, 2)]);
    // The channels that are added go with what they are added to.
    expect(await outcomeOf(net.classify(net.conv(y, 'next', 5)))).toMatchObject(right(8 + 5));
  });

  it('count negative pads anew', async () => {
    const net = new Net(11);
    const x = net.relu(net.conv(net.input([1, 3, 4, 4]), 'stem', 8));
    const narrow = net.op('Pad', [x, net.ints(0, -3, 0, 0, 0, -2, 0, 0)]);
    expect(await outcomeOf(net.classify(net.concat(1, x, net.conv(narrow, 'next', 5))))).toMatchObject(
      right(8 + 5),
    );
  });

  it('count sizes of Resize, Expand and Tile anew', async () => {
    const net = new Net(12);
    const x = net.conv(net.input([1, 3, 3, 3]), 'stem', 6);
    const up = net.op('Resize', [x, null, null, net.ints(1, 6, 6, 6)]);
    const pooled = net.op('GlobalAveragePool', [up]);
    const wide = net.op('Expand', [pooled, net.ints(1, 6, 6, 6)]);
    const tiled = net.op('Tile', [net.op('Mul', [up, wide]), net.ints(1, 2, 1, 1)]);
    expect(await outcomeOf(net.classify(net.conv(tiled, 'next', 5)))).toMatchObject(right(6 + 5));
  });

  it('follow the products of two layers, channel by channel, that are flattened', async () => {
    const net = new Net(31);
    const x = net.input([1, 6]);
    const [a, b] = [net.matmul(x, 'a', 4), net.matmul(x, 'b', 5)];
    const products = net.op('Mul', [net.reshape(a, 1, 4, 1), net.reshape(b, 1, 1, 5)]);
    const graph = net.end(
      net.matmul(net.relu(net.matmul(net.reshape(products, 1, 20), 'next', 6)), 'head', 3),
    );
    // Of the second all must stay: whole rows go.
    expect(await outcomeOf(graph)).toMatchObject({ faults: [], layers: ['a', 'next'] });
  });

  it('keep an axis of one channel where Squeeze drops all of size 1', async () => {
    const net = new Net(13);
    const x = net.relu(net.linear(net.op('Flatten', [net.input([2, 3, 1, 1])]), 'fc', 2));
    const column = net.op('Unsqueeze', [x, net.ints(2)]);
    const again = net.op('Squeeze', [column]);
    const graph = net.end(net.linear(again, 'fc2', 3));
    // One of two channels goes in every cut.
    expect(await outcomeOf(graph)).toMatchObject(right(2));
  });
});

describe('cuts through attention', () => {
  const [tokens, heads, width] = [5, 4, 3];
  const features = heads * width;

  /** Tokens `f32[1, 5, 12]` of a linear layer that can be cut itself. */
  const stem = (seed: number): { net: Net; x: Value } => {
    const net = new Net(seed);
    return { net, x: net.matmul(net.input([1, tokens, 6]), 'stem', features) };
  };

  /** What came of cuts, of channels of each head and of whole heads, of a network that ends with `y`. */
  const outcomesOf = async (net: Net, y: Value): Promise<readonly Outcome[]> => {
    const graph = net.end(net.matmul(net.relu(net.matmul(y, 'proj', 6)), 'head', 3));
    return [await outcomeOf(graph, { heads: 'width' }), await outcomeOf(graph, { heads: 'whole' })];
  };

  /** Both ways right, with these layers cut. */
  const bothRight = (...layers: string[]) => [
    { faults: [], layers },
    { faults: [], layers },
  ];

  it('with one layer for q, k and v, as timm splits it', async () => {
    const { net, x } = stem(21);
    const packed = net.reshape(net.matmul(x, 'qkv', 3 * features), 1, tokens, 3, heads, width);
    const turned = net.transpose(packed, 2, 0, 3, 1, 4);
    const [q, k, v] = [0, 1, 2].map((index) => net.take(turned, 0, index));
    const y = net.reshape(net.transpose(net.attend(q!, k!, v!), 0, 2, 1, 3), 1, tokens, features);
    expect(await outcomesOf(net, y)).toMatchObject(bothRight('stem', 'qkv', 'proj'));
  });

  it.each(['split', 'slices', 'indices'])(
    'with q, k and v beside each other in each head (%s)',
    async (kind) => {
      const { net, x } = stem(22);
      const qkv = net.matmul(x, 'qkv', 3 * features);
      const parts = (): readonly Value[] => {
        if (kind === 'indices') {
          const packed = net.reshape(qkv, 1, tokens, heads, 3, width);
          return [0, 1, 2].map((index) => net.take(packed, 3, index));
        }
        const packed = net.reshape(qkv, 0, 0, heads, 3 * width);
        if (kind === 'split') return net.split(packed, 3, width, width, width);
        return [0, 1, 2].map((index) => net.slice(packed, -1, index * width, (index + 1) * width));
      };
      const [q, k, v] = parts().map((part) => net.transpose(part, 0, 2, 1, 3));
      const y = net.reshape(net.transpose(net.attend(q!, k!, v!), 0, 2, 1, 3), 1, tokens, -1);
      expect(await outcomesOf(net, y)).toMatchObject(bothRight('stem', 'qkv', 'proj'));
    },
  );

  it('as wholes where only some of what a head has is used head by head', async () => {
    const net = new Net(28);
    const packed = net.reshape(
      net.matmul(net.input([1, tokens, 6]), 'qkv', 2 * features),
      0,
      0,
      heads,
      2 * width,
    );
    const [one, two] = net.split(packed, 3, width, width);
    const turned = net.transpose(one!, 0, 2, 1, 3);
    const parts = [net.transpose(net.attend(turned, turned, turned), 0, 2, 1, 3), two!].map((part) =>
      net.reshape(part, 1, tokens, -1),
    );
    const graph = net.end(net.matmul(net.concat(2, ...parts), 'head', 3));
    expect(await outcomeOf(graph, { heads: 'whole' })).toMatchObject(right(heads));
  });

  it('with heads beside the batch, as nn.MultiheadAttention has them', async () => {
    const net = new Net(23);
    const x = net.matmul(net.input([tokens, 2, 6]), 'stem', features);
    const headed = (name: string): Value =>
      net.transpose(net.reshape(net.matmul(x, name, features), tokens, 2 * heads, width), 1, 0, 2);
    const y = net.attend(headed('q'), headed('k'), headed('v'));
    const joined = net.reshape(net.transpose(y, 1, 0, 2), tokens, 2, features);
    expect(await outcomesOf(net, joined)).toMatchObject(bothRight('stem', 'q', 'k', 'v', 'proj'));
  });

  it('between channels in place of tokens (cross-covariance)', async () => {
    const { net, x } = stem(32);
    const packed = net.reshape(net.matmul(x, 'qkv', 3 * features), 1, tokens, 3, heads, width);
    const turned = net.transpose(packed, 2, 0, 3, 4, 1);
    const [q, k, v] = [0, 1, 2].map((index) => net.take(turned, 0, index));
    // One width is read beside another, and both come after the heads.
    const mixed = net.attend(q!, k!, v!);
    const joined = net.reshape(net.transpose(mixed, 0, 3, 1, 2), 1, tokens, features);
    expect(await outcomesOf(net, joined)).toMatchObject(bothRight('stem', 'qkv', 'proj'));
  });

  it('with keys and values shared by heads', async () => {
    const { net, x } = stem(24);
    const q = net.transpose(net.reshape(net.matmul(x, 'q', features), 1, tokens, heads, width), 0, 2, 1, 3);
    const shared = (name: string): Value => {
      const own = net.transpose(net.reshape(net.matmul(x, name, 2 * width), 1, tokens, 2, width), 0, 2, 1, 3);
      const wide = net.op('Expand', [
        net.op('Unsqueeze', [own, net.ints(2)]),
        net.ints(1, 2, 2, tokens, width),
      ]);
      return net.reshape(wide, 1, heads, tokens, width);
    };
    const y = net.attend(q, shared('k'), shared('v'));
    const joined = net.reshape(net.transpose(y, 0, 2, 1, 3), 1, tokens, features);
    expect(await outcomesOf(net, joined)).toMatchObject(bothRight('stem', 'q', 'k', 'v', 'proj'));
  });

  it.each(['halves', 'pairs'])('with rotated positions (%s)', async (kind) => {
    const net = new Net(25);
    const x = net.matmul(net.input([1, tokens, 6]), 'stem', features);
    const size = 4;
    const headed = (name: string): Value =>
      net.transpose(net.reshape(net.matmul(x, name, heads * size), 1, tokens, heads, size), 0, 2, 1, 3);
    const [cos, sin] = [net.weight([1, 1, tokens, size], 'cos'), net.weight([1, 1, tokens, size], 'sin')];
    const rotated = (value: Value): Value => {
      if (kind === 'halves') {
        const [one, two] = [net.slice(value, 3, 0, 2), net.slice(value, 3, 2, 2 ** 31 - 1)];
        const turned = net.concat(-1, net.op('Neg', [two]), one);
        return net.op('Add', [net.op('Mul', [value, cos]), net.op('Mul', [turned, sin])]);
      }
      const [even, odd] = [net.slice(value, 3, 0, 99, 2), net.slice(value, 3, 1, 99, 2)];
      const pair = [net.op('Neg', [odd]), even].map((part) => net.op('Unsqueeze', [part, net.ints(4)]));
      const turned = net.reshape(net.concat(-1, ...pair), 1, heads, tokens, size);
      return net.op('Add', [net.op('Mul', [value, cos]), net.op('Mul', [turned, sin])]);
    };
    const y = net.attend(rotated(headed('q')), rotated(headed('k')), headed('v'));
    const joined = net.reshape(net.transpose(y, 0, 2, 1, 3), 1, tokens, heads * size);
    expect(await outcomesOf(net, joined)).toMatchObject(bothRight('stem', 'q', 'k', 'v', 'proj'));
  });

  it.each(['table', 'network'])(
    'in windows of a map, with a bias by relative position, of a %s',
    async (kind) => {
      const [side, window] = [4, 2];
      const net = new Net(26);
      const area = window * window;
      const map = net.conv(net.input([1, 3, side, side]), 'stem', features);
      const last = net.transpose(map, 0, 2, 3, 1);
      const rolled = net.concat(1, net.slice(last, 1, 1, 9), net.slice(last, 1, 0, 1));
      const windows = net.reshape(
        net.transpose(net.reshape(rolled, 1, 2, window, 2, window, features), 0, 1, 3, 2, 4, 5),
        -1,
        area,
        features,
      );
      const packed = net.reshape(net.matmul(windows, 'qkv', 3 * features), 4, area, 3, heads, width);
      const turned = net.transpose(packed, 2, 0, 3, 1, 4);
      const [q, k, v] = [0, 1, 2].map((index) => net.take(turned, 0, index));
      const scores = net.op('MatMul', [q!, net.transpose(k!, 0, 1, 3, 2)]);
      const table =
        kind === 'table'
          ? net.weight([9, heads], 'relative_position_bias_table')
          : net.matmul(net.relu(net.matmul(net.weight([9, 2], 'places'), 'mlp', 8)), 'bias', heads);
      const places = net.ints(...Array.from({ length: area * area }, (_, at) => (at * 5) % 9));
      const bias = net.reshape(net.op('Gather', [table, places]), area, area, heads);
      const biased = net.op('Add', [
        scores,
        net.op('Unsqueeze', [net.transpose(bias, 2, 0, 1), net.ints(0)]),
      ]);
      const mixed = net.op('MatMul', [net.op('Softmax', [biased], { axis: attr.int(-1) }), v!]);
      const joined = net.reshape(net.transpose(mixed, 0, 2, 1, 3), 4, area, features);
      const projected = net.matmul(joined, 'proj', features);
      const back = net.reshape(
        net.transpose(net.reshape(projected, 1, 2, 2, window, window, features), 0, 1, 3, 2, 4, 5),
        1,
        side,
        side,
        features,
      );
      const graph = net.classify(net.conv(net.op('Add', [map, net.transpose(back, 0, 3, 1, 2)]), 'next', 5));
      // Where a layer has an output for each head, heads go whole, whatever is asked for.
      const layers = ['stem', 'proj', 'qkv', 'next', ...(kind === 'network' ? ['mlp', 'bias'] : [])];
      for (const how of ['width', 'whole'] as const) {
        const outcome = await outcomeOf(graph, { heads: how });
        expect({ ...outcome, layers: new Set(outcome.layers) }).toMatchObject({
          faults: [],
          layers: new Set(layers),
        });
      }
    },
  );

  it('with a class token and positions, of embedded words', async () => {
    const net = new Net(27);
    const words = net.input([1, tokens], 'words', 'int64');
    const x = net.op('Gather', [net.weight([2, features], 'embedding'), words]);
    const token = net.op('Expand', [net.weight([1, 1, features], 'token'), net.ints(1, 1, features)]);
    const joined = net.op('Add', [
      net.concat(1, token, x),
      net.weight([1, tokens + 1, features], 'positions'),
    ]);
    const first = net.take(joined, 1, 0);
    expect(await outcomeOf(net.end(net.linear(first, 'head', 3)))).toMatchObject(right(features));
  });
});
