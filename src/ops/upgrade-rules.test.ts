import { describe, expect, it } from 'vitest';
import { gradientsAt, nodeGraph, vector } from '../../test/gradient-at.ts';
import { gradient } from '../autograd/index.ts';
import { Tensor } from '../core/tensor.ts';
import { type Attribute, attr, Graph, tensorType } from '../ir/index.ts';
import { upgradeOpset } from '../passes/index.ts';
import { createSession } from '../runtime/index.ts';

const x = vector(...Array.from({ length: 24 }, (_, i) => 0.5 + 2 * Math.sin(i * 1.7))).reshape([2, 3, 4]);

async function outputOf(graph: Graph, feeds: Readonly<Record<string, Tensor>>): Promise<string> {
  const session = await createSession(graph);
  try {
    const output = [...(await session.run(feeds)).values()][0]!;
    return `${output.dtype}[${output.shape}] ${output.toNumbers().map((value) => value.toPrecision(5))}`;
  } finally {
    await session.dispose();
  }
}

/** Runs a node of an old opset, and what it is upgraded to; gives the operators of that. */
async function upgraded(
  opType: string,
  opset: number,
  attributes: Readonly<Record<string, Attribute>>,
  input = x,
): Promise<string[]> {
  const graph = nodeGraph(opType, [input], { attributes, opset });
  const before = await outputOf(graph, { x0: input });
  const { graph: after, modified } = upgradeOpset(graph);
  expect(modified).toBe(true);
  expect(after.opset()).toBe(18);
  expect(await outputOf(after, { x0: input })).toBe(before);
  return after.nodes.map((node) => node.opType);
}

describe('nodes of older opsets mean the same at opset 18', () => {
  it.each([7, 9, 10])('Clip of opset %i, whose limits are attributes', async (opset) => {
    const limits = { min: attr.float(-0.25), max: attr.float(1.5) };
    expect(await upgraded('Clip', opset, limits)).toEqual(['Clip']);
    expect(await upgraded('Clip', opset, { max: attr.float(0.5) })).toEqual(['Clip']);
    expect(await upgraded('Clip', opset, {})).toEqual(['Clip']);
  });

  for (const opType of ['Softmax', 'LogSoftmax', 'Hardmax']) {
    it.each([
      [9, 0],
      [9, 1],
      [11, 2],
      [11, -1],
      [12, -2],
      [11, undefined],
    ])(`${opType} of opset %i over all axes from %s on`, async (opset, axis) => {
      const last = axis === 2 || axis === -1;
      expect(await upgraded(opType, opset, axis === undefined ? {} : { axis: attr.int(axis) })).toEqual(
        last ? [opType] : ['Flatten', opType, 'Shape', 'Reshape'],
      );
    });
    it(`${opType} of opset 9 of a matrix, whose axis is the last`, async () => {
      expect(await upgraded(opType, 9, {}, x.reshape([6, 4]))).toEqual([opType]);
    });
  }

  for (const name of ['Sum', 'Mean', 'Max', 'Min', 'Prod', 'L1', 'L2', 'LogSumExp', 'SumSquare']) {
    it.each([
      [7, [1], 1],
      [11, [-1, 0], 0],
      [12, undefined, 0],
    ])(`Reduce${name} of opset %i along %j, keepdims %i`, async (opset, axes, keepdims) => {
      const attributes = { keepdims: attr.int(keepdims), ...(axes ? { axes: attr.ints(axes) } : {}) };
      expect(await upgraded(`Reduce${name}`, opset, attributes)).toEqual([`Reduce${name}`]);
    });
  }

  it('ReduceMean of opset 13 still has its axes as an attribute, ReduceSum has them as an input', async () => {
    expect(await upgraded('ReduceMean', 13, { axes: attr.ints([1]) })).toEqual(['ReduceMean']);
    const graph = nodeGraph('ReduceSum', [x, Tensor.int64([1])], { opset: 13, constants: [1] });
    const before = await outputOf(graph, { x0: x });
    upgradeOpset(graph);
    expect(await outputOf(graph, { x0: x })).toBe(before);
  });

  it.each(['Relu', 'Exp', 'Sigmoid', 'Abs'])('%s stays as it is', async (opType) => {
    expect(await upgraded(opType, 9, {})).toEqual([opType]);
  });

  it('Softmax of a symbolic batch', async () => {
    const graph = new Graph({ opset: 11 });
    const input = graph.addInput('x0', tensorType('float32', ['n', 3, 4]));
    graph.addOutput(graph.addNode({ opType: 'Softmax', inputs: [input], outputs: ['y'] }).output());
    const before = await outputOf(graph, { x0: x });
    upgradeOpset(graph);
    expect(await outputOf(graph, { x0: x })).toBe(before);
    expect(graph.outputs[0]!.name).toBe('y');
  });

  it('Scan of opset 8 is refused', () => {
    const body = new Graph({ opset: 8 });
    const element = body.addInput('element', tensorType('float32', [1]));
    body.addOutput(body.addNode({ opType: 'Neg', inputs: [element], outputs: ['negated'] }).output());
    const graph = new Graph({ opset: 8 });
    const sequence = graph.addInput('x', tensorType('float32', [1, 3, 1]));
    const attributes = { body: attr.graph(body), num_scan_inputs: attr.int(1) };
    const scan = { opType: 'Scan', name: 'node', inputs: [null, sequence], outputs: ['y'], attributes };
    graph.addOutput(graph.addNode(scan).output());
    expect(() => upgradeOpset(graph)).toThrow(
      "Scan 'node': Scan of opset 8 has a batch axis, which later ones do not; export the model again",
    );
  });
});

describe('gradients of upgraded nodes', () => {
  it('are those of the flattened Softmax', async () => {
    const flat = await gradientsAt('Softmax', [x.reshape([2, 12])], {
      gradOutput: [...x.float32].map((value) => value * value),
    });
    const graph = nodeGraph('Softmax', [x], { opset: 11 });
    upgradeOpset(graph);

    const session = await createSession(
      gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' }),
    );
    const g = new Tensor(
      'float32',
      x.shape,
      x.float32.map((value) => value * value),
    );
    const results = await session.run({ x0: x, g });
    await session.dispose();
    results.get('x0_grad')!.float32.forEach((value, index) => {
      expect(value).toBeCloseTo(flat[0]![index]!, 6);
    });
  });
});
