import { describe, expect, it } from 'vitest';
import { GraphError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, Graph, type Node, readBy, tensorType } from './index.ts';

const float = (...shape: (number | string)[]) => tensorType('float32', shape);

/** y = Relu(x + w). */
function small() {
  const graph = new Graph();
  const x = graph.addInput('x', float(2));
  const w = graph.addInitializer('w', Tensor.full([2], 1));
  const add = graph.addNode({ opType: 'Add', name: 'sum', inputs: [x, w] });
  const relu = graph.addNode({ opType: 'Relu', name: 'act', inputs: [add.output()] });
  graph.addOutput(relu.output());
  return { graph, x, w, add, relu };
}

/** An If whose branches read `x` of the graph around; the second gives `x` itself. */
function branched() {
  const graph = new Graph();
  const x = graph.addInput('x', float(2));
  const made = graph.addNode({ opType: 'Neg', name: 'neg', inputs: [x] });
  const condition = graph.addInput('condition', tensorType('bool', []));
  const then = new Graph({ name: 'then', parent: graph });
  const inner = then.addNode({ opType: 'Abs', name: 'abs', inputs: [made.output()] });
  then.addOutput(inner.output());
  const otherwise = new Graph({ name: 'otherwise', parent: graph });
  otherwise.addOutput(made.output());
  const branch = graph.addNode({
    opType: 'If',
    name: 'branch',
    inputs: [condition],
    attributes: { then_branch: attr.graph(then), else_branch: attr.graph(otherwise) },
  });
  graph.addOutput(branch.output());
  return { graph, x, made, then, otherwise, inner, branch };
}

const names = (nodes: readonly Node[]): string[] => nodes.map(({ name }) => name);

/** Runs what must fail, and checks that the graph prints as before. */
function refuses(graph: Graph, edit: () => unknown, message: string): void {
  const before = graph.print();
  expect(edit).toThrow(message);
  expect(edit).toThrow(GraphError);
  expect(graph.print()).toBe(before);
}

