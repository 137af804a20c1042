import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { networkOf, steps } from '../../test/random-networks.ts';
import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { DataLoader, TensorDataset } from '../data/index.ts';
import { parseOnnx } from '../io/index.ts';
import type { Graph } from '../ir/index.ts';
import { LeNet5, resnet } from '../models/index.ts';
import { type AnyModule, fromGraph, manualSeed, toGraph } from '../nn/index.ts';
import { lnStructured, selectParameters } from '../prune/index.ts';
import { createSession, randomInputs } from '../runtime/index.ts';
import { SGD, Trainer } from '../train/index.ts';
import { simplify } from './simplify.ts';

/** Trains on images of noise whose class is where they are bright. */
async function train(model: AnyModule, shape: readonly number[], epochs: number): Promise<void> {
  const random = new Generator(4);
  const [count, classes] = [64, 10];
  const size = shape.reduce((product, dim) => product * dim, 1);
  const images = random.randn(count * size);
  const labels = Array.from({ length: count }, (_, index) => index % classes);
  labels.forEach((label, index) => {
    const from = index * size + Math.floor((label * size) / classes);
    for (let at = from; at < from + size / classes; at++) images[at] = images[at]! + 1;
  });
  const data = new TensorDataset(Tensor.of(images, [count, ...shape]), Tensor.int64(labels));
  const trainer = new Trainer(model, {
    optimizer: new SGD(model.parameters(), { lr: 0.02, momentum: 0.9 }),
    threads: 1,
  });
  try {
    await trainer.fit(new DataLoader(data, { batchSize: 16, shuffle: true }), { epochs });
  } finally {
    await trainer.dispose();
  }
}

/** Masks the half of each layer's filters with the smallest norm, but of the last one. */
function maskHalf(model: AnyModule): void {
  const targets = selectParameters(model);
  for (const [module, name] of targets.slice(0, -1)) lnStructured(module, name, 0.5, { n: 2, dim: 0 });
}

async function outputsOf(graph: Graph, seed: number): Promise<number[]> {
  const session = await createSession(graph, { threads: 1 });
  const outputs = await session.run(randomInputs(graph, { seed }));
  await session.dispose();
  return [...outputs.values()].flatMap((tensor) => tensor.toNumbers());
}

/** Largest difference of an output on inputs that `simplify` did not take itself. */
async function differenceOf(a: Graph, b: Graph): Promise<number> {
  let most = 0;
  for (const seed of [101, 102]) {
    const [was, is] = [await outputsOf(a, seed), await outputsOf(b, seed)];
    was.forEach((number, at) => {
      most = Math.max(most, Math.abs(number - is[at]!));
    });
  }
  return most;
}

describe('simplify after lnStructured at 0.5', () => {
  it('halves the layers of a trained LeNet-5', async () => {
    manualSeed(1);
    const model = new LeNet5();
    await train(model, [1, 32, 32], 3);
    maskHalf(model);
    const graph = toGraph(model, ['batch', 1, 32, 32]);
    const {
      graph: smaller,
      before,
      after,
      layers,
      whyNot,
    } = await simplify(model, { inputs: ['batch', 1, 32, 32] });
    expect(await differenceOf(graph, smaller)).toBeLessThan(1e-5);
    expect(layers).toEqual([
      { name: 'conv1', before: 6, after: 3 },
      { name: 'conv2', before: 16, after: 8 },
      { name: 'fc1', before: 120, after: 60 },
      { name: 'fc2', before: 84, after: 42 },
    ]);
    expect(whyNot).toEqual([]);
    expect(before.parameters).toBe(81_194);
    // 3 (9 + 1) + 8 (27 + 1) + 60 (288 + 1) + 42 (60 + 1) + 10 (42 + 1)
    expect(after.parameters).toBe(20_586);
    // Batches stay open.
    const session = await createSession(smaller);
    const outputs = await session.run({ input: Tensor.zeros('float32', [7, 1, 32, 32]) });
    expect(outputs.get('output')!.shape).toEqual([7, 10]);
    await session.dispose();
  });

  it.each(['A', 'B'] as const)('makes a trained ResNet-20 with shortcuts %s smaller', async (shortcut) => {
    manualSeed(2);
    const model = resnet(20, { shortcut });
    await train(model, [3, 32, 32], 1);
    maskHalf(model);
    const graph = toGraph(model, ['batch', 3, 32, 32]);
    const { graph: smaller, before, after, layers } = await simplify(graph, { threads: 1 });
    expect(await differenceOf(graph, smaller)).toBeLessThan(1e-5);
    expect(after.parameters).toBeLessThan(0.7 * before.parameters);
    expect(after.macs).toBeLessThan(0.7 * before.macs);
    // Within a block nothing is added: half of the channels go, but for one where it is constant and not zero.
    for (const block of ['layer1.1', 'layer2.1', 'layer3.2']) {
      const { before: was, after: is } = layers.find(({ name }) => name === `${block}.conv1`)!;
      expect(is).toBeGreaterThanOrEqual(was / 2);
      expect(is).toBeLessThanOrEqual(was / 2 + 1);
    }
  });
});

