import { describe, expect, it } from 'vitest';
import { gradientsAt, vector } from '../../test/gradient-at.ts';
import { gradient } from '../autograd/index.ts';
import { DTYPES } from '../core/dtype.ts';
import { UnsupportedError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { attr, Graph, tensorType } from '../ir/index.ts';
import { createSession } from '../runtime/index.ts';

const to = (dtype: keyof typeof DTYPES) => ({ to: attr.int(DTYPES[dtype].onnx) });

/** `(cast(x) + cast(x)) * 3` with casts to another dtype and back. */
function thereAndBack(dtype: keyof typeof DTYPES): Graph {
  const graph = new Graph({ opset: 18 });
  const x = graph.addInput('x', tensorType('float32', [3]));
  const cast = graph.addNode({ opType: 'Cast', inputs: [x], outputs: ['cast'], attributes: to(dtype) });
  const sum = graph.addNode({ opType: 'Add', inputs: [cast.output(), cast.output()], outputs: ['sum'] });
  const back = graph.addNode({
    opType: 'Cast',
    inputs: [sum.output()],
    outputs: ['y'],
    attributes: to('float32'),
  });
  graph.addOutput(back.output());
  return graph;
}

async function run(graph: Graph): Promise<number[]> {
  const session = await createSession(gradient(graph, { of: 'y', withRespectTo: ['x'], gradOutput: 'g' }));
  const results = await session.run({ x: vector(1, 2, 3), g: vector(1, 10, 100) });
  await session.dispose();
  return [...results.get('x_grad')!.float32];
}

describe('gradients of casts', () => {
  it('are cast back', async () => {
    expect(await run(thereAndBack('float64'))).toEqual([2, 20, 200]);
  });

  it('end at whole numbers', async () => {
    expect(await run(thereAndBack('int64'))).toEqual([0, 0, 0]);
  });

  it('pass through CastLike', async () => {
    const [actual] = await gradientsAt('CastLike', [vector(1, 2), vector(0)], { gradOutput: [3, 4] });
    expect(actual).toEqual([3, 4]);
  });

  it('refuse quantization, whose codes are integers', () => {
    const graph = new Graph({ opset: 18 });
    const x = graph.addInput('x', tensorType('float32', [3]));
    const codes = graph.addInitializer('codes', new Tensor('int8', [3], Int8Array.of(1, 2, 3)));
    const scale = graph.addNode({ opType: 'ReduceMax', inputs: [x], outputs: ['scale'] });
    graph.addOutput(
      graph
        .addNode({
          opType: 'DequantizeLinear',
          name: 'node',
          inputs: [codes, scale.output()],
          outputs: ['y'],
        })
        .output(),
    );
    expect(() => gradient(graph, { of: 'y', withRespectTo: ['x'], gradOutput: 'g' })).toThrow(
      new UnsupportedError(
        "DequantizeLinear 'node': has no gradient: integers have no gradient; train the floating-point model and quantize it after",
      ),
    );
  });
});
