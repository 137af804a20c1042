import type { TopLevelSpec } from 'vega-lite';
import { type AxisChannel, axisChannel, extent, rangeText } from './axis.ts';
import { chartSvg, FAINT, INK, type SeriesLook, seriesLook } from './chart-svg.ts';
import { AXIS_ROOMS, CHART_WIDTHS, type Drawn, EMPTY, legendHtml, lineSign } from './figure.ts';
import type { ChartAxis, ChartMarker, ChartRule, LineChart, LineSeries } from './report.ts';
import { thinLine } from './thin.ts';
import { formatValue } from './value-format.ts';

type Layer = Extract<TopLevelSpec, { readonly layer: unknown }>['layer'][number];

const HEIGHTS = { full: 340, half: 260 } as const;

/** Most points of a series that are marked one by one. */
const MARKED = 40;

type Point = readonly [x: number, y: number];

/** A series as it is drawn: stretches of points without gaps, and the values that a logarithmic axis leaves out. */
interface Stretches {
  readonly stretches: readonly (readonly Point[])[];
  readonly band: NonNullable<LineSeries['band']>;
  readonly leftOut: number;
}

const fits = (value: number, { scale }: ChartAxis): boolean => scale !== 'log' || value > 0;

function stretchesOf({ points, band = [] }: LineSeries, x: ChartAxis, y: ChartAxis): Stretches {
  const stretches: Point[][] = [[]];
  let leftOut = 0;
  for (const [at, value] of points) {
    if (value !== null && fits(at, x) && fits(value, y)) {
      stretches.at(-1)!.push([at, value]);
      continue;
    }
    if (value !== null) leftOut++;
    stretches.push([]);
  }
  return {
    stretches: stretches.filter(({ length }) => length > 0),
    band: band.filter(([at, low]) => fits(at, x) && fits(low, y)),
    leftOut,
  };
}

/** Markers that show their label: the first of neighbours with the same one. */
const labelled = (markers: readonly ChartMarker[]): readonly ChartMarker[] =>
  markers.filter(({ label }, index) => label !== markers[index - 1]?.label);

const leftOutText = (count: number): string =>
  count === 1
    ? 'A value that is not above 0 has no place on a logarithmic axis.'
    : `${formatValue(count, 'integer')} values that are not above 0 have no place on a logarithmic axis.`;

/** What the chart says to those who do not see it. */
function describe(chart: LineChart, drawn: readonly Stretches[]): string {
  const { title, x, y, series, rules = [], markers = [] } = chart;
  const lines = series.map(({ name }, index) => {
    const values = drawn[index]!.stretches.flat().map(([, value]) => value);
    if (values.length === 0) return `${name}: no points.`;
    return `${name}: ${values.length} ${values.length === 1 ? 'point' : 'points'}, ${rangeText(values, y)}.`;
  });
  const across = rules.map((rule) => `${rule.label}: ${formatValue(rule.y, y.format)}.`);
  const first = labelled(markers).map(
    (marker) => `${marker.label}: from ${formatValue(marker.x, x.format)} on.`,
  );
  return [`Line chart: ${title}.`, `${y.title} by ${x.title}.`, ...lines, ...across, ...first].join(' ');
}

/** Draws a line chart. */
export async function drawLineChart(chart: LineChart): Promise<Drawn> {
  const { x, y, series, width = 'full' } = chart;
  const drawn = series.map((line) => stretchesOf(line, x, y));
  const leftOut = drawn.reduce((sum, line) => sum + line.leftOut, 0);
  const notes = leftOut === 0 ? [] : [leftOutText(leftOut)];
  const points = drawn.flatMap(({ stretches }) => stretches.flat());
  if (points.length === 0) return { body: EMPTY, legend: '', notes, width };

  const size = { width: CHART_WIDTHS[width], height: HEIGHTS[width] };
  const rules = (chart.rules ?? []).filter((rule) => fits(rule.y, y));
  const markers = (chart.markers ?? []).filter((marker) => fits(marker.x, x));
  const bands = drawn.flatMap(({ band }) => band);
  const xs = [...points.map(([at]) => at), ...bands.map(([at]) => at), ...markers.map((marker) => marker.x)];
  const ys = [
    ...points.map(([, value]) => value),
    ...bands.flatMap(([, low, high]) => [low, high]),
    ...rules.map((rule) => rule.y),
  ];
  const xChannel = axisChannel('x', x, xs, AXIS_ROOMS[width].x);
  const yChannel = axisChannel('y', y, ys, AXIS_ROOMS[width].y);
  const pixel = pixelsAcross(x, xs, size.width);
  const isMarked = series.map(({ points }) => points.length <= MARKED);

  const ruled = ruleLayers(rules, yChannel, size.width);
  const marked = markerLayers(markers, xChannel, pixel, size.width);
  const layers = [
    ...drawn.flatMap(({ band }, index) => bandLayers(band, seriesLook(index), xChannel, yChannel)),
    ...ruled.lines,
    ...marked.lines,
    ...drawn.flatMap(({ stretches }, index) =>
      lineLayers(stretches, seriesLook(index), isMarked[index]!, pixel, xChannel, yChannel),
    ),
    // Over the lines, so that they can be read.
    ...ruled.notes,
    ...marked.notes,
  ];
  const svg = await chartSvg({ ...size, layer: layers }, describe(chart, drawn));
  const entries = series.map(({ name }, index) => ({ sign: lineSign(index, isMarked[index]!), label: name }));
  // The name of the only line is on the axis already.
  const isNamed = series.length === 1 && series[0]!.name === y.title;
  return { body: svg, legend: isNamed ? '' : legendHtml(entries), notes, width };
}

