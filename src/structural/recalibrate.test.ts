import { describe, expect, it } from 'vitest';
import { SmallNetwork } from '../../test/small-network.ts';
import { manualSeed } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, cloneGraph, type Graph } from '../ir/index.ts';
import { BatchNorm2d, Conv2d, run, Sequential, trace } from '../nn/index.ts';
import { recalibrate } from './recalibrate.ts';

/** Batches of images that are neither centred nor scaled. */
function batches(count: number, size: number, channels = 3): { input: Tensor }[] {
  const random = manualSeed(7);
  return Array.from({ length: count }, (_, index) => {
    const data = random.randn(size * channels * 36).map((x) => x * (1 + index) + index);
    return { input: Tensor.of(data, [size, channels, 6, 6]) };
  });
}

const elements = (graph: Graph, name: string): number[] => [...graph.value(name).initializer!.float32];

const near = (found: readonly number[], expected: readonly number[]): void => {
  expect(found).toHaveLength(expected.length);
  found.forEach((x, index) => {
    expect(x).toBeCloseTo(expected[index]!, 4);
  });
};

const network = (): Graph => {
  const net = new SmallNetwork();
  const a = net.op('Relu', [net.batchNorm(net.conv(net.input(['batch', 3, 6, 6]), 'a', 4), 'one')]);
  return net.classify(net.batchNorm(net.conv(a, 'b', 5), 'two'));
};

