import { describe, expect, it } from 'vitest';
import { Conv2d, fromGraph, Linear, manualSeed, Sequential, trace } from '../nn/index.ts';
import { sparsityReport } from './sparsity.ts';

/** A convolution whose second filter is zero, and a linear layer; biases are set to 1. */
function network(): Sequential {
  manualSeed(0);
  const model = new Sequential(new Conv2d(4, 2, 3), new Linear(6, 3));
  model.getParameter('0.weight').data.float32.fill(0, 36);
  model.getParameter('0.bias').data.float32.fill(1);
  model.getParameter('1.bias').data.float32.fill(1);
  return model;
}

describe('sparsityReport', () => {
  it('counts zeros in all, of each parameter and by granularity', () => {
    const report = sparsityReport(network());
    expect(report).toMatchObject({ parameters: 72 + 2 + 18 + 3, zeros: 36, sparsity: 36 / 95 });
    expect(report.granularity).toMatchObject({
      weights: { zero: 36, total: 90 },
      kernels: { zero: 4, total: 8 },
      filters: { zero: 1, total: 5 },
    });
    expect(
      report.layers.map(({ name, shape, zeros, sparsity }) => ({ name, shape, zeros, sparsity })),
    ).toEqual([
      { name: '0.weight', shape: [2, 4, 3, 3], zeros: 36, sparsity: 0.5 },
      { name: '0.bias', shape: [2], zeros: 0, sparsity: 0 },
      { name: '1.weight', shape: [3, 6], zeros: 0, sparsity: 0 },
      { name: '1.bias', shape: [3], zeros: 0, sparsity: 0 },
    ]);
    expect(report.layers[1]?.granularity).toBeNull();
  });

  it('says the same of a module, its graph and the module view of that', () => {
    const model = network().eval();
    const graph = trace(model, [1, 4, 3, 8]);
    const { layers: _, ...totals } = sparsityReport(model);
    expect(sparsityReport(graph)).toMatchObject(totals);
    expect(sparsityReport(fromGraph(graph))).toMatchObject(totals);
  });
});
