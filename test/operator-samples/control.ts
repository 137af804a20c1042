import { Tensor } from '../../src/core/tensor.ts';
import { attr, Graph, tensorType, type Value } from '../../src/ir/index.ts';
import type { BuiltSample, SampleGraph, Samples } from './sample.ts';

const built = (
  opsets: readonly number[],
  build: BuiltSample['build'],
  dataDependent?: string,
): BuiltSample[] => opsets.map((opset) => ({ opset, build, ...(dataDependent ? { dataDependent } : {}) }));

const single = (graph: Graph, opType: string, inputs: readonly (Value | null)[]): Value =>
  graph.addNode({ opType, inputs, outputs: 1, name: opType }).output();

/** `x` joined to itself in one branch, and changed in nothing but its elements in the other. */
const choice =
  (condition: 'input' | boolean, grows: boolean) =>
  (opset: number): SampleGraph => {
    const graph = new Graph({ opset });
    const x = graph.addInput('x', tensorType('float32', ['n', 3]));
    const flag =
      condition === 'input'
        ? graph.addInput('flag', tensorType('bool', []))
        : graph.addInitializer('flag', new Tensor('bool', [], Uint8Array.of(Number(condition))));
    const then = new Graph({ name: 'then', parent: graph });
    then.addOutput(
      grows
        ? then
            .addNode({
              opType: 'Concat',
              inputs: [x, x],
              outputs: ['grown'],
              attributes: { axis: attr.int(1) },
            })
            .output()
        : single(then, 'Abs', [x]),
    );
    const otherwise = new Graph({ name: 'else', parent: graph });
    otherwise.addOutput(single(otherwise, 'Neg', [x]));
    const node = graph.addNode({
      opType: 'If',
      inputs: [flag],
      attributes: { then_branch: attr.graph(then), else_branch: attr.graph(otherwise) },
    });
    graph.addOutput(node.output());
    return { graph, sizes: { n: 2 } };
  };

/** Adds `x` to a carried value, and stacks it; `grows` joins instead, so that the carried shape changes. */
const looped =
  (grows: boolean) =>
  (opset: number): SampleGraph => {
    const graph = new Graph({ opset });
    const x = graph.addInput('x', tensorType('float32', ['n', 3]));
    const trips = graph.addInitializer('trips', Tensor.int64(4));
    const body = new Graph({ name: 'body', parent: graph });
    body.addInput('turn', tensorType('int64', []));
    const again = body.addInput('again', tensorType('bool', []));
    const sum = body.addInput('sum', tensorType('float32', null));
    const next = grows
      ? body
          .addNode({
            opType: 'Concat',
            inputs: [sum, x],
            outputs: ['next'],
            attributes: { axis: attr.int(1) },
          })
          .output()
      : single(body, 'Add', [sum, x]);
    body.addOutput(single(body, 'Identity', [again]));
    body.addOutput(next);
    body.addOutput(single(body, 'Abs', [x]));
    const node = graph.addNode({
      opType: 'Loop',
      inputs: [trips, null, x],
      outputs: 2,
      attributes: { body: attr.graph(body) },
    });
    graph.addOutput(node.output());
    return { graph, sizes: { n: 2 } };
  };

/** Running sum over the second axis, stacked at the end. */
const scanned = (opset: number): SampleGraph => {
  const graph = new Graph({ opset });
  const start = graph.addInput('start', tensorType('float32', ['n', 3]));
  const sequence = graph.addInput('sequence', tensorType('float32', ['n', 't', 3]));
  const body = new Graph({ name: 'body', parent: graph });
  const sum = body.addInput('sum', tensorType('float32', null));
  const step = body.addInput('step', tensorType('float32', null));
  const next = single(body, 'Add', [sum, step]);
  body.addOutput(next);
  body.addOutput(single(body, 'Neg', [next]));
  const node = graph.addNode({
    opType: 'Scan',
    inputs: [start, sequence],
    outputs: 2,
    attributes: {
      body: attr.graph(body),
      num_scan_inputs: attr.int(1),
      scan_input_axes: attr.ints([1]),
      scan_output_axes: attr.ints([-1]),
    },
  });
  graph.addOutput(node.output());
  return { graph, sizes: { n: 2, t: 5 } };
};

const sequences = { notRun: 'sequences are no tensors; nothing is inferred that could be compared' };
const optionals = { notRun: 'optional values are no tensors; nothing is inferred that could be compared' };

/** Subgraphs, sequences and optional values. */
export const CONTROL: Samples = {
  If: [
    ...built([9, 11, 13, 16, 19, 21], choice('input', false)),
    ...built([11, 16], choice('input', true), 'the branch follows from the data'),
    ...built([13], choice(true, true)),
    ...built([13], choice(false, true)),
  ],
  Loop: [
    ...built([11, 13, 16, 19, 21], looped(false)),
    ...built([13], looped(true), 'the carried shape changes from turn to turn'),
  ],
  Scan: built([9, 11, 16, 21], scanned),
  SequenceConstruct: sequences,
  SequenceEmpty: sequences,
  SequenceInsert: sequences,
  SequenceErase: sequences,
  SequenceAt: sequences,
  SequenceLength: sequences,
  SplitToSequence: sequences,
  ConcatFromSequence: sequences,
  Optional: optionals,
  OptionalGetElement: optionals,
  OptionalHasElement: optionals,
};
