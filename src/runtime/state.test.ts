import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { Graph, tensorType } from '../ir/index.ts';
import { createSession } from './session.ts';
import { StateBuffers } from './state.ts';

/** total/next = total + x, and twice the total as an output of its own. */
function counter(): Graph {
  const graph = new Graph({ opset: 18 });
  const total = graph.addInput('total', tensorType('float32', [2]));
  const x = graph.addInput('x', tensorType('float32', [2]));
  const next = graph.addNode({ opType: 'Add', inputs: [total, x], outputs: ['total/next'] }).output();
  const twice = graph.addNode({ opType: 'Add', inputs: [next, next], outputs: ['twice'] }).output();
  graph.addOutput(next);
  graph.addOutput(twice);
  return graph;
}

const state = (): StateBuffers =>
  new StateBuffers([{ input: 'total', output: 'total/next', initial: Tensor.of(Float32Array.of(1, 2)) }]);

const x = Tensor.of(Float32Array.of(10, 20));

describe('StateBuffers', () => {
  it('hands values on from step to step, in two pieces of memory in turn', async () => {
    const session = await createSession(counter());
    const buffers = state();
    const memory = new Set<ArrayBufferLike>();
    for (let step = 1; step <= 6; step++) {
      const results = await session.step({ x }, buffers);
      expect([...results.keys()]).toEqual(['twice']);
      expect([...buffers.get('total').float32]).toEqual([1 + 10 * step, 2 + 20 * step]);
      expect([...results.get('twice')!.float32]).toEqual([2 + 20 * step, 4 + 40 * step]);
      memory.add(buffers.get('total').float32.buffer);
    }
    expect(memory.size).toBe(2);
    await session.dispose();
  });

  it('stays as it was where the outputs are not accepted, or the step fails', async () => {
    const session = await createSession(counter());
    const buffers = state();
    await session.step({ x }, buffers, { accept: (outputs) => outputs.get('twice')!.float32[0]! < 0 });
    expect([...buffers.get('total').float32]).toEqual([1, 2]);
    await expect(session.step({}, buffers)).rejects.toThrow("input 'x' is missing");
    expect([...buffers.get('total').float32]).toEqual([1, 2]);
    await session.dispose();
    await expect(session.step({ x }, buffers)).rejects.toThrow('disposed');
  });

  it('copies what is set, and its start', async () => {
    const initial = Tensor.of(Float32Array.of(1, 2));
    const buffers = new StateBuffers([{ input: 'total', output: 'next', initial }]);
    initial.float32[0] = 9;
    expect([...buffers.get('total').float32]).toEqual([1, 2]);
    const other = Tensor.of(Float32Array.of(5, 6));
    buffers.set('total', other);
    other.float32[0] = 9;
    expect([...buffers.get('total').float32]).toEqual([5, 6]);
    expect(buffers.byteLength).toBe(16);
    expect(buffers.names).toEqual(['total']);
  });

  it('refuses other names and other sizes', () => {
    expect(() => state().get('other')).toThrow("StateBuffers: nothing is kept for 'other'; there are total");
    expect(() => state().set('total', Tensor.of(Float32Array.of(1)))).toThrow(
      "StateBuffers: 'total' is float32[2], got float32[1]",
    );
  });
});
