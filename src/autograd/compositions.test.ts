import { describe, expect, it } from 'vitest';
import { noise } from '../../test/gradient-check.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import {
  BatchNorm1d,
  BatchNorm2d,
  F,
  Module,
  manualSeed,
  traceDetailed,
  type Variable,
} from '../nn/index.ts';
import { GRADIENT_OPSET, GraphBuilder, inferShapes } from '../ops/index.ts';
import { createSession } from '../runtime/index.ts';
import { addGradients } from './index.ts';

/** Batch norm in training, SiLU, and a sum weighted so that no gradient is 0 by symmetry. */
class Net extends Module {
  bn: BatchNorm1d | BatchNorm2d;

  constructor(bn: BatchNorm1d | BatchNorm2d) {
    super();
    this.bn = bn;
  }

  override forward(x: Variable, weight: Variable): Variable {
    return F.silu(this.bn.call(x)).mul(weight).sum();
  }
}

function random(shape: readonly number[], seed: number, scale = 1, shift = 0): Tensor {
  const source = noise(seed);
  return new Tensor(
    'float32',
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => shift + scale * source.next().value),
  );
}

/** Gradients after input, scale and shift, by the formulas of compositions or by those of the nodes. */
async function gradients(
  shape: readonly number[],
  whole: boolean,
): Promise<{ values: Float32Array[]; nodes: number; compositions: number }> {
  manualSeed(0);
  const channels = shape[1]!;
  const net = new Net(shape.length === 2 ? new BatchNorm1d(channels) : new BatchNorm2d(channels));
  net.bn.weight!.data.setData(random([channels], 3, 0.5, 1).data);
  net.bn.bias!.data.setData(random([channels], 4).data);
  net.train();
  const feeds = { input: random(shape, 1, 2, 0.7), input_1: random(shape, 2) };
  const { graph, compositions } = traceDetailed(net, [feeds.input, feeds.input_1], { opset: GRADIENT_OPSET });
  const builder = new GraphBuilder(graph, inferShapes(graph));
  const withRespectTo = ['input', 'bn.weight', 'bn.bias'].map((name) => graph.value(name));
  const found = addGradients(builder, {
    of: graph.outputs[0]!,
    withRespectTo,
    compositions: whole ? compositions : [],
  });
  const names = found.map((value, index) => {
    builder.output(value!, `gradient_${index}`);
    return `gradient_${index}`;
  });
  const session = await createSession(graph);
  const results = await session.run(feeds);
  await session.dispose();
  return {
    values: names.map((name) => results.get(name)!.float32),
    nodes: graph.nodes.length,
    compositions: compositions.length,
  };
}

describe('gradients of compositions', () => {
  // Long rows take a product of matrices, short ones a product and a sum.
  for (const shape of [
    [6, 3],
    [3, 4, 5, 7],
    [2, 3, 32, 33],
  ]) {
    it(`are those of their nodes one by one, with fewer nodes: batch norm and SiLU of [${shape.join(', ')}]`, async () => {
      const apart = await gradients(shape, false);
      const whole = await gradients(shape, true);
      expect(whole.compositions).toBe(2);
      expect(whole.nodes).toBeLessThan(apart.nodes);
      for (const [index, values] of apart.values.entries()) {
        const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        expect(scale).toBeGreaterThan(0.1);
        values.forEach((value, i) => {
          expect(Math.abs(value - whole.values[index]![i]!), `gradient ${index}, element ${i}`).toBeLessThan(
            1e-4 * scale,
          );
        });
      }
    });
  }

  it('are not taken where something inside is asked for', async () => {
    const net = new Net(new BatchNorm2d(2)).train();
    const { graph, compositions } = traceDetailed(
      net,
      [
        [2, 2, 3, 3],
        [2, 2, 3, 3],
      ],
      { opset: GRADIENT_OPSET },
    );
    const builder = new GraphBuilder(graph, inferShapes(graph));
    const inside = compositions[0]!.nodes[0]!.output(0);
    const [gradient] = addGradients(builder, {
      of: graph.outputs[0]!,
      withRespectTo: [inside],
      compositions,
    });
    expect(gradient).not.toBeNull();
  });
});
