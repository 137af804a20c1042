import { describe, expect, it } from 'vitest';
import { ShapeError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { parseOnnx } from '../io/index.ts';
import { printType } from '../ir/index.ts';
import { LeNet5 } from '../models/lenet5.ts';
import { createSession } from '../runtime/index.ts';
import * as nn from './index.ts';
import { F, Module, type Variable } from './index.ts';

const method = (tensorName: string): nn.MaskMethod => ({ tensorName });

/** A layer with half of its weights masked. */
function halved(): nn.Linear {
  const layer = new nn.Linear(2, 2);
  layer.setPruning('weight', method('weight'), Tensor.of(Float32Array.of(1, 0, 0, 1), [2, 2]));
  return layer;
}

const types = (values: Iterable<{ name: string; type: Parameters<typeof printType>[0] }>): string[] =>
  [...values].map(({ name, type }) => `${name}: ${printType(type)}`);

describe('trace', () => {
  it('shares the tensors of parameters and buffers, under their state-dict names', () => {
    const model = new nn.Sequential(new nn.Conv2d(3, 4, 3), new nn.BatchNorm2d(4)).eval();
    const graph = nn.trace(model, ['batch', 3, 8, 8]);
    const state = model.stateDict();
    state.delete('1.num_batches_tracked');
    expect(graph.initializers.map(({ name }) => name).sort()).toEqual([...state.keys()].sort());
    for (const { name, initializer } of graph.initializers) expect(initializer).toBe(state.get(name));
    expect(types(graph.outputs)).toEqual(['output: float32[batch, 4, 6, 6]']);
    expect(graph.lint()).toEqual([]);
  });

  it("names nodes after modules as PyTorch's exporter does", () => {
    class Block extends Module {
      features = new nn.Sequential(new nn.Conv2d(1, 1, 1), new nn.ReLU());
      again = this.features.at(1);
      override forward(x: Variable): Variable {
        const y = F.relu(this.features.call(x));
        return F.relu(y).add(y);
      }
    }
    const graph = nn.trace(new Block(), [1, 1, 2, 2]);
    expect(graph.nodes.map(({ name }) => name)).toEqual([
      '/features/features.0/Conv',
      '/features/features.1/Relu',
      '/Relu',
      '/Relu_1',
      '/Add',
    ]);
    expect(graph.name).toBe('Block');
  });

  it('takes a shape, a tensor, several of them, and names with dtypes', () => {
    class Sum extends Module {
      override forward(a: Variable, b: Variable): Variable {
        return a.add(b);
      }
    }
    const inputs = (given: nn.TraceInputs): string[] => types(nn.trace(new Sum(), given).inputs);
    expect(inputs([[2, 3], [3]])).toEqual(['input: float32[2, 3]', 'input_1: float32[3]']);
    expect(inputs([Tensor.int64([1, 2]), Tensor.int64([3, 4])])).toEqual([
      'input: int64[2]',
      'input_1: int64[2]',
    ]);
    expect(inputs({ a: { shape: ['n'], dtype: 'float16' }, b: { shape: [1], dtype: 'float16' } })).toEqual([
      'a: float16[n]',
      'b: float16[1]',
    ]);
    expect(types(nn.trace(new nn.ReLU(), { shape: [4], dtype: 'float64' }).inputs)).toEqual([
      'input: float64[4]',
    ]);
  });

  it('names outputs, also those that are inputs or come twice', () => {
    class Many extends Module<readonly Variable[]> {
      override forward(x: Variable): readonly Variable[] {
        const y = F.relu(x);
        return [y, y, x];
      }
    }
    const graph = nn.trace(new Many(), [2]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['output', 'output_1', 'output_2']);
    expect(graph.lint()).toEqual([]);
    const named = nn.trace(new Many(), [2], { outputNames: ['a', 'b', 'c'] });
    expect(named.outputs.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(() => nn.trace(new Many(), [2], { outputNames: ['a'] })).toThrow(
      'trace: expects 3 output names, one an output, got 1',
    );
  });

  it('bakes masks, or writes them as a product', async () => {
    const layer = halved();
    const baked = nn.trace(layer, [1, 2]);
    expect(baked.initializers.map(({ name }) => name).sort()).toEqual(['bias', 'weight']);
    expect(baked.find('weight')?.initializer).toBe(layer.weight.data);
    const written = nn.trace(layer, [1, 2], { masks: 'graph' });
    expect(written.initializers.map(({ name }) => name).sort()).toEqual([
      'bias',
      'weight_mask',
      'weight_orig',
    ]);
    expect(written.find('weight_orig')?.initializer).toBe(layer.weight.orig);
    expect(written.nodes.map(({ opType }) => opType)).toEqual(['Mul', 'Gemm']);
    const input = Tensor.of(Float32Array.of(3, 5), [1, 2]);
    const outputs = await Promise.all(
      [baked, written].map(async (graph) => {
        const session = await createSession(graph);
        const output = (await session.run({ input })).get('output');
        await session.dispose();
        return [...output!.float32];
      }),
    );
    expect(outputs[0]).toEqual(outputs[1]);
  });

  it('leaves out what only updates of buffers need, unless asked for details', () => {
    const norm = new nn.BatchNorm1d(2);
    const detailed = nn.traceDetailed(norm, [4, 2]);
    expect(detailed.updates.map(({ buffer }) => buffer)).toEqual([
      norm.numBatchesTracked,
      norm.runningMean,
      norm.runningVar,
    ]);
    expect(nn.trace(norm, [4, 2]).nodes.length).toBeLessThan(detailed.graph.nodes.length);
    expect(nn.trace(norm, [4, 2], { training: false }).nodes.map(({ opType }) => opType)).toEqual([
      'BatchNormalization',
    ]);
    expect(norm.training).toBe(true);
  });

  it('tells what each module gave, once a call', () => {
    class Twice extends Module {
      act = new nn.ReLU();
      override forward(x: Variable): Variable {
        return this.act.call(this.act.call(x).neg());
      }
    }
    const { moduleOutputs, graph } = nn.traceDetailed(new Twice(), [2]);
    expect(moduleOutputs.get('act')?.map((values) => values.map(({ name }) => name))).toEqual([
      ['/act/Relu_output_0'],
      ['output'],
    ]);
    expect(moduleOutputs.get('')).toEqual([graph.outputs]);
  });

  it('says what does not fit', () => {
    expect(() => nn.trace(new LeNet5(), [1, 3, 32, 32])).toThrow(ShapeError);
    expect(() => nn.trace(new LeNet5(), [])).toThrow('trace: LeNet5 needs at least one input');
    expect(() => nn.trace(new LeNet5(), [1, 1, 32, 32], { opset: 9 })).toThrow(
      'trace: expects an opset of 17 to 21, got 9',
    );
    expect(() => Reflect.apply(nn.trace, null, [new LeNet5(), { input: 3 }])).toThrow(
      "trace: input 'input' expects a shape such as ['batch', 3, 224, 224], a Tensor, or { shape, dtype }",
    );
  });

  it('copies a graph that was read, with other input types', () => {
    const original = nn.trace(new LeNet5().eval(), ['batch', 1, 32, 32]);
    const module = nn.fromGraph(original);
    const copy = nn.trace(module, [2, 1, 32, 32]);
    expect(copy).not.toBe(original);
    expect(types(copy.outputs)).toEqual(['output: float32[2, 10]']);
    expect(types(original.outputs)).toEqual(['output: float32[batch, 10]']);
    const { moduleOutputs } = nn.traceDetailed(module, [2, 1, 32, 32]);
    expect(moduleOutputs.get('fc3')?.[0]?.[0]?.name).toBe('output');
    expect(() => nn.trace(module, { image: [1] })).toThrow(
      "trace: no input is named 'image'; the graph has 'input'",
    );
    expect(() => nn.trace(module, [[1], [2]])).toThrow("trace: the graph takes 1 inputs ('input'), got 2");
  });
});

describe('export', () => {
  it('writes an ONNX file in evaluation mode, with state-dict names', () => {
    const model = new nn.Sequential(new nn.Linear(4, 4), new nn.BatchNorm1d(4), new nn.Dropout());
    const graph = parseOnnx(nn.exportOnnx(model, ['batch', 4]));
    expect(graph.nodes.map(({ opType }) => opType)).toEqual(['Gemm', 'BatchNormalization']);
    expect(graph.find('0.weight')?.initializer?.data).toEqual(model.stateDict().get('0.weight')?.data);
    expect(model.training).toBe(true);
    expect(nn.fromGraph(graph).getParameter('0.weight').shape).toEqual([4, 4]);
  });

  it.each([17, 18, 19, 20, 21])('computes the same with the operators of opset %i', async (opset) => {
    nn.manualSeed(1);
    const model = new nn.Sequential(
      new nn.Conv2d(3, 4, 3, { paddingMode: 'reflect', padding: 1 }),
      new nn.BatchNorm2d(4),
      new nn.GELU(),
      new nn.GroupNorm(2, 4),
      new nn.Upsample({ scaleFactor: 2, mode: 'bilinear' }),
      new nn.AvgPool2d(2),
      new nn.Flatten(),
      new nn.Softmax(1),
    ).eval();
    class Split extends Module {
      body = model;
      override forward(x: Variable): Variable {
        const [a, b] = this.body.call(x).chunk(2, 1);
        return F.cat(
          [b!.mean(1, { keepdim: true }), a!.max(1, { keepdim: true }), a!.sum(1, { keepdim: true })],
          1,
        );
      }
    }
    const input = Tensor.of(
      Float32Array.from({ length: 96 }, (_, i) => Math.sin(i)),
      [2, 3, 4, 4],
    );
    const net = new Split().eval();
    const session = await createSession(nn.trace(net, ['batch', 3, 4, 4], { opset }));
    const output = (await session.run({ input })).get('output')!;
    await session.dispose();
    const wanted = await nn.run(net, input);
    const far = output.float32.filter((value, i) => !(Math.abs(value - wanted.float32[i]!) < 1e-6));
    expect([...far]).toEqual([]);
  });
});
