import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { parseOnnx } from '../io/index.ts';
import { cloneGraph, type Graph } from '../ir/index.ts';
import { resnet } from '../models/index.ts';
import { Conv2d, type Linear, Module, manualSeed, Sequential, trace, type Variable } from '../nn/index.ts';
import { createSession, randomInputs } from '../runtime/index.ts';
import { findBlocks } from './blocks.ts';
import { chooseBlocks, rankBlocks } from './rank-blocks.ts';
import { removeBlocks } from './remove-blocks.ts';

async function outputsOf(graph: Graph, seed = 3): Promise<Record<string, number[]>> {
  const session = await createSession(graph, { threads: 1 });
  const outputs = await session.run(randomInputs(graph, { seed }));
  await session.dispose();
  return Object.fromEntries([...outputs].map(([name, tensor]) => [name, tensor.toNumbers()]));
}

/** x + f(x), with f a convolution. */
class Residual extends Module {
  conv: Conv2d;

  constructor(channels: number) {
    super();
    this.conv = new Conv2d(channels, channels, 3, { padding: 1 });
  }

  override forward(x: Variable): Variable {
    return x.add(this.conv.call(x));
  }
}

/** Some layers behind each other. */
function chain(...modules: Module[]): Graph {
  return trace(new Sequential(...modules).eval(), ['batch', 4, 6, 6]);
}

describe('removeBlocks', () => {
  it('computes what is left, and counts what was saved', async () => {
    manualSeed(1);
    const blocks = [new Residual(4), new Residual(4), new Residual(4)] as const;
    const head = new Conv2d(4, 2, 1);
    const graph = chain(...blocks, head);
    const before = graph.print();
    const found = findBlocks(graph, { kinds: ['residual'] });
    expect(found.map(({ name }) => name)).toEqual(['0.conv', '1.conv', '2.conv']);
    const parameters = 4 * 4 * 9 + 4;
    for (const stay of [[2], [0], [1, 2], []]) {
      const go = found.filter((_, index) => !stay.includes(index));
      // Whatever order they are named in.
      const { graph: shorter, ...counts } = removeBlocks(graph, go.toReversed());
      const expected = chain(...stay.map((index) => blocks[index]!), head);
      expect(await outputsOf(shorter)).toEqual(await outputsOf(expected));
      expect(shorter.lint()).toEqual([]);
      expect(counts.removed).toEqual(go.map(({ name }) => name));
      expect(counts.before.parameters - counts.after.parameters).toBe(go.length * parameters);
      expect(counts.before.macs - counts.after.macs).toBe(go.length * 36 * 4 * 4 * 9);
    }
    expect(graph.print()).toBe(before);
  });

  it('keeps the name of an output that a block gives, also where nothing is left ahead of it', async () => {
    manualSeed(1);
    const [first, last] = [new Residual(4), new Residual(4)];
    const graph = chain(first, last);
    const found = findBlocks(graph, { kinds: ['residual'] });
    const one = removeBlocks(graph, [found[1]!]).graph;
    const { output } = await outputsOf(chain(first));
    expect(await outputsOf(one)).toEqual({ output });
    const none = removeBlocks(graph, found).graph;
    const feeds = randomInputs(graph, { seed: 3 });
    expect(await outputsOf(none)).toEqual({ output: feeds.input!.toNumbers() });
    expect(none.initializers).toEqual([]);
  });

  it('refuses blocks of another graph, and blocks that share nodes', () => {
    const graph = trace(resnet(20).eval(), [1, 3, 32, 32]);
    const other = cloneGraph(graph).graph;
    const [conv1, conv2, block] = findBlocks(graph);
    expect(() => removeBlocks(other, [block!])).toThrow(ArgumentError);
    expect(() => removeBlocks(other, [block!])).toThrow(
      "removeBlocks: block 'layer1.0' is not of the graph 'ResNet'; find blocks in the graph they are to be removed from",
    );
    expect(() => removeBlocks(graph, [conv2!, block!])).toThrow(
      "removeBlocks: blocks 'layer1.0.conv2' and 'layer1.0' share Conv '/layer1/layer1.0/conv2/Conv'; remove one of them",
    );
    expect(removeBlocks(graph, [conv1!, conv2!]).removed).toEqual(['layer1.0.conv1', 'layer1.0.conv2']);
  });
});

