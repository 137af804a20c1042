import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { LeNet5 } from '../models/lenet5.ts';
import * as nn from './index.ts';
import { Module, type Variable } from './index.ts';

const row = (...values: number[]): Tensor => Tensor.of(Float32Array.from(values), [1, values.length]);

/** A layer with weights 1, 2, 3 and no bias. */
function summing(): nn.Linear {
  const layer = new nn.Linear(3, 1, { bias: false });
  layer.loadStateDict({ weight: row(1, 2, 3) });
  return layer;
}

describe('run', () => {
  it('sees changes of elements and masks between runs', async () => {
    const layer = summing();
    expect([...(await nn.run(layer, row(1, 1, 1))).float32]).toEqual([6]);
    layer.loadStateDict({ weight: row(10, 20, 30) });
    expect([...(await nn.run(layer, row(1, 1, 1))).float32]).toEqual([60]);
    layer.setPruning('weight', { tensorName: 'weight' }, row(0, 1, 1));
    expect([...(await nn.run(layer, row(1, 1, 1))).float32]).toEqual([50]);
    layer.removePruning('weight');
    expect([...(await nn.run(layer, row(1, 1, 1))).float32]).toEqual([50]);
  });

  it('takes another shape, several inputs, and gives several outputs', async () => {
    class Both extends Module<readonly Variable[]> {
      override forward(a: Variable, b: Variable): readonly Variable[] {
        return [a.add(b), a.sub(b)];
      }
    }
    const [sum, difference] = await nn.run(new Both(), row(5, 6), row(1, 2));
    expect([...sum!.float32]).toEqual([6, 8]);
    expect([...difference!.float32]).toEqual([4, 4]);
    expect((await nn.run(summing(), Tensor.full([5, 3], 1))).shape).toEqual([5, 1]);
    const graph = nn.fromGraph(nn.trace(summing(), ['n', 3]));
    const [output] = await nn.run(graph, row(1, 0, 1));
    expect([...output!.float32]).toEqual([4]);
    await expect(nn.run(graph)).rejects.toThrow("run: GraphModule takes 1 inputs ('input'), got 0");
  });

  it('updates running statistics in training, step by step, and not in evaluation', async () => {
    const norm = new nn.BatchNorm1d(1, { momentum: 0.5 });
    const batch = Tensor.of(Float32Array.of(1, 3), [2, 1]);
    await nn.run(norm, batch);
    // Mean 2 and unbiased variance 2: (0 + 2) / 2 and (1 + 2) / 2.
    expect([...norm.runningMean!.float32]).toEqual([1]);
    expect([...norm.runningVar!.float32]).toEqual([1.5]);
    await nn.run(norm, batch);
    expect([...norm.runningMean!.float32]).toEqual([1.5]);
    expect(norm.numBatchesTracked!.toNumbers()).toEqual([2]);
    await nn.run(norm.eval(), batch);
    expect(norm.numBatchesTracked!.toNumbers()).toEqual([2]);
  });

  it('updates the statistics of a norm that is called twice once for each call', async () => {
    class Twice extends Module {
      norm = new nn.BatchNorm1d(1, { momentum: 0.5 });
      override forward(x: Variable): Variable {
        return this.norm.call(x).add(this.norm.call(x));
      }
    }
    const twice = new Twice();
    await nn.run(twice, Tensor.of(Float32Array.of(1, 3), [2, 1]));
    expect([...twice.norm.runningMean!.float32]).toEqual([1.5]);
    expect(twice.norm.numBatchesTracked!.toNumbers()).toEqual([2]);
  });
});

describe('activations', () => {
  it('gives what the modules at these paths gave', async () => {
    nn.manualSeed(0);
    const model = new LeNet5().eval();
    const input = Tensor.full([2, 1, 32, 32], 1);
    const taken = await nn.activations(model, input, { of: ['conv1', 'fc3', ''] });
    expect([...taken.keys()]).toEqual(['conv1', 'fc3', '']);
    expect(taken.get('conv1')?.map(({ shape }) => shape)).toEqual([[2, 6, 30, 30]]);
    expect(taken.get('fc3')?.[0]?.float32).toEqual((await nn.run(model, input)).float32);
    expect(taken.get('')?.[0]?.float32).toEqual(taken.get('fc3')?.[0]?.float32);
  });

  it('says where a path is no module, or its module was not called', async () => {
    class Unused extends Module {
      act = new nn.ReLU();
      override forward(x: Variable): Variable {
        return x.neg();
      }
    }
    const model = new Unused();
    await expect(nn.activations(model, row(1), { of: ['conv'] })).rejects.toThrow(
      "Unused: has no submodule 'conv' ('conv' is missing)",
    );
    await expect(nn.activations(model, [row(1)], { of: ['act'] })).rejects.toThrow(
      "activations: the module 'act' computed nothing in this forward",
    );
  });
});