describe('Graph', () => {
  it('gives and finds values and nodes by name', () => {
    const { graph, x, w, add } = small();
    expect(graph.value('w')).toBe(w);
    expect(graph.find('nothing')).toBeUndefined();
    expect(graph.node('sum')).toBe(add);
    expect(graph.inputs).toEqual([x]);
    expect(graph.initializers.map(({ name }) => name)).toEqual(['w']);
    refuses(graph, () => graph.value('v'), "Graph 'main': no value is named 'v'");
    refuses(graph, () => graph.node('v'), "Graph 'main': no node is named 'v'");
  });

  it('feeds inputs that have no initializer', () => {
    const { graph, x, w } = small();
    graph.markInput(w);
    expect(graph.inputs).toEqual([x, w]);
    expect(graph.feeds).toEqual([x]);
  });

  it('knows the versions of operator domains, the main one under both its names', () => {
    const graph = new Graph({ opset: 13 });
    expect([graph.opset(), graph.opset('ai.onnx')]).toEqual([13, 13]);
    graph.opsetImports.clear();
    graph.opsetImports.set('ai.onnx', 9);
    expect(graph.opset()).toBe(9);
    expect(new Graph({ parent: graph }).opset()).toBe(9);
    refuses(
      graph,
      () => graph.opset('mine'),
      "Graph 'main': operator domain 'mine' is not among its opset imports",
    );
  });

  it('refuses names that are empty or taken, here or in the graph around', () => {
    const { graph, x } = small();
    const inner = new Graph({ name: 'inner', parent: graph });
    refuses(graph, () => graph.addValue(''), "Graph 'main': a value needs a name");
    for (const add of [
      () => graph.addValue('w'),
      () => graph.addInput('w', null),
      () => graph.addInitializer('w', Tensor.int64(1)),
      () =>
        graph.addSparseInitializer('w', {
          values: Tensor.full([1], 1),
          indices: Tensor.int64([0]),
          dims: [2],
        }),
    ]) {
      refuses(graph, add, "Graph 'main': two values are named 'w'; names must be unique");
    }
    refuses(
      inner,
      () => inner.addValue('x'),
      "Graph 'inner': two values are named 'x'; names must be unique",
    );
    refuses(graph, () => graph.rename(x, 'w'), "Graph 'main': 'x' cannot be renamed to 'w', which is taken");
    refuses(graph, () => graph.rename(x, ''), "Graph 'main': 'x' cannot be renamed to '', which is empty");
  });

  it('renames values, and gives the old name free', () => {
    const { graph, x } = small();
    graph.rename(x, 'image');
    expect([x.name, graph.value('image') === x, graph.find('x')]).toEqual(['image', true, undefined]);
    graph.rename(x, 'image');
    expect(graph.lint()).toEqual([]);
    const other = new Graph();
    refuses(other, () => other.rename(x, 'y'), "Graph 'main': value 'image' is not in it");
  });

  it('makes fresh names, and the same again until one is used', () => {
    const { graph } = small();
    expect([graph.freshName('v'), graph.freshName('w'), graph.freshName('w')]).toEqual(['v', 'w_1', 'w_1']);
    graph.addValue('w_1');
    expect(graph.freshName('w')).toBe('w_2');
    expect(graph.freshName('')).toBe('_1');
    expect(new Graph({ parent: graph }).freshName('x')).toBe('x_1');
  });

  it('takes a value without a producer as an input, once', () => {
    const { graph, x, relu } = small();
    refuses(
      graph,
      () => graph.markInput(x),
      "Graph 'main': 'x' is an input already; it cannot become an input",
    );
    refuses(
      graph,
      () => graph.markInput(relu.output()),
      "Graph 'main': 'act_output_0' is made by Relu 'act'; it cannot become an input",
    );
    const value = graph.addValue('v');
    graph.markInput(value);
    expect(value.isInput).toBe(true);
    refuses(graph, () => graph.markInput(new Graph().addValue('v')), "Graph 'main': value 'v' is not in it");
  });

  it('changes outputs, one value twice included', () => {
    const { graph, x, add, relu } = small();
    graph.addOutput(add.output());
    graph.addOutput(add.output());
    graph.removeOutput(1);
    expect(graph.outputs).toEqual([relu.output(), add.output()]);
    expect(add.output().isOutput).toBe(true);
    graph.setOutput(1, x);
    expect([add.output().isOutput, x.isOutput]).toEqual([false, true]);
    graph.setOutput(1, x);
    expect(x.isOutput).toBe(true);
    for (const index of [2, -1, 0.5]) {
      refuses(graph, () => graph.setOutput(index, x), `Graph 'main': no output ${index} (it has 2)`);
      refuses(graph, () => graph.removeOutput(index), `Graph 'main': no output ${index} (it has 2)`);
    }
    const foreign = new Graph({ name: 'other' }).addInput('z', null);
    const message = "Graph 'main': value 'z' belongs to another graph ('other')";
    refuses(graph, () => graph.addOutput(foreign), message);
    refuses(graph, () => graph.setOutput(0, foreign), message);
  });

  it('adds nodes whose outputs are named, made before, left out, or counted', () => {
    const { graph, x, add } = small();
    const made = graph.addValue('made');
    const split = graph.addNode({ opType: 'Split', inputs: [x], outputs: ['a', null, made] });
    expect(split.outputs.map((value) => value?.name)).toEqual(['a', undefined, 'made']);
    expect(made.producer).toBe(split);
    const counted = graph.addNode({ opType: 'Split', inputs: [x], outputs: 2, before: add });
    expect(counted.outputs.map((value) => value?.name)).toEqual(['Split_output_0', 'Split_output_1']);
    expect(graph.nodes[0]).toBe(counted);
    const again = graph.addNode({ opType: 'Split', inputs: [x] });
    expect(again.output().name).toBe('Split_output_0_1');
  });

  it('refuses nodes that do not fit, and stays as it was', () => {
    const { graph, x, add, relu } = small();
    const other = new Graph({ name: 'other' });
    const foreign = other.addInput('z', null);
    const elsewhere = other.addNode({ opType: 'Neg', name: 'there', inputs: [foreign] });
    const removed = graph.addValue('gone');
    graph.removeValue(removed);
    const spec = { opType: 'Neg', name: 'n', inputs: [x] };
    const node = (fields: object) => () => graph.addNode({ ...spec, ...fields });
    const once = (name: string): string =>
      `Neg 'n': '${name}' is made elsewhere already; a value has one producer`;
    refuses(graph, node({ inputs: [foreign] }), "Neg 'n': value 'z' belongs to another graph ('other')");
    refuses(graph, node({ inputs: [removed] }), "Neg 'n': value 'gone' was removed from graph 'main'");
    refuses(graph, node({ before: elsewhere }), "Neg 'n': Neg 'there' is not in graph 'main'");
    refuses(graph, node({ outputs: ['a', 'a'] }), "Neg 'n': two outputs are named 'a'");
    refuses(graph, node({ outputs: ['a', 'w'] }), "Neg 'n': output name 'w' is taken in graph 'main'");
    refuses(graph, node({ outputs: [''] }), "Neg 'n': output name '' is empty in graph 'main'");
    for (const value of [x, graph.value('w'), relu.output(), foreign, removed]) {
      refuses(graph, node({ outputs: [value] }), once(value.name));
    }
    expect(graph.find('a')).toBeUndefined();
    expect(x.consumers).toEqual([add]);
  });

  it('removes nodes nobody reads, together where they read each other', () => {
    const { graph, x, w, add, relu } = small();
    refuses(
      graph,
      () => graph.removeNode(add),
      "Add 'sum': cannot be removed, Relu 'act' still reads 'sum_output_0'",
    );
    refuses(
      graph,
      () => graph.removeNodes([add, relu]),
      "Relu 'act': cannot be removed, 'act_output_0' is an output of the graph",
    );
    graph.setOutput(0, x);
    graph.removeNodes([add, relu]);
    expect(graph.nodes).toEqual([]);
    expect([...graph.values].map(({ name }) => name)).toEqual(['x', 'w']);
    expect([x.uses, w.uses, w.isUnused, add.output().producer]).toEqual([[], [], true, null]);
    refuses(
      graph,
      () => graph.removeNode(new Graph().addNode({ opType: 'A', inputs: [] })),
      "is not in graph 'main'",
    );
    graph.removeValue(w);
    expect(graph.find('w')).toBeUndefined();
  });

  it('removes inputs and initializers nobody reads', () => {
    const { graph, x, w, relu } = small();
    const spare = graph.addInput('spare', null);
    graph.removeValue(spare);
    expect([graph.inputs, spare.isInput]).toEqual([[x], false]);
    refuses(graph, () => graph.removeValue(spare), "Graph 'main': value 'spare' is not in it");
    refuses(graph, () => graph.removeValue(w), "Value 'w': cannot be removed, Add 'sum' still reads it");
    refuses(
      graph,
      () => graph.removeValue(relu.output()),
      "Value 'act_output_0': is made by Relu 'act'; remove that instead",
    );
    const given = graph.addInput('given', null);
    graph.addOutput(given);
    refuses(
      graph,
      () => graph.removeValue(given),
      "Value 'given': cannot be removed, an output of the graph 'main' still reads it",
    );
  });

  it('sorts nodes so that producers stand first', () => {
    const { graph, x, add, relu } = small();
    const early = graph.addNode({ opType: 'Neg', name: 'neg', inputs: [relu.output()], before: add });
    expect(graph.lint()).toEqual([
      "Neg 'neg': input 0 'act_output_0' is made later, by Relu 'act'; sort the graph",
    ]);
    graph.sort();
    expect(names(graph.nodes)).toEqual(['sum', 'act', 'neg']);
    expect(graph.lint()).toEqual([]);
    add.setInput(1, early.output());
    refuses(graph, () => graph.sort(), "Add 'sum': depends on itself; the graph 'main' has a cycle");
    add.setInput(1, x);
    graph.sort();
    expect(names(graph.nodes)).toEqual(['sum', 'act', 'neg']);
  });

  it('sorts by what subgraphs read, and finds cycles through them', () => {
    const { graph, x, made, then, branch, inner } = branched();
    const late = graph.addNode({ opType: 'Exp', name: 'exp', inputs: [x] });
    inner.setInput(0, late.output());
    graph.sort();
    expect(names(graph.nodes)).toEqual(['neg', 'exp', 'branch']);
    late.setInput(0, branch.output());
    refuses(graph, () => graph.sort(), 'depends on itself');
    late.setInput(0, made.output());
    expect([graph.encloses(then), graph.encloses(graph), then.encloses(graph)]).toEqual([true, false, false]);
  });
});

