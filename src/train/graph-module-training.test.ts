import { describe, expect, it } from 'vitest';
import type { Tensor } from '../core/tensor.ts';
import { DataLoader } from '../data/index.ts';
import { concatBytes, parseOnnx, serializeOnnx } from '../io/index.ts';
import { type AnyModule, fromGraph, type GraphModule, run } from '../nn/index.ts';
import { l1Unstructured, lnStructured, remove, sparsity } from '../prune/index.ts';
import { createSession } from '../runtime/index.ts';
import { Adam, AdamW, type Optimizer, RMSprop, SGD } from './optimizers/index.ts';
import { blobs } from './testdata/blobs.ts';
import { exportedNet, foldedNet, normNet, oldNet } from './testdata/graphs.ts';
import { Trainer } from './trainer.ts';

const data = blobs(60);
const held = new DataLoader(blobs(30, 6), { batchSize: 16 });
const loader = (): DataLoader => new DataLoader(data, { batchSize: 16, shuffle: true, seed: 3 });
const images = blobs(8, 9);

async function batch(count = 8): Promise<{ input: Tensor; target: Tensor }> {
  const batches = new DataLoader(images, { batchSize: count })[Symbol.asyncIterator]();
  const { value } = await batches.next();
  return value as { input: Tensor; target: Tensor };
}

async function trained(
  model: AnyModule,
  {
    optimizer = new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }),
    epochs = 4,
  }: { optimizer?: Optimizer; epochs?: number } = {},
): Promise<Awaited<ReturnType<Trainer['fit']>>> {
  const trainer = new Trainer(model, { optimizer, threads: 1 });
  try {
    return await trainer.fit(loader(), { epochs, validation: held });
  } finally {
    await trainer.dispose();
  }
}

/** What the graph computes, written to a file and read by the engine alone. */
async function outputOf({ graph }: GraphModule, input: Tensor): Promise<number[]> {
  const session = await createSession(concatBytes(serializeOnnx(graph)), { threads: 1 });
  const outputs = await session.run({ [graph.feeds[0]!.name]: input });
  await session.dispose();
  return [...outputs.values()][0]!.toNumbers();
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, digits = 5): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(actual[i]).toBeCloseTo(expected[i]!, digits);
}

