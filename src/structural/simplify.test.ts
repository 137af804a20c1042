import { describe, expect, it } from 'vitest';
import { SmallNetwork } from '../../test/small-network.ts';
import { StructuralError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, type Graph, type Value } from '../ir/index.ts';
import { Conv2d, manualSeed, trace } from '../nn/index.ts';
import { lnStructured } from '../prune/index.ts';
import { createSession, randomInputs } from '../runtime/index.ts';
import { type Simplified, type SimplifyOptions, simplify } from './simplify.ts';

/** Sets entries along an axis of a constant to a number. */
function fill(graph: Graph, name: string, axis: number, indices: readonly number[], number = 0): void {
  const value = graph.value(name);
  const tensor = value.initializer!.clone();
  const inner = tensor.shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  tensor.float32.forEach((_, at) => {
    if (indices.includes(Math.floor(at / inner) % tensor.shape[axis]!)) tensor.float32[at] = number;
  });
  value.initializer = tensor;
}

/** Filters and biases of a convolution or linear layer. */
function zeroFilters(
  graph: Graph,
  name: string,
  filters: readonly number[],
  bias: number | null = null,
): void {
  fill(graph, `${name}.weight`, 0, filters);
  if (bias !== null) fill(graph, `${name}.bias`, 0, filters, bias);
}

async function outputsOf(graph: Graph, seed: number): Promise<number[]> {
  const session = await createSession(graph, { threads: 1 });
  const outputs = await session.run(randomInputs(graph, { seed }));
  await session.dispose();
  return [...outputs.values()].flatMap((tensor) => tensor.toNumbers());
}

/** Simplifies, and checks that the outputs are the same on other inputs than it took itself, that the original is as it was, and that nothing more goes the second time. */
async function simplified(graph: Graph, options: SimplifyOptions = {}): Promise<Simplified> {
  const before = graph.print();
  const result = await simplify(graph, { threads: 1, ...options });
  expect(graph.print()).toBe(before);
  expect(result.graph.lint()).toEqual([]);
  const [was, is] = [await outputsOf(graph, 77), await outputsOf(result.graph, 77)];
  expect(is).toHaveLength(was.length);
  was.forEach((number, at) => {
    expect(Math.abs(is[at]! - number)).toBeLessThan(1e-5);
  });
  expect((await simplify(result.graph, { threads: 1, ...options })).rounds).toBe(0);
  return result;
}

const shape = (graph: Graph, name: string): readonly number[] | undefined =>
  graph.find(name)?.initializer?.shape;

