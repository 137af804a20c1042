import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { attr, Graph, tensorType } from '../ir/index.ts';
import { fromGraph, type GraphModule, Module, run, trace, type Variable } from './index.ts';

/** A file: y = x * scale, for a batch of that size. */
function file(scale: number, batch: number | string, opset = 13, name = 'node'): GraphModule {
  const graph = new Graph({ opset });
  const x = graph.addInput('x', tensorType('float32', [batch, 2]));
  const weight = graph.addInitializer('weight', Tensor.of(Float32Array.of(scale, scale)));
  graph.addOutput(graph.addNode({ opType: 'Mul', name, inputs: [x, weight], outputs: ['y'] }).output());
  return fromGraph(graph);
}

/** Two files, one after the other. */
class Both extends Module {
  first: GraphModule;
  second: GraphModule;

  constructor(first: GraphModule, second: GraphModule) {
    super();
    this.first = first;
    this.second = second;
  }

  override forward(x: Variable): Variable {
    return this.second.call(this.first.call(x)[0]!)[0]!;
  }
}

const x = new Tensor('float32', [2, 2], Float32Array.of(1, 2, 3, 4));

describe('a graph that was read, called in another forward', () => {
  it('computes what it does by itself, also beside another with the same names', async () => {
    const both = new Both(file(2, 'batch'), file(5, 'batch'));
    expect([...(await run(both, x)).float32]).toEqual([10, 20, 30, 40]);
    const names = trace(both, x, { opset: 18 }).nodes.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('has names of its own beside nodes of the forward that calls it', async () => {
    class Beside extends Module {
      first = file(2, 'batch', 13, '/Mul');
      second = file(3, 'batch', 13, '/Mul_1');

      override forward(x: Variable): Variable {
        return this.second
          .call(this.first.call(x.mul(x))[0]!)[0]!
          .mul(x)
          .mul(x);
      }
    }
    const names = trace(new Beside(), x, { opset: 18 }).nodes.map(({ name }) => name);
    expect(names).toEqual(['/Mul', '/Mul_1', '/Mul_1_1', '/Mul_2', '/Mul_3']);
    expect([...(await run(new Beside(), x)).float32]).toEqual([1, 16, 81, 256].map((power) => 6 * power));
  });

  it('takes another batch size where the file has one built in', async () => {
    expect([...(await run(new Both(file(2, 1), file(3, 1)), x)).float32]).toEqual([6, 12, 18, 24]);
  });

  it('shares its parameters with the trace', () => {
    const both = new Both(file(2, 'batch'), file(3, 'batch'));
    const tensors = trace(both, x).initializers.map(({ initializer }) => initializer);
    for (const parameter of both.parameters()) expect(tensors).toContain(parameter.data);
  });

  it('refuses other numbers of inputs, older traces, graphs inside, and batches that are built in', () => {
    class Twice extends Module {
      inner = file(2, 'batch');

      override forward(a: Variable): Variable {
        return this.inner.call(a, a)[0]!;
      }
    }
    expect(() => trace(new Twice(), x)).toThrow("GraphModule: the graph takes 1 inputs ('x'), got 2");
    class Newer extends Module {
      inner = file(2, 'batch', 21);

      override forward(a: Variable): Variable {
        return this.inner.call(a)[0]!;
      }
    }
    expect(() => trace(new Newer(), x, { opset: 18 })).toThrow(
      'is written for opset 21, the graph being traced for 18; trace with { opset: 21 }',
    );
    const fixed = new Graph({ opset: 18 });
    const input = fixed.addInput('x', tensorType('float32', [3, 2]));
    const shape = fixed.addInitializer('shape', Tensor.int64([6]));
    fixed.addOutput(fixed.addNode({ opType: 'Reshape', inputs: [input, shape], outputs: ['y'] }).output());
    class Fixed extends Module {
      inner = fromGraph(fixed);

      override forward(a: Variable): Variable {
        return this.inner.call(a)[0]!;
      }
    }
    expect(() => trace(new Fixed(), x)).toThrow(
      'has its batch size of 3 built in, got 2; use that batch size or export it with a symbolic batch',
    );
    const branching = new Graph({ opset: 18 });
    const value = branching.addInput('x', tensorType('float32', [2, 2]));
    const condition = branching.addInitializer('c', new Tensor('bool', [], Uint8Array.of(1)));
    const branch = (): Graph => {
      const body = new Graph({ parent: branching });
      body.addOutput(body.addNode({ opType: 'Neg', inputs: [value] }).output());
      return body;
    };
    const attributes = { then_branch: attr.graph(branch()), else_branch: attr.graph(branch()) };
    branching.addOutput(
      branching.addNode({ opType: 'If', inputs: [condition], outputs: ['y'], attributes }).output(),
    );
    class Branching extends Module {
      inner = fromGraph(branching);

      override forward(a: Variable): Variable {
        return this.inner.call(a)[0]!;
      }
    }
    expect(() => trace(new Branching(), x, { opset: 18 })).toThrow(
      /If 'y': has a graph of its own inside, which cannot be inlined/,
    );
  });
});
