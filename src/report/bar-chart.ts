import { axisChannel, rangeText } from './axis.ts';
import { chartSvg, INK, seriesLook } from './chart-svg.ts';
import { CHART_WIDTHS, type Drawn, EMPTY, fillSign, legendHtml } from './figure.ts';
import type { BarChart } from './report.ts';

/** Pixels of a bar, and between groups. */
const [BAR, GAP] = [9, 8];

/** What the chart says to those who do not see it. */
function describe({ title, value, categories, series }: BarChart): string {
  const bars = series.map(({ name, values }) => {
    const known = values.filter((entry) => entry !== null);
    return known.length === 0 ? `${name}: no values.` : `${name}: ${rangeText(known, value)}.`;
  });
  const groups = `${value.title} of ${categories.length} ${categories.length === 1 ? 'group' : 'groups'}.`;
  return [`Bar chart: ${title}.`, groups, ...bars].join(' ');
}

/** Draws a bar chart, the first category on top. */
export async function drawBarChart(chart: BarChart): Promise<Drawn> {
  const { value, categories, series, width = 'full' } = chart;
  const rows = series.flatMap(({ name, values }) =>
    values.flatMap((x, index) => (x === null ? [] : [{ x, category: categories[index]!, series: name }])),
  );
  if (rows.length === 0) return { body: EMPTY, legend: '', notes: [], width };
  const names = series.map(({ name }) => name);
  const range = series.map((_, index) => seriesLook(index).color);
  const xs = rows.map(({ x }) => x);
  const x = axisChannel('x', { ...value, zero: value.zero ?? true }, xs, width === 'full' ? 8 : 4);
  const svg = await chartSvg(
    {
      width: CHART_WIDTHS[width],
      // The last part is the axis.
      height: categories.length * (series.length * BAR + GAP) + 40,
      data: { values: rows },
      mark: { type: 'bar' },
      encoding: {
        x: { ...x, axis: { ...x.axis, grid: true, domain: false, ticks: false } },
        y: {
          field: 'category',
          type: 'nominal',
          sort: null,
          scale: {
            domain: [...categories],
            paddingInner: GAP / (series.length * BAR + GAP),
            paddingOuter: 0.1,
          },
          axis: { title: null, labelColor: INK, labelLimit: width === 'full' ? 260 : 140, domain: true },
        },
        yOffset: { field: 'series', sort: null, scale: { domain: names } },
        color: { field: 'series', type: 'nominal', scale: { domain: names, range } },
      },
    },
    describe(chart),
  );
  const entries = names.map((label, index) => ({ sign: fillSign(`fill="${range[index]}"`), label }));
  return { body: svg, legend: names.length > 1 ? legendHtml(entries) : '', notes: [], width };
}
