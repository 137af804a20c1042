import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { attr, cloneGraph, Graph, tensorType, type Value } from './index.ts';

/** A graph with all that a file may say about one. */
function full(): Graph {
  const graph = new Graph({ name: 'g', opset: 13 });
  graph.opsetImports.set('mine', 2);
  graph.meta.producerName = 'someone';
  graph.meta.metadata.set('author', 'me');
  graph.docString = 'text';
  graph.metadata.set('key', 'value');
  graph.unknownFields = [Uint8Array.of(1)];
  const x = graph.addInput('x', tensorType('float32', [2]));
  x.docString = 'an input';
  x.metadata.set('key', 'value');
  const w = graph.addInitializer('w', Tensor.full([2], 1));
  graph.addSparseInitializer('s', { values: Tensor.full([1], 1), indices: Tensor.int64([0]), dims: [2] });
  const body = new Graph({ name: 'body', parent: graph });
  body.addOutput(body.addNode({ opType: 'Add', inputs: [x, w] }).output());
  const node = graph.addNode({
    opType: 'Op',
    domain: 'mine',
    overload: 'o',
    name: 'n',
    inputs: [x, null, w],
    outputs: ['y', null],
    attributes: { body: attr.graph(body), bodies: { kind: 'graphs', value: [new Graph({ parent: graph })] } },
  });
  node.docString = 'a node';
  node.metadata.set('key', 'value');
  graph.addOutput(node.output());
  graph.quantizationAnnotations = [
    {
      value: node.output(),
      parameters: new Map<string, Value | string>([
        ['SCALE', w],
        ['OTHER', 'name'],
      ]),
    },
  ];
  const inside = new Graph({ name: 'f' });
  inside.addOutput(inside.addNode({ opType: 'Neg', inputs: [inside.addInput('a', null)] }).output());
  graph.meta.functions.push({
    name: 'F',
    domain: 'mine',
    overload: '',
    attributeNames: [],
    attributeDefaults: new Map(),
    graph: inside,
  });
  return graph;
}

describe('cloneGraph', () => {
  it('copies a subgraph with a name that is used again after it, as files may have it', () => {
    const graph = new Graph();
    const x = graph.addInput('x', null);
    const body = new Graph({ name: 'body', parent: graph });
    body.addOutput(body.addNode({ opType: 'Neg', inputs: [x], outputs: ['same'] }).output());
    graph.addNode({ opType: 'If', inputs: [x], attributes: { body: attr.graph(body) } });
    graph.addOutput(graph.addNode({ opType: 'Abs', inputs: [x], outputs: ['same'] }).output());
    expect(cloneGraph(graph).graph.print()).toBe(graph.print());
  });

  it('copies all that a file says, and shares tensors', () => {
    const original = full();
    const { graph } = cloneGraph(original);
    expect(graph.print()).toBe(original.print());
    expect([graph.opset(), graph.opset('mine'), graph.docString]).toEqual([13, 2, 'text']);
    expect([graph.meta.producerName, graph.meta.metadata.get('author')]).toEqual(['someone', 'me']);
    expect([graph.metadata.get('key'), graph.unknownFields]).toEqual(['value', [Uint8Array.of(1)]]);
    expect([graph.value('x').docString, graph.value('x').metadata.get('key')]).toEqual(['an input', 'value']);
    const node = graph.node('n');
    expect([node.overload, node.docString, node.metadata.get('key')]).toEqual(['o', 'a node', 'value']);
    expect(node.outputs[1]).toBeNull();
    expect(graph.value('w').initializer).toBe(original.value('w').initializer);
    expect(graph.value('s').sparseInitializer).toBe(original.value('s').sparseInitializer);
    const [annotation] = graph.quantizationAnnotations;
    expect(annotation?.value).toBe(graph.value('y'));
    expect([...annotation!.parameters.values()]).toEqual([graph.value('w'), 'name']);
  });

  it('copies tensors where asked to', () => {
    const original = full();
    const { graph } = cloneGraph(original, { tensors: 'copy' });
    graph.value('w').initializer?.float32.fill(5);
    expect([...original.value('w').initializer!.float32]).toEqual([1, 1]);
    expect([...graph.value('w').initializer!.float32]).toEqual([5, 5]);
  });

  it('copies opsets, facts, metadata and functions, so that changes stay apart', () => {
    const original = full();
    const { graph } = cloneGraph(original);
    graph.opsetImports.set('', 20);
    graph.meta.producerName = 'other';
    graph.meta.metadata.set('author', 'you');
    graph.metadata.clear();
    graph.node('n').attributes.clear();
    graph.quantizationAnnotations[0]!.parameters.clear();
    const body = graph.meta.functions[0]!.graph;
    body.addInput('more', null);
    graph.meta.functions.pop();
    const untouched = full();
    expect(original.print()).toBe(untouched.print());
    expect([original.opset(), original.meta.producerName, original.meta.metadata.get('author')]).toEqual([
      13,
      'someone',
      'me',
    ]);
    expect(original.metadata.size).toBe(1);
    expect(original.quantizationAnnotations[0]?.parameters.size).toBe(2);
    expect(original.meta.functions[0]?.graph.inputs).toHaveLength(1);
  });

  it('lets subgraphs read the copies, and shares what it does not copy', () => {
    const original = full();
    const { graph, values, nodes } = cloneGraph(original);
    const [body] = graph.node('n').subgraphs;
    expect([body?.parent, body?.opsetImports]).toEqual([graph, graph.opsetImports]);
    expect(body?.nodes[0]?.inputs[0]).toBe(graph.value('x'));
    const [inner] = original.node('n').subgraphs;
    expect(nodes.get(inner!.nodes[0]!)).toBe(body?.nodes[0]);
    expect(values.get(inner!.outputs[0]!)).toBe(body?.outputs[0]);
    // A subgraph on its own goes on reading the graph around the original.
    const alone = cloneGraph(inner!).graph;
    expect([alone.parent, alone.nodes[0]?.inputs[0]]).toEqual([original, original.value('x')]);
  });
});
