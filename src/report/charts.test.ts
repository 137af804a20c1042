import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { drawBarChart } from './bar-chart.ts';
import { chartSvg, seriesLook } from './chart-svg.ts';
import { drawLineChart } from './line-chart.ts';
import type { BarChart, LineChart, LineSeries } from './report.ts';

const lineChart = (more: Partial<LineChart> = {}): LineChart => ({
  kind: 'line',
  title: 'Accuracy',
  x: { title: 'sparsity', format: 'percent' },
  y: { title: 'accuracy' },
  series: [
    {
      name: 'magnitude',
      points: [
        [0, 0.9],
        [0.5, 0.8],
        [1, 0.1],
      ],
    },
  ],
  ...more,
});

/** Texts of a drawing. */
const textsOf = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text!);

/** Lines of the series at `index`: their paths. */
const linesOf = (svg: string, index: number): string[] =>
  [...svg.matchAll(/<path [^>]*>/g)]
    .map(([tag]) => tag)
    .filter((tag) => tag.includes(`stroke="${seriesLook(index).color}"`))
    .map((tag) => / d="([^"]*)"/.exec(tag)![1]!);

const series = (name: string, points: LineSeries['points']): LineSeries => ({ name, points });

describe('drawLineChart', () => {
  it('draws every series as a line with points, and says in words what is seen', async () => {
    const { body, legend, width } = await drawLineChart(lineChart());
    expect(linesOf(body, 0)).toHaveLength(1);
    expect(linesOf(body, 0)[0]!.match(/L/g)).toHaveLength(2);
    expect(body.match(/<path [^>]*fill="var\(--s1\)"/g)).toHaveLength(3);
    expect(textsOf(body)).toEqual(
      expect.arrayContaining(['sparsity', 'accuracy', '50\u202f%', '100\u202f%']),
    );
    expect(/aria-label="([^"]*)"/.exec(body)?.[1]).toBe(
      'Line chart: Accuracy. accuracy by sparsity. magnitude: 3 points, 0.1 to 0.9.',
    );
    expect(legend).toContain('magnitude');
    expect(width).toBe('full');
  });

  it('breaks the line where a value is missing, and still shows a point that stands alone', async () => {
    const points = [
      [0, 1],
      [1, 2],
      [2, null],
      [3, 1],
      [4, Number.NaN],
      [5, 2],
      [6, 3],
    ] as const;
    const chart = lineChart({ series: [series('a', points)] });
    const { body } = await drawLineChart({
      ...chart,
      series: [
        series(
          'a',
          points.map(([x, y]) => [x, Number.isNaN(y) ? null : y]),
        ),
      ],
    });
    expect(linesOf(body, 0).filter((path) => path.includes('L'))).toHaveLength(2);
    const many = Array.from({ length: 100 }, (_, x) => [x, x === 1 || x === 3 ? null : x] as const);
    const { body: long } = await drawLineChart(lineChart({ series: [series('a', many)] }));
    expect(long.match(/<path [^>]*fill="var\(--s1\)"/g)).toHaveLength(2);
  });

  it('joins points in the order they are given', async () => {
    const points = [
      [0, 0],
      [1, 1],
      [0.5, 2],
      [0, 1],
    ] as const;
    const { body } = await drawLineChart(lineChart({ series: [series('loop', points)] }));
    const xs = [...linesOf(body, 0)[0]!.matchAll(/[ML]([\d.]+),/g)].map(([, x]) => Number(x));
    const width = Math.max(...xs);
    expect(xs.map((x) => x / width)).toEqual([0, 1, 0.5, 0]);
  });

  it('draws bands, rules and markers; of neighbours with one label the first shows it', async () => {
    const { body } = await drawLineChart(
      lineChart({
        series: [
          {
            ...series('a', [
              [0, 1],
              [1, 2],
            ]),
            band: [
              [0, 0.5, 1.5],
              [1, 1.5, 2.5],
            ],
          },
        ],
        rules: [{ y: 3, label: 'dense <accuracy>' }],
        markers: [
          { x: 0.1, label: 'pruned here' },
          { x: 0.5, label: 'pruned here' },
          { x: 0.9, label: 'rewound' },
        ],
      }),
    );
    expect(
      body.match(/<path [^>]*fill="var\(--s1\)"[^>]*opacity="0.16"|opacity="0.16"[^>]*fill="var\(--s1\)"/g),
    ).toHaveLength(1);
    const texts = textsOf(body);
    expect(texts.filter((text) => text === 'pruned here')).toHaveLength(1);
    expect(texts).toEqual(expect.arrayContaining(['dense &lt;accuracy&gt;', 'rewound']));
    expect(body.match(/stroke-dasharray="2,3"/g)).toHaveLength(3);
    expect(body).toMatch(
      /aria-label="[^"]*dense &lt;accuracy&gt;: 3\. pruned here: from 10\.00.% on\. rewound: from 90\.00.% on\."/,
    );
  });

  it('leaves out what a logarithmic axis has no place for, and says how many', async () => {
    const points = [
      [1, 10],
      [2, 0],
      [3, -1],
      [4, 1],
    ] as const;
    const y = { title: 'loss', scale: 'log' } as const;
    const { body, notes } = await drawLineChart(lineChart({ y, series: [series('loss', points)] }));
    expect(notes).toEqual(['2 values that are not above 0 have no place on a logarithmic axis.']);
    expect(textsOf(body)).toEqual(expect.arrayContaining(['1', '2', '5', '10']));
    const single = await drawLineChart(
      lineChart({
        y,
        series: [
          series('loss', [
            [1, 0],
            [2, 1],
          ]),
        ],
      }),
    );
    expect(single.notes).toEqual(['A value that is not above 0 has no place on a logarithmic axis.']);
  });

  it('labels ticks with their values', async () => {
    // d3's own choice of digits gives -0.1 for -0.15.
    const points = [
      [-0.15, 1],
      [0.15, 2],
    ] as const;
    const { body } = await drawLineChart(
      lineChart({ width: 'half', x: { title: 'weight' }, series: [series('a', points)] }),
    );
    const labels = textsOf(body);
    expect(new Set(labels).size).toBe(labels.length);
    const bytes = await drawLineChart(
      lineChart({
        width: 'half',
        x: { title: 'file', format: 'bytes' },
        series: [
          series('a', [
            [0, 1],
            [3e6, 2],
          ]),
        ],
      }),
    );
    expect(textsOf(bytes.body)).toEqual(expect.arrayContaining(['0\u202fB', '500\u202fkB', '1.5\u202fMB']));
  });

  it('keeps its size whatever texts are on it', async () => {
    const long = 'far too long '.repeat(40);
    const { body } = await drawLineChart(
      lineChart({
        width: 'half',
        x: { title: long },
        y: { title: long },
        rules: [{ y: 0.5, label: long }],
        markers: [
          { x: 0, label: long },
          { x: 0.69, label: `${long}!` },
          { x: 1, label: long },
        ],
      }),
    );
    const [, to = 0] = [...linesOf(body, 0)[0]!.matchAll(/[ML]([\d.]+),/g)]
      .map(([, x]) => Number(x))
      .slice(1);
    expect(to).toBeGreaterThan(280);
    expect(body).toContain('width="412" height="260"');
  });

  it('turns an axis round', async () => {
    const x = { title: 'left', reverse: true };
    const { body } = await drawLineChart(
      lineChart({
        x,
        series: [
          series('a', [
            [0, 0],
            [1, 1],
          ]),
        ],
      }),
    );
    const [from = 0, to = 0] = [...linesOf(body, 0)[0]!.matchAll(/[ML]([\d.]+),/g)].map(([, at]) =>
      Number(at),
    );
    expect(from).toBeGreaterThan(to);
  });

  it('says so where there is nothing to draw', async () => {
    const { body } = await drawLineChart(lineChart({ series: [series('a', [[0, null]])] }));
    expect(body).toContain('No values to draw.');
  });

  it('tells many series apart', () => {
    const looks = Array.from({ length: 24 }, (_, index) => JSON.stringify(seriesLook(index)));
    expect(new Set(looks).size).toBe(24);
  });

  it('draws long runs with few points', async () => {
    const points = Array.from({ length: 50_000 }, (_, x) => [x, Math.sin(x)] as const);
    const { body } = await drawLineChart(lineChart({ series: [series('loss', points)] }));
    expect(body.length).toBeLessThan(80_000);
    expect(body).toContain('loss: 50000 points');
  });
});

