import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { parseOnnx } from '../io/index.ts';
import { attr, cloneGraph, Graph, tensorType } from '../ir/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { createSession, randomInputs } from '../runtime/index.ts';
import { liftConstants } from './lift-constants.ts';
import { removeUnused } from './remove-unused.ts';

const constantNode = (tensor: Tensor) => ({ attributes: { value: attr.tensor(tensor) } });

/** Outputs of a graph for the inputs of a seed, by name. */
async function outputsOf(graph: Graph): Promise<Record<string, number[]>> {
  const session = await createSession(graph);
  const outputs = await session.run(randomInputs(graph, { seed: 3 }));
  await session.dispose();
  return Object.fromEntries([...outputs].map(([name, tensor]) => [name, tensor.toNumbers()]));
}

/** Lifts, and checks that the graph stays well formed and computes what it did. */
async function lifted(graph: Graph): Promise<boolean> {
  const before = await outputsOf(graph);
  const { graph: same, modified } = liftConstants(graph);
  expect(same).toBe(graph);
  expect(graph.lint()).toEqual([]);
  expect(await outputsOf(graph)).toEqual(before);
  expect(liftConstants(graph).modified).toBe(false);
  return modified;
}

describe('liftConstants', () => {
  it('makes initializers of constants written as nodes, under their names, over their own tensors', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', ['batch', 2]);
    const tensor = Tensor.of(Float32Array.of(1, 2));
    const weight = builder.op('Constant', [], { ...constantNode(tensor), name: 'w' });
    const sum = builder.op('Add', [x, weight]);
    builder.output(builder.op('Mul', [sum, weight]), 'y');
    const { graph } = builder;
    expect(await lifted(graph)).toBe(true);
    expect(graph.nodes.map(({ opType }) => opType)).toEqual(['Add', 'Mul']);
    const value = graph.value('w_output_0');
    expect([value.producer, value.initializer]).toEqual([null, tensor]);
    expect(value.initializer).toBe(tensor);
    expect(value.consumers).toHaveLength(2);
  });

  it('makes initializers of all forms that hold numbers', () => {
    const builder = new GraphBuilder();
    const forms = {
      value_float: attr.float(0.5),
      value_floats: attr.floats([1, 2]),
      value_int: attr.int(3),
      value_ints: attr.ints([4, 5]),
    };
    for (const [name, attribute] of Object.entries(forms)) {
      const value = builder.op('Constant', [], { attributes: { [name]: attribute }, name });
      builder.output(builder.op('Neg', [value]));
    }
    const text = builder.op('Constant', [], { attributes: { value_string: attr.string('s') }, name: 'text' });
    builder.output(builder.op('Identity', [text]));
    liftConstants(builder.graph);
    expect(builder.graph.initializers.map(({ name, initializer }) => `${name} ${initializer}`)).toEqual([
      'value_float_output_0 float32[]',
      'value_floats_output_0 float32[2]',
      'value_int_output_0 int64[]',
      'value_ints_output_0 int64[2]',
    ]);
    expect(builder.graph.node('text').opType).toBe('Constant');
  });

  it('gives an Identity of an initializer a copy of its own', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 2]);
    const shared = builder.constant(Tensor.of(Float32Array.of(1, 2)), 'first');
    const twin = builder.op('Identity', [shared], { name: 'second' });
    const chained = builder.op('Identity', [twin], { name: 'third' });
    builder.output(builder.op('Sum', [x, shared, twin, chained]), 'y');
    const { graph } = builder;
    expect(await lifted(graph)).toBe(true);
    const [first, second, third] = ['first', 'second_output_0', 'third_output_0'].map(
      (name) => graph.value(name).initializer!,
    );
    second!.float32[0] = 9;
    expect([first, second, third].map((tensor) => tensor!.toNumbers())).toEqual([
      [1, 2],
      [9, 2],
      [1, 2],
    ]);
  });

  it('leaves constants that are graph outputs, and those that are computed or reshaped', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2, 2]);
    const weight = builder.constant(Tensor.of(Float32Array.of(1, 2, 3, 4), [2, 2]), 'w');
    const constant = builder.op('Constant', [], constantNode(Tensor.full([2], 1)));
    const twin = builder.op('Identity', [weight]);
    const moved = builder.op('Transpose', [weight], { attributes: { perm: attr.ints([1, 0]) } });
    builder.output(builder.op('Sum', [x, constant, twin, moved, builder.op('Neg', [weight])]), 'y');
    builder.output(constant, 'c');
    builder.output(twin, 't');
    const before = builder.graph.print();
    expect(await lifted(builder.graph)).toBe(false);
    expect(builder.graph.print()).toBe(before);
  });

  it('lifts inside of subgraphs, and constants that subgraphs read', async () => {
    const graph = branched();
    expect(await lifted(graph)).toBe(true);
    expect(graph.nodes.map(({ opType }) => opType)).toEqual(['If']);
    expect(graph.value('outer_output_0').initializer?.toNumbers()).toEqual([5, 6]);
    const [then] = graph.nodes[0]!.subgraphs;
    expect(then!.initializers.map(({ name }) => name)).toEqual(['inner_output_0']);
    expect(then!.nodes.map(({ opType }) => opType)).toEqual(['Sum']);
  });
});

