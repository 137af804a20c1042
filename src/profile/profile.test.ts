import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { parseOnnx } from '../io/index.ts';
import { attr, Graph } from '../ir/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { type Profile, profileGraph } from './profile.ts';

/** Convolution, batch norm, ReLU, global average and a linear layer, all small enough to count by hand. */
function smallGraph(batch: number | string = 'batch'): Graph {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', [batch, 2, 6, 6]);
  const weight = Tensor.full([4, 2, 3, 3], 0.5);
  weight.float32.fill(0, 0, 20);
  const conv = builder.op(
    'Conv',
    [x, builder.constant(weight, 'conv.weight'), builder.constant(Tensor.full([4], 0), 'conv.bias')],
    { attributes: { kernel_shape: { kind: 'ints', value: [3n, 3n] } } },
  );
  const vector = (name: string): ReturnType<GraphBuilder['constant']> =>
    builder.constant(Tensor.full([4], 1), name);
  const norm = builder.op('BatchNormalization', [
    conv,
    vector('bn.weight'),
    vector('bn.bias'),
    vector('bn.running_mean'),
    vector('bn.running_var'),
  ]);
  const pooled = builder.op('GlobalAveragePool', [builder.op('Relu', [norm])]);
  const flat = builder.op('Flatten', [pooled]);
  const linear = builder.op('Gemm', [
    flat,
    builder.constant(Tensor.full([4, 3], 1), 'fc.weight'),
    builder.constant(Tensor.full([3], 1), 'fc.bias'),
  ]);
  builder.output(linear, 'y');
  return builder.graph;
}

const row = (profile: Profile, op: string) => profile.layers.find((layer) => layer.op === op);