describe('drawBarChart', () => {
  const barChart = (more: Partial<BarChart> = {}): BarChart => ({
    kind: 'bars',
    title: 'MACs',
    value: { title: 'MACs', format: 'integer' },
    categories: ['conv1', 'fc <1>'],
    series: [
      { name: 'before', values: [100, 50] },
      { name: 'after', values: [40, null] },
    ],
    ...more,
  });

  it('draws a bar for every value, from zero', async () => {
    const { body, legend } = await drawBarChart(barChart());
    expect(body.match(/<path [^>]*fill="var\(--s1\)"/g)).toHaveLength(2);
    expect(body.match(/<path [^>]*fill="var\(--s2\)"/g)).toHaveLength(1);
    expect(textsOf(body)).toEqual(expect.arrayContaining(['conv1', 'fc &lt;1&gt;', '0', '100']));
    expect(body).toContain(
      'aria-label="Bar chart: MACs. MACs of 2 groups. conv1: before 100, after 40. fc &lt;1&gt;: before 50, after –."',
    );
    expect(legend).toContain('after');
  });

  it('tells of many categories only from where to where they go', async () => {
    const categories = Array.from({ length: 30 }, (_, index) => `layer ${index}`);
    const values = categories.map((_, index) => (index === 3 ? null : index));
    const nothing = values.map(() => null);
    const { body } = await drawBarChart(
      barChart({
        categories,
        series: [
          { name: 'before', values },
          { name: 'after', values: nothing },
        ],
      }),
    );
    expect(body).toContain(
      'aria-label="Bar chart: MACs. MACs of 30 groups. before: 0 to 29. after: no values."',
    );
    expect(textsOf(body)).toEqual(expect.arrayContaining(categories));
  });

  it('leaves the middle of long names out, and keeps those apart that look the same then', async () => {
    const categories = ['a', 'b'].map((part) => `${'model.'.repeat(10)}${part}${'.conv'.repeat(10)}`);
    const { body } = await drawBarChart(barChart({ categories }));
    const labels = textsOf(body).filter((text) => text.startsWith('model.'));
    expect(labels).toEqual(['model.model.model.…nv.conv.conv.conv', 'model.model.model.…nv.conv.conv.conv']);
    expect(body.match(/<path [^>]*fill="var\(--s1\)"/g)).toHaveLength(2);
    const { body: exact } = await drawBarChart(barChart({ categories: ['x'.repeat(36), 'y'.repeat(37)] }));
    expect(textsOf(exact)).toEqual(
      expect.arrayContaining(['x'.repeat(36), `${'y'.repeat(18)}…${'y'.repeat(17)}`]),
    );
  });

  it('needs no legend for one series, and says so where there is nothing', async () => {
    const one = await drawBarChart(barChart({ series: [{ name: 'a', values: [1, 2] }] }));
    expect(one.legend).toBe('');
    const none = await drawBarChart(barChart({ series: [{ name: 'a', values: [null, null] }] }));
    expect(none.body).toContain('No values to draw.');
  });

  it('takes names as they are, also those that objects have', async () => {
    const { body } = await drawBarChart(
      barChart({ categories: ['__proto__', 'constructor'], series: [{ name: 'toString', values: [1, 2] }] }),
    );
    expect(body.match(/<path [^>]*fill="var\(--s1\)"/g)).toHaveLength(2);
    expect(textsOf(body)).toEqual(expect.arrayContaining(['__proto__', 'constructor']));
  });
});