describe('simplify', () => {
  it('removes filters of zeros whose biases are zero, also ahead of padding', async () => {
    const net = new SmallNetwork(1);
    const x = net.op('Relu', [net.conv(net.input(['batch', 3, 8, 8]), 'a', 6)]);
    const graph = net.classify(net.op('MaxPool', [net.conv(x, 'b', 8)], { kernel_shape: attr.ints([2, 2]) }));
    zeroFilters(graph, 'a', [0, 3, 4], 0);
    zeroFilters(graph, 'b', [7], 0);
    const { graph: smaller, layers, whyNot, rounds, before, after } = await simplified(graph);
    expect(shape(smaller, 'a.weight')).toEqual([3, 3, 3, 3]);
    expect(shape(smaller, 'b.weight')).toEqual([7, 3, 3, 3]);
    expect(shape(smaller, 'head.weight')).toEqual([5, 7]);
    expect(layers).toEqual([
      { name: 'a', before: 6, after: 3 },
      { name: 'b', before: 8, after: 7 },
    ]);
    expect([whyNot, rounds]).toEqual([[], 1]);
    expect(before.parameters).toBe(6 * 28 + 8 * 55 + 5 * 9);
    expect(after.parameters).toBe(3 * 28 + 7 * 28 + 5 * 8);
    expect(after.macs).toBe(64 * 3 * 27 + 64 * 7 * 27 + 35);
  });

  it('gives a graph back as it is where no mask zeroed anything', async () => {
    const net = new SmallNetwork(2);
    const graph = net.classify(net.conv(net.input([1, 3, 4, 4]), 'a', 6));
    const result = await simplified(graph);
    expect(result.graph).not.toBe(graph);
    expect(result.graph.print()).toBe(graph.print());
    expect(result).toMatchObject({ rounds: 0, layers: [], replaced: [], whyNot: [], maxError: 0 });
    expect(result.after).toEqual(result.before);
  });

  it('puts constants into the bias of the layer that reads them', async () => {
    const net = new SmallNetwork(3);
    const normed = net.batchNorm(net.conv(net.input([1, 3, 6, 6]), 'a', 6, { bias: false }), 'bn');
    const graph = net.classify(net.conv(net.op('Sigmoid', [normed]), 'b', 4, { size: 1 }));
    zeroFilters(graph, 'a', [1, 2]);
    const bias = graph.value('b.bias').initializer!.toNumbers();
    const { graph: smaller } = await simplified(graph);
    expect(shape(smaller, 'bn.running_var')).toEqual([4]);
    expect(shape(smaller, 'b.weight')).toEqual([4, 4, 1, 1]);
    expect(smaller.value('b.bias').initializer!.toNumbers()).not.toEqual(bias);
    expect(smaller.nodes.map(({ opType }) => opType)).toEqual(graph.nodes.map(({ opType }) => opType));
  });

  it('gives a bias to a layer that has none, under its name', async () => {
    const net = new SmallNetwork(4);
    const x = net.conv(net.input([1, 3, 6, 6]), 'a', 6);
    const graph = net.classify(net.conv(x, 'b', 4, { size: 1, bias: false }));
    zeroFilters(graph, 'a', [0], 2);
    const { graph: smaller } = await simplified(graph);
    expect(shape(smaller, 'b.bias')).toEqual([4]);
    expect(
      smaller
        .node('/b/Conv')
        .inputs.map((value) => value?.name)
        .slice(1),
    ).toEqual(['b.weight', 'b.bias']);
  });

  it('adds behind a matrix product: to the addition that is there, else by one of its own', async () => {
    const net = new SmallNetwork(5);
    let x: Value = net.input([1, 7, 8]);
    x = net.op('Add', [net.matmul(x, 'a', 6), net.weight([6], 'a.bias')]);
    x = net.op('Add', [net.matmul(net.op('Tanh', [x]), 'b', 6), net.weight([6], 'b.bias')]);
    x = net.matmul(net.op('Tanh', [x]), 'c', 3);
    net.builder.output(net.op('Mul', [x, x]), 'y');
    const { graph } = net;
    fill(graph, 'a.weight', 1, [0, 5]);
    fill(graph, 'b.weight', 1, [2]);
    const { graph: smaller } = await simplified(graph);
    expect([shape(smaller, 'a.weight'), shape(smaller, 'b.weight'), shape(smaller, 'c.weight')]).toEqual([
      [8, 4],
      [4, 5],
      [5, 3],
    ]);
    expect(shape(smaller, 'c.bias')).toEqual([3]);
    expect(smaller.nodes.map(({ opType }) => opType)).toEqual([
      ...['MatMul', 'Add', 'Tanh', 'MatMul', 'Add', 'Tanh'],
      ...['MatMul', 'Add', 'Mul'],
    ]);
  });

  it('keeps the name of an output that an addition is put behind', async () => {
    const net = new SmallNetwork(6);
    const x = net.op('Tanh', [
      net.op('Add', [net.matmul(net.input([2, 8]), 'a', 6), net.weight([6], 'a.bias')]),
    ]);
    net.builder.output(net.matmul(x, 'b', 3), 'y');
    fill(net.graph, 'a.weight', 1, [1]);
    const { graph: smaller } = await simplified(net.graph);
    expect(smaller.outputs.map(({ name }) => name)).toEqual(['y']);
    expect(smaller.value('y').producer?.opType).toBe('Add');
  });

  it('does not take a scaled C of a Gemm for its bias', async () => {
    const net = new SmallNetwork(7);
    const x = net.op('Tanh', [net.linear(net.input([1, 8]), 'a', 6)]);
    const y = net.op('Gemm', [x, net.weight([6, 3], 'b.weight'), net.weight([3], 'b.bias')], {
      alpha: attr.float(0.5),
      beta: attr.float(0.25),
    });
    net.builder.output(y, 'y');
    zeroFilters(net.graph, 'a', [0, 1], 1);
    const { graph: smaller } = await simplified(net.graph);
    expect(shape(smaller, 'b.weight')).toEqual([4, 3]);
    expect(smaller.nodes.map(({ opType }) => opType)).toEqual(['Gemm', 'Tanh', 'Gemm', 'Add']);
  });

  it('does not change a bias that another layer reads, too', async () => {
    const net = new SmallNetwork(8);
    const x = net.conv(net.input([1, 3, 6, 6]), 'a', 6);
    const shared = net.weight([4], 'shared.bias');
    const one = net.op('Conv', [x, net.weight([4, 6, 1, 1], 'one.weight'), shared]);
    const other = net.op('Conv', [net.op('Relu', [one]), net.weight([4, 4, 1, 1], 'other.weight'), shared]);
    const graph = net.classify(other);
    zeroFilters(graph, 'a', [2], 1);
    await simplified(graph);
  });

  it('lets one constant channel stand for all where a layer pads what it reads', async () => {
    const net = new SmallNetwork(9);
    const x = net.op('Relu', [net.conv(net.input([1, 3, 6, 6]), 'a', 8)]);
    const graph = net.classify(net.conv(x, 'b', 4));
    zeroFilters(graph, 'a', [1, 4], 0.5);
    zeroFilters(graph, 'a', [6], 3);
    zeroFilters(graph, 'a', [7], -3);
    const { graph: smaller, whyNot } = await simplified(graph);
    // Behind the ReLU filter 7 is zero, and 6 the greatest.
    expect(shape(smaller, 'a.weight')).toEqual([5, 3, 3, 3]);
    expect(smaller.value('a.bias').initializer!.toNumbers()).toContain(3);
    expect(whyNot).toEqual([
      {
        layer: 'a',
        filters: 1,
        why: "it is constant but not zero where Conv '/b/Conv' reads it, whose sums of it differ from place to place",
      },
    ]);
  });

  it('takes a constant channel for another only within a group', async () => {
    const net = new SmallNetwork(10);
    const x = net.conv(net.input([1, 3, 6, 6]), 'a', 8);
    const graph = net.classify(net.conv(x, 'b', 4, { groups: 2 }));
    zeroFilters(graph, 'a', [0, 1, 5, 6, 7], 1);
    const { graph: smaller } = await simplified(graph);
    // One of two goes, and two of three could: of each group equally many.
    expect(shape(smaller, 'b.weight')).toEqual([4, 3, 3, 3]);
  });

  it('leaves a weight alone that two layers share', async () => {
    const net = new SmallNetwork(11);
    const [a, b] = [net.conv(net.input([1, 3, 6, 6]), 'a', 6), net.input([1, 6, 6, 6], 'z')];
    const weight = net.weight([4, 6, 3, 3], 'shared.weight');
    const pads = { pads: attr.ints([1, 1, 1, 1]) };
    const graph = net.classify(
      net.op('Add', [net.op('Conv', [a, weight], pads), net.op('Conv', [b, weight], pads)]),
    );
    zeroFilters(graph, 'a', [1, 2], 1);
    const { rounds } = await simplified(graph);
    expect(rounds).toBe(0);
  });

  it('removes a residual channel where all that make it are zero, and says why not else', async () => {
    const net = new SmallNetwork(12);
    const x = net.conv(net.input([1, 3, 6, 6]), 'stem', 6);
    const y = net.conv(net.op('Relu', [net.conv(x, 'block.a', 5)]), 'block.b', 6);
    const graph = net.classify(net.op('Add', [x, y]));
    zeroFilters(graph, 'stem', [0, 1, 2], 0);
    zeroFilters(graph, 'block.b', [2, 3, 4], 0);
    const { graph: smaller, whyNot } = await simplified(graph);
    expect(shape(smaller, 'stem.weight')).toEqual([5, 3, 3, 3]);
    expect(shape(smaller, 'block.b.weight')).toEqual([5, 5, 3, 3]);
    expect(whyNot).toEqual([
      {
        layer: 'stem',
        filters: 2,
        why: "Add 'Add_output_0' brings it together with channels that are not constant",
      },
      {
        layer: 'block.b',
        filters: 2,
        why: "it goes together with channels that are not constant where Conv '/block.a/Conv' reads them",
      },
    ]);
  });

  it('removes channels that are multiplied with zeros alone, and what made only them, round by round', async () => {
    const net = new SmallNetwork(13);
    const a = net.op('Sigmoid', [net.conv(net.input([1, 3, 6, 6]), 'a', 6)]);
    const b = net.op('Sigmoid', [net.conv(a, 'b', 6)]);
    const graph = net.classify(net.conv(b, 'c', 4));
    // Nothing reads b's 2 and 3; a's 0 is read by these alone.
    fill(graph, 'c.weight', 1, [2, 3]);
    const weight = graph.value('b.weight').initializer!.clone();
    for (const filter of [0, 1, 4, 5]) weight.float32.fill(0, filter * 54, filter * 54 + 9);
    graph.value('b.weight').initializer = weight;
    const { graph: smaller, rounds } = await simplified(graph);
    expect(shape(smaller, 'a.weight')).toEqual([5, 3, 3, 3]);
    expect(shape(smaller, 'b.weight')).toEqual([4, 5, 3, 3]);
    expect(rounds).toBe(1);
  });

  it('goes on with what died by what went', async () => {
    const net = new SmallNetwork(14);
    const a = net.conv(net.input([1, 3, 6, 6]), 'a', 6);
    const b = net.conv(net.op('Relu', [a]), 'b', 6);
    const graph = net.classify(net.op('Relu', [b]));
    // b's filters 0 to 2 read a's dead channels alone, and are therefore constant: ReLU makes them zero.
    zeroFilters(graph, 'a', [0, 1], 0);
    const weight = graph.value('b.weight').initializer!.clone();
    for (let filter = 0; filter < 3; filter++) weight.float32.fill(0, filter * 54 + 18, filter * 54 + 54);
    graph.value('b.weight').initializer = weight;
    fill(graph, 'b.bias', 0, [0, 1, 2], -1);
    const { graph: smaller } = await simplified(graph);
    expect(shape(smaller, 'b.weight')).toEqual([3, 4, 3, 3]);
    expect(shape(smaller, 'head.weight')).toEqual([5, 3]);
  });

  it('leaves out a branch that adds nothing', async () => {
    const net = new SmallNetwork(15);
    const x = net.conv(net.input([1, 3, 6, 6]), 'stem', 6);
    const y = net.batchNorm(net.conv(net.op('Relu', [net.conv(x, 'block.a', 5)]), 'block.b', 6), 'block.bn');
    const graph = net.classify(net.op('Add', [y, x]));
    for (const name of ['weight', 'bias']) fill(graph, `block.bn.${name}`, 0, [0, 1, 2, 3, 4, 5]);
    zeroFilters(graph, 'block.b', [0, 1, 2, 3, 4, 5], 0);
    const { graph: smaller, replaced, layers } = await simplified(graph);
    expect(smaller.nodes.map(({ name }) => name).filter((name) => name !== '')).toEqual([
      '/stem/Conv',
      '/head/Gemm',
    ]);
    expect(replaced).toEqual([
      "Add 'Add_output_0': adds only zeros, which come from BatchNormalization '/block.bn/BatchNormalization'; it is left out",
    ]);
    expect(layers).toEqual([
      { name: 'block.a', before: 5, after: 0 },
      { name: 'block.b', before: 6, after: 0 },
    ]);
  });

  it('puts a constant in place of a branch that gives the same whatever the input', async () => {
    const net = new SmallNetwork(16);
    const x = net.conv(net.input([1, 3, 6, 6]), 'stem', 6);
    const pooled = net.op('GlobalAveragePool', [x]);
    const gate = net.op('Sigmoid', [
      net.conv(net.op('Relu', [net.conv(pooled, 'squeeze', 2, { size: 1 })]), 'excite', 6, { size: 1 }),
    ]);
    const graph = net.classify(net.op('Mul', [x, gate]));
    zeroFilters(graph, 'excite', [0, 1, 2, 3, 4, 5]);
    const { graph: smaller, replaced } = await simplified(graph);
    expect(shape(smaller, 'squeeze.weight')).toBeUndefined();
    expect(replaced).toEqual([
      expect.stringMatching(/^Mul '.*': what comes from Sigmoid '.*' is constant, and stands there now$/),
    ]);
    expect(smaller.nodes.some(({ opType }) => opType === 'Sigmoid')).toBe(false);
  });

  it('sees that a product with zero is zero', async () => {
    const net = new SmallNetwork(17);
    const x = net.conv(net.input([1, 3, 6, 6]), 'stem', 6);
    const gate = net.op('Sigmoid', [net.conv(net.op('GlobalAveragePool', [x]), 'gate', 6, { size: 1 })]);
    const graph = net.classify(net.conv(net.op('Mul', [x, gate]), 'last', 4));
    zeroFilters(graph, 'stem', [0, 1], 0);
    zeroFilters(graph, 'stem', [2], 1);
    const { graph: smaller, whyNot } = await simplified(graph);
    expect(shape(smaller, 'stem.weight')).toEqual([4, 3, 3, 3]);
    expect(shape(smaller, 'gate.weight')).toEqual([4, 4, 1, 1]);
    expect(whyNot).toEqual([
      {
        layer: 'stem',
        filters: 1,
        why: "Mul 'Mul_output_0' brings it together with channels that are not constant",
      },
    ]);
  });

  it('follows depthwise convolutions, concatenations and flattening', async () => {
    const net = new SmallNetwork(18);
    const x = net.conv(net.input([1, 3, 6, 6]), 'a', 6);
    const deep = net.conv(x, 'depthwise', 6, { groups: 6 });
    const other = net.conv(net.input([1, 2, 6, 6], 'z'), 'other', 4);
    const joined = net.op('Concat', [net.op('Relu', [deep]), net.op('Relu', [other])], { axis: attr.int(1) });
    net.builder.output(net.linear(net.op('Flatten', [joined]), 'fc', 3), 'y');
    const { graph } = net;
    zeroFilters(graph, 'a', [0], 0);
    zeroFilters(graph, 'depthwise', [0], 0);
    // Padded: not the same everywhere behind the depthwise convolution, but a linear layer adds it all up.
    zeroFilters(graph, 'a', [1], 1);
    // The filter itself is zero, whatever it reads.
    zeroFilters(graph, 'depthwise', [2], 1);
    zeroFilters(graph, 'other', [3], 2);
    const { graph: smaller, whyNot } = await simplified(graph);
    expect(shape(smaller, 'a.weight')).toEqual([3, 3, 3, 3]);
    expect(shape(smaller, 'depthwise.weight')).toEqual([3, 1, 3, 3]);
    expect(shape(smaller, 'other.weight')).toEqual([3, 2, 3, 3]);
    expect(shape(smaller, 'fc.weight')).toEqual([3, 6 * 36]);
    expect(whyNot).toEqual([]);
  });

  it('leaves hidden channels that a recurrent layer goes on with, though nothing else reads them', async () => {
    const net = new SmallNetwork(17);
    const hidden = 6;
    const inputs = [
      net.input([5, 1, 3]),
      net.weight([1, hidden, 3], 'weight_ih'),
      net.weight([1, hidden, hidden], 'weight_hh'),
    ];
    const y = net.builder.op('RNN', inputs, { name: 'rnn', attributes: { hidden_size: attr.int(hidden) } });
    const head = net.weight([hidden, 2], 'head');
    net.builder.output(net.builder.op('MatMul', [y, head]), 'y');
    fill(net.graph, 'head', 0, [1, 4]);
    // What the layer itself multiplies with zeros, too, may go.
    fill(net.graph, 'weight_hh', 2, [4]);
    const { graph } = await simplified(net.graph);
    expect(shape(graph, 'weight_hh')).toEqual([1, 5, 5]);
  });

  it('leaves one channel of a layer, and equally many in each group', async () => {
    const net = new SmallNetwork(19);
    const x = net.input([1, 3, 6, 6]);
    const parts = [net.conv(x, 'all', 4), net.conv(x, 'some', 4)];
    const joined = net.op('Concat', parts, { axis: attr.int(1) });
    const grouped = net.conv(net.conv(joined, 'a', 8), 'grouped', 8, { groups: 2 });
    const graph = net.classify(grouped);
    zeroFilters(graph, 'all', [0, 1, 2, 3], 0);
    zeroFilters(graph, 'grouped', [0, 1, 5], 0);
    const { graph: smaller, whyNot } = await simplified(graph);
    expect(shape(smaller, 'all.weight')?.[0]).toBe(1);
    expect(shape(smaller, 'grouped.weight')?.[0]).toBe(6);
    expect(whyNot).toContainEqual({ layer: 'all', filters: 1, why: 'one channel must stay' });
    expect(whyNot).toContainEqual({
      layer: 'grouped',
      filters: 1,
      why: 'equally many must go of all groups or heads',
    });
  });

  it('leaves channels that a norm counts, and those that reach an output', async () => {
    const net = new SmallNetwork(20);
    const x = net.matmul(net.input([1, 4, 6]), 'a', 8);
    const normed = net.builder.op(
      'LayerNormalization',
      [x, net.weight([8], 'ln.weight'), net.weight([8], 'ln.bias')],
      {
        name: '/ln/LayerNormalization',
      },
    );
    net.builder.output(net.matmul(normed, 'b', 3), 'y');
    fill(net.graph, 'a.weight', 1, [0, 1]);
    fill(net.graph, 'b.weight', 1, [2]);
    const { rounds, whyNot } = await simplified(net.graph);
    expect(rounds).toBe(0);
    expect(whyNot).toEqual([
      {
        layer: 'a',
        filters: 2,
        why: expect.stringMatching(/^LayerNormalization '\/ln\/LayerNormalization'/),
      },
      { layer: 'b', filters: 1, why: "reaches the output 'y'" },
    ]);
  });

  it('computes masked weights of an export once and for all, but no quantized ones', async () => {
    const net = new SmallNetwork(21);
    const x = net.input([1, 3, 6, 6]);
    const mask = new Float32Array(6 * 27).fill(1).fill(0, 0, 54);
    const weight = net.op('Mul', [
      net.weight([6, 3, 3, 3], 'a.weight_orig'),
      net.builder.constant(Tensor.of(mask, [6, 3, 3, 3]), 'a.weight_mask'),
    ]);
    const a = net.op('Conv', [x, weight]);
    const levels = net.builder.constant(
      new Tensor('int8', [4, 6, 1, 1], new Int8Array(24).fill(3)),
      'b.levels',
    );
    const scale = net.builder.constant(Tensor.full([], 0.1), 'b.scale');
    const graph = net.classify(net.op('Conv', [a, net.op('DequantizeLinear', [levels, scale])]));
    const { graph: smaller, replaced } = await simplified(graph);
    expect(shape(smaller, 'Mul_output_0')).toEqual([4, 3, 3, 3]);
    expect(replaced).toEqual([
      "Mul 'Mul_output_0': computes a weight of constants, and the weight stands there now",
    ]);
    expect(smaller.nodes.map(({ opType }) => opType)).toContain('DequantizeLinear');
    expect(shape(smaller, 'a.weight_orig')).toBeUndefined();
  });

  it('takes modules: a GraphModule as it is, others traced with their inputs', async () => {
    manualSeed(1);
    const layer = new Conv2d(3, 6, 1);
    lnStructured(layer, 'weight', { count: 2 }, { n: 2, dim: 0 });
    const inputs = ['batch', 3, 4, 4] as const;
    const result = await simplify(layer, { inputs });
    expect(result.whyNot).toMatchObject([{ filters: 2, why: "reaches the output 'output'" }]);
    expect(result.graph.print()).toBe(trace(layer.eval(), inputs).print());
    await expect(simplify(layer)).rejects.toThrow(
      "simplify: Conv2d must be traced; give its inputs, such as { inputs: ['batch', 3, 224, 224] }",
    );
  });

  it('refuses where the outputs differ by more than rounding', async () => {
    // At 1x1 a padded convolution sees the same everywhere, and its bias could take a constant; at 2x2 it does not.
    const net = new SmallNetwork(22);
    const x = net.conv(net.input([1, 3, 'height', 'width']), 'a', 6, { size: 1 });
    const graph = net.classify(net.conv(x, 'b', 4));
    zeroFilters(graph, 'a', [1, 2], 1);
    const shapes = { x: [1, 3, 1, 1] };
    await expect(simplify(graph, { shapes })).rejects.toThrow(StructuralError);
    await expect(simplify(graph, { shapes })).rejects.toThrow(
      /^simplify: the output 'classes' differs by .* from the original's, where .* is rounding; the model given is as it was$/,
    );
    const { rounds } = await simplify(graph, { shapes: { x: [1, 3, 5, 5] } });
    expect(rounds).toBe(1);
  });

  it('does not compare what is drawn anew in each run', async () => {
    const net = new SmallNetwork(24);
    const x = net.conv(net.input([1, 3, 4, 4]), 'a', 6);
    const noise = net.op('RandomNormalLike', [x]);
    const graph = net.classify(net.op('Add', [x, noise]));
    net.builder.output(net.op('Relu', [net.conv(x, 'b', 4)]), 'z');
    zeroFilters(graph, 'b', [2], -1);
    zeroFilters(graph, 'a', [2], 0);
    // The noise that is added is not zero.
    expect((await simplify(graph)).whyNot).toMatchObject([
      { layer: 'a', filters: 1 },
      { layer: 'b', filters: 1 },
    ]);
  });

  it('stops when asked to', async () => {
    const net = new SmallNetwork(23);
    const graph = net.classify(net.conv(net.input([1, 3, 4, 4]), 'a', 6));
    await expect(simplify(graph, { signal: AbortSignal.abort() })).rejects.toThrow('abort');
  });
});