describe('rankBlocks', () => {
  it('puts first what changes the outputs least', async () => {
    manualSeed(2);
    const model = resnet(20);
    const generator = new Generator(5);
    const scales = new Map([
      ['layer1.1', 0],
      ['layer3.2', 1e-3],
      ['layer2.1', 1e-2],
    ]);
    for (const [path, scale] of scales) {
      const { weight } = model.getSubmodule(`${path}.bn2`) as Linear;
      weight.data.setData(generator.randn(weight.size).map((value) => value * scale));
    }
    const graph = trace(model.eval(), ['batch', 3, 32, 32]);
    const blocks = findBlocks(graph, { kinds: ['residual'] });
    for (const metric of ['l2', 'cosine'] as const) {
      const done: number[] = [];
      const ranked = await rankBlocks(graph, blocks, {
        metric,
        samples: 2,
        onProgress: (share) => done.push(share),
      });
      expect(ranked.slice(0, 3).map(({ block }) => block.name)).toEqual([...scales.keys()]);
      expect(ranked[0]!.change).toBe(0);
      expect(ranked[1]!.change).toBeGreaterThan(0);
      expect(done).toHaveLength(blocks.length);
      expect(done.at(-1)).toBe(1);
    }
    const conv = 64 * 64 * 9;
    const ranked = await rankBlocks(graph, blocks, { samples: 1 });
    expect(ranked.find(({ block }) => block.name === 'layer3.2')?.saves).toEqual({
      parameters: 2 * conv + 4 * 64,
      macs: 2 * conv * 64,
    });
  });

  it('takes data, in the batches the graph takes, and measures as its docs say', async () => {
    manualSeed(3);
    const residual = new Residual(4);
    const head = new Conv2d(4, 2, 1);
    const graph = trace(new Sequential(residual, head).eval(), [1, 4, 6, 6]);
    const input = Tensor.of(new Generator(1).randn(3 * 4 * 36), [3, 4, 6, 6]);
    const [block] = findBlocks(graph, { kinds: ['residual'] });
    const ranked = await rankBlocks(graph, [block!], { data: [{ input }] });
    const cosine = await rankBlocks(graph, [block!], { data: [{ input }], metric: 'cosine' });
    const run = async (model: Graph): Promise<number[]> => {
      const session = await createSession(model);
      const numbers: number[] = [];
      for (let row = 0; row < 3; row++) {
        const sample = Tensor.of(input.float32.slice(row * 144, (row + 1) * 144), [1, 4, 6, 6]);
        numbers.push(...(await session.run({ input: sample })).get('output')!.toNumbers());
      }
      await session.dispose();
      return numbers;
    };
    const [a, b] = [await run(graph), await run(trace(head.eval(), [1, 4, 6, 6]))];
    const dot = (x: readonly number[], y: readonly number[]): number =>
      x.reduce((sum, value, at) => sum + value * y[at]!, 0);
    const d = b.map((value, at) => value - a[at]!);
    expect(ranked[0]!.change).toBeCloseTo(Math.sqrt(dot(d, d) / dot(a, a)), 5);
    expect(cosine[0]!.change).toBeCloseTo(1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)), 5);
  });

  it('refuses numbers of samples that are none, and graphs of other outputs than floats', async () => {
    const graph = chain(new Residual(4), new Conv2d(4, 2, 1));
    const blocks = findBlocks(graph);
    await expect(rankBlocks(graph, blocks, { samples: 0 })).rejects.toThrow(
      'rankBlocks: samples expects a whole number above 0, got 0',
    );
    const whole = graph.addNode({ opType: 'Shape', inputs: [graph.outputs[0]!], outputs: ['sizes'] });
    graph.removeOutput(0);
    graph.addOutput(whole.output());
    await expect(rankBlocks(graph, [])).rejects.toThrow(
      'rankBlocks: no output of the graph holds floating-point numbers to compare',
    );
    await expect(rankBlocks(chain(new Residual(4)), [], { signal: AbortSignal.abort() })).resolves.toEqual(
      [],
    );
  });
});

