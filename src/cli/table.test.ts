import { describe, expect, it } from 'vitest';
import { bytes, percent, renderTable, withCommas, withUnit } from './table.ts';

const columns = [
  { title: 'name', flexible: true },
  { title: 'count', align: 'right' },
  { title: 'share', align: 'right', dispensable: true },
] as const;
const long = `${'a'.repeat(30)}.${'z'.repeat(30)}`;

describe('renderTable', () => {
  it('sets text left, numbers right, and the total off', () => {
    const rows = [
      ['a', '1', '10 %'],
      ['total', '10', '100 %'],
    ];
    expect(renderTable(columns, rows, { width: 80, total: true }).split('\n')).toEqual([
      'name   count  share',
      '─────  ─────  ─────',
      'a          1   10 %',
      '─────  ─────  ─────',
      'total     10  100 %',
    ]);
  });

  it('leaves dispensable columns out before names become unreadable, then shortens their middle', () => {
    const [head, , row] = renderTable(columns, [[long, '1', '10 %']], { width: 30 }).split('\n');
    expect(head).not.toContain('share');
    expect(row).toBe(`${'a'.repeat(11)}…${'z'.repeat(11)}      1`);
    const wide = renderTable(columns, [[long, '1', '10 %']], { width: 60 });
    expect(wide).toContain('share');
  });

  it('shortens titles of numbers, and never numbers', () => {
    const numbers = [{ title: long, align: 'right', flexible: true }] as const;
    const text = renderTable(numbers, [['1,234,567,890,123']], { width: 5 });
    expect(text).toContain('1,234,567,890,123');
    expect(text.split('\n')[0]).toHaveLength(17);
  });
});

describe('numbers as people read them', () => {
  it('have commas, units and two places', () => {
    expect(withCommas(7027720)).toBe('7,027,720');
    expect([0, 999, 1000, 7933129600, 1e12].map(withUnit)).toEqual([
      '0',
      '999',
      '1.000 k',
      '7.933 G',
      '1.000 T',
    ]);
    expect([12, 1500, 28_190_000, 3e9].map(bytes)).toEqual(['12 B', '1.50 kB', '28.19 MB', '3.00 GB']);
    expect(percent(0.29918551)).toBe('29.92 %');
  });
});
