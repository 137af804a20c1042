import { axisChannel, rangeText } from './axis.ts';
import { chartSvg, INK, seriesLook } from './chart-svg.ts';
import { AXIS_ROOMS, CHART_WIDTHS, type Drawn, EMPTY, fillSign, legendHtml } from './figure.ts';
import type { BarChart } from './report.ts';
import { formatValue } from './value-format.ts';

/** Pixels of a bar, and between groups. */
const [BAR, GAP] = [9, 8];

/** Begins names of categories: Vega looks names up in plain objects, where `toString` and its like are found without having been put there. */
const CATEGORY = 'category ';

/** Most characters of a category's label. */
const LONGEST = { full: 36, half: 18 } as const;

/** Vega's expression for a category's name, without its middle where it is long: both ends of a layer's path tell something. */
function shortLabel(longest: number): string {
  const name = `slice(datum.label, ${CATEGORY.length})`;
  const head = Math.ceil((longest - 1) / 2);
  const short = `slice(${name}, 0, ${head}) + '…' + slice(${name}, ${head + 1 - longest})`;
  return `length(${name}) > ${longest} ? ${short} : ${name}`;
}

/** Most categories whose values are told one by one. */
const TOLD = 12;

/** What the chart says to those who do not see it. */
function describe({ title, value, categories, series }: BarChart): string {
  const groups = `${value.title} of ${categories.length} ${categories.length === 1 ? 'group' : 'groups'}.`;
  const ranges = series.map(({ name, values }) => {
    const known = values.filter((entry) => entry !== null);
    return known.length === 0 ? `${name}: no values.` : `${name}: ${rangeText(known, value)}.`;
  });
  const each = categories.map((category, at) => {
    const bars = series.map(({ name, values }) => `${name} ${formatValue(values[at] ?? null, value.format)}`);
    return `${category}: ${bars.join(', ')}.`;
  });
  return [`Bar chart: ${title}.`, groups, ...(categories.length <= TOLD ? each : ranges)].join(' ');
}

/** Draws a bar chart, the first category on top. */
export async function drawBarChart(chart: BarChart): Promise<Drawn> {
  const { value, categories, series, width = 'full' } = chart;
  // Series go by their places, for the same reason.
  const keys = series.map((_, index) => `s${index}`);
  const rows = series.flatMap(({ values }, index) =>
    values.flatMap((x, at) =>
      x === null ? [] : [{ x, category: CATEGORY + categories[at]!, series: keys[index]! }],
    ),
  );
  if (rows.length === 0) return { body: EMPTY, legend: '', notes: [], width };
  const names = series.map(({ name }) => name);
  const range = series.map((_, index) => seriesLook(index).color);
  const xs = rows.map(({ x }) => x);
  const x = axisChannel('x', { ...value, zero: value.zero ?? true }, xs, AXIS_ROOMS[width].x);
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
            domain: categories.map((name) => CATEGORY + name),
            paddingInner: GAP / (series.length * BAR + GAP),
            paddingOuter: 0.1,
          },
          axis: {
            title: null,
            labelExpr: shortLabel(LONGEST[width]),
            labelColor: INK,
            labelLimit: 0,
            domain: true,
          },
        },
        yOffset: { field: 'series', sort: null, scale: { domain: keys } },
        color: { field: 'series', type: 'nominal', scale: { domain: keys, range } },
      },
    },
    describe(chart),
  );
  const entries = names.map((label, index) => ({ sign: fillSign(`fill="${range[index]}"`), label }));
  return { body: svg, legend: names.length > 1 ? legendHtml(entries) : '', notes: [], width };
}
