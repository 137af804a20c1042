import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { ConvTranspose2d, Linear, Module, type Variable } from '../nn/index.ts';
import { customFromMask, remove } from '../prune/index.ts';
import type { HistogramChart, MaskMap, ReportTable } from './report.ts';
import { weightSection } from './weight-section.ts';

class Net extends Module {
  first = new Linear(2, 2);
  second = new Linear(3, 2);
  third = new Linear(2, 2);

  override forward(x: Variable): Variable {
    return this.third.call(this.first.call(x));
  }
}

function pruned(): Net {
  const net = new Net();
  net.first.weight.data.setData(Float32Array.of(1, 2, 3, 4));
  customFromMask(net.first, 'weight', Tensor.of(Float32Array.of(1, 0, 0, 1), [2, 2]));
  customFromMask(net.second, 'weight', Tensor.of(Float32Array.of(1, 1, 1, 0, 0, 0), [2, 3]));
  return net;
}

describe('weightSection', () => {
  it('lists pruned parameters, and gives each a histogram and a map', () => {
    const { title, text, items } = weightSection(pruned());
    expect([title, text]).toEqual(['Weights', undefined]);
    expect(items.map(({ kind, title }) => [kind, title])).toEqual([
      ['table', 'Pruned parameters'],
      ['histogram', 'first.weight'],
      ['mask', 'first.weight'],
      ['histogram', 'second.weight'],
      ['mask', 'second.weight'],
    ]);
    const table = items[0] as ReportTable;
    expect(table.rows).toEqual([
      ['first.weight', '2 × 2', 4, 2, 0.5],
      ['second.weight', '2 × 3', 6, 3, 0.5],
    ]);
    expect(table.total).toEqual(['total', null, 10, 5, 0.5]);
    expect(items[2]).toMatchObject({ shape: [2, 2], cells: '/AA/' });
  });

  it('takes what is under the mask for the weights before', () => {
    const { before, after } = weightSection(pruned(), { bins: 3 }).items[1] as HistogramChart;
    expect(before).toEqual({ counts: [1, 1, 2], zeros: 0, notFinite: 0 });
    expect(after).toEqual({ counts: [1, 0, 1], zeros: 2, notFinite: 0 });
  });

  it('takes the weights before from a module or a state dict, pruned or not', () => {
    const before = new Net();
    before.first.weight.data.setData(Float32Array.of(4, 4, 4, 4));
    for (const source of [before, before.stateDict()]) {
      const chart = weightSection(pruned(), { before: source, bins: 3 }).items[1] as HistogramChart;
      expect(chart.before.counts).toEqual([0, 0, 4]);
      expect(chart.after.counts).toEqual([1, 0, 1]);
    }
    customFromMask(before.first, 'weight', Tensor.of(Float32Array.of(0, 1, 1, 1), [2, 2]));
    const chart = weightSection(pruned(), { before, bins: 3 }).items[1] as HistogramChart;
    expect(chart.before).toEqual({ counts: [0, 0, 3], zeros: 1, notFinite: 0 });
  });

  it('draws the largest and says how many are left', () => {
    const { text, items } = weightSection(pruned(), { limit: 1, title: 'Masks' });
    expect(text).toBe('The largest of 2 pruned parameters is drawn; 1 more is in the table.');
    expect(items.map(({ title }) => title)).toEqual(['Pruned parameters', 'second.weight', 'second.weight']);
    expect((items[0] as ReportTable).rows).toHaveLength(2);
    const none = weightSection(pruned(), { limit: 0 });
    expect(none.text).toBe('None of 2 pruned parameters are drawn; all are in the table.');
    expect(none.items).toHaveLength(1);
  });

  it('counts filters along the axis that holds them', () => {
    class Up extends Module {
      up = new ConvTranspose2d(1, 2, [1, 3]);
      override forward(x: Variable): Variable {
        return this.up.call(x);
      }
    }
    const net = new Up();
    customFromMask(net.up, 'weight', Tensor.of(Float32Array.of(1, 0, 0, 1, 1, 1), [1, 2, 1, 3]));
    expect(weightSection(net).items[2] as MaskMap).toMatchObject({ rows: 2, columns: 3, cells: '/AA///' });
  });

  it('says so where nothing is pruned any more', () => {
    const net = pruned();
    remove(net.first, 'weight');
    remove(net.second, 'weight');
    expect(weightSection(net)).toEqual({ title: 'Weights', text: 'No parameter is pruned.', items: [] });
  });

  it.each([-1, 1.5])('refuses a limit of %s', (limit) => {
    expect(() => weightSection(pruned(), { limit })).toThrow(ArgumentError);
    expect(() => weightSection(pruned(), { limit })).toThrow(
      `weightSection: limit must be a whole number >= 0, got ${limit}`,
    );
  });
});