/** y = x + inner + outer, or x - outer: `outer` is a Constant beside the If, `inner` one in its branch. */
function branched(): Graph {
  const graph = new Graph();
  const condition = graph.addInput('condition', tensorType('bool', []));
  const x = graph.addInput('x', tensorType('float32', [2]));
  const outer = graph.addNode({
    opType: 'Constant',
    name: 'outer',
    inputs: [],
    ...constantNode(Tensor.of(Float32Array.of(5, 6))),
  });
  const then = new Graph({ name: 'then', parent: graph });
  const inner = then.addNode({
    opType: 'Constant',
    name: 'inner',
    inputs: [],
    ...constantNode(Tensor.of(Float32Array.of(1, 2))),
  });
  const sum = then.addNode({ opType: 'Sum', inputs: [x, inner.output(), outer.output()] });
  const otherwise = new Graph({ name: 'otherwise', parent: graph });
  const difference = otherwise.addNode({ opType: 'Sub', inputs: [x, outer.output()] });
  for (const output of [sum.output(), difference.output()]) {
    output.type = tensorType('float32', [2]);
    output.graph.addOutput(output);
  }
  const branch = graph.addNode({
    opType: 'If',
    inputs: [condition],
    attributes: { then_branch: attr.graph(then), else_branch: attr.graph(otherwise) },
  });
  branch.output().type = tensorType('float32', [2]);
  graph.addOutput(branch.output());
  return graph;
}

describe('removeUnused', () => {
  it('removes nodes and initializers no output depends on, and keeps inputs', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [1, 2]);
    const spare = builder.input('spare', 'float32', [1, 2]);
    const used = builder.constant(Tensor.of(Float32Array.of(1, 2)), 'used');
    const unused = builder.constant(Tensor.of(Float32Array.of(1, 2)), 'unused');
    // Dead nodes that read each other, and what is used.
    const dead = builder.op('Add', [spare, unused]);
    builder.op('Mul', [dead, used]);
    builder.output(builder.op('Add', [x, used]), 'y');
    const { graph } = builder;
    const before = await outputsOf(graph);
    expect(removeUnused(graph)).toEqual({ graph, modified: true });
    expect(graph.lint()).toEqual([]);
    expect([...graph.values].map(({ name }) => name)).toEqual(['x', 'spare', 'used', 'y']);
    expect(graph.nodes).toHaveLength(1);
    expect(await outputsOf(graph)).toEqual(before);
    expect(removeUnused(graph).modified).toBe(false);
  });

  it('keeps initializers that are inputs or outputs, and nodes of which one output is used', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2]);
    builder.graph.markInput(builder.constant(Tensor.full([2], 1), 'overridable'));
    builder.output(builder.constant(Tensor.full([2], 1), 'given'));
    const [, second] = builder.ops('Split', [x], { attributes: { axis: attr.int(0) }, outputs: 2 });
    builder.output(second!);
    expect(removeUnused(builder.graph).modified).toBe(false);
    expect(builder.graph.initializers.map(({ name }) => name)).toEqual(['overridable', 'given']);
  });

  it('keeps what subgraphs read or hand through, and removes dead nodes with their subgraphs', async () => {
    const graph = branched();
    const before = await outputsOf(graph);
    expect(removeUnused(graph).modified).toBe(false);
    liftConstants(graph);
    expect(removeUnused(graph).modified).toBe(false);
    expect(await outputsOf(graph)).toEqual(before);
    const [, otherwise] = graph.nodes[0]!.subgraphs;
    const through = graph.addInitializer('through', Tensor.full([2], 1));
    otherwise!.setOutput(0, through);
    expect(removeUnused(graph).modified).toBe(false);
    graph.setOutput(0, graph.value('x'));
    expect(removeUnused(graph).modified).toBe(true);
    expect([...graph.values].map(({ name }) => name)).toEqual(['condition', 'x']);
    expect(graph.nodes).toEqual([]);
    expect(graph.lint()).toEqual([]);
  });
});

const models = new URL('../../../shared/models/', import.meta.url);

describe.skipIf(!existsSync(models))('passes over shared models (skipped where ../shared is absent)', () => {
  it.each(['lenet5', 'resnet_mini', 'splitnet', 'shufflenet_v2_x05', 'vit_mini'])(
    'compute what %s computes',
    async (name) => {
      const graph = parseOnnx(readFileSync(new URL(`${name}.onnx`, models)));
      const before = await outputsOf(graph);
      const copy = cloneGraph(graph).graph;
      liftConstants(copy);
      removeUnused(copy);
      expect(copy.lint()).toEqual([]);
      expect([...copy.nodes].some(({ opType }) => opType === 'Constant')).toBe(false);
      const after = await outputsOf(copy);
      expect(Object.keys(after)).toEqual(Object.keys(before));
      for (const [output, values] of Object.entries(before)) {
        values.forEach((value, index) => {
          expect(Math.abs(value - after[output]![index]!)).toBeLessThan(1e-5);
        });
      }
      // The original was not touched.
      expect(await outputsOf(graph)).toEqual(before);
    },
  );
});