describe('profileGraph', () => {
  it('counts parameters, zeros and operations as by hand', () => {
    const profile = profileGraph(smallGraph());
    // 4 filters of 2*3*3 at 4x4 places; 4 inputs for each of 3 outputs.
    expect(row(profile, 'Conv')).toMatchObject({
      outputShape: [1, 4, 4, 4],
      parameters: 72 + 4,
      zeros: 20 + 4,
      macs: 4 * 18 * 16,
      activationBytes: 4 * 16 * 4,
    });
    expect(row(profile, 'BatchNormalization')).toMatchObject({ parameters: 8, zeros: 0, macs: 0 });
    expect(row(profile, 'Gemm')).toMatchObject({ parameters: 15, macs: 12, outputShape: [1, 3] });
    expect(profile.totals).toMatchObject({
      parameters: 99,
      zeros: 24,
      sparsity: 24 / 99,
      macs: 1152 + 12,
      // Running statistics are weights of the file, and no parameters.
      weightBytes: (99 + 8) * 4,
      nodes: 6,
      // Three maps of 4x4x4, then 4, 4 and 3 elements.
      activationBytes: 4 * (3 * 64 + 4 + 4 + 3),
      peakActivationBytes: 4 * 2 * 64,
    });
    expect(profile.layers.map(({ share }) => share).reduce((sum, share) => sum + share)).toBeCloseTo(1, 12);
    expect(profile.inputs).toEqual({ x: [1, 2, 6, 6] });
    expect(profile.notCounted).toEqual([]);
  });

  it('follows the conventions', () => {
    const macs = (convention: Profile['convention']): number =>
      profileGraph(smallGraph(), { convention }).totals.macs;
    expect(macs('flops')).toBe(2 * 1164);
    // thop 0.0.31 counts a convolution's bias, and two operations per element of a batch norm.
    const before = profileGraph(smallGraph(), { convention: 'thop@0.0.31' });
    expect(row(before, 'Conv')?.macs).toBe(64 * (18 + 1));
    expect(row(before, 'BatchNormalization')?.macs).toBe(2 * 64);
    expect(before.totals.macs).toBe(before.layers.reduce((sum, layer) => sum + layer.macs, 0));
    expect(profileGraph(smallGraph(), { convention: 'thop@0.1.1' }).totals.macs).not.toBe(before.totals.macs);
  });

  it('grows with the shapes that are given, in proportion to the batch', () => {
    const one = profileGraph(smallGraph()).totals;
    const three = profileGraph(smallGraph(), { shapes: { x: [3, 2, 6, 6] } });
    expect(three.totals.macs).toBe(3 * one.macs);
    expect(three.totals.parameters).toBe(one.parameters);
    expect(three.inputs).toEqual({ x: [3, 2, 6, 6] });
  });

  it('counts one sample of a graph with a fixed batch, and says so', () => {
    const profile = profileGraph(smallGraph(2));
    expect(profile.totals.macs).toBe(1164);
    expect(profile.inputs).toEqual({ x: [1, 2, 6, 6] });
    expect(profile.notes).toEqual(['The model has a fixed batch size; one sample is counted.']);
    expect(profileGraph(smallGraph(2), { shapes: { x: [2, 2, 6, 6] } }).totals.macs).toBe(2 * 1164);
  });

  it('counts a shared weight once, where it is used first, and weights in Constant nodes too', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 4]);
    const shared = builder.constant(Tensor.full([4, 4], 1), 'shared');
    const first = builder.op('MatMul', [x, shared], { name: 'first' });
    const second = builder.op('MatMul', [first, shared], { name: 'second' });
    const constant = builder.op('Constant', [], {
      attributes: { value: { kind: 'tensor', value: Tensor.full([4, 2], 1) } },
    });
    builder.output(builder.op('MatMul', [second, constant], { name: 'third' }), 'y');
    const profile = profileGraph(builder.graph);
    expect(profile.layers.map(({ name, parameters, macs }) => [name, parameters, macs])).toEqual([
      ['first', 16, 16],
      ['second', 0, 16],
      ['third', 8, 8],
    ]);
    expect(profile.totals.parameters).toBe(24);
  });

  it('lists operators it cannot count instead of taking them for free', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 4]);
    const node = builder.graph.addNode({ opType: 'Mystery', domain: '', name: 'what', inputs: [x] });
    builder.graph.addOutput(node.outputs[0]!);
    expect(profileGraph(builder.graph).notCounted).toEqual([
      "Mystery 'what': operator Mystery is not in the operator table",
    ]);
  });

  it('lists calls of functions, and control flow, of which it does not know how often it runs', () => {
    const body = new Graph({ name: 'Twice' });
    const inner = body.addInput('x', null);
    body.addOutput(body.addNode({ opType: 'Add', inputs: [inner, inner] }).outputs[0]!);
    const builder = new GraphBuilder();
    const { graph } = builder;
    graph.opsetImports.set('mine', 1);
    graph.meta.functions.push({
      name: 'Twice',
      domain: 'mine',
      overload: '',
      attributeNames: [],
      attributeDefaults: new Map(),
      graph: body,
    });
    const x = builder.input('x', 'float32', [1, 4]);
    const [doubled] = graph.addNode({ opType: 'Twice', domain: 'mine', name: 'call', inputs: [x] }).outputs;
    const branch = (): Graph => {
      const inside = new Graph({ parent: graph });
      inside.addOutput(inside.addNode({ opType: 'Relu', inputs: [doubled!] }).outputs[0]!);
      return inside;
    };
    const chosen = graph.addNode({
      opType: 'If',
      name: 'choice',
      inputs: [builder.input('which', 'bool', [])],
      attributes: { then_branch: attr.graph(branch()), else_branch: attr.graph(branch()) },
    });
    graph.addOutput(chosen.outputs[0]!);
    expect(profileGraph(graph).notCounted).toEqual([
      "mine.Twice 'call': calls a function of the model, whose operations are not counted",
      "If 'choice': how often its subgraphs run is known at run time only",
    ]);
  });

  it('names an input whose shape is missing, and a shape of no input', () => {
    const builder = new GraphBuilder();
    const x = builder.input('image', 'float32', ['batch', 3, 'height', 'width']);
    builder.output(builder.op('Relu', [x]), 'y');
    expect(() => profileGraph(builder.graph)).toThrow(
      "profile: the shape of input 'image' is [batch, 3, height, width]; give its shape",
    );
    expect(() => profileGraph(builder.graph, { shapes: { x: [1] } })).toThrow(
      "profile: no input is named 'x'; the inputs are 'image'",
    );
  });

  it('gives sparsity by granularity where it is asked for', () => {
    const { granularity, layers } = profileGraph(smallGraph(), { sparsity: true });
    // 20 of 72 zeros in order: the first filter of 18 whole, and nothing more than 2 elements of the second.
    expect(layers[0]?.sparsity?.filters).toEqual({ zero: 1, total: 4 });
    expect(layers[0]?.sparsity?.kernels).toEqual({ zero: 2, total: 8 });
    expect(granularity?.filters).toEqual({ zero: 1, total: 4 + 3 });
    expect(profileGraph(smallGraph()).granularity).toBeUndefined();
  });

  it('is a plain object', () => {
    const profile = profileGraph(smallGraph());
    expect(JSON.parse(JSON.stringify(profile))).toEqual(profile);
  });
});

const models = new URL('../../../shared/models/', import.meta.url);

describe.skipIf(!existsSync(models))(
  'profiles of the shared models (skipped where ../shared is absent)',
  () => {
    interface Facts {
      readonly input: readonly number[];
      readonly parameters: number;
      readonly conv_linear_macs: number | null;
    }
    const facts: Record<string, Facts> = existsSync(models)
      ? JSON.parse(readFileSync(new URL('models.json', models), 'utf8'))
      : {};

    it.each(Object.entries(facts))(
      '%s has PyTorch’s parameters and MACs',
      (name, { input, parameters, ...rest }) => {
        const graph = parseOnnx(readFileSync(new URL(`${name}.onnx`, models)));
        const profile = profileGraph(graph);
        expect(profile.totals.parameters).toBe(parameters);
        if (rest.conv_linear_macs !== null) expect(profile.totals.macs).toBe(rest.conv_linear_macs);
        expect(Object.values(profile.inputs)).toEqual([[1, ...input.slice(1)]]);
        expect(profile.notCounted).toEqual([]);
        expect(profile.layers.reduce((sum, layer) => sum + layer.parameters, 0)).toBe(parameters);
      },
    );

    it.each(Object.entries(facts))('%s costs as much a sample in its own batch', (name, { input }) => {
      const graph = parseOnnx(readFileSync(new URL(`${name}.onnx`, models)));
      const [feed] = graph.feeds;
      const whole = profileGraph(graph, { shapes: { [feed!.name]: input } });
      expect(whole.totals.macs).toBe(input[0]! * profileGraph(graph).totals.macs);
    });
  },
);
