import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import { Linear, Module, type Variable } from '../nn/index.ts';
import { sparsityReport, sparsityTable } from '../profile/index.ts';
import type { ReportTable } from './report.ts';
import { drawTable, profileItem } from './table.ts';

const cellsOf = (html: string): string[] =>
  [...html.matchAll(/<t[hd](?: [^>]*)?>(.*?)<\/t[hd]>/g)].map(([, text]) => text!.replaceAll('\u202f', ' '));

const table = (more: Partial<ReportTable>): ReportTable => ({
  kind: 'table',
  title: 't',
  columns: [{ label: 'layer' }, { label: 'time', unit: 'ms', format: 'number' }],
  rows: [
    ['conv', 1.25],
    ['fc', 1],
  ],
  ...more,
});

describe('drawTable', () => {
  it('sets numbers right, with as many digits all down a column, and units beside the label', () => {
    const { body } = drawTable(table({}));
    expect(cellsOf(body)).toEqual([
      'layer',
      'time <span class="unit">ms</span>',
      'conv',
      '1.25',
      'fc',
      '1.00',
    ]);
    expect(body).toContain('<th scope="col" class="n">time');
    expect(body).toContain('<th scope="row">conv</th><td class="n">1.25</td>');
  });

  it('shows a dash where a value is missing, nothing in the total', () => {
    const { body } = drawTable(table({ rows: [[null, null]], total: ['total', null] }));
    expect(cellsOf(body).slice(2)).toEqual(['–', '–', 'total', '']);
    expect(body).toContain('<tfoot>');
  });

  it('escapes every text', () => {
    const { body } = drawTable(
      table({
        columns: [
          { label: '<i>', unit: '<u>' },
          { label: 'n', format: 'integer' },
        ],
        rows: [['<b>', '<s>']],
      }),
    );
    expect(body).not.toMatch(/<(i|u|b|s)>/);
    expect(cellsOf(body)).toContain('&lt;s&gt;');
  });

  it('can be without rows', () => {
    expect(cellsOf(drawTable(table({ rows: [] })).body)).toHaveLength(2);
  });
});

describe('profileItem', () => {
  it('takes over the tables of a profile', () => {
    class Net extends Module {
      fc = new Linear(2, 2);
      override forward(x: Variable): Variable {
        return this.fc.call(x);
      }
    }
    const net = new Net();
    net.fc.weight.data.setData(Float32Array.of(1, 0, 0, 0));
    net.fc.bias?.data.setData(Tensor.full([2], 1).float32);
    const item = profileItem('Sparsity', sparsityTable(sparsityReport(net)));
    expect(item.columns.map(({ format }) => format)).toEqual([
      'text',
      'text',
      'integer',
      'integer',
      'percent',
    ]);
    expect(item.rows).toEqual([
      ['fc.weight', '2 × 2', 4, 3, 0.75],
      ['fc.bias', '2', 2, 0, 0],
    ]);
    expect(item.total).toEqual(['total', null, 6, 3, 0.5]);
  });
});
