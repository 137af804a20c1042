import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { parseReport, reportJson } from './json.ts';
import type { ReportItem, RunReport } from './report.ts';
import { sampleReport } from './testdata/sample.ts';

const withItem = (item: ReportItem): RunReport => ({
  ...sampleReport(),
  sections: [{ title: 's', items: [item] }],
});

/** The sample as loose JSON, with what stands at `path` replaced; undefined removes it. */
function altered(path: string, value: unknown): string {
  const report: unknown = JSON.parse(reportJson(sampleReport()));
  const keys = path.split('.');
  let target = report as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) target = target[key] as Record<string, unknown>;
  if (value === undefined) delete target[keys.at(-1)!];
  else target[keys.at(-1)!] = value;
  return JSON.stringify(report);
}

describe('reportJson and parseReport', () => {
  it('go round: the same report, and the same text again', () => {
    const json = reportJson(sampleReport());
    const report = parseReport(json);
    expect(report).toEqual(sampleReport());
    expect(reportJson(report)).toBe(json);
  });

  it('write fields in one order, however they were put in', () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== 'object' || value === null) return value;
      const entries = Object.entries(value).map(([key, entry]) => [key, reversed(entry)]);
      return Object.fromEntries(entries.reverse());
    };
    expect(reportJson(reversed(sampleReport()) as RunReport)).toBe(reportJson(sampleReport()));
    expect(reportJson(sampleReport())).toMatch(/^\{"format":"secateur-report\/1","title":/);
  });

  it('keep any numbers and texts, NaN and infinities as null', () => {
    const cells = fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.constant(null));
    fc.assert(
      fc.property(fc.array(cells, { minLength: 1 }), (row) => {
        const table = withItem({
          kind: 'table',
          title: 't',
          columns: row.map(() => ({ label: 'c' })),
          rows: [row],
        });
        const [item] = parseReport(reportJson(table)).sections[0]!.items;
        const known = row.map((cell) => (typeof cell === 'number' && !Number.isFinite(cell) ? null : cell));
        // JSON writes -0 as 0.
        expect(item).toMatchObject({ rows: [known.map((cell) => (cell === 0 ? 0 : cell))] });
      }),
    );
    const axis = { title: 'a' };
    const series = [
      {
        name: 's',
        points: [
          [0, Number.NaN],
          [1, Number.POSITIVE_INFINITY],
        ] as [number, number][],
      },
    ];
    const json = reportJson(withItem({ kind: 'line', title: 'l', x: axis, y: axis, series }));
    expect(json).toContain('"points":[[0,null],[1,null]]');
  });

  it('leave fields out that are undefined', () => {
    const table = { kind: 'table', title: 't', caption: undefined, columns: [{ label: 'c' }], rows: [] };
    expect(reportJson(withItem(table as unknown as ReportItem))).not.toContain('caption');
  });

  it('take names as they are, also those that objects have', () => {
    const versions = JSON.parse('{"__proto__":"1","constructor":"2"}') as Record<string, string>;
    const json = reportJson({ ...sampleReport(), versions });
    expect(json).toContain('"versions":{"__proto__":"1","constructor":"2"}');
    expect(reportJson(parseReport(json))).toBe(json);
  });

  const line = 'sections.0.items.0';
  const bars = 'sections.0.items.2';
  const table = 'sections.0.items.3';
  const histogram = 'sections.1.items.0';
  const mask = 'sections.1.items.1';
  it.each([
    ['format', 'secateur-report/2', `format must be one of 'secateur-report/1', got "secateur-report/2"`],
    ['title', undefined, 'title must be a string, got nothing'],
    ['title', ['a'], 'title must be a string, got an array of 1'],
    ['created', 'yesterday', `created must be an ISO time such as '2026-03-01T12:00:00Z', got "yesterday"`],
    ['created', '2026-13-01T12:00:00Z', 'created must be an ISO time'],
    ['seed', '7', 'seed must be a finite number, got "7"'],
    ['versions', [], 'versions must be an object of strings, got an array of 0'],
    ['versions.node', 20, 'versions.node must be a string, got 20'],
    ['facts.1', ['a'], 'facts[1] must be an array of 2, got an array of 1'],
    ['facts.1.1', true, 'facts[1][1] must be a string, a number or null, got true'],
    ['sections', {}, 'sections must be an array, got an object'],
    ['sections.0', null, 'sections[0] must be an object, got null'],
    [
      'sections.0.heading',
      'x',
      'sections[0].heading must be left out (fields here: title, text, items), got "x"',
    ],
    [line, 'text', 'sections[0].items[0] must be an object with a kind, got "text"'],
    [
      `${line}.kind`,
      'pie',
      "sections[0].items[0].kind must be one of 'table', 'line', 'bars', 'histogram', 'mask', 'images', got \"pie\"",
    ],
    [`${line}.x.reverse`, 1, 'sections[0].items[0].x.reverse must be true or false, got 1'],
    [
      `${line}.y`,
      { title: 'y', scale: 'log', zero: true },
      'y.zero must be left out where the scale is log, got true',
    ],
    [`${line}.series`, [], 'sections[0].items[0].series must be an array of at least 1, got an array of 0'],
    [`${line}.series.1.name`, 'magnitude', 'series[1].name must be a name of its own, got "magnitude"'],
    [`${line}.series.0.points.2`, [null, 1], 'series[0].points[2][0] must be a finite number, got null'],
    [`${line}.series.0.points.2`, [1, '1'], 'series[0].points[2][1] must be a number or null, got "1"'],
    [
      `${line}.series.0.band.1`,
      [0, 2, 1],
      'series[0].band[1] must be [x, low, high] with low <= high, got 2 and 1',
    ],
    [`${bars}.value.scale`, 'log', `items[2].value.scale must be 'linear' for bars, got "log"`],
    [`${bars}.categories.1`, 'conv1', 'items[2].categories[1] must be a name of its own, got "conv1"'],
    [`${bars}.series.1.name`, 'before', 'items[2].series[1].name must be a name of its own, got "before"'],
    [
      `${bars}.series.1.values`,
      [1],
      'items[2].series[1].values must be an array of 3, a value for every category, got an array of 1',
    ],
    [
      `${table}.columns.0.digits`,
      13,
      'items[3].columns[0].digits must be a whole number from 0 to 12, got 13',
    ],
    [
      `${table}.rows.1`,
      [1],
      'items[3].rows[1] must be an array of 6, a cell for every column, got an array of 1',
    ],
    [
      `${table}.total`,
      [],
      'items[3].total must be an array of 6, a cell for every column, got an array of 0',
    ],
    [`${histogram}.high`, -1, 'sections[1].items[0].high must be above low ('],
    [
      `${histogram}.after.counts`,
      [1],
      'after.counts must be an array of 30, as before.counts is, got an array of 1',
    ],
    [`${histogram}.before.zeros`, -1, 'before.zeros must be a whole number >= 0, got -1'],
    [`${mask}.kept`, 601, 'sections[1].items[1].kept must be at most 600, the size of the shape, got 601'],
    [`${mask}.cells`, 'A', 'items[1].cells must be 600 characters (rows × columns), got 1'],
    [`${mask}.cells`, '<b>', 'items[1].cells must be digits of base64, got "<b>"'],
  ])('name the path of what is wrong: %s', (path, value, message) => {
    expect(() => parseReport(altered(path, value))).toThrow(ArgumentError);
    expect(() => parseReport(altered(path, value))).toThrow(message);
    expect(() => parseReport(altered(path, value))).toThrow(/^parseReport: /);
  });

  it('refuse what is no report at all', () => {
    expect(() => parseReport('[]')).toThrow('parseReport: the report must be an object, got an array of 0');
    expect(() => parseReport('{')).toThrow(/^parseReport: expected the JSON of a report \(/);
    expect(() => parseReport('{')).toThrow(ArgumentError);
    expect(() => reportJson({ ...sampleReport(), seed: Number.NaN })).toThrow(
      'reportJson: seed must be a finite number, got NaN',
    );
  });

  it('take any JSON in any place as a report that goes round, or refuse it as what it is', () => {
    const paths: string[] = [];
    const walk = (value: unknown, path: string): void => {
      if (path !== '') paths.push(path);
      if (typeof value !== 'object' || value === null) return;
      for (const [key, entry] of Object.entries(value)) walk(entry, path === '' ? key : `${path}.${key}`);
    };
    walk(JSON.parse(reportJson(sampleReport())), '');
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        let json: string;
        try {
          json = reportJson(parseReport(altered(path, value)));
        } catch (error) {
          expect(error).toBeInstanceOf(ArgumentError);
          return;
        }
        expect(reportJson(parseReport(json))).toBe(json);
      }),
      { numRuns: 200 },
    );
  });

  it('shorten long texts in messages', () => {
    expect(() => parseReport(altered('seed', 'x'.repeat(1000)))).toThrow(/got "x{39}…"$/);
  });
});