describe('chartSvg', () => {
  it('loads Vega only when a chart is drawn', () => {
    const folder = new URL('.', import.meta.url);
    const sources = readdirSync(folder).filter((name) => /(?<!\.test)\.ts$/.test(name));
    const imports = sources.flatMap((name) => {
      const lines = readFileSync(new URL(name, folder), 'utf8').split('\n');
      return lines.filter((line) => /['"]vega(-lite)?['"]/.test(line));
    });
    expect(imports.length).toBeGreaterThan(1);
    expect(imports.filter((line) => !/^import type |\bimport\('vega/.test(line))).toEqual([]);
  });

  it('gives what Vega says is wrong as an error of the house', async () => {
    const spec = {
      data: { values: [{ x: 1 }] },
      transform: [{ calculate: 'nowhere(', as: 'y' }],
      mark: 'point',
      encoding: {},
    } as const;
    await expect(chartSvg({ ...spec, transform: [...spec.transform] }, 'Broken')).rejects.toThrow(
      ArgumentError,
    );
    await expect(chartSvg({ ...spec, transform: [...spec.transform] }, 'Broken')).rejects.toThrow(
      "renderReport: the chart 'Broken' could not be drawn: ",
    );
  });

  it('rounds coordinates but no text', async () => {
    const svg = await chartSvg(
      {
        data: { values: [{ label: 'pi is 3.14159265, opacity="1"' }] },
        mark: { type: 'text' },
        encoding: { text: { field: 'label' }, x: { value: 12.3456789 } },
      },
      'Text',
    );
    expect(svg).toContain('>pi is 3.14159265, opacity="1"<');
    expect(svg).toContain('translate(12.35,');
  });
});
