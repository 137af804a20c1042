import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { Generator, manualSeed } from '../core/random.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { parseOnnx } from '../io/index.ts';
import {
  activations,
  BatchNorm2d,
  Conv2d,
  F,
  fromGraph,
  GELU,
  Linear,
  Module,
  ReLU,
  SiLU,
  type Variable,
} from '../nn/index.ts';
import { exportOnnx } from '../nn/trace.ts';
import * as prune from './index.ts';

/** One layer of each kind of neighbourhood. */
class Net extends Module {
  conv1 = new Conv2d(2, 4, 3, { padding: 1 });
  bn1 = new BatchNorm2d(4);
  relu = new ReLU();
  conv2 = new Conv2d(4, 4, 3, { padding: 1 });
  silu = new SiLU();
  conv3 = new Conv2d(4, 4, 1);
  fc = new Linear(4, 3);
  gelu = new GELU();
  head = new Linear(3, 5);

  override forward(x: Variable): Variable {
    const a = this.relu.call(this.bn1.call(this.conv1.call(x)));
    const b = this.silu.call(this.conv2.call(a));
    // What the third convolution gives is added to something else.
    const c = F.relu(this.conv3.call(b).add(a));
    return this.head.call(this.gelu.call(this.fc.call(c.mean([2, 3]))));
  }
}

const make = (): Net => {
  manualSeed(1);
  return new Net();
};
const image = (seed: number, batch = 2, size = 6): Tensor =>
  new Tensor('float32', [batch, 2, size, size], new Generator(seed).randn(sizeOf([batch, 2, size, size])));

/** Means and shares of zeros per channel of axis 1, of all tensors together. */
function statistics(tensors: readonly Tensor[]): { apoz: number[]; mean: number[] } {
  const values: number[][] = [];
  for (const { shape, float32 } of tensors) {
    const inner = sizeOf(shape.slice(2));
    float32.forEach((value, i) => {
      const channel = Math.floor(i / inner) % shape[1]!;
      values[channel] ??= [];
      values[channel].push(Math.abs(value));
    });
  }
  const mean = (of: readonly number[]): number => of.reduce((a, b) => a + b, 0) / of.length;
  return {
    apoz: values.map((of) => mean(of.map((value) => (value === 0 ? 1 : 0)))),
    mean: values.map(mean),
  };
}

/** Which module's output a layer's activations are. */
const BEHIND = { conv1: 'relu', conv2: 'silu', conv3: 'conv3', fc: 'gelu', head: 'head' };

describe('filterActivations', () => {
  it('measures each filter behind batch norm and activation, over all inputs and shapes', async () => {
    const net = make();
    net.train();
    const inputs = [image(1), image(2), image(3, 1, 9)];
    const targets = prune.selectParameters(net);
    const found = await prune.filterActivations(net, targets, inputs);
    expect(net.training).toBe(true);
    net.eval();
    const paths = Object.values(BEHIND);
    const outputs = [];
    for (const input of inputs) outputs.push(await activations(net, input, { of: paths }));
    for (const [index, path] of paths.entries()) {
      const wanted = statistics(outputs.flatMap((output) => output.get(path)!));
      expect(found[index]!.name).toBe('weight');
      found[index]!.meanActivation.forEach((value, filter) => {
        expect(value).toBeCloseTo(wanted.mean[filter]!, 5);
      });
      found[index]!.apoz.forEach((value, filter) => {
        expect(value).toBeCloseTo(wanted.apoz[filter]!, 6);
      });
    }
    // ReLU gives zeros, SiLU none; with a threshold it does.
    expect(Math.max(...found[0]!.apoz)).toBeGreaterThan(0);
    expect(Math.max(...found[1]!.apoz)).toBe(0);
    const near = await prune.filterActivations(net, targets, inputs, { threshold: 0.1 });
    expect(Math.max(...near[1]!.apoz)).toBeGreaterThan(0);
  });

  it('gives the same for the network read from its file', async () => {
    const net = make().eval();
    const view = fromGraph(parseOnnx(exportOnnx(net, ['batch', 2, 6, 6])));
    const inputs = [image(1)];
    const [own, read] = await Promise.all([
      prune.filterActivations(net, prune.selectParameters(net), inputs),
      prune.filterActivations(view, prune.selectParameters(view), [{ input: inputs[0]! }]),
    ]);
    expect(read.length).toBe(own.length);
    for (const [index, { apoz, meanActivation }] of own.entries()) {
      expect([...read[index]!.apoz]).toEqual([...apoz]);
      read[index]!.meanActivation.forEach((value, filter) => {
        expect(value).toBeCloseTo(meanActivation[filter]!, 5);
      });
    }
  });

  it('tells how far it is, and stops when asked to', async () => {
    const net = make();
    const targets = prune.selectParameters(net);
    const done: number[] = [];
    await prune.filterActivations(net, targets, [image(1), image(2, 1), image(3), image(4)], {
      onProgress: (share) => done.push(share),
    });
    expect(done).toEqual([0.25, 0.5, 0.75, 1]);
    const controller = new AbortController();
    const stopped = prune.filterActivations(net, targets, [image(1), image(2)], {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
  });

  it('names what cannot be measured', async () => {
    const net = make();
    const run = (targets: prune.PruningTarget[], inputs: Tensor[]): Promise<unknown> =>
      prune.filterActivations(net, targets, inputs);
    const all = prune.selectParameters(net);
    await expect(run(all, [])).rejects.toThrow('no calibration inputs are given');
    await expect(run([[net.conv1, 'bias']], [image(1)])).rejects.toThrow(
      "parameter 'bias' of 'conv1' has shape [4] and no filters; name weights",
    );
    await expect(run([[new Linear(2, 2), 'weight']], [image(1)])).rejects.toThrow(
      'a Linear among the targets is not in the model',
    );
    await expect(run([[net.conv1, 'weight']], [image(1)])).resolves.toHaveLength(1);
    const unused = new (class extends Net {
      spare = new Linear(2, 2);
    })();
    await expect(prune.filterActivations(unused, [[unused.spare, 'weight']], [image(1)])).rejects.toThrow(
      ArgumentError,
    );
    const view = fromGraph(parseOnnx(exportOnnx(net, [2, 2, 6, 6])));
    await expect(
      prune.filterActivations(view, prune.selectParameters(view), [{ other: image(1) }]),
    ).rejects.toThrow("no input is named 'other'");
  });
});

describe('activationScores', () => {
  it('let the filters go that are zero most often, or give least', async () => {
    const net = make();
    const targets = prune.selectParameters(net, { include: 'conv1' });
    const inputs = [image(1)];
    const [found] = await prune.filterActivations(net, targets, inputs);
    for (const [measure, values, pick] of [
      ['apoz', found!.apoz, Math.max],
      ['mean-activation', found!.meanActivation, Math.min],
    ] as const) {
      const model = make();
      const own = prune.selectParameters(model, { include: 'conv1' });
      const importanceScores = await prune.activationScores(model, own, inputs, { measure });
      prune.pruneGranular(own, { granularity: { kind: 'filter' }, amount: { count: 1 }, importanceScores });
      const first = values.indexOf(pick(...values));
      const mask = model.conv1.getBuffer('weight_mask').float32;
      mask.forEach((keep, i) => {
        expect(keep).toBe(Math.floor(i / 18) === first ? 0 : 1);
      });
    }
  });
});
