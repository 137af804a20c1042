import { describe, expect, it } from 'vitest';
import { ShapeError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { type Attribute, attr, type FunctionDefinition, Graph, tensorType } from '../ir/index.ts';
import { annotateTypes, inferShapes } from './index.ts';

const reference = (name: string, of: 'int'): Attribute => ({ kind: 'reference', name, of });

/** A function that joins its input to itself along the call's axis, by way of another function if asked. */
function withFunctions(call: Readonly<Record<string, Attribute>>, nested: boolean): Graph {
  const body = new Graph({ name: 'body', opset: 17 });
  const x = body.addInput('x', null);
  const joined = body.addNode({
    opType: 'Concat',
    inputs: [x, x],
    attributes: { axis: reference('along', 'int') },
  });
  body.addOutput(joined.output());
  const definition: FunctionDefinition = {
    name: 'Twice',
    domain: 'mine',
    overload: '',
    attributeNames: ['along'],
    attributeDefaults: new Map([['along', attr.int(1)]]),
    graph: body,
  };
  const outer = new Graph({ name: 'outer', opset: 17 });
  outer.opsetImports.set('mine', 1);
  const y = outer.addInput('y', null);
  outer.addOutput(
    outer
      .addNode({ opType: 'Twice', domain: 'mine', inputs: [y], attributes: { along: reference('a', 'int') } })
      .output(),
  );
  const graph = new Graph({ opset: 17 });
  graph.opsetImports.set('mine', 1);
  graph.meta.functions.push(definition, {
    ...definition,
    name: 'Outer',
    attributeNames: ['a'],
    attributeDefaults: new Map(),
    graph: outer,
  });
  const input = graph.addInput('input', tensorType('float32', ['n', 3]));
  graph.addOutput(
    graph
      .addNode({ opType: nested ? 'Outer' : 'Twice', domain: 'mine', inputs: [input], attributes: call })
      .output(),
  );
  return graph;
}

const outputShape = (graph: Graph): unknown => inferShapes(graph).get(graph.outputs[0]!)?.shape;

describe('functions', () => {
  it('take the attributes of the call, or the defaults', () => {
    expect(outputShape(withFunctions({ along: attr.int(0) }, false))).toEqual(['2*n', 3]);
    expect(outputShape(withFunctions({}, false))).toEqual(['n', 6]);
  });

  it('call each other', () => {
    expect(outputShape(withFunctions({ a: attr.int(0) }, true))).toEqual(['2*n', 3]);
    expect(outputShape(withFunctions({}, true))).toEqual(['n', 6]);
  });

  it('keep their own graphs as they are', () => {
    const graph = withFunctions({ along: attr.int(0) }, false);
    inferShapes(graph);
    expect(graph.meta.functions[0]?.graph.nodes[0]?.attributes.get('axis')?.kind).toBe('reference');
  });

  it('are named where something in them is not known', () => {
    const graph = withFunctions({}, false);
    const body = graph.meta.functions[0]!.graph;
    body.setOutput(0, body.addNode({ opType: 'Nonsense', name: 'odd', inputs: [body.inputs[0]!] }).output());
    const [found] = inferShapes(graph).notInferred;
    expect(found?.node.opType).toBe('Twice');
    expect(found?.why).toBe("in its body, Nonsense 'odd': operator Nonsense is not in the operator table");
  });
});

describe('inferShapes', () => {
  it('lists operators it does not know, and takes the types the file declares', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [2]));
    const node = graph.addNode({ opType: 'Nonsense', inputs: [x] });
    node.output().type = tensorType('int64', ['n']);
    const relu = graph.addNode({ opType: 'Neg', inputs: [node.output()] });
    const inference = inferShapes(graph, { symbols: { n: 5 } });
    expect(inference.notInferred.map(({ why }) => why)).toEqual([
      'operator Nonsense is not in the operator table',
    ]);
    expect(inference.get(relu.output())).toEqual({ dtype: 'int64', shape: [5] });
    annotateTypes(graph, inference);
    expect(relu.output().type).toEqual(tensorType('int64', [5]));
  });

  it('says which input of a node nothing is known of', () => {
    const graph = new Graph();
    const x = graph.addInput('x', null);
    graph.addNode({ opType: 'Neg', inputs: [x] });
    expect(inferShapes(graph).notInferred.map(({ why }) => why)).toEqual([
      "nothing is known of its input 0 'x'",
    ]);
  });

  it('refuses shapes for inputs that are not there or have another rank', () => {
    const graph = new Graph();
    graph.addInput('x', tensorType('float32', ['n', 3]));
    expect(() => inferShapes(graph, { shapes: { y: [1, 3] } })).toThrow(
      "no input is named 'y'; its inputs are 'x'",
    );
    expect(() => inferShapes(graph, { shapes: { x: [1] } })).toThrow(
      "Input 'x': expects 2 dimensions (float32[n, 3]), got [1]",
    );
    expect(() => inferShapes(graph, { shapes: { x: [1] } })).toThrow(ShapeError);
  });

  it('puts sizes into declared expressions', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', ['2*n', 'm']));
    expect(inferShapes(graph, { symbols: { n: 3 } }).get(x)?.shape).toEqual([6, 'm']);
  });

  it('takes other shapes for inputs, in which symbols count too', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', ['n', 3]));
    const y = graph.addNode({ opType: 'Neg', inputs: [x] }).output();
    expect(inferShapes(graph, { shapes: { x: [7, 3] } }).get(y)?.shape).toEqual([7, 3]);
    expect(inferShapes(graph, { shapes: { x: ['m', 4] }, symbols: { m: 2 } }).get(y)?.shape).toEqual([2, 4]);
    expect(x.type).toEqual(tensorType('float32', ['n', 3]));
    graph.addInput('unranked', tensorType('float32', null));
    expect(inferShapes(graph, { shapes: { unranked: [1] } }).get(graph.value('unranked'))?.shape).toEqual([
      1,
    ]);
  });

  it('follows functions and subgraphs to a depth, and says so beyond', () => {
    const graph = withFunctions({}, false);
    const { graph: body } = graph.meta.functions[0]!;
    // A function that calls itself.
    const call = body.addNode({ opType: 'Twice', domain: 'mine', name: 'again', inputs: [body.inputs[0]!] });
    body.opsetImports.set('mine', 1);
    body.setOutput(0, call.output());
    const [found] = inferShapes(graph).notInferred;
    expect(found?.why).toContain('subgraphs and functions are nested deeper than 64');
  });

  it('says what is missing where a required input is left out', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [2]));
    graph.addNode({ opType: 'Add', name: 'sum', inputs: [x, null] });
    expect(() => inferShapes(graph)).toThrow("Add 'sum': input 1 is required and missing (x float32[2])");
  });

  it('lists a node in the body of a loop once', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', ['n', 3]));
    const body = new Graph({ name: 'body', parent: graph });
    body.addInput('turn', tensorType('int64', []));
    const again = body.addInput('again', tensorType('bool', []));
    const state = body.addInput('state', null);
    body.addNode({ opType: 'Nonsense', inputs: [state] });
    body.addOutput(again);
    const joined = body.addNode({ opType: 'Concat', inputs: [state, x], attributes: { axis: attr.int(0) } });
    body.addOutput(joined.output());
    const loop = graph.addNode({
      opType: 'Loop',
      inputs: [graph.addInitializer('trips', Tensor.int64(3)), null, x],
      attributes: { body: attr.graph(body) },
    });
    const inference = inferShapes(graph);
    expect(inference.notInferred).toHaveLength(1);
    expect(inference.get(loop.output())?.shape).toEqual([null, 3]);
  });

  it('takes the elements of large constants as unknown', () => {
    const graph = new Graph();
    const large = graph.addInitializer('large', Tensor.zeros('int64', [5000]));
    const small = graph.addInitializer('small', Tensor.int64([1, 2]));
    const inference = inferShapes(graph);
    expect(inference.get(large)?.known).toBeUndefined();
    expect(inference.get(small)?.known).toEqual([1, 2]);
  });
});