/** The whole pixel at which an x stands, counted from the left; near enough for thinning. */
function pixelsAcross(
  { scale, reverse }: ChartAxis,
  xs: readonly number[],
  width: number,
): (x: number) => number {
  const at = (value: number): number => (scale === 'log' ? Math.log(value) : value);
  const [low, high] = extent(xs).map(at) as [number, number];
  if (low === high) return () => 0;
  return (value) => {
    const share = (at(value) - low) / (high - low);
    return Math.floor((reverse ? 1 - share : share) * width);
  };
}

function bandLayers(
  band: Stretches['band'],
  { color }: SeriesLook,
  x: AxisChannel<'x'>,
  y: AxisChannel<'y'>,
): Layer[] {
  if (band.length === 0) return [];
  return [
    {
      data: { values: band.map(([at, low, high]) => ({ x: at, y: low, high })) },
      mark: { type: 'area', color, opacity: 0.16 },
      encoding: { x, y, y2: { field: 'high' } },
    },
  ];
}

/** A series: its line, and its points where they are marked or stand alone. */
function lineLayers(
  stretches: Stretches['stretches'],
  { color, dash, shape }: SeriesLook,
  isMarked: boolean,
  pixel: (x: number) => number,
  x: AxisChannel<'x'>,
  y: AxisChannel<'y'>,
): Layer[] {
  const rows = stretches.flatMap((stretch, part) =>
    thinLine(stretch, pixel).map(([at, value], place) => {
      return { x: at, y: value, part, place, alone: stretch.length === 1 };
    }),
  );
  const dots = isMarked ? rows : rows.filter(({ alone }) => alone);
  const line: Layer = {
    data: { values: rows },
    mark: { type: 'line', color, strokeWidth: 1.75, strokeJoin: 'round', strokeDash: [...dash] },
    encoding: {
      x,
      y,
      detail: { field: 'part', type: 'nominal' },
      // Vega-Lite would join them by x.
      order: { field: 'place', type: 'quantitative' },
    },
  };
  if (dots.length === 0) return [line];
  const mark = { type: 'point', filled: true, shape, color, size: 26, opacity: 1 } as const;
  return [line, { data: { values: dots }, mark, encoding: { x, y } }];
}

/** Lines across a chart, which stand behind the series, and their labels, which stand before. */
interface Guides {
  readonly lines: readonly Layer[];
  readonly notes: readonly Layer[];
}

const NOTE = { type: 'text', fontSize: 11, color: INK } as const;

function ruleLayers(rules: readonly ChartRule[], y: AxisChannel<'y'>, width: number): Guides {
  if (rules.length === 0) return { lines: [], notes: [] };
  const data = { values: rules.map((rule) => ({ y: rule.y, label: rule.label })) };
  return {
    lines: [
      {
        data,
        mark: { type: 'rule', color: INK, strokeDash: [5, 3], strokeWidth: 1, opacity: 0.7 },
        encoding: { y },
      },
    ],
    notes: [
      {
        name: 'rule_notes',
        data,
        mark: { ...NOTE, align: 'right', baseline: 'bottom', dy: -3, limit: width * 0.6 },
        encoding: { x: { value: 'width' }, y, text: { field: 'label', type: 'nominal' } },
      },
    ],
  };
}

function markerLayers(
  markers: readonly ChartMarker[],
  x: AxisChannel<'x'>,
  pixel: (x: number) => number,
  width: number,
): Guides {
  if (markers.length === 0) return { lines: [], notes: [] };
  // Labels stand beside their line, on the side where there is more room, and end before the chart does.
  const notes = (['left', 'right'] as const).map((align): Layer => {
    const values = labelled(markers).filter((marker) => pixel(marker.x) < width * 0.7 === (align === 'left'));
    const dx = align === 'left' ? 4 : -4;
    return {
      name: `marker_notes_${align}`,
      data: { values: values.map((marker) => ({ x: marker.x, label: marker.label })) },
      mark: { ...NOTE, color: FAINT, align, baseline: 'top', dx, limit: width * 0.25 },
      encoding: { x, y: { value: 2 }, text: { field: 'label', type: 'nominal' } },
    };
  });
  return {
    lines: [
      {
        data: { values: markers.map((marker) => ({ x: marker.x })) },
        mark: { type: 'rule', color: FAINT, strokeDash: [2, 3], strokeWidth: 1 },
        encoding: { x },
      },
    ],
    notes,
  };
}