describe('subgraphs', () => {
  it('read values of the graph around, which keeps them', () => {
    const { graph, made, inner, branch } = branched();
    expect(made.output().consumers).toEqual([inner]);
    expect([...readBy(branch)].map(({ name }) => name)).toEqual([
      'condition',
      'neg_output_0',
      'neg_output_0',
    ]);
    refuses(
      graph,
      () => graph.removeNode(made),
      "Neg 'neg': cannot be removed, Abs 'abs' still reads 'neg_output_0'",
    );
  });

  it('hand values of the graph around through, which keeps them too', () => {
    const { graph, x, made, inner, otherwise } = branched();
    inner.setInput(0, x);
    expect([made.output().isUnused, made.output().isOutput]).toEqual([false, false]);
    refuses(
      graph,
      () => graph.removeNode(made),
      "Neg 'neg': cannot be removed, 'neg_output_0' is an output of the subgraph 'otherwise'",
    );
    refuses(
      graph,
      () => made.dropOutput(0),
      "Neg 'neg': output 'neg_output_0' is still read; it cannot be dropped",
    );
    made.output().replaceAllUsesWith(x);
    expect(otherwise.outputs).toEqual([x]);
    graph.removeNode(made);
    expect(graph.lint()).toEqual([]);
  });

  it('let go of what they read when their node is removed', () => {
    const { graph, x, made, branch } = branched();
    graph.setOutput(0, x);
    graph.removeNode(branch);
    expect([made.output().uses, made.output().isUnused]).toEqual([[], true]);
    graph.removeNode(made);
    expect(graph.lint()).toEqual([]);
  });

  it('may be removed together with what they read', () => {
    const { graph, x, made, branch } = branched();
    graph.setOutput(0, x);
    graph.removeNodes([made, branch]);
    expect([...graph.values].map(({ name }) => name)).toEqual(['x', 'condition']);
    expect(x.uses).toEqual([]);
  });

  it('cannot be read from outside', () => {
    const { graph, inner, made } = branched();
    refuses(
      graph,
      () => graph.addNode({ opType: 'Neg', inputs: [inner.output()] }),
      "Neg '': value 'abs_output_0' belongs to another graph ('then')",
    );
    refuses(
      graph,
      () => made.output().replaceAllUsesWith(inner.output()),
      "Value 'neg_output_0': cannot be replaced by 'abs_output_0', which belongs to another graph ('then')",
    );
  });

  it('keep their names to themselves: fresh ones around are others', () => {
    const { graph, then, inner } = branched();
    expect(graph.freshName('abs_output_0')).toBe('abs_output_0_1');
    expect(new Graph({ parent: graph }).freshName('abs_output_0')).toBe('abs_output_0_1');
    then.rename(inner.output(), 'renamed');
    expect([graph.freshName('abs_output_0'), graph.freshName('renamed')]).toEqual([
      'abs_output_0',
      'renamed_1',
    ]);
  });

  it("share their parent's opsets and facts", () => {
    const { graph, then } = branched();
    expect([then.opsetImports === graph.opsetImports, then.meta === graph.meta]).toEqual([true, true]);
    expect(then.find('x')).toBe(graph.value('x'));
  });
});

