import { describe, expect, it, vi } from 'vitest';
import { Tensor } from '../../core/tensor.ts';
import { DataLoader, TensorDataset } from '../../data/index.ts';
import { attr, Graph, type Value } from '../../ir/index.ts';
import {
  activations,
  Conv2d,
  F,
  Linear,
  Module,
  manualSeed,
  toGraph,
  type Variable,
} from '../../nn/index.ts';
import { GraphBuilder } from '../../ops/index.ts';
import type { CalibrationBatch } from '../calibration.ts';
import { analyzeChannels, type ChannelGroups, groupChannels } from '../index.ts';
import { type ImportanceOptions, importance } from './index.ts';

const groupsOf = (graph: Graph): ChannelGroups => groupChannels(analyzeChannels(graph));

/** Scores of the group that a layer begins. */
async function scoresOf(groups: ChannelGroups, name: string, options: ImportanceOptions): Promise<number[]> {
  const scores = await importance(groups, { normalize: 'none', ...options });
  const group = groups.groups.find((each) => each.name === name);
  if (!group) throw new Error(`no group ${name} among ${groups.groups.map((each) => each.name).join(', ')}`);
  return Array.from(group.units, (unit) => scores[unit]!);
}

function expectClose(actual: readonly number[], expected: readonly number[], tolerance = 1e-5): void {
  expect(actual.length).toBe(expected.length);
  const most = Math.max(...expected.map(Math.abs));
  expect(most).toBeGreaterThan(0);
  actual.forEach((score, index) => {
    expect(Math.abs(score - expected[index]!), `channel ${index}: ${actual} for ${expected}`).toBeLessThan(
      tolerance * most,
    );
  });
}

/** y = relu(x W1 + b) W2 with two inputs, three hidden units, two outputs; weights by name. */
function perceptron(opset = 18, batch: number | string = 'batch', relu = reluNode): Graph {
  const builder = new GraphBuilder(new Graph({ opset }));
  const x = builder.input('x', 'float32', [batch, 2]);
  const constant = (name: string, shape: readonly number[], data: readonly number[]): Value =>
    builder.constant(new Tensor('float32', shape, Float32Array.from(data)), name);
  const first = builder.op('MatMul', [x, constant('first.weight', [2, 3], W1)], { name: 'first' });
  const hidden = relu(builder, builder.op('Add', [first, constant('first.bias', [3], B1)]));
  builder.output(
    builder.op('MatMul', [hidden, constant('second.weight', [3, 2], W2)], { name: 'second' }),
    'y',
  );
  return builder.graph;
}

const reluNode = (builder: GraphBuilder, x: Value): Value => builder.op('Relu', [x]);

const W1 = [1, -2, 0.5, 3, 1, -1];
const B1 = [0.5, 0, -0.25];
const W2 = [1, 2, -3, 0.5, 4, -1];
const X = [
  [1, 2],
  [-1, 0.5],
  [0, -3],
];
const rowsBatch = (rows: readonly (readonly number[])[], labels?: readonly number[]): CalibrationBatch => ({
  input: new Tensor('float32', [rows.length, rows[0]!.length], Float32Array.from(rows.flat())),
  ...(labels ? { target: Tensor.int64(labels) } : {}),
});
const data = [rowsBatch(X.slice(0, 2), [1, 0]), rowsBatch(X.slice(2), [1])];

/** What the hidden units give, by sample. */
const HIDDEN = X.map(([a, b]) => B1.map((bias, j) => Math.max(0, a! * W1[j]! + b! * W1[3 + j]! + bias)));
const column = (j: number): number[] => HIDDEN.map((row) => row[j]!);
const sum = (numbers: readonly number[]): number => numbers.reduce((total, x) => total + x, 0);