describe('a graph that was read from a file, in training', () => {
  it('is trained as the network it was exported from, running statistics included', async () => {
    const [net, graph] = [normNet(), exportedNet()];
    const { input } = await batch();
    net.eval();
    for (const each of [graph, foldedNet()]) {
      expectClose(await outputOf(each, input), (await run(net, input)).toNumbers());
    }
    await trained(net, { epochs: 2 });
    await trained(graph, { epochs: 2 });
    const expected = net.stateDict();
    const found = graph.stateDict();
    expect([...found.keys()].sort()).toEqual(
      [...expected.keys()].filter((name) => !name.includes('tracked')).sort(),
    );
    for (const [name, tensor] of found) expectClose(tensor.float32, expected.get(name)!.float32, 4);
    expectClose(await outputOf(graph, input), (await run(net, input)).toNumbers(), 3);
    expect(graph.training).toBe(false);
  });

  const graphs: Readonly<Record<string, () => GraphModule>> = {
    'with batch norm as nodes': exportedNet,
    'with batch norm folded away': foldedNet,
    'of opset 11': oldNet,
  };
  for (const [what, make] of Object.entries(graphs)) {
    it(`learns, and its graph has the new weights: ${what}`, async () => {
      const module = make();
      const { input } = await batch();
      const before = await outputOf(module, input);
      const weights = [...module.parameters()].map(({ data: { float32 } }) => [...float32]);
      const opset = module.graph.opset();
      const nodes = module.graph.nodes.map(({ opType }) => opType);
      const { epochs } = await trained(module, { epochs: 8 });
      expect(epochs[7]!.validation!.accuracy).toBeGreaterThan(0.9);
      [...module.parameters()].forEach(({ data: { float32 } }, index) => {
        expect([...float32]).not.toEqual(weights[index]);
      });
      const tensors = module.graph.initializers.map(({ initializer }) => initializer);
      for (const { data: tensor } of module.parameters()) expect(tensors).toContain(tensor);
      const after = await outputOf(module, input);
      expect(after).not.toEqual(before);
      // The graph is the one that was read, but for its weights.
      expect(module.graph.opset()).toBe(opset);
      expect(module.graph.nodes.map(({ opType }) => opType)).toEqual(nodes);
      const again = fromGraph(parseOnnx(concatBytes(serializeOnnx(module.graph))));
      expectClose(await outputOf(again, input), after, 6);
    });
  }

  it('blends running statistics as PyTorch does: the share of the node, the variance unbiased', async () => {
    const module = oldNet();
    const { input, target } = await batch();
    const trainer = new Trainer(module, { optimizer: new SGD(module.parameters(), { lr: 0 }), threads: 1 });
    const values = [...input.float32];
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1);
    const expected = { mean: 0.5, variance: 2 };
    for (let step = 0; step < 3; step++) {
      await trainer.step.run([input], target);
      expected.mean = 0.8 * expected.mean + 0.2 * mean;
      expected.variance = 0.8 * expected.variance + 0.2 * variance;
    }
    await trainer.dispose();
    expect(module.getBuffer('bn.running_mean').float32[0]).toBeCloseTo(expected.mean, 5);
    expect(module.getBuffer('bn.running_var').float32[0]).toBeCloseTo(expected.variance, 5);
    const { initializer } = module.graph.value('bn.running_var')!;
    expect(initializer).toBe(module.getBuffer('bn.running_var'));
  });

  it('drops elements where the file has dropout, by the seed of the trainer', async () => {
    const { input, target } = await batch();
    const losses: number[] = [];
    for (const seed of [1, 1, 2]) {
      const module = oldNet();
      const optimizer = new SGD(module.parameters(), { lr: 0.01 });
      const trainer = new Trainer(module, { optimizer, seed, threads: 1 });
      losses.push((await trainer.step.run([input], target)).loss);
      await trainer.dispose();
    }
    expect(losses[1]).toBe(losses[0]);
    expect(losses[2]).not.toBe(losses[0]);
  });

  const optimizers: Readonly<Record<string, (model: AnyModule) => Optimizer>> = {
    'SGD with momentum and weight decay': (model) =>
      new SGD(model.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 0.01 }),
    Adam: (model) => new Adam(model.parameters(), { lr: 0.01, weightDecay: 0.01 }),
    AdamW: (model) => new AdamW(model.parameters(), { lr: 0.01, weightDecay: 0.1 }),
    RMSprop: (model) => new RMSprop(model.parameters(), { lr: 0.003, momentum: 0.5, weightDecay: 0.01 }),
  };
  for (const [name, make] of Object.entries(optimizers)) {
    it(`keeps what is pruned exactly zero, also in the graph: ${name}`, async () => {
      const module = exportedNet();
      const [conv, fc] = [module.getSubmodule('0'), module.getSubmodule('5')];
      lnStructured(conv, 'weight', 0.25, { n: 2, dim: 0 });
      l1Unstructured(fc, 'weight', 0.5);
      const { mask } = fc.getParameter('weight');
      const masks = [conv, fc].map((layer) => [...layer.getParameter('weight').mask!.float32]);
      const share = sparsity(module);
      const before = [...fc.getParameter('weight').data.float32];
      await trained(module, { optimizer: make(module) });
      [conv, fc].forEach((layer, index) => {
        const { data: effective } = layer.getParameter('weight');
        effective.float32.forEach((value, place) => {
          expect(Object.is(value, 0), `${index} ${place}: ${value}`).toBe(masks[index]![place] === 0);
        });
      });
      expect(fc.getParameter('weight').mask).toBe(mask);
      expect([...fc.getParameter('weight').data.float32]).not.toEqual(before);
      expect(sparsity(module)).toBeCloseTo(share, 1);
      remove(fc, 'weight');
      const again = fromGraph(parseOnnx(concatBytes(serializeOnnx(module.graph))));
      const zeros = again.getParameter('5.weight').data.float32.filter((value) => value === 0);
      expect(zeros).toHaveLength(54);
    });
  }
});