describe('Node', () => {
  it('sets inputs, adds one at the end, and leaves none out', () => {
    const { graph, x, w, add } = small();
    add.setInput(2, x);
    expect(x.uses).toEqual([
      { node: add, index: 0 },
      { node: add, index: 2 },
    ]);
    add.setInput(1, null);
    expect([w.isUnused, add.inputs]).toEqual([true, [x, null, x]]);
    add.truncateInputs(1);
    expect([add.inputs, x.uses]).toEqual([[x], [{ node: add, index: 0 }]]);
    for (const index of [2, -1, 0.5]) {
      refuses(graph, () => add.setInput(index, x), `Add 'sum': no input ${index} to set (it has 1)`);
    }
    graph.removeValue(w);
    refuses(graph, () => add.setInput(0, w), "Add 'sum': value 'w' was removed from graph 'main'");
    refuses(
      graph,
      () => add.setInput(0, new Graph({ name: 'other' }).addValue('v')),
      "Add 'sum': value 'v' belongs to another graph ('other')",
    );
  });

  it('drops outputs nobody reads, with a gap or from the end', () => {
    const { graph, x } = small();
    const node = graph.addNode({ opType: 'Split', name: 's', inputs: [x], outputs: ['a', 'b', 'c'] });
    graph.addOutput(node.output(0));
    refuses(graph, () => node.dropOutput(0), "Split 's': output 'a' is still read; it cannot be dropped");
    node.dropOutput(1);
    expect(node.outputs.map((value) => value?.name)).toEqual(['a', undefined, 'c']);
    refuses(graph, () => node.dropOutput(1), "Split 's': output 1 is missing (it has 3)");
    node.dropOutput(2);
    expect(node.outputs).toHaveLength(1);
    expect([graph.find('b'), graph.find('c')]).toEqual([undefined, undefined]);
    graph.removeOutput(1);
    node.dropOutput(0);
    expect(node.outputs).toEqual([null]);
    expect(node.label).toBe("Split 's'");
  });

  it('says what it lacks', () => {
    const { graph, x } = small();
    const node = graph.addNode({ opType: 'Clip', inputs: [x, null], outputs: ['y', null] });
    refuses(graph, () => node.input(1), "Clip 'y': input 1 is missing (it has 2)");
    refuses(graph, () => node.input(2), "Clip 'y': input 2 is missing (it has 2)");
    refuses(graph, () => node.output(1), "Clip 'y': output 1 is missing (it has 2)");
    expect(graph.addNode({ opType: 'Neg', domain: 'mine', inputs: [x], outputs: ['z'] }).label).toBe(
      "mine.Neg 'z'",
    );
    expect(graph.addNode({ opType: 'Neg', domain: 'ai.onnx', name: 'n', inputs: [x] }).label).toBe("Neg 'n'");
  });

  it('reads attributes of the type asked for, or the fallback', () => {
    const { graph, x } = small();
    const tensor = Tensor.int64(1);
    const node = graph.addNode({
      opType: 'Op',
      name: 'o',
      inputs: [x],
      attributes: {
        i: attr.int(-3),
        is: attr.ints([1, 2n]),
        f: attr.float(0.1),
        fs: attr.floats([0.1]),
        s: attr.string('text'),
        b: attr.string(new TextEncoder().encode('bytes')),
        t: attr.tensor(tensor),
        g: attr.graph(new Graph({ name: 'g', parent: graph })),
        gs: { kind: 'graphs', value: [new Graph({ name: 'h', parent: graph })] },
      },
    });
    expect([node.int('i'), node.int('none', 4), node.int('none')]).toEqual([-3, 4, undefined]);
    expect([node.ints('is'), node.ints('none', [5])]).toEqual([[1, 2], [5]]);
    expect([node.float('f'), node.float('none', 1)]).toEqual([Math.fround(0.1), 1]);
    expect([node.floats('fs'), node.floats('none')]).toEqual([[Math.fround(0.1)], undefined]);
    expect([node.string('s'), node.string('b'), node.string('none', 'x')]).toEqual(['text', 'bytes', 'x']);
    expect([node.tensor('t') === tensor, node.tensor('none')]).toEqual([true, undefined]);
    expect(node.subgraphs.map(({ name }) => name)).toEqual(['g', 'h']);
    const read = ['int', 'ints', 'float', 'floats', 'string', 'tensor'] as const;
    for (const kind of read) {
      const wrong = kind === 'int' ? 'f' : 'i';
      refuses(
        graph,
        () => node[kind](wrong),
        `Op 'o': attribute '${wrong}' is of type ${kind === 'int' ? 'float' : 'int'}; expected ${kind}`,
      );
    }
  });
});

