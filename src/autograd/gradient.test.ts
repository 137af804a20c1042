import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { attr, Graph, tensorType, type Value } from '../ir/index.ts';
import { createSession } from '../runtime/index.ts';
import { gradient } from './index.ts';

/** A graph over `x` float32[2] whose output is `y`. */
function graphOf(build: (graph: Graph, x: Value) => Value, opset = 18): Graph {
  const graph = new Graph({ opset });
  const y = build(graph, graph.addInput('x', tensorType('float32', [2])));
  if (y.name !== 'y') graph.rename(y, 'y');
  graph.addOutput(y);
  return graph;
}

const node = (graph: Graph, opType: string, ...inputs: Value[]): Value =>
  graph.addNode({ opType, inputs }).output();

async function run(graph: Graph, feeds: Record<string, Tensor>): Promise<Record<string, number[]>> {
  const session = await createSession(graph);
  const results = await session.run(feeds);
  await session.dispose();
  return Object.fromEntries([...results].map(([name, tensor]) => [name, [...tensor.toNumbers()]]));
}

const x = Tensor.of(Float32Array.of(2, -3));
const one = Tensor.of(Float32Array.of(1, 1));

describe('gradient', () => {
  it('adds up over all ways on which a value is used', async () => {
    // x² + 3x, with x used three times.
    const graph = graphOf((g, v) =>
      node(g, 'Add', node(g, 'Mul', v, v), node(g, 'Add', node(g, 'Add', v, v), v)),
    );
    const result = await run(gradient(graph, { of: 'y', withRespectTo: ['x'], gradOutput: 'g' }), {
      x,
      g: one,
    });
    expect(result.x_grad).toEqual([7, -3]);
    expect(result.y).toEqual([10, 0]);
  });

  it('reduces broadcasts back, and is 0 where nothing depends', async () => {
    const graph = graphOf((g, v) => {
      const scale = g.addInitializer('scale', Tensor.of(Float32Array.of(5)));
      g.addInitializer('unused', Tensor.of(Float32Array.of(1, 2, 3)));
      return node(g, 'Mul', v, scale);
    });
    const result = await run(
      gradient(graph, { of: 'y', withRespectTo: ['scale', 'unused', 'x'], gradOutput: 'g' }),
      { x, g: one },
    );
    expect(result.scale_grad).toEqual([-1]);
    expect(result.unused_grad).toEqual([0, 0, 0]);
    expect(result.x_grad).toEqual([5, 5]);
  });

  it('is taken after values on the way, and of the value itself', async () => {
    const graph = graphOf((g, v) => {
      const inner = node(g, 'Mul', v, v);
      g.rename(inner, 'inner');
      return node(g, 'Mul', inner, v);
    });
    const result = await run(
      gradient(graph, { of: 'y', withRespectTo: ['inner', 'x', 'y'], gradOutput: 'g' }),
      { x, g: one },
    );
    expect(result.inner_grad).toEqual([2, -3]);
    expect(result.x_grad).toEqual([12, 27]);
    expect(result.y_grad).toEqual([1, 1]);
  });

  it('leaves the graph as it was, and builds nothing for what is not asked for', () => {
    const graph = graphOf((g, v) =>
      node(g, 'MatMul', g.addInitializer('w', Tensor.zeros('float32', [2, 2])), v),
    );
    const before = graph.print();
    const result = gradient(graph, { of: 'y', withRespectTo: ['x'], gradOutput: 'g' });
    expect(graph.print()).toBe(before);
    expect(result.outputs.map(({ name }) => name)).toEqual(['y', 'x_grad']);
    expect(result.lint()).toEqual([]);
  });

  it('refuses graphs of older opsets, values with several elements, integers and unknown names', () => {
    const square = (opset: number): Graph => graphOf((g, v) => node(g, 'Mul', v, v), opset);
    expect(() => gradient(square(13), { of: 'y', withRespectTo: ['x'] })).toThrow(
      "gradient: graph 'main' is written for opset 13, expected at least 18; bring it there with upgradeOpset",
    );
    expect(() => gradient(square(18), { of: 'y', withRespectTo: ['x'] })).toThrow(
      "gradient: 'y' has shape [2]; expected one element, or give gradOutput of that shape",
    );
    expect(() => gradient(square(18), { of: 'y', withRespectTo: ['z'] })).toThrow(
      "gradient: graph 'main' has no value 'z'",
    );
    const counted = graphOf((g, v) => node(g, 'Shape', v));
    expect(() => gradient(counted, { of: 'y', withRespectTo: ['x'] })).toThrow(
      "gradient: 'y' is int64; only floating-point values have gradients",
    );
  });

  it('names the node and the reason where an operator has no gradient', () => {
    const random = graphOf((g, v) => node(g, 'Bernoulli', node(g, 'Mul', v, v)));
    expect(() => gradient(random, { of: 'y', withRespectTo: ['x'], gradOutput: 'g' })).toThrow(
      /^Bernoulli '.*': has no gradient: its output does not change smoothly with its inputs$/,
    );
    const unknown = graphOf((g, v) => {
      const value = g.addNode({ opType: 'Mystery', domain: 'elsewhere', inputs: [v] }).output();
      value.type = tensorType('float32', [2]);
      return value;
    });
    unknown.opsetImports.set('elsewhere', 1);
    expect(() => gradient(unknown, { of: 'y', withRespectTo: ['x'], gradOutput: 'g' })).toThrow(
      /Mystery '.*': no gradient is known, as the operator is not in the table/,
    );
  });

  it('sees what a branch reads from outside', () => {
    const graph = new Graph({ opset: 18 });
    const condition = graph.addInput('c', tensorType('bool', []));
    const value = graph.addInput('x', tensorType('float32', [2]));
    const branch = (opType: string): Graph => {
      const body = new Graph({ parent: graph, name: opType });
      body.addOutput(body.addNode({ opType, inputs: [value], outputs: [`${opType}_out`] }).output());
      return body;
    };
    const attributes = { then_branch: attr.graph(branch('Exp')), else_branch: attr.graph(branch('Neg')) };
    graph.addOutput(
      graph.addNode({ opType: 'If', inputs: [condition], outputs: ['y'], attributes }).output(),
    );
    expect(() => gradient(graph, { of: 'y', withRespectTo: ['x'], gradOutput: 'g' })).toThrow(
      /^If 'y': has no gradient: /,
    );
  });
});
