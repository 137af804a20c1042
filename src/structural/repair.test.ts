import { describe, expect, it } from 'vitest';
import { randomRemoval, SmallNetwork } from '../../test/small-network.ts';
import { Generator } from '../core/random.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { attr, type Graph } from '../ir/index.ts';
import { createSession } from '../runtime/index.ts';
import { analyzeChannels, type ChannelGroups, cutChannels, groupChannels } from './index.ts';
import { repairConsumers } from './repair.ts';

/** Batches of random inputs. */
function batches(count: number, shape: readonly number[], seed = 3): { input: Tensor }[] {
  const random = new Generator(seed);
  return Array.from({ length: count }, () => ({ input: Tensor.of(random.randn(sizeOf(shape)), shape) }));
}

async function outputs(graph: Graph, data: readonly { input: Tensor }[]): Promise<number[]> {
  const session = await createSession(graph, { threads: 1 });
  try {
    const all: number[] = [];
    for (const { input } of data) {
      const results = await session.run({ x: input });
      for (const tensor of results.values()) all.push(...tensor.float32);
    }
    return all;
  } finally {
    await session.dispose();
  }
}

/** Root of the mean squared distance, relative to the first. */
function distance(a: readonly number[], b: readonly number[]): number {
  let [error, scale] = [0, 0];
  a.forEach((x, index) => {
    error += (x - b[index]!) ** 2;
    scale += x * x;
  });
  return Math.sqrt(error / scale);
}

/** Makes filter `to` of a weight and bias a copy of filter `from`; axis of the filters is 0, or 1 where not `first`. */
function copyFilter(graph: Graph, names: readonly string[], from: number, to: number, first = true): void {
  for (const name of names) {
    const { float32, shape } = graph.value(name).initializer!;
    const filters = shape[first ? 0 : 1] ?? 1;
    const each = float32.length / filters;
    for (let at = 0; at < each; at++) {
      const place = (filter: number): number => (first ? filter * each + at : at * filters + filter);
      float32[place(to)] = float32[place(from)]!;
    }
  }
}

/** Units of these channels of a layer. */
function removing(groups: ChannelGroups, weight: string, channels: readonly number[]): Uint8Array {
  const removed = new Uint8Array(groups.unitCount);
  for (const member of groups.groups.flatMap(({ members }) => members)) {
    if (member.name !== weight || member.role !== 'out') continue;
    member.indices.forEach((index, at) => {
      if (channels.includes(index)) removed[member.units[at]!] = 1;
    });
  }
  return removed;
}

const cutOf = (graph: Graph, removedOf: (groups: ChannelGroups) => Uint8Array) => {
  const groups = groupChannels(analyzeChannels(graph));
  const removed = removedOf(groups);
  return { groups, removed, cut: cutChannels(groups, removed).graph };
};

/** Networks in which a removed channel equals one that stays: its consumers can make up for it exactly. */
const EXACT: Readonly<
  Record<string, readonly [shape: readonly number[], build: (net: SmallNetwork) => Graph]>
> = {
  'a convolution with padding': [
    [4, 3, 8, 8],
    (net) =>
      net.classify(net.conv(net.op('Relu', [net.conv(net.input(['batch', 3, 8, 8]), 'a', 4)]), 'b', 5)),
  ],
  'a strided convolution without bias': [
    [4, 3, 9, 7],
    (net) => {
      const a = net.op('Sigmoid', [net.conv(net.input(['batch', 3, 9, 7]), 'a', 4)]);
      return net.classify(net.conv(a, 'b', 5, { strides: 2, bias: false }));
    },
  ],
  'a convolution that pads by itself': [
    [4, 3, 9, 8],
    (net) => {
      const a = net.op('Relu', [net.conv(net.input(['batch', 3, 9, 8]), 'a', 4)]);
      const b = net.op('Conv', [a, net.weight([5, 4, 2, 3], 'b.weight')], {
        auto_pad: attr.string('SAME_LOWER'),
        strides: attr.ints([1, 2]),
      });
      return net.classify(b);
    },
  ],
  'a convolution of a signal': [
    [4, 3, 12],
    (net) => {
      const a = net.op('Relu', [
        net.op('Conv', [net.input(['batch', 3, 12]), net.weight([4, 3, 3], 'a.weight')]),
      ]);
      const b = net.op('Conv', [a, net.weight([5, 4, 3], 'b.weight')], {
        pads: attr.ints([0, 2]),
        dilations: attr.ints([2]),
      });
      net.builder.output(net.op('ReduceMean', [b], { axes: attr.ints([2]) }), 'y');
      return net.graph;
    },
  ],
  'a linear layer': [
    [30, 6],
    (net) => {
      net.builder.output(
        net.linear(net.op('Tanh', [net.linear(net.input(['batch', 6]), 'a', 4)]), 'b', 3),
        'y',
      );
      return net.graph;
    },
  ],
  'a linear layer with its inputs first': [
    [30, 6],
    (net) => {
      const a = net.op('Tanh', [net.linear(net.input(['batch', 6]), 'a', 4)]);
      const b = net.op('Gemm', [a, net.weight([4, 3], 'b.weight'), net.weight([3], 'b.bias')]);
      net.builder.output(b, 'y');
      return net.graph;
    },
  ],
};

