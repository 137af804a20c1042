import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GraphError, ShapeError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, Graph, tensorType } from '../ir/index.ts';
import { GraphBuilder, inferShapes } from './index.ts';

function started(): GraphBuilder {
  const builder = new GraphBuilder();
  builder.input('x', 'float32', ['n', 3]);
  return builder;
}

describe('GraphBuilder', () => {
  it('knows the type of every value as soon as it is made', () => {
    const builder = started();
    const x = builder.graph.value('x');
    const w = builder.constant(Tensor.zeros('float32', [3, 5]), 'w');
    const y = builder.op('MatMul', [x, w], { name: 'product' });
    expect([y.type, y.name, y.producer?.name]).toEqual([
      tensorType('float32', ['n', 5]),
      'product_output_0',
      'product',
    ]);
    const shape = builder.op('Shape', [y]);
    expect(builder.inferred(shape)).toEqual({ dtype: 'int64', shape: [2], known: ['n', 5] });
    builder.output(y, 'y');
    expect(builder.graph.outputs).toEqual([y]);
    expect(builder.graph.lint()).toEqual([]);
    expect(inferShapes(builder.graph).get(y)?.shape).toEqual(['n', 5]);
  });

  it('gives several outputs, and makes names of constants unique', () => {
    const builder = started();
    const parts = builder.ops('Split', [builder.graph.value('x')], {
      attributes: { axis: attr.int(1) },
      outputs: 3,
    });
    expect(parts.map(({ type }) => type)).toEqual(new Array(3).fill(tensorType('float32', ['n', 1])));
    const names = [1, 2, 3].map((value) => builder.constant(Tensor.int64(value), 'c').name);
    expect(names).toEqual(['c', 'c_1', 'c_2']);
    const tensor = Tensor.int64(4);
    expect(builder.constant(tensor).initializer).toBe(tensor);
  });

  it('adds nothing where the inputs do not fit', () => {
    const refused: readonly ((builder: GraphBuilder) => unknown)[] = [
      (b) => b.op('MatMul', [b.graph.value('x'), b.graph.value('w')]),
      (b) => b.op('Add', [b.graph.value('x'), null], { name: 'sum' }),
      (b) => b.op('Concat', [b.graph.value('x'), b.graph.value('w')], { attributes: { axis: attr.int(0) } }),
      (b) => b.op('Neg', []),
      (b) => b.ops('Split', [b.graph.value('x')], { attributes: { axis: attr.int(7) }, outputs: 2 }),
    ];
    fc.assert(
      fc.property(fc.array(fc.nat(refused.length - 1), { minLength: 1, maxLength: 8 }), (sequence) => {
        const [tried, untouched] = [started(), started()];
        for (const builder of [tried, untouched]) builder.constant(Tensor.zeros('float32', [4, 5]), 'w');
        for (const builder of [tried, untouched]) builder.op('Neg', [builder.graph.value('x')]);
        for (const index of sequence) expect(() => refused[index]!(tried)).toThrow(ShapeError);
        expect(tried.graph.print()).toBe(untouched.graph.print());
        expect([...tried.graph.values].map(({ name }) => name)).toEqual(
          [...untouched.graph.values].map(({ name }) => name),
        );
        expect(tried.graph.value('x').consumers).toHaveLength(1);
        expect(tried.graph.value('w').isUnused).toBe(true);
        // Names go on as if nothing had been tried.
        for (const builder of [tried, untouched]) builder.op('Neg', [builder.graph.value('x')]);
        for (const builder of [tried, untouched]) {
          const x = builder.graph.value('x');
          builder.output(builder.op('MatMul', [x, builder.constant(Tensor.zeros('float32', [3, 2]))]));
        }
        expect(tried.graph.print()).toBe(untouched.graph.print());
      }),
    );
  });

  it('adds nothing where the graph refuses a name or an input', () => {
    const builder = started();
    const before = builder.graph.print();
    const foreign = new Graph({ name: 'other' }).addInput('z', tensorType('float32', [1]));
    expect(() => builder.op('Neg', [foreign])).toThrow("value 'z' belongs to another graph ('other')");
    expect(() => builder.input('x', 'float32', [1])).toThrow(GraphError);
    expect(() => builder.output(builder.graph.value('x'), '')).toThrow('which is empty');
    expect(() => builder.op('Op', [], { domain: 'mine' })).not.toThrow();
    builder.graph.removeNode(builder.graph.nodes[0]!);
    expect(builder.graph.print()).toBe(before);
  });

  it('says where it gives no output, and adds nothing then', () => {
    const builder = started();
    const before = builder.graph.print();
    expect(() => builder.op('Neg', [builder.graph.value('x')], { outputs: 0 })).toThrow('Neg: has no output');
    expect(builder.graph.print()).toBe(before);
  });

  it('says where a type is not known', () => {
    const builder = new GraphBuilder();
    const value = builder.op('Nonsense', []);
    expect(value.type).toBeNull();
    expect(() => builder.inferred(value)).toThrow("Value 'Nonsense_output_0': its type is not known");
    expect(() => builder.inferred(value)).toThrow(GraphError);
  });

  it('continues a graph whose nodes were inferred', () => {
    const { graph } = started();
    const inference = inferShapes(graph, { symbols: { n: 4 } });
    const builder = new GraphBuilder(graph, inference);
    expect(builder.op('Neg', [graph.value('x')]).type).toEqual(tensorType('float32', [4, 3]));
  });
});