describe('activations', () => {
  it('are looked at behind the activation, averaged over the samples of all batches', async () => {
    const groups = groupsOf(perceptron());
    const means = [0, 1, 2].map((j) => sum(column(j)) / 3);
    expectClose(await scoresOf(groups, 'first', { method: 'activation-mean', data }), means);
  });

  it('count as zero up to a threshold for apoz, whose share is taken from 1', async () => {
    const groups = groupsOf(perceptron());
    const shares = (threshold: number): number[] =>
      [0, 1, 2].map((j) => column(j).filter((x) => x > threshold).length / 3);
    expectClose(await scoresOf(groups, 'first', { method: 'apoz', data }), shares(0));
    expect(shares(1)).not.toEqual(shares(0));
    expectClose(await scoresOf(groups, 'first', { method: 'apoz', data, threshold: 1 }), shares(1));
  });

  it('times weights that read them are the score of wanda, with the norm over all data', async () => {
    const groups = groupsOf(perceptron());
    const scores = [0, 1, 2].map(
      (j) => Math.sqrt(sum(column(j).map((x) => x * x))) * (Math.abs(W2[2 * j]!) + Math.abs(W2[2 * j + 1]!)),
    );
    expectClose(await scoresOf(groups, 'first', { method: 'wanda', data }), scores);
  });

  it('are those of every value that is read, and of a place in a map as the mean over the map', async () => {
    manualSeed(1);
    const net = new Dense().eval();
    const groups = groupsOf(toGraph(net, ['batch', 2, 4, 4]));
    const input = random([3, 2, 4, 4], 5);
    const taken = await activations(net, input, { of: ['alone', 'joined'] });
    const mean = (tensor: Tensor, channel: number): number => {
      const [count, channels, ...window] = tensor.shape;
      const inner = window.reduce((product, size) => product * size, 1);
      let total = 0;
      for (let n = 0; n < count!; n++)
        for (let i = 0; i < inner; i++)
          total += Math.abs(tensor.float32[(n * channels! + channel) * inner + i]!);
      return total / (count! * inner);
    };
    const [alone, joined] = [taken.get('alone')![0]!, taken.get('joined')![0]!];
    const options = { method: 'activation-mean', data: [{ input }] } as const;
    expectClose(
      await scoresOf(groups, 'first', options),
      [0, 1, 2, 3].map((channel) => (mean(alone, channel) + mean(joined, channel)) / 2),
    );
    expectClose(
      await scoresOf(groups, 'second', options),
      [4, 5, 6].map((channel) => mean(joined, channel)),
    );
  });

  it('of queries and keys, which no weight reads, are taken where they are multiplied', async () => {
    manualSeed(2);
    const net = new Attention().eval();
    const groups = groupsOf(toGraph(net, ['batch', 5, 4]));
    const input = random([2, 5, 4], 3);
    const taken = await activations(net, input, { of: ['q', 'k', 'mix'] });
    const means = (name: string, channels: number): number[] => {
      const tensor = taken.get(name)![0]!;
      return Array.from({ length: channels }, (_, c) => {
        const own = tensor.float32.filter((_, at) => at % channels === c);
        return sum([...own].map(Math.abs)) / own.length;
      });
    };
    const options = { method: 'activation-mean', data: [{ input }] } as const;
    const [q, k] = [means('q', 3), means('k', 3)];
    expectClose(
      await scoresOf(groups, 'q', options),
      q.map((mean, c) => (mean + k[c]!) / 2),
    );
    expectClose(await scoresOf(groups, 'v', options), means('mix', 6));
    // Where only what the weights read counts there is none.
    await expect(importance(groups, { method: 'wanda', data: [{ input }] })).rejects.toThrow(
      "importance: 'wanda' cannot score 'q': no weight of a later layer reads all of its channels; give fallback: 'l2' for such groups, or choose another method",
    );
  });
});

/** A map that is read twice: by itself, and joined with what is made of it. */
class Dense extends Module {
  first = new Conv2d(2, 4, 3, { padding: 1 });
  alone = new Gelu();
  second = new Conv2d(4, 3, 3, { padding: 1 });
  joined = new Gelu();
  third = new Conv2d(7, 2, 1);

  override forward(x: Variable): Variable {
    const first = this.first.call(x);
    const second = this.second.call(this.alone.call(first));
    return this.third.call(this.joined.call(F.cat([first, second], 1)));
  }
}

class Gelu extends Module {
  override forward(x: Variable): Variable {
    return F.gelu(x);
  }
}

class Attention extends Module {
  q = new Linear(4, 3);
  k = new Linear(4, 3);
  v = new Linear(4, 6);
  mix = new Mix();
  out = new Linear(6, 4);

  override forward(x: Variable): Variable {
    return this.out.call(this.mix.call(this.q.call(x), this.k.call(x), this.v.call(x)));
  }
}

class Mix extends Module {
  override forward(q: Variable, k: Variable, v: Variable): Variable {
    return q.matmul(k.transpose(1, 2)).softmax(-1).matmul(v);
  }
}

