import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { GraphError, UnsupportedError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { parseOnnx } from '../io/index.ts';
import { attr, type Graph, type Value } from '../ir/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { createSession } from '../runtime/index.ts';
import * as nn from './index.ts';

/** A graph written by hand; weights are filled with numbers that count up. */
class Net {
  readonly builder = new GraphBuilder();
  readonly x: Value = this.builder.input('x', 'float32', [1, 2, 4, 4]);
  #count = 0;

  weight(name: string, ...shape: number[]): Value {
    const size = shape.reduce((product, dim) => product * dim, 1);
    return this.builder.constant(
      Tensor.of(
        Float32Array.from({ length: size }, () => ++this.#count / 16),
        shape,
      ),
      name,
    );
  }

  conv(node: string, input: Value, ...parameters: Value[]): Value {
    return this.builder.op('Conv', [input, ...parameters], {
      name: node,
      attributes: { kernel_shape: attr.ints([1, 1]) },
    });
  }

  finish(output: Value): Graph {
    this.builder.output(output, 'y');
    return this.builder.graph;
  }
}

const ones = Tensor.full([1, 2, 4, 4], 1);

async function outputOf(graph: Graph): Promise<number[]> {
  const session = await createSession(graph);
  const outputs = await session.run({ x: ones });
  await session.dispose();
  return outputs.get('y')!.toNumbers();
}

const parameterNames = (module: nn.GraphModule): string[] =>
  [...module.namedParameters()].map(([name]) => name);

const typesOf = (module: nn.GraphModule): Record<string, string> =>
  Object.fromEntries([...module.namedModules()].map(([path, { typeName }]) => [path, typeName]));

describe('fromGraph', () => {
  it('names modules after the state dict names of initializers, with their types', () => {
    const net = new Net();
    const a = net.conv(
      '/model.0/conv/Conv',
      net.x,
      net.weight('model.0.conv.weight', 2, 2, 1, 1),
      net.weight('model.0.conv.bias', 2),
    );
    const normed = net.builder.op(
      'BatchNormalization',
      [
        a,
        ...['weight', 'bias', 'running_mean', 'running_var'].map((name) =>
          net.weight(`model.0.bn.${name}`, 2),
        ),
      ],
      { name: '/model.0/bn/BatchNormalization' },
    );
    const pooled = net.builder.op('GlobalAveragePool', [normed], { name: '/GlobalAveragePool' });
    const flat = net.builder.op('Flatten', [pooled], { name: '/Flatten' });
    const y = net.builder.op('Gemm', [flat, net.weight('fc.weight', 3, 2), net.weight('fc.bias', 3)], {
      name: '/fc/Gemm',
      attributes: { transB: attr.int(1) },
    });
    const module = nn.fromGraph(net.finish(y));
    expect(parameterNames(module)).toEqual([
      'model.0.conv.weight',
      'model.0.conv.bias',
      'model.0.bn.weight',
      'model.0.bn.bias',
      'fc.weight',
      'fc.bias',
    ]);
    expect([...module.namedBuffers()].map(([name]) => name)).toEqual([
      'model.0.bn.running_mean',
      'model.0.bn.running_var',
    ]);
    expect(typesOf(module)).toEqual({
      '': 'GraphModule',
      model: 'Module',
      'model.0': 'Module',
      'model.0.conv': 'Conv2d',
      'model.0.bn': 'BatchNorm2d',
      fc: 'Linear',
    });
    expect(module.getParameter('model.0.conv.weight').layout).toMatchObject({ output: 0, input: 1 });
    expect(module.getParameter('model.0.conv.bias').layout).toBeNull();
    expect(module.outputOf('fc')).toBe(net.builder.graph.value('y'));
    expect(module.outputOf('model.0.conv')).toBe(a);
    expect(module.training).toBe(false);
    expect(module.getSubmodule('fc').extraRepr()).toBe('weight: float32[3, 2], bias: float32[3]');
    expect(() => module.outputOf('model.0')).toThrow("GraphModule: no layer computes something at 'model.0'");
    expect(() => module.outputOf('model.1')).toThrow(GraphError);
  });

  it('names modules after scopes where initializers are anonymous', () => {
    const net = new Net();
    const a = net.conv(
      '/blocks/blocks.0/conv1/Conv',
      net.x,
      net.weight('onnx::Conv_760', 2, 2, 1, 1),
      net.weight('onnx::Conv_761', 2),
    );
    const b = net.conv('Conv_12', a, net.weight('763', 2, 2, 1, 1));
    const module = nn.fromGraph(net.finish(b));
    expect(parameterNames(module)).toEqual([
      'blocks.0.conv1.weight',
      'blocks.0.conv1.bias',
      'Conv_12.weight',
    ]);
  });

  it('names modules after nodes and outputs where there are no scopes', () => {
    const net = new Net();
    const a = net.conv('', net.x, net.weight('1', 2, 2, 1, 1));
    const b = net.conv('model/block/conv2d/Conv2D', a, net.weight('model/block/conv2d/kernel:0', 2, 2, 1, 1));
    const module = nn.fromGraph(net.finish(b));
    expect(parameterNames(module)).toEqual([`Conv_${a.name}.weight`, 'model.block.conv2d.weight']);
  });

  it('keeps two convolutions of one scope apart', () => {
    const net = new Net();
    const a = net.conv(
      '/head/Conv',
      net.x,
      net.weight('onnx::Conv_1', 2, 2, 1, 1),
      net.weight('onnx::Conv_2', 2),
    );
    const b = net.conv(
      '/head/Conv_1',
      a,
      net.weight('onnx::Conv_3', 2, 2, 1, 1),
      net.weight('onnx::Conv_4', 2),
    );
    const module = nn.fromGraph(net.finish(b));
    expect(parameterNames(module)).toEqual([
      'head.weight',
      'head.bias',
      'head.Conv_1.weight',
      'head.Conv_1.bias',
    ]);
    expect(module.outputOf('head.Conv_1')).toBe(b);
    expect(module.outputOf('head')).toBe(a);
  });

  it('finds other places where a name is taken by a parameter or a module', () => {
    const net = new Net();
    // The same node name twice, a parameter where a module stands, and a module where a parameter stands.
    const a = net.conv('/c/Conv', net.x, net.weight('1', 2, 2, 1, 1));
    const b = net.conv('/c/Conv', a, net.weight('2', 2, 2, 1, 1));
    const c = net.conv('/c/Conv', b, net.weight('3', 2, 2, 1, 1));
    const d = net.conv('/c/weight/Conv', c, net.weight('4', 2, 2, 1, 1));
    const sum = net.builder.op('Add', [d, net.weight('c', 2, 4, 4)], { name: '/Add' });
    const module = nn.fromGraph(net.finish(sum));
    const names = parameterNames(module);
    expect(names.slice(0, 3)).toEqual(['c.weight', 'c.Conv.weight', 'c.Conv_1.weight']);
    expect(new Set(names).size).toBe(5);
    // Each tensor is found under exactly one name.
    expect(new Set([...module.parameters()].map(({ data }) => data)).size).toBe(5);
    for (const name of names) expect(module.getParameter(name).data).toBe(module.stateDict().get(name));
  });

  it('has a shared weight once, at its first use', async () => {
    const net = new Net();
    const shared = net.weight('tied.weight', 2, 2, 1, 1);
    const y = net.conv('/second/Conv', net.conv('/first/Conv', net.x, shared), shared);
    const graph = net.finish(y);
    const module = nn.fromGraph(graph);
    expect(parameterNames(module)).toEqual(['tied.weight']);
    const before = await outputOf(graph);
    module.getParameter('tied.weight').data.float32.fill(1);
    expect(await outputOf(graph)).toEqual(new Array(32).fill(4));
    expect(before).not.toEqual(new Array(32).fill(4));
  });

  it('tells apart a parameter and the Identity the exporter wrote for its twin', () => {
    const net = new Net();
    const first = net.weight('a.weight', 2, 2, 1, 1);
    const twin = net.builder.graph.addNode({
      opType: 'Identity',
      inputs: [first],
      outputs: ['b.weight'],
      name: 'Identity_0',
    });
    const inference = net.builder.inferred(first);
    twin.output().type = first.type;
    const a = net.conv('/a/Conv', net.x, first);
    const graph = net.builder.graph;
    const second = graph.addNode({
      opType: 'Conv',
      name: '/b/Conv',
      inputs: [a, twin.output()],
      outputs: ['y'],
    });
    graph.addOutput(second.output());
    const module = nn.fromGraph(graph);
    expect(inference.shape).toEqual([2, 2, 1, 1]);
    expect(parameterNames(module)).toEqual(['a.weight', 'b.weight']);
    module.getParameter('b.weight').data.float32.fill(0);
    expect(module.getParameter('a.weight').data.float32[0]).not.toBe(0);
    expect(graph.nodes.map(({ opType }) => opType)).toEqual(['Conv', 'Conv']);
  });

  it('shares tensors with the graph: masks and changes show in what runs', async () => {
    const net = new Net();
    const y = net.conv(
      '/conv/Conv',
      net.x,
      net.weight('conv.weight', 2, 2, 1, 1),
      net.weight('conv.bias', 2),
    );
    const graph = net.finish(y);
    const module = nn.fromGraph(graph);
    const weight = module.getParameter('conv.weight');
    expect(weight.data).toBe(graph.value('conv.weight').initializer);
    // Channel 0: 1/16 + 2/16 + bias 5/16; channel 1: 3/16 + 4/16 + bias 6/16.
    const planes = (a: number, b: number): number[] => [...new Array(16).fill(a), ...new Array(16).fill(b)];
    expect(await outputOf(graph)).toEqual(planes(8 / 16, 13 / 16));
    const layer = module.getSubmodule('conv');
    layer.setPruning(
      'weight',
      { tensorName: 'weight' },
      Tensor.of(Float32Array.of(0, 1, 1, 0), [2, 2, 1, 1]),
    );
    expect(await outputOf(graph)).toEqual(planes(7 / 16, 9 / 16));
    expect([...module.stateDict().keys()]).toEqual(['conv.bias', 'conv.weight_orig', 'conv.weight_mask']);
    layer.removePruning('weight');
    expect(await outputOf(graph)).toEqual(planes(7 / 16, 9 / 16));
    module.getParameter('conv.bias').data.float32.fill(0);
    expect(await outputOf(graph)).toEqual(planes(2 / 16, 3 / 16));
  });

  it('loads the state dict of its PyTorch module, whose counters of batch norm a graph does not have', () => {
    const norm = new nn.Sequential(new nn.Conv2d(1, 2, 1), new nn.BatchNorm2d(2)).eval();
    const module = nn.fromGraph(nn.trace(norm, [[1, 1, 2, 2]]));
    const dict = new Map([...norm.stateDict()].map(([name, tensor]) => [name, tensor.clone()]));
    dict.get('1.running_mean')!.float32.fill(7);
    expect(module.loadStateDict(dict)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(module.getBuffer('1.running_mean').toNumbers()).toEqual([7, 7]);
    dict.set('0.num_batches_tracked', Tensor.int64(0));
    expect(() => module.loadStateDict(dict)).toThrow(
      'Unexpected key(s) in state_dict: "0.num_batches_tracked".',
    );
  });

  it('is called with its inputs, as a whole', () => {
    const net = new Net();
    const module = nn.fromGraph(
      net.finish(net.conv('/conv/Conv', net.x, net.weight('conv.weight', 2, 2, 1, 1))),
    );
    expect(() => module.forward()).toThrow("GraphModule: the graph takes 1 inputs ('");
    const layer = module.getSubmodule('conv');
    expect(() => layer.forward()).toThrow(
      'Conv2d: is a part of a graph that was read; run the whole GraphModule',
    );
    expect(() => layer.forward()).toThrow(UnsupportedError);
  });

  it('changes nothing of the graph but constants', () => {
    const net = new Net();
    const graph = net.finish(net.conv('/conv/Conv', net.x, net.weight('conv.weight', 2, 2, 1, 1)));
    const before = graph.print();
    nn.fromGraph(graph);
    expect(graph.print()).toBe(before);
    expect(graph.lint()).toEqual([]);
  });
});

const models = new URL('../../../shared/models/', import.meta.url);
const facts = new URL('models.json', models);

describe.skipIf(!existsSync(facts))('shared models (skipped where ../shared is absent)', () => {
  const all: Record<string, { parameters: number }> = existsSync(facts)
    ? JSON.parse(readFileSync(facts, 'utf8'))
    : {};

  it.each(Object.keys(all))('%s has the state dict names and parameters of the PyTorch model', (name) => {
    const graph = parseOnnx(readFileSync(new URL(`${name}.onnx`, models)));
    // Twins of equal elements are Identity nodes in the file.
    const isTwin = (value: Value): boolean =>
      value.producer?.opType === 'Identity' && value.producer.inputs[0]?.isInitializer === true;
    const written = [...graph.values].filter((value) => value.isInitializer || isTwin(value));
    const expected = written.map((value) => value.name).filter((each) => /^[A-Za-z_][\w.]*$/.test(each));
    const module = nn.fromGraph(graph);
    expect([...module.stateDict().keys()].sort()).toEqual(expected.sort());
    const count = [...module.parameters()].reduce((sum, { size }) => sum + size, 0);
    expect(count).toBe(all[name]!.parameters);
    for (const [key, tensor] of module.stateDict()) expect(graph.value(key).initializer).toBe(tensor);
  });
});
