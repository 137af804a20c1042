import { ArgumentError } from '../core/errors.ts';
import { axisChannel } from './axis.ts';
import { chartSvg, seriesLook } from './chart-svg.ts';
import { AXIS_ROOMS, CHART_WIDTHS, type Drawn, EMPTY, fillSign, legendHtml } from './figure.ts';
import type { ChartAxis, HistogramChart, HistogramCounts } from './report.ts';
import { formatValue } from './value-format.ts';

/** Options of `weightHistogram`. */
export interface HistogramOptions {
  /** Number of bins, 1 to 1000. Default: twice the cube root of the number of weights (Rice's rule), but 12 to 60. */
  readonly bins?: number;
  /** Default: `Weights`. */
  readonly title?: string;
}

/**
 * Counts how weights are spread before and after pruning, in equally wide bins over both (numpy's `histogram`: the last bin holds its upper end).
 * Exact zeros, of which a pruned weight has so many that they would dwarf the rest, are in no bin but counted apart; so are NaN and infinities. The
 * two arrays may differ in length. Linear in their lengths. Throws ArgumentError where `bins` cannot be.
 */
export function weightHistogram(
  before: Float32Array,
  after: Float32Array,
  options: HistogramOptions = {},
): HistogramChart {
  const { bins = riceBins(Math.max(before.length, after.length)), title = 'Weights' } = options;
  if (!Number.isInteger(bins) || bins < 1 || bins > 1000) {
    throw new ArgumentError(`weightHistogram: bins must be a whole number from 1 to 1000, got ${bins}`);
  }
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const values of [before, after]) {
    for (const value of values) {
      if (!Number.isFinite(value) || value === 0) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  // As numpy does for nothing at all, and for a single value.
  if (low > high) [low, high] = [0, 1];
  else if (low === high) [low, high] = [low - Math.abs(low) / 2, high + Math.abs(high) / 2];
  const count = (values: Float32Array): HistogramCounts => countBins(values, low, high, bins);
  return { kind: 'histogram', title, low, high, before: count(before), after: count(after) };
}

const riceBins = (size: number): number => Math.min(60, Math.max(12, Math.ceil(2 * Math.cbrt(size))));

function countBins(values: Float32Array, low: number, high: number, bins: number): HistogramCounts {
  const counts = new Array<number>(bins).fill(0);
  const scale = bins / (high - low);
  let [zeros, notFinite] = [0, 0];
  for (const value of values) {
    if (value === 0) zeros++;
    else if (!Number.isFinite(value)) notFinite++;
    else counts[Math.min(bins - 1, Math.floor((value - low) * scale))]!++;
  }
  return { counts, zeros, notFinite };
}

const sizeOf = ({ counts, zeros, notFinite }: HistogramCounts): number =>
  counts.reduce((sum, count) => sum + count, zeros + notFinite);

const integer = (value: number): string => formatValue(value, 'integer');

/** `23,456 of 30,000 (78.19 %)` */
function part(count: number, size: number): string {
  return `${integer(count)} of ${integer(size)} (${formatValue(size === 0 ? 0 : count / size, 'percent')})`;
}

function notesOf({ before, after }: HistogramChart): string[] {
  const notes: string[] = [];
  if (before.zeros + after.zeros > 0) {
    const earlier =
      before.zeros === 0 ? 'none were before' : `${part(before.zeros, sizeOf(before))} were before`;
    notes.push(`Weights that are exactly 0 are not drawn: ${part(after.zeros, sizeOf(after))}; ${earlier}.`);
  }
  if (before.notFinite + after.notFinite > 0) {
    notes.push(
      `NaN or infinite, and not drawn: ${integer(after.notFinite)} after, ${integer(before.notFinite)} before.`,
    );
  }
  return notes;
}

const X: ChartAxis = { title: 'weight' };
const Y: ChartAxis = { title: 'weights per bin', format: 'integer' };

const HEIGHTS = { full: 260, half: 220 } as const;

/** Draws a histogram: before as a filled area, after as an outline over it. */
export async function drawHistogram(chart: HistogramChart): Promise<Drawn> {
  const { title, low, high, before, after, width = 'half' } = chart;
  const notes = notesOf(chart);
  const most = Math.max(...before.counts, ...after.counts);
  if (most === 0) return { body: EMPTY, legend: '', notes, width };
  const bins = before.counts.length;
  // A step per bin; the last point ends the last one.
  const steps = ({ counts }: HistogramCounts) => ({
    values: [...counts, counts.at(-1)!].map((y, index) => ({ x: low + ((high - low) * index) / bins, y })),
  });
  const x = axisChannel('x', X, [low, high], AXIS_ROOMS[width].x);
  const encoding = {
    x: { ...x, scale: { ...x.scale, nice: false } },
    y: axisChannel('y', Y, [0, most], { ...AXIS_ROOMS[width].y, ticks: 4 }),
  };
  const { color } = seriesLook(0);
  const label = [
    `Histogram: ${title}.`,
    `${integer(sizeOf(before) - before.zeros - before.notFinite)} weights before and`,
    `${integer(sizeOf(after) - after.zeros - after.notFinite)} after that are not 0,`,
    `from ${formatValue(low)} to ${formatValue(high)} in ${bins} bins.`,
    ...notes,
  ].join(' ');
  const svg = await chartSvg(
    {
      width: CHART_WIDTHS[width],
      height: HEIGHTS[width],
      layer: [
        {
          data: steps(before),
          mark: { type: 'area', interpolate: 'step-after', color: 'var(--before)' },
          encoding,
        },
        {
          data: steps(after),
          mark: { type: 'area', interpolate: 'step-after', color, opacity: 0.25 },
          encoding,
        },
        {
          data: steps(after),
          mark: { type: 'line', interpolate: 'step-after', color, strokeWidth: 1.25, strokeJoin: 'miter' },
          encoding,
        },
      ],
    },
    label,
  );
  const legend = legendHtml([
    { sign: fillSign('fill="var(--before)"'), label: 'before' },
    { sign: fillSign(`fill="${color}" fill-opacity=".25" stroke="${color}"`), label: 'after' },
  ]);
  return { body: svg, legend, notes, width };
}