function random(shape: readonly number[], seed: number): Tensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return new Tensor(
    'float32',
    shape,
    Float32Array.from({ length: size }, (_, at) => Math.sin(seed + at * 78.233) * 1.5),
  );
}

/** Two layers around three channels that a convolution reads in two parts. */
class Grouped extends Module {
  first = new Conv2d(2, 6, 3, { padding: 1 });
  grouped = new Conv2d(6, 4, 2, { groups: 2 });
  last = new Conv2d(4, 3, 2);

  override forward(x: Variable): Variable {
    return F.tanh(this.last.call(F.tanh(this.grouped.call(F.tanh(this.first.call(x)))))).mean([2, 3]);
  }
}

describe('a grouped convolution', () => {
  manualSeed(4);
  const net = new Grouped().eval();
  const groups = groupsOf(toGraph(net, ['batch', 2, 5, 5]));
  const input = random([2, 2, 5, 5], 8);
  const weight = (name: 'first' | 'grouped'): Float32Array => net[name].weight.data.float32;
  /** Sums of what belongs to channel c: filters of 18 elements, and 4 elements of each of two filters that read it. */
  const bySlices = (of: (name: 'first' | 'grouped', at: number) => number): number[][] => [
    Array.from({ length: 6 }, (_, c) => sum(Array.from({ length: 18 }, (_, i) => of('first', c * 18 + i)))),
    Array.from({ length: 6 }, (_, c) => {
      const part = Math.floor(c / 3);
      return sum(
        [0, 1].flatMap((row) =>
          Array.from({ length: 4 }, (_, i) => of('grouped', ((part * 2 + row) * 3 + (c % 3)) * 4 + i)),
        ),
      );
    }),
  ];

  it('has magnitudes of what reads a channel part by part', async () => {
    const [made, read] = bySlices((name, at) => Math.abs(weight(name)[at]!));
    expectClose(
      await scoresOf(groups, 'first', { method: 'l1' }),
      made!.map((score, c) => (score + read![c]!) / 2),
    );
  });

  it('has distances of what reads a channel part by part', async () => {
    const slices = Array.from({ length: 6 }, (_, c) => {
      const part = Math.floor(c / 3);
      return [0, 1].flatMap((row) => {
        const from = ((part * 2 + row) * 3 + (c % 3)) * 4;
        return [...weight('grouped').slice(from, from + 4)];
      });
    });
    const filters = Array.from({ length: 6 }, (_, c) => [...weight('first').slice(c * 18, c * 18 + 18)]);
    const distances = (rows: readonly number[][]): number[] =>
      rows.map((a) => sum(rows.map((b) => Math.sqrt(sum(a.map((x, i) => (x - b[i]!) ** 2))))));
    expectClose(await scoresOf(groups, 'first', { method: 'fpgm' }), distances(filters), 1e-8);
    const [made, read] = [distances(filters), distances(slices)];
    expectClose(
      await scoresOf(groups, 'first', { method: 'fpgm', members: 'out-in', aggregate: 'sum' }),
      made.map((score, c) => score + read[c]!),
      1e-8,
    );
  });

  it('has norms of the very channels a weight reads', async () => {
    const [, read] = bySlices((name, at) => Math.abs(weight(name)[at]!));
    const taken = (await activations(net, input, { of: ['first'] })).get('first')![0]!.float32;
    const norms = Array.from({ length: 6 }, (_, c) => {
      const own = taken.filter((_, at) => Math.floor(at / 25) % 6 === c);
      return Math.sqrt(sum([...own].map((x) => Math.tanh(x) ** 2)));
    });
    expectClose(
      await scoresOf(groups, 'first', { method: 'wanda', data: [{ input }] }),
      norms.map((norm, c) => norm * read![c]!),
    );
  });

  it('has gradients of what reads a channel part by part, equal to central differences', async () => {
    const lossAt = async (): Promise<number> => {
      const out = (await activations(net, input, { of: ['last'] })).get('last')![0]!.float32;
      // The loss below: the sum of squares of the means of tanh over 3x3 places.
      const means = Array.from({ length: 6 }, (_, at) =>
        sum([...out.slice(at * 9, at * 9 + 9)].map((x) => Math.tanh(x) / 9)),
      );
      return sum(means.map((mean) => mean * mean));
    };
    const elements = weight('grouped');
    const products = new Float64Array(elements.length);
    for (let at = 0; at < elements.length; at++) {
      const before = elements[at]!;
      elements[at] = before + 1e-2;
      const above = await lossAt();
      elements[at] = before - 1e-2;
      const below = await lossAt();
      elements[at] = before;
      products[at] = (before * (above - below)) / 2e-2;
    }
    const [, read] = bySlices((name, at) => (name === 'grouped' ? Math.abs(products[at]!) : 0));
    const options: ImportanceOptions = {
      method: 'taylor',
      data: [{ input, target: Tensor.int64([0]) }],
      loss: ([out]) => out!.mul(out!).sum(),
      aggregate: 'sum',
    };
    const made = await scoresOf(groups, 'first', { ...options, members: 'out' });
    const both = await scoresOf(groups, 'first', options);
    expectClose(
      both.map((score, c) => score - made[c]!),
      read!,
      1e-2,
    );
  });
});