describe('recalibrate', () => {
  it('gives the statistics of PyTorch in training with momentum=None', async () => {
    manualSeed(0);
    const model = new Sequential(
      new Conv2d(3, 4, 3),
      new BatchNorm2d(4, { momentum: null }),
      new Conv2d(4, 5, 3),
      new BatchNorm2d(5, { momentum: null }),
    );
    const graph = cloneGraph(trace(model.eval(), ['batch', 3, 6, 6]), { tensors: 'copy' }).graph;
    const data = batches(3, 4);
    const report = await recalibrate(graph, data, { threads: 1 });
    expect(report).toMatchObject({ batches: 3, samples: 12, notes: [] });
    expect(report.layers).toHaveLength(2);
    model.train();
    for (const { input } of data) await run(model, input);
    for (const name of ['1.running_mean', '1.running_var', '3.running_mean', '3.running_var']) {
      near(elements(graph, name), [...model.getBuffer(name).float32]);
    }
  });

  it('blends with what stood there where a momentum is given', async () => {
    manualSeed(0);
    const model = new Sequential(new Conv2d(3, 4, 3), new BatchNorm2d(4, { momentum: 0.25 }));
    model.getBuffer('1.running_mean').float32.fill(3);
    const graph = cloneGraph(trace(model.eval(), ['batch', 3, 6, 6]), { tensors: 'copy' }).graph;
    const data = batches(2, 4);
    await recalibrate(graph, data, { momentum: 0.25, threads: 1 });
    model.train();
    for (const { input } of data) await run(model, input);
    for (const name of ['1.running_mean', '1.running_var']) {
      near(elements(graph, name), [...model.getBuffer(name).float32]);
    }
  });

  it('forgets what stood there, NaN too', async () => {
    const [one, two] = [network(), network()];
    one.value('one.running_mean').initializer!.float32.fill(Number.NaN);
    await recalibrate(one, batches(2, 3), { threads: 1 });
    await recalibrate(two, batches(2, 3), { threads: 1 });
    expect(elements(one, 'one.running_mean')).toEqual(elements(two, 'one.running_mean'));
    expect(elements(one, 'two.running_var').every((x) => x > 0)).toBe(true);
  });

  it('changes statistics alone, and no tensor that another graph holds', async () => {
    const graph = network();
    const shared = cloneGraph(graph).graph;
    const before = new Map(shared.initializers.map(({ name, initializer }) => [name, initializer!.clone()]));
    await recalibrate(graph, batches(2, 3), { threads: 1 });
    const changed: string[] = [];
    for (const { name, initializer } of shared.initializers) {
      expect([...initializer!.bytes]).toEqual([...before.get(name)!.bytes]);
      if (graph.value(name).initializer !== initializer) changed.push(name);
    }
    expect(changed.sort()).toEqual([
      'one.running_mean',
      'one.running_var',
      'two.running_mean',
      'two.running_var',
    ]);
    expect(graph.nodes.map(({ opType }) => opType)).toEqual(shared.nodes.map(({ opType }) => opType));
  });

  it('gives a layer statistics of its own where the file has one tensor for two things', async () => {
    const net = new SmallNetwork();
    const zeros = net.builder.constant(Tensor.full([4], 0), 'zeros');
    const ones = net.builder.constant(Tensor.full([4], 1), 'ones');
    const norm = net.builder.op(
      'BatchNormalization',
      [net.conv(net.input(['batch', 3, 6, 6]), 'a', 4), ones, zeros, zeros, ones],
      { name: 'norm' },
    );
    const graph = net.classify(norm);
    await recalibrate(graph, batches(1, 3), { threads: 1 });
    expect([...zeros.initializer!.float32, ...ones.initializer!.float32]).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    const [, scale, bias, mean, variance] = graph.node('norm').inputs;
    expect([scale, bias]).toEqual([ones, zeros]);
    expect([...mean!.initializer!.float32].every((x) => x !== 0)).toBe(true);
    expect([...variance!.initializer!.float32].every((x) => x !== 1)).toBe(true);
  });

  it('averages over the calls of a layer that is applied twice', async () => {
    const net = new SmallNetwork();
    const x = net.input(['batch', 4, 6, 6]);
    const parameters = ['scale', 'bias', 'mean'].map((name) => net.weight([4], name));
    const variance = net.builder.constant(Tensor.full([4], 1), 'variance');
    const once = net.op('BatchNormalization', [x, ...parameters, variance]);
    const shifted = net.op('Add', [x, net.builder.constant(Tensor.full([1], 10))]);
    const again = net.op('BatchNormalization', [shifted, ...parameters, variance]);
    const graph = net.classify(net.op('Add', [once, again]));
    const data = batches(1, 3, 4);
    expect((await recalibrate(graph, data, { threads: 1 })).layers).toHaveLength(1);
    const { float32 } = data[0]!.input;
    const mean = Array.from({ length: 4 }, (_, channel) => {
      let sum = 0;
      for (let at = 0; at < float32.length; at++)
        if (Math.floor(at / 36) % 4 === channel) sum += float32[at]!;
      return sum / 108 + 5;
    });
    near(elements(graph, 'mean'), mean);
  });

  it('takes batches where the graph was exported for one sample', async () => {
    const net = new SmallNetwork();
    const fixed = net.classify(net.batchNorm(net.conv(net.input([1, 3, 6, 6]), 'a', 4), 'one'));
    const open = network();
    await recalibrate(fixed, batches(2, 4), { threads: 1 });
    await recalibrate(open, batches(2, 4), { threads: 1 });
    near(elements(fixed, 'one.running_var'), elements(open, 'one.running_var'));
  });

  it('says that there is nothing where batch normalization was folded', async () => {
    const net = new SmallNetwork();
    const graph = net.classify(net.conv(net.input(['batch', 3, 6, 6]), 'a', 4));
    const report = await recalibrate(graph, batches(1, 1), { threads: 1 });
    expect(report.layers).toEqual([]);
    expect(report.notes).toEqual([
      'There are no running statistics to recalibrate: the graph has no batch normalization (exporters fold it into convolutions); repair the consumers instead, or fine-tune',
    ]);
  });

  it('leaves nodes whose statistics are computed, or those of the batch already, and says so', async () => {
    const net = new SmallNetwork();
    const x = net.input(['batch', 3, 6, 6]);
    const channels = (name: string): Parameters<SmallNetwork['op']>[1][number] => net.weight([3], name);
    const [scale, bias, mean] = ['scale', 'bias', 'mean'].map(channels);
    const variance = net.op('Exp', [channels('log')]);
    const computed = net.builder.op('BatchNormalization', [x, scale!, bias!, mean!, variance], {
      name: 'computed',
    });
    const [trained] = net.builder.ops(
      'BatchNormalization',
      [computed, scale!, bias!, mean!, channels('variance')],
      { name: 'trained', outputs: 3, attributes: { training_mode: attr.int(1) } },
    );
    const graph = net.classify(trained!);
    const { layers, notes } = await recalibrate(graph, batches(1, 2), { threads: 1 });
    expect(layers).toEqual([]);
    expect(notes.slice(0, 2)).toEqual([
      "BatchNormalization 'computed': has statistics that are computed; its statistics stay",
      "BatchNormalization 'trained': uses the statistics of the batch as it is; its statistics stay",
    ]);
  });

  it('names a layer that sees one value a channel, and changes nothing then', async () => {
    const net = new SmallNetwork();
    const pooled = net.op('GlobalAveragePool', [net.conv(net.input(['batch', 3, 6, 6]), 'a', 4)]);
    const graph = net.classify(net.batchNorm(pooled, 'one'));
    const before = elements(graph, 'one.running_mean');
    await expect(recalibrate(graph, batches(1, 1), { threads: 1 })).rejects.toThrow(
      "recalibrate: BatchNormalization '/one/BatchNormalization' sees one value a channel in a batch",
    );
    expect(elements(graph, 'one.running_mean')).toEqual(before);
  });

  it('names a momentum that is no share', async () => {
    await expect(recalibrate(network(), batches(1, 2), { momentum: 0 })).rejects.toThrow(
      'recalibrate: momentum expects null or a number above 0, at most 1, got 0',
    );
  });

  it('stops after as many batches as asked', async () => {
    const graph = network();
    expect(await recalibrate(graph, batches(4, 2), { maxBatches: 2, threads: 1 })).toMatchObject({
      batches: 2,
      samples: 4,
    });
  });
});
