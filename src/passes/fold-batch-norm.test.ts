import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { exportDetector } from '../detect/index.ts';
import { attr, cloneGraph, type Graph, type Value } from '../ir/index.ts';
import { readModel, readTrainedModel } from '../node/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { createSession, randomInputs } from '../runtime/index.ts';
import { foldBatchNorm } from './index.ts';

const shared = (name: string): string =>
  fileURLToPath(new URL(`../../../shared/data/${name}`, import.meta.url));

interface Made {
  readonly groups?: number;
  readonly bias?: boolean;
  readonly seed?: number;
  readonly training?: boolean;
  readonly epsilon?: number;
}

/** A convolution of 4 channels and a batch norm behind it; gives the value between them, too. */
function made({ groups = 1, bias = false, seed = 1, training = false, epsilon }: Made): {
  graph: Graph;
  between: Value;
} {
  const random = new Generator(seed);
  const builder = new GraphBuilder();
  const tensor = (...shape: number[]): Tensor =>
    new Tensor(
      'float32',
      shape,
      random.normal(
        shape.reduce((a, b) => a * b),
        0,
        1,
      ),
    );
  const positive = (size: number): Tensor => new Tensor('float32', [size], random.uniform(size, 0.1, 2));
  const x = builder.input('x', 'float32', [2, 4, 5, 5]);
  const weight = builder.constant(tensor(6, 4 / groups, 3, 3), 'conv.weight');
  const between = builder.op('Conv', [x, weight, bias ? builder.constant(tensor(6), 'own.bias') : null], {
    attributes: { group: attr.int(groups) },
    name: '/conv/Conv',
  });
  const norms = [positive(6), tensor(6), tensor(6), positive(6)].map((each, at) =>
    builder.constant(each, `bn.${at}`),
  );
  const [y] = builder.ops('BatchNormalization', [between, ...norms], {
    attributes: {
      ...(epsilon === undefined ? {} : { epsilon: attr.float(epsilon) }),
      ...(training ? { training_mode: attr.int(1) } : {}),
    },
    outputs: training ? 3 : 1,
    name: '/bn/BatchNormalization',
  });
  builder.output(y!, 'y');
  return { graph: builder.graph, between };
}

async function outputOf(graph: Graph): Promise<Float32Array> {
  const session = await createSession(graph, { threads: 1 });
  const outputs = await session.run(randomInputs(graph, { seed: 3 }));
  await session.dispose();
  return outputs.get('y')!.float32;
}

describe('foldBatchNorm', () => {
  it('leaves one convolution that computes the same', async () => {
    const cases = fc.record({
      groups: fc.constantFrom(1, 2),
      bias: fc.boolean(),
      seed: fc.nat(1000),
      epsilon: fc.constantFrom(undefined, 1e-3, 0.5),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ epsilon, ...others }) => {
        const { graph } = made({ ...others, ...(epsilon === undefined ? {} : { epsilon }) });
        const before = await outputOf(graph);
        expect(foldBatchNorm(graph)).toEqual({ graph, modified: true });
        expect(graph.lint()).toEqual([]);
        expect(graph.nodes.map(({ opType }) => opType)).toEqual(['Conv']);
        expect(graph.initializers.map(({ name }) => name).sort()).toEqual(
          ['conv.weight', others.bias ? 'own.bias' : 'conv.bias'].sort(),
        );
        const after = await outputOf(graph);
        const gap = after.reduce((most, value, at) => Math.max(most, Math.abs(value - before[at]!)), 0);
        expect(gap).toBeLessThan(1e-4);
        expect(foldBatchNorm(graph).modified).toBe(false);
      }),
      { numRuns: 20 },
    );
  });

  it('does not touch the tensors it was given, nor weights that others read', async () => {
    const { graph } = made({});
    const { graph: copy } = cloneGraph(graph);
    const weight = copy.value('conv.weight');
    const [x] = copy.feeds;
    const other = copy.addNode({ opType: 'Conv', inputs: [x!, weight], name: 'other' });
    copy.addOutput(other.output());
    foldBatchNorm(copy);
    expect(copy.node('other').input(1).initializer).toBe(graph.value('conv.weight').initializer);
    expect(copy.node('/conv/Conv').input(1).initializer).not.toBe(weight.initializer);
    expect(copy.lint()).toEqual([]);
    expect(await outputOf(graph)).toHaveLength(2 * 6 * 9);
  });

  it('leaves alone transposed convolutions, whose weights have their outputs second', () => {
    const builder = new GraphBuilder();
    const ones = (name: string, ...shape: number[]): Value => builder.constant(Tensor.full(shape, 1), name);
    const x = builder.input('x', 'float32', [1, 4, 5, 5]);
    const up = builder.op('ConvTranspose', [x, ones('up.weight', 4, 4, 2, 2)]);
    const norms = [0, 1, 2, 3].map((at) => ones(`bn.${at}`, 4));
    builder.output(builder.op('BatchNormalization', [up, ...norms]), 'y');
    expect(foldBatchNorm(builder.graph).modified).toBe(false);
  });

  it('leaves alone what is in training, what others read, and what is no constant', () => {
    expect(foldBatchNorm(made({ training: true }).graph).modified).toBe(false);
    const read = made({});
    read.graph.addOutput(read.between);
    expect(foldBatchNorm(read.graph).modified).toBe(false);
    const open = made({});
    open.graph.markInput(open.graph.value('bn.0'));
    expect(foldBatchNorm(open.graph).modified).toBe(false);
    const old = made({});
    old.graph.opsetImports.set('', 6);
    expect(foldBatchNorm(old.graph).modified).toBe(false);
  });

  it.skipIf(!existsSync(shared('weights/yolov5n.pt')))(
    "gives the very weights of Ultralytics' export (skipped where ../shared is absent)",
    () => {
      const { module } = readTrainedModel(shared('weights/yolov5n.pt'));
      const { graph } = foldBatchNorm(exportDetector(module, { size: 64 }));
      const theirs = readModel(shared('onnx/yolov5n.onnx'));
      const names = theirs.initializers.map(({ name }) => name).filter((name) => /(weight|bias)$/.test(name));
      expect(names.length).toBe(120);
      const different = names.filter((name) => {
        const [a, b] = [graph.value(name).initializer!.float32, theirs.value(name).initializer!.float32];
        return !Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(
          Buffer.from(b.buffer, b.byteOffset, b.byteLength),
        );
      });
      expect(different).toEqual([]);
    },
  );
});