describe('gradients', () => {
  it('are those of cross entropy where nothing else is said: closed form of a linear model', async () => {
    // Without the activation: h = x W1 + b, s = h W2, dL/ds = (softmax(s) - onehot) / N.
    const graph = perceptron(18, 'batch', (_, x) => x);
    const labels = [1, 0, 1];
    const hidden = X.map(([a, b]) => B1.map((bias, j) => a! * W1[j]! + b! * W1[3 + j]! + bias));
    const deltas = hidden.map((h, n) => {
      const s = [0, 1].map((o) => sum(h.map((x, j) => x * W2[2 * j + o]!)));
      const total = sum(s.map(Math.exp));
      return s.map((x, o) => Math.exp(x) / total - (labels[n] === o ? 1 : 0));
    });
    const g1 = (i: number, j: number): number =>
      sum(deltas.map((d, n) => X[n]![i]! * (d[0]! * W2[2 * j]! + d[1]! * W2[2 * j + 1]!))) / 3;
    const g2 = (j: number, o: number): number => sum(deltas.map((d, n) => hidden[n]![j]! * d[o]!)) / 3;
    const terms = [0, 1, 2].map((j) => ({
      made: [0, 1].map((i) => W1[3 * i + j]! * g1(i, j)),
      read: [0, 1].map((o) => W2[2 * j + o]! * g2(j, o)),
    }));
    const groups = groupsOf(graph);
    const options = { data: [rowsBatch(X, labels)], aggregate: 'sum' } as const;
    expectClose(
      await scoresOf(groups, 'first', { ...options, method: 'taylor' }),
      terms.map(({ made, read }) => sum([...made, ...read].map(Math.abs))),
    );
    expectClose(
      await scoresOf(groups, 'first', { ...options, method: 'taylor-multi' }),
      terms.map(({ made, read }) => Math.abs(sum(made)) + Math.abs(sum(read))),
    );
    expectClose(
      await scoresOf(groups, 'first', { ...options, method: 'taylor-multi', members: 'out' }),
      terms.map(({ made }) => Math.abs(sum(made))),
    );
  });

  it('are 0 for what the loss does not depend on', async () => {
    const builder = new GraphBuilder(perceptron(18));
    // A second head that the loss passes over.
    const { graph } = builder;
    const side = graph.addInitializer(
      'side.weight',
      new Tensor('float32', [2, 2], Float32Array.of(1, 2, 3, 4)),
    );
    const last = graph.addInitializer('last.weight', new Tensor('float32', [2, 1], Float32Array.of(1, 2)));
    const product = graph
      .addNode({ opType: 'MatMul', inputs: [graph.value('x'), side], name: 'side' })
      .output();
    graph.addOutput(graph.addNode({ opType: 'MatMul', inputs: [product, last] }).output());
    const groups = groupsOf(graph);
    const options: ImportanceOptions = { method: 'taylor', data, loss: ([y]) => y!.mul(y!).mean() };
    expect(await scoresOf(groups, 'side', options)).toEqual([0, 0]);
    expect(Math.min(...(await scoresOf(groups, 'first', options)))).toBeGreaterThan(0);
  });
});

