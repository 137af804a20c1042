import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { attr, Graph, tensorType, type Value } from '../ir/index.ts';
import { GraphBuilder } from '../ops/index.ts';
import { DataFlow } from './data-flow.ts';

const names = (values: Iterable<{ readonly name: string }>): string[] => [...values].map(({ name }) => name);

/** A node of a name. */
const op = (builder: GraphBuilder, name: string, ...inputs: Value[]): Value =>
  builder.op(inputs.length === 1 ? 'Relu' : 'Sum', inputs, { name });

describe('DataFlow', () => {
  it('finds the fewest nodes between one value and a node, and whom they serve', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2]);
    const a = op(builder, 'a', x);
    const left = op(builder, 'left', a);
    const right = op(builder, 'right', a);
    const join = op(builder, 'join', left, right, builder.constant(Tensor.full([2], 1), 'bias'));
    const tail = op(builder, 'tail', join);
    const aside = op(builder, 'aside', right);
    builder.output(tail, 'y');
    const { graph } = builder;
    let flow = new DataFlow(graph);
    // `aside` is read by no one: it hinders as if it were given.
    expect(flow.smallest(graph.node('join'))).toBeNull();
    graph.removeNode(aside.producer!);
    flow = new DataFlow(graph);
    const region = flow.smallest(graph.node('join'))!;
    expect(names(region.nodes)).toEqual(['left', 'right', 'join']);
    expect(names(region.entries)).toEqual([a.name]);
    expect(names(flow.servants(graph.node('join')).nodes)).toEqual(['a', 'left', 'right', 'join']);
    expect(names(flow.servants(graph.node('left')).nodes)).toEqual(['left']);
    expect(flow.endsIn(graph.node('tail'), graph.node('right'))).toBe(true);
    expect(flow.endsIn(graph.node('left'), graph.node('right'))).toBe(false);
    expect(names(flow.reads(graph.node('join')))).toEqual([left.name, right.name]);
  });

  it('takes several inputs for no single value, and constants for no data', () => {
    const builder = new GraphBuilder();
    const [x, z] = [builder.input('x', 'float32', [2]), builder.input('z', 'float32', [2])];
    const fixed = op(builder, 'fixed', builder.constant(Tensor.full([2], 1), 'w'));
    builder.output(op(builder, 'join', x, z, fixed), 'y');
    const flow = new DataFlow(builder.graph);
    expect(flow.smallest(builder.graph.node('join'))).toBeNull();
    expect(names(flow.nodes)).toEqual(['join']);
    expect(flow.reads(builder.graph.node('fixed'))).toEqual([]);
  });

  it('counts what subgraphs read as read by their node', () => {
    const graph = new Graph();
    const condition = graph.addInput('condition', tensorType('bool', []));
    const x = graph.addInput('x', tensorType('float32', [2]));
    const outer = graph.addNode({ opType: 'Relu', name: 'outer', inputs: [x] });
    const branch = (opType: string): Graph => {
      const inner = new Graph({ name: opType, parent: graph });
      const node = inner.addNode({ opType, inputs: [outer.output()] });
      inner.addOutput(node.output());
      return inner;
    };
    const choice = graph.addNode({
      opType: 'If',
      name: 'choice',
      inputs: [condition],
      attributes: { then_branch: attr.graph(branch('Neg')), else_branch: attr.graph(branch('Abs')) },
    });
    graph.addOutput(choice.output());
    const flow = new DataFlow(graph);
    expect(names(flow.reads(choice))).toEqual(['condition', outer.output().name]);
    expect(flow.readers(outer.output())).toEqual([choice]);
    expect(flow.endsIn(choice, outer)).toBe(true);
  });
});
