import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { GraphBuilder } from '../ops/index.ts';
import { compareModels } from './compare.ts';
import { profile } from './model.ts';
import { comparisonRows, granularityTable, profileTable, sparsityTable, toCsv } from './report.ts';
import { sparsityReport } from './sparsity.ts';

function graph() {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', ['batch', 4]);
  const weight = builder.constant(Tensor.of(Float32Array.of(0, 0, 1, 1), [4, 1]), 'w');
  builder.output(builder.op('MatMul', [x, weight], { name: 'head, "last"' }), 'y');
  return builder.graph;
}

describe('reports', () => {
  it('give the layers of a profile and their totals as data', () => {
    const table = profileTable(profile(graph()));
    expect(table.columns.map(({ key }) => key)).toEqual([
      'name',
      'op',
      'outputShape',
      'parameters',
      'zeros',
      'macs',
      'share',
      'activationBytes',
    ]);
    expect(table.rows).toEqual([['head, "last"', 'MatMul', [1, 1], 4, 2, 4, 1, 4]]);
    expect(table.total).toEqual(['total', null, null, 4, 2, 4, 1, 4]);
    const flops = profileTable(profile(graph(), { convention: 'flops' }));
    expect(flops.columns.find(({ key }) => key === 'macs')?.title).toBe('flops');
  });

  it('write CSV with quotes where they are needed, shapes with x, and no totals', () => {
    expect(toCsv(profileTable(profile(graph())))).toBe(
      'name,op,outputShape,parameters,zeros,macs,share,activationBytes\r\n"head, ""last""",MatMul,1x1,4,2,4,1,4\r\n',
    );
    const columns = [{ key: 'a', title: 'a', kind: 'text' }] as const;
    expect(toCsv({ columns, rows: [[null], ['two\nlines']] })).toBe('a\r\n\r\n"two\nlines"\r\n');
  });

  it('give sparsity by parameter and by granularity', () => {
    const report = sparsityReport(graph());
    expect(sparsityTable(report).rows).toEqual([['w', [4, 1], 4, 2, 0.5]]);
    expect(sparsityTable(report).total).toEqual(['total', null, 4, 2, 0.5]);
    expect(granularityTable(report.granularity).rows).toEqual([
      ['weights', 2, 4, 0.5],
      ['filters', 0, 1, 0],
      ['input channels', 2, 4, 0.5],
      ['2:4 groups', 1, 1, 1],
      ['1:4 groups', 0, 1, 0],
    ]);
  });

  it('give a comparison quantity by quantity, with what became of each', async () => {
    const rows = comparisonRows(await compareModels(graph(), graph(), { latency: false }));
    const byKey = new Map(rows.map((row) => [row.key, row]));
    expect(byKey.get('totals.parameters')).toMatchObject({ a: 4, b: 4, ratio: 1 });
    expect(byKey.get('sizes.raw')?.ratio).toBe(1);
    expect(byKey.get('sizes.brotli')).toMatchObject({ a: null, b: null, ratio: null });
    expect(byKey.get('latency.median')?.a).toBeNull();
  });
});