describe('models that are run', () => {
  const labelled: ImportanceOptions = { method: 'taylor', data };

  it('may have another batch size built in, and be written for an older opset', async () => {
    const expected = await scoresOf(groupsOf(perceptron()), 'first', labelled);
    expectClose(await scoresOf(groupsOf(perceptron(18, 8)), 'first', labelled), expected);
    // Clip had its bounds as attributes before opset 11.
    const clipped = (builder: GraphBuilder, x: Value): Value =>
      builder.op('Clip', [x], { attributes: { min: attr.float(0) } });
    const old = groupsOf(perceptron(10, 'batch', clipped));
    expectClose(await scoresOf(old, 'first', labelled), expected);
    for (const method of ['activation-mean', 'apoz', 'wanda'] as const) {
      const options = { method, data };
      expectClose(
        await scoresOf(old, 'first', options),
        await scoresOf(groupsOf(perceptron()), 'first', options),
      );
    }
  });

  it('are given what a DataLoader yields, at most maxBatches of it', async () => {
    const groups = groupsOf(perceptron());
    const set = new TensorDataset(
      new Tensor('float32', [3, 2], Float32Array.from(X.flat())),
      Tensor.int64([1, 0, 1]),
    );
    const loader = new DataLoader(set, { batchSize: 2 });
    const onProgress = vi.fn();
    expectClose(
      await scoresOf(groups, 'first', { ...labelled, data: loader, onProgress }),
      await scoresOf(groups, 'first', labelled),
    );
    expect(onProgress.mock.calls).toEqual([[0.5], [1]]);
    expectClose(
      await scoresOf(groups, 'first', { ...labelled, data: loader, maxBatches: 1 }),
      await scoresOf(groups, 'first', { ...labelled, data: data.slice(0, 1) }),
    );
  });

  it('are not run on where the signal is aborted', async () => {
    const controller = new AbortController();
    const seen = vi.fn(() => controller.abort(new Error('enough')));
    await expect(
      importance(groupsOf(perceptron()), { ...labelled, signal: controller.signal, onProgress: seen }),
    ).rejects.toThrow('enough');
    expect(seen).toHaveBeenCalledTimes(1);
  });

  it('need data, targets and a loss that fits', async () => {
    const groups = groupsOf(perceptron());
    const [{ input }] = data as [CalibrationBatch];
    const refused: [ImportanceOptions, string][] = [
      [
        { method: 'wanda' },
        "importance: 'wanda' needs data; give { data }, batches of { input } such as a DataLoader",
      ],
      [
        { method: 'taylor' },
        "importance: 'taylor' needs data; give { data }, batches of { input, target } such as a DataLoader",
      ],
      [
        { method: 'hessian', data: [{ input }] },
        "importance: 'hessian' needs targets; give batches of { input, target } (a loss of your own may pass over them)",
      ],
      [
        { method: 'taylor', data: [{ input, target: input as Tensor }] },
        "importance: 'taylor' needs a loss: cross entropy takes one output [N, C] and whole numbers [N] as targets, got float32[2, 2] and float32[2, 2]; give { loss: (outputs, target) => … }",
      ],
      [
        { ...labelled, loss: ([y]) => y! },
        'importance: the loss must be one number, got shape [2, 2]; reduce it with mean() or sum()',
      ],
      [
        { ...labelled, loss: (_, target) => target.to('float32').mean() },
        'importance: the loss depends on none of the weights; is it computed from the outputs?',
      ],
    ];
    for (const [options, message] of refused) {
      await expect(importance(groups, options)).rejects.toThrow(message);
    }
  });

  it('say so where another batch size cannot be had', async () => {
    const builder = new GraphBuilder(new Graph({ opset: 18 }));
    const x = builder.input('x', 'float32', [2, 2]);
    const first = builder.constant(new Tensor('float32', [2, 3], Float32Array.from(W1)), 'first.weight');
    const second = builder.constant(new Tensor('float32', [3, 2], Float32Array.from(W2)), 'second.weight');
    const hidden = builder.op('MatMul', [x, first]);
    const built = builder.constant(new Tensor('float32', [2, 1], Float32Array.of(1, 2)), 'per_sample');
    builder.output(builder.op('Mul', [builder.op('MatMul', [hidden, second]), built]), 'y');
    await expect(
      importance(groupsOf(builder.graph), { method: 'activation-mean', data: [rowsBatch(X)] }),
    ).rejects.toThrow(
      "importance: graph 'main' has its batch size of 2 built in, got 3; give batches of 2, or export it with a symbolic batch",
    );
  });
});