describe('repairConsumers', () => {
  for (const [name, [shape, build]] of Object.entries(EXACT)) {
    it(`finds the weights of ${name} that make up for a channel another equals`, async () => {
      const graph = build(new SmallNetwork(2));
      const names = ['a.weight', 'a.bias'].filter((each) => graph.find(each));
      copyFilter(graph, names, 3, 1);
      const { groups, removed, cut } = cutOf(graph, (own) => removing(own, 'a.weight', [1]));
      const data = batches(15, shape);
      const fresh = batches(2, shape, 9);
      const expected = await outputs(graph, fresh);
      expect(distance(expected, await outputs(cut, fresh))).toBeGreaterThan(0.01);
      const repair = await repairConsumers(groups, removed, cut, data, { ridge: 1e-6, threads: 1 });
      expect(repair.layers).toHaveLength(1);
      expect(repair.layers[0]).toMatchObject({ repaired: true });
      expect(repair.layers[0]!.before).toBeGreaterThan(0.01);
      expect(repair.layers[0]!.after).toBeLessThan(1e-3);
      expect(repair).toMatchObject({ samples: 15 * shape[0]!, notes: [] });
      // On data it has not seen.
      expect(distance(expected, await outputs(cut, fresh))).toBeLessThan(1e-3);
    });
  }

  it('repairs products over the last axis, by tokens', async () => {
    const net = new SmallNetwork(2);
    const a = net.op('Relu', [net.matmul(net.input(['batch', 5, 6]), 'a', 4)]);
    net.builder.output(net.matmul(a, 'b', 3), 'y');
    copyFilter(net.graph, ['a.weight'], 3, 1, false);
    const { groups, removed, cut } = cutOf(net.graph, (own) => removing(own, 'a.weight', [1]));
    const data = batches(10, [4, 5, 6]);
    await repairConsumers(groups, removed, cut, data, { ridge: 1e-6, positions: 3, threads: 1 });
    const [was, is] = [await outputs(net.graph, data), await outputs(cut, data)];
    expect(distance(was, is)).toBeLessThan(1e-3);
  });

  it('puts into the bias what channels gave that were always the same', async () => {
    const net = new SmallNetwork(2);
    const a = net.linear(net.input(['batch', 6]), 'a', 4);
    net.builder.output(net.linear(net.op('Relu', [a]), 'b', 3), 'y');
    net.graph.value('a.weight').initializer!.float32.fill(0, 6, 12);
    net.graph.value('a.bias').initializer!.float32[1] = 5;
    const { groups, removed, cut } = cutOf(net.graph, (own) => removing(own, 'a.weight', [1]));
    const data = batches(10, [20, 6]);
    // Even where weights may not change at all.
    await repairConsumers(groups, removed, cut, data, { ridge: 1e6, threads: 1 });
    expect(distance(await outputs(net.graph, data), await outputs(cut, data))).toBeLessThan(1e-3);
  });

  it('lets a layer read what the repaired layers before it give', async () => {
    const net = new SmallNetwork(4);
    const a = net.op('Relu', [net.conv(net.input(['batch', 3, 6, 6]), 'a', 4)]);
    const b = net.op('Relu', [net.conv(a, 'b', 4)]);
    const graph = net.classify(net.conv(b, 'c', 4));
    for (const name of ['a', 'b']) copyFilter(graph, [`${name}.weight`, `${name}.bias`], 3, 1);
    const { groups, removed, cut } = cutOf(graph, (own) => {
      const [one, two] = [removing(own, 'a.weight', [1]), removing(own, 'b.weight', [1])];
      return one.map((flag, unit) => flag | two[unit]!);
    });
    const data = batches(15, [4, 3, 6, 6]);
    const { layers } = await repairConsumers(groups, removed, cut, data, { ridge: 1e-6, threads: 1 });
    expect(layers.map(({ layer }) => layer)).toEqual(["Conv '/b/Conv'", "Conv '/c/Conv'"]);
    expect(distance(await outputs(graph, data), await outputs(cut, data))).toBeLessThan(1e-3);
  });

  it('brings a network nearer to the original where nothing is exact', async () => {
    const net = new SmallNetwork(5);
    const a = net.conv(net.input(['batch', 3, 6, 6]), 'a', 8);
    const b = net.conv(net.op('Relu', [a]), 'b', 8);
    const graph = net.classify(net.conv(net.op('Relu', [net.op('Add', [a, b])]), 'c', 6));
    const { groups, removed, cut } = cutOf(graph, (own) => randomRemoval(own, 1));
    const fresh = batches(4, [4, 3, 6, 6], 8);
    const expected = await outputs(graph, fresh);
    const before = distance(expected, await outputs(cut, fresh));
    const repair = await repairConsumers(groups, removed, cut, batches(20, [4, 3, 6, 6]), { threads: 1 });
    expect(repair.layers.some(({ repaired }) => repaired)).toBe(true);
    expect(distance(expected, await outputs(cut, fresh))).toBeLessThan(before * 0.7);
  });

  it('keeps the old weights where new ones do worse on samples held out', async () => {
    // Noise beside too few samples: any fit is one to the noise.
    const net = new SmallNetwork(6);
    const a = net.conv(net.input(['batch', 3, 6, 6]), 'a', 12);
    const graph = net.classify(net.conv(net.op('Relu', [a]), 'b', 6));
    for (const positions of [1, 2, 3]) {
      const { groups, removed, cut } = cutOf(graph, (own) => randomRemoval(own, positions));
      const old = cut.value('b.weight').initializer;
      const { layers } = await repairConsumers(groups, removed, cut, batches(1, [5, 3, 6, 6], positions), {
        positions,
        ridge: 1e-9,
        threads: 1,
      });
      for (const { before, after, repaired } of layers) {
        expect(after <= before).toBe(true);
        expect(repaired).toBe(after < before);
      }
      const first = layers[0]!;
      expect(cut.value('b.weight').initializer === old).toBe(!first.repaired);
      if (positions === 1) expect(first.repaired).toBe(false);
    }
  });

  it('changes weights of consumers alone, and no tensor of the original', async () => {
    const [, build] = EXACT['a strided convolution without bias']!;
    const { groups, removed, cut } = cutOf(build(new SmallNetwork(2)), (own) =>
      removing(own, 'a.weight', [1]),
    );
    const before = new Map(cut.initializers.map(({ name, initializer }) => [name, initializer!]));
    const original = groups.coupling.graph.print();
    await repairConsumers(groups, removed, cut, batches(10, [4, 3, 9, 7]), { threads: 1 });
    const changed = cut.initializers.filter(({ name, initializer }) => initializer !== before.get(name));
    expect(changed.map(({ name }) => name).sort()).toEqual(['b.weight']);
    expect(groups.coupling.graph.print()).toBe(original);
  });

  it('is the same for the same seed, whatever batches the samples come in', async () => {
    const [, build] = EXACT['a linear layer']!;
    const graph = build(new SmallNetwork(2));
    const weights = async (data: readonly { input: Tensor }[]): Promise<number[]> => {
      const { groups, removed, cut } = cutOf(graph, (own) => removing(own, 'a.weight', [1]));
      await repairConsumers(groups, removed, cut, data, { threads: 1 });
      return [...cut.value('b.weight').initializer!.float32];
    };
    const [whole] = batches(1, [40, 6]);
    const parts = [0, 1].map((part) => ({
      input: Tensor.of(whole!.input.float32.slice(part * 120, part * 120 + 120), [20, 6]),
    }));
    const [one, two] = [await weights([whole!]), await weights(parts)];
    one.forEach((x, index) => {
      expect(two[index]).toBeCloseTo(x, 4);
    });
  });

  it('names the layers it leaves as they are', async () => {
    const net = new SmallNetwork();
    const a = net.op('Relu', [net.conv(net.input(['batch', 3, 8, 8]), 'a', 8)]);
    const grouped = net.conv(a, 'grouped', 8, { groups: 2 });
    const up = net.builder.op('ConvTranspose', [a, net.weight([8, 3, 2, 2], 'up.weight')], { name: 'up' });
    const shared = net.weight([4, 8, 1, 1], 'shared.weight');
    const twice = ['one', 'two'].map((name) => net.builder.op('Conv', [a, shared], { name }));
    const wide = net.conv(a, 'wide', 4);
    for (const [index, value] of [grouped, up, ...twice, wide].entries()) {
      net.builder.output(net.op('GlobalAveragePool', [value]), `y${index}`);
    }
    const { groups, removed, cut } = cutOf(net.graph, (own) => randomRemoval(own));
    const { layers, notes } = await repairConsumers(groups, removed, cut, batches(2, [2, 3, 8, 8]), {
      maxFeatures: 10,
      threads: 1,
    });
    expect(layers).toEqual([]);
    const features = cut.value('wide.weight').initializer!.size / 4;
    expect(notes).toEqual([
      "Conv '/grouped/Conv': is a convolution of several groups; its weights stay",
      "ConvTranspose 'up': is neither a convolution nor a linear layer; its weights stay",
      "Conv 'one': shares its weight with others; its weights stay",
      "Conv 'two': shares its weight with others; its weights stay",
      `Conv '/wide/Conv': reads ${features} inputs, more than maxFeatures (10); its weights stay`,
    ]);
  });

  it('leaves linear layers that scale what they make', async () => {
    const net = new SmallNetwork();
    const a = net.op('Relu', [net.matmul(net.input(['batch', 6]), 'a', 8)]);
    for (const [name, value] of [
      ['alpha', 0.5],
      ['beta', 0.5],
    ] as const) {
      const inputs = [a, net.weight([8, 3], `${name}.weight`), net.weight([3], `${name}.bias`)];
      const y = net.builder.op('Gemm', inputs, { name, attributes: { [name]: attr.float(value) } });
      net.builder.output(y, `y_${name}`);
    }
    const { groups, removed, cut } = cutOf(net.graph, (own) => removing(own, 'a.weight', [1]));
    const repair = await repairConsumers(groups, removed, cut, batches(1, [4, 6]), { threads: 1 });
    expect(repair.layers).toEqual([]);
    expect(repair.notes).toEqual([
      "Gemm 'alpha': scales its product; its weights stay",
      "Gemm 'beta': scales its product; its weights stay",
    ]);
  });

  it('does nothing where nothing was removed', async () => {
    const [, build] = EXACT['a linear layer']!;
    const { groups, removed, cut } = cutOf(build(new SmallNetwork()), (own) => new Uint8Array(own.unitCount));
    expect(await repairConsumers(groups, removed, cut, batches(1, [4, 6]))).toEqual({
      layers: [],
      samples: 4,
      notes: [],
    });
  });

  it('names what is wrong before it changes anything', async () => {
    const [, build] = EXACT['a linear layer']!;
    const { groups, removed, cut } = cutOf(build(new SmallNetwork()), (own) =>
      removing(own, 'a.weight', [1]),
    );
    const data = batches(1, [10, 6]);
    const old = cut.value('b.weight').initializer;
    const repair = (options: Parameters<typeof repairConsumers>[4]) =>
      repairConsumers(groups, removed, cut, data, { threads: 1, ...options });
    await expect(repair({ positions: 0 })).rejects.toThrow(
      'repairConsumers: positions expects a whole number above 0, got 0',
    );
    await expect(repair({ maxFeatures: 1.5 })).rejects.toThrow('maxFeatures expects a whole number above 0');
    await expect(repair({ ridge: -1 })).rejects.toThrow(
      'repairConsumers: ridge expects numbers of 0 and above, at least one, got [-1]',
    );
    await expect(repair({ ridge: [] })).rejects.toThrow('at least one, got []');
    await expect(repairConsumers(groups, removed, new SmallNetwork().graph, data)).rejects.toThrow(
      "repairConsumers: the cut graph has no Gemm '/b/Gemm'; give the graph that cutChannels made of these units",
    );
    await expect(repairConsumers(groups, removed, cut, [])).rejects.toThrow('there are no batches');
    await expect(repair({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    expect(cut.value('b.weight').initializer).toBe(old);
  });

  it('tells how far it is', async () => {
    const [, build] = EXACT['a linear layer']!;
    const { groups, removed, cut } = cutOf(build(new SmallNetwork()), (own) =>
      removing(own, 'a.weight', [1]),
    );
    const done: number[] = [];
    await repairConsumers(groups, removed, cut, batches(2, [10, 6]), {
      threads: 1,
      onProgress: (share) => done.push(share),
    });
    expect(done.at(-1)).toBe(1);
    expect(done).toEqual([...done].sort((a, b) => a - b));
  });
});
