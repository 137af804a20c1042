import { type SeriesLook, seriesLook } from './chart-svg.ts';
import { escapeHtml } from './html-text.ts';
import type { ChartWidth } from './report.ts';

/** Pixels across of charts of both widths, as many as the page has room for. */
export const CHART_WIDTHS: Readonly<Record<ChartWidth, number>> = { full: 864, half: 412 };

/** What axes of charts of both widths have room for, beside labels of 90 pixels. */
export const AXIS_ROOMS = {
  full: { x: { ticks: 8, room: 760 }, y: { ticks: 6, room: 760 } },
  half: { x: { ticks: 5, room: 310 }, y: { ticks: 6, room: 310 } },
} as const;

/** An item as drawn, before it gets its number and its caption. */
export interface Drawn {
  /** HTML of the drawing or table. */
  readonly body: string;
  /** HTML that explains the signs; `''` where there is nothing to explain. */
  readonly legend: string;
  /** What the drawing tells in words besides the caption, as plain text. */
  readonly notes: readonly string[];
  readonly width: ChartWidth;
}

/** A sign of a legend, 26 × 12 px: HTML of what is inside the SVG. */
export interface LegendEntry {
  readonly sign: string;
  readonly label: string;
}

/** A legend: signs with their names. */
export const legendHtml = (entries: readonly LegendEntry[]): string => {
  const items = entries.map(
    ({ sign, label }) =>
      `<li><svg class="sign" width="26" height="12" viewBox="0 0 26 12" aria-hidden="true">${sign}</svg>${escapeHtml(label)}</li>`,
  );
  return `<ul class="legend">${items.join('')}</ul>`;
};

/** Paths of the points' shapes around (13, 6), as Vega draws them. */
const SHAPE_PATHS: Readonly<Record<SeriesLook['shape'], string>> = {
  circle: 'M10 6a3 3 0 1 0 6 0a3 3 0 1 0-6 0z',
  square: 'M10.3 3.3h5.4v5.4h-5.4z',
  'triangle-up': 'M13 2.6l3.4 6h-6.8z',
  diamond: 'M13 2l3 4l-3 4l-3-4z',
  'triangle-down': 'M13 9.4l3.4-6h-6.8z',
  cross: 'M12 2.6h2v2.4h2.4v2h-2.4v2.4h-2v-2.4h-2.4v-2h2.4z',
};

/** The sign of the series at `index`: a piece of its line, and a point where it has points. */
export function lineSign(index: number, points: boolean): string {
  const { color, dash, shape } = seriesLook(index);
  const dashes = dash.length > 0 ? ` stroke-dasharray="${dash.join(' ')}"` : '';
  const line = `<path d="M1 6h24" stroke="${color}" stroke-width="2"${dashes}/>`;
  return points ? `${line}<path d="${SHAPE_PATHS[shape]}" fill="${color}"/>` : line;
}

/** A filled rectangle as the sign. */
export const fillSign = (attributes: string): string =>
  `<rect x="3.5" y="1.5" width="19" height="9" ${attributes}/>`;

/** What stands in place of a chart that has nothing to draw. */
export const EMPTY = '<p class="empty">No values to draw.</p>';