/** Sets filters, columns and biases to zero at random. */
function maskAtRandom(graph: Graph, seed: number): void {
  const random = new Generator(seed);
  const chance = (): number => random.rand(1)[0]!;
  for (const value of graph.initializers) {
    const tensor = value.initializer!;
    if (tensor.dtype !== 'float32' || ![1, 2, 4].includes(tensor.shape.length)) continue;
    const data = tensor.float32.slice();
    const [rows, columns = 1] = tensor.shape;
    const inner = data.length / (rows! * columns);
    const [ofRows, ofColumns] = [chance(), chance() < 0.3 ? chance() : 0].map((share) => 0.8 * share);
    const goneRow = Array.from({ length: rows! }, () => chance() < ofRows!);
    const goneColumn = Array.from({ length: columns }, () => chance() < ofColumns!);
    // Vectors are biases and scales: most stay.
    if (tensor.shape.length === 1 && chance() < 0.7) goneRow.fill(false);
    data.forEach((_, at) => {
      const place = Math.floor(at / inner);
      if (goneRow[Math.floor(place / columns)] || goneColumn[place % columns]) data[at] = 0;
    });
    value.initializer = Tensor.of(data, tensor.shape);
  }
}

describe('simplify of networks made at random', () => {
  it('gives the same outputs, whatever is masked', async () => {
    let cut = 0;
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(1_000_000), async (list, seed) => {
        const graph = networkOf(list, seed);
        maskAtRandom(graph, seed);
        const { graph: smaller, before, after, rounds } = await simplify(graph, { threads: 1 });
        expect(smaller.lint()).toEqual([]);
        expect(after.parameters).toBeLessThanOrEqual(before.parameters + 64);
        expect(await differenceOf(graph, smaller)).toBeLessThan(1e-4);
        if (rounds > 0) cut++;
      }),
      { numRuns: 40, seed: 11 },
    );
    expect(cut).toBeGreaterThan(30);
  });
});

const models = new URL('../../../shared/models/', import.meta.url);

/** Most of its parameters that a model keeps, of those that lie in layers of which half of the filters are masked. */
const KEPT: readonly (readonly [model: string, most: number])[] = [
  // Layer norms count their channels.
  ['convnext_mini', 0.65],
  ['vit_mini', 0.85],
  ['densenet_mini', 0.35],
  // Gates are not constant where what they are multiplied with is.
  ['efficientnet_mini', 0.55],
  ['lenet5', 0.3],
  ['mnasnet0_5', 0.3],
  ['mobilenet_v2_035', 0.3],
  ['resnet_mini', 0.55],
  ['shufflenet_v2_x05', 0.55],
  ['splitnet', 0.7],
  ['squeezenet1_1', 0.3],
  ['unet_mini', 0.3],
];

describe.skipIf(!existsSync(models))('simplify of shared models (skipped where ../shared is absent)', () => {
  it.each(KEPT)('%s keeps at most a share of %d, and computes the same', async (name, most) => {
    const graph = parseOnnx(readFileSync(new URL(`${name}.onnx`, models)));
    const module = fromGraph(graph);
    maskHalf(module);
    const { graph: smaller, before, after } = await simplify(module, { threads: 1 });
    expect(await differenceOf(graph, smaller)).toBeLessThan(1e-5);
    expect(after.parameters / before.parameters).toBeLessThan(most);
  });
});