describe('chooseBlocks', () => {
  const graph = trace(resnet(20).eval(), [1, 3, 32, 32]);
  const all = findBlocks(graph, { kinds: ['residual', 'chain'] });
  const ranked = all.map((block, index) => ({ block, change: index, saves: { parameters: 1, macs: 1 } }));
  const names = (options: Parameters<typeof chooseBlocks>[1]): string[] =>
    chooseBlocks(ranked, options).map(({ name }) => name);

  it('takes the first ones, but none that shares nodes with one before', () => {
    expect(names({ count: 3 })).toEqual(['layer1.0.conv1', 'layer1.0.conv2', 'layer1.1.conv1']);
    const residual = {
      block: all.find(({ name }) => name === 'layer1.0')!,
      change: -1,
      saves: ranked[0]!.saves,
    };
    expect(chooseBlocks([residual, ...ranked], { count: 2 }).map(({ name }) => name)).toEqual([
      'layer1.0',
      'layer1.1.conv1',
    ]);
  });

  it('takes a share, leaves so many, and stops at a change', () => {
    const free = names({ ratio: 1 }).length;
    expect(names({ ratio: 0.5 })).toHaveLength(Math.floor(free / 2));
    expect(names({ ratio: 1, keepAtLeast: free - 2 })).toHaveLength(2);
    expect(names({ count: 4, keepAtLeast: free })).toEqual([]);
    expect(names({ count: 4, maxChange: 1 })).toHaveLength(2);
    expect(names({ ratio: 0 })).toEqual([]);
  });

  it('leaves out blocks by name', () => {
    expect(names({ count: 2, ignore: ['layer1', '*.conv1'] })).toEqual(['layer2.0.conv2', 'layer2.1.conv2']);
    expect(() => names({ count: 1, ignore: ['layer9'] })).toThrow("chooseBlocks: no block matches 'layer9'");
  });

  it('refuses options that cannot be', () => {
    expect(() => names({})).toThrow('chooseBlocks: give either count or ratio');
    expect(() => names({ count: 1, ratio: 0.1 })).toThrow(ArgumentError);
    expect(() => names({ ratio: 1.5 })).toThrow('chooseBlocks: ratio expects a share from 0 to 1, got 1.5');
    expect(() => names({ count: 1.5 })).toThrow(
      'chooseBlocks: count expects a whole number of at least 0, got 1.5',
    );
    expect(() => names({ count: 1, keepAtLeast: -1 })).toThrow('keepAtLeast');
    expect(() => names({ count: 1, maxChange: Number.NaN })).toThrow('maxChange');
  });
});

const models = new URL('../../../shared/models/', import.meta.url);

describe.skipIf(!existsSync(models))('blocks of shared models (skipped where ../shared is absent)', () => {
  it.each(['resnet_mini', 'mobilenet_v2_035', 'convnext_mini', 'shufflenet_v2_x05', 'vit_mini'])(
    '%s runs without two of its blocks, and is smaller',
    async (name) => {
      const graph = parseOnnx(readFileSync(new URL(`${name}.onnx`, models)));
      const blocks = findBlocks(graph);
      const ranked = blocks.map((block) => ({ block, change: 0, saves: { parameters: 0, macs: 0 } }));
      for (const order of [ranked, ranked.toReversed()]) {
        const chosen = chooseBlocks(order, { count: 2 });
        const { graph: shorter, before, after } = removeBlocks(graph, chosen);
        expect(after.parameters).toBeLessThan(before.parameters);
        expect(after.macs).toBeLessThan(before.macs);
        const [was, is] = [await outputsOf(graph), await outputsOf(shorter)];
        for (const [output, values] of Object.entries(was)) expect(is[output]).toHaveLength(values.length);
      }
    },
  );
});