describe('lint', () => {
  it('finds nothing wrong with a graph that is well formed', () => {
    expect(small().graph.lint()).toEqual([]);
    expect(branched().graph.lint()).toEqual([]);
    expect(() => branched().graph.check()).not.toThrow();
  });

  it('names values nobody makes', () => {
    const { graph, add } = small();
    const orphan = graph.addValue('orphan');
    add.setInput(1, orphan);
    graph.addOutput(orphan);
    expect(graph.lint()).toEqual([
      "Add 'sum': input 1 'orphan' is neither input, initializer nor made by a node",
      "Graph 'main': output 'orphan' is made by nothing",
    ]);
    expect(() => graph.check()).toThrow(
      "Add 'sum': input 1 'orphan' is neither input, initializer nor made by a node (and 1 more)",
    );
    expect(() => graph.check()).toThrow(GraphError);
  });

  it('names operator domains that are not imported, and graphs without outputs', () => {
    const graph = new Graph();
    graph.addNode({ opType: 'Op', domain: 'mine', name: 'o', inputs: [] });
    expect(graph.lint()).toEqual([
      "mine.Op 'o': operator domain 'mine' is not among the graph's opset imports",
      "Graph 'main': has no outputs",
    ]);
    expect(() => new Graph().check()).toThrow(/^Graph 'main': has no outputs$/);
    graph.opsetImports.delete('');
    graph.addNode({ opType: 'Neg', name: 'n', inputs: [] });
    expect(graph.lint()).toContain("Neg 'n': operator domain '' is not among the graph's opset imports");
    graph.opsetImports.set('ai.onnx', 17);
    expect(graph.lint()).not.toContain("Neg 'n': operator domain '' is not among the graph's opset imports");
  });

  it('looks into subgraphs', () => {
    const { graph, inner, then, x } = branched();
    const late = graph.addNode({ opType: 'Exp', name: 'exp', inputs: [x] });
    inner.setInput(0, late.output());
    then.removeOutput(0);
    expect(graph.lint()).toEqual([
      "Abs 'abs': input 0 'exp_output_0' is neither input, initializer nor made by a node",
      "Graph 'then': has no outputs",
    ]);
  });
});
