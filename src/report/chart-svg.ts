import type { Config, TopLevelSpec } from 'vega-lite';
import { ArgumentError } from '../core/errors.ts';
import { cleanText, escapeHtml } from './html-text.ts';

/**
 * Colours are CSS variables of the page, so that one drawing serves light and dark: the SVG holds `var(--ink)`, and the page's style says
 * what that is.
 */
export const INK = 'var(--ink)';
/** Of axes' labels and titles. */
export const FAINT = 'var(--faint)';
const GRID = 'var(--grid)';
const RULE = 'var(--rule)';

/** Number of colours for series; further ones begin again, with dashes. */
const COLORS = 8;

/** Shapes of points, in the order of the series. */
const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'triangle-down', 'cross'] as const;

/** How a series is drawn: told apart by colour, and without colours by dashes and the shape of its points. */
export interface SeriesLook {
  readonly color: string;
  /** Lengths of dashes and gaps; none for a solid line. */
  readonly dash: readonly number[];
  readonly shape: (typeof SHAPES)[number];
}

/** The look of the series that stands at `index`. */
export function seriesLook(index: number): SeriesLook {
  const round = Math.floor(index / COLORS) % 3;
  return {
    color: `var(--s${(index % COLORS) + 1})`,
    dash: [[], [5, 3], [2, 2]][round]!,
    shape: SHAPES[index % SHAPES.length]!,
  };
}

const CONFIG: Config = {
  // What marks show is said once, in the label of the whole drawing.
  aria: false,
  background: 'transparent',
  padding: 2,
  // Width and height are those of the whole drawing, labels included.
  autosize: { type: 'fit', contains: 'padding' },
  view: { stroke: null },
  axis: {
    domainColor: RULE,
    tickColor: RULE,
    gridColor: GRID,
    gridWidth: 1,
    tickSize: 4,
    labelColor: FAINT,
    labelFontSize: 11,
    labelPadding: 5,
    titleColor: INK,
    titleFontSize: 11.5,
    titleFontWeight: 'normal',
  },
  axisX: { grid: false, titlePadding: 8, labelFlush: false },
  // The title stands above the axis, where it is read without turning the head.
  axisY: {
    domain: false,
    ticks: false,
    titleAngle: 0,
    titleAlign: 'left',
    titleAnchor: 'end',
    titleX: 0,
    titleY: -11,
  },
  legend: { disable: true },
};

/** Keeps what Vega says is wrong; its own logger writes to the console and goes on. */
class ErrorLog {
  readonly errors: unknown[] = [];

  level(): number {
    return 1;
  }

  error(...messages: unknown[]): this {
    this.errors.push(...messages);
    return this;
  }

  warn(): this {
    return this;
  }

  info(): this {
    return this;
  }

  debug(): this {
    return this;
  }
}

/** Attributes that say nothing here: what the page's style sets, the value that holds anyway, or is for reading marks aloud one by one. */
const SPARE =
  / (font-family|pointer-events|role|aria-[a-z]+)="[^"]*"| opacity="1"| font-weight="normal"| stroke-miterlimit="4"| stroke-dasharray=""/g;

/** Coordinates to a hundredth of a pixel: the rest is not seen, but is most of the text. */
const rounded = (tag: string): string =>
  tag.replace(/-?\d+\.\d{3,}(e-?\d+)?/g, (digits) => String(Math.round(Number(digits) * 100) / 100 + 0));

/**
 * Vega's SVG as an element for the inside of a page. Only tags are touched, never text: Vega escapes `<` and `>` in text, and attributes hold nothing that
 * a caller wrote.
 */
function asInline(svg: string, label: string): string {
  const [, width = '0', height = '0'] = /^<svg[^>]* width="([\d.]+)" height="([\d.]+)"/.exec(svg) ?? [];
  const body = svg
    .replace(/^<svg[^>]*>/, '')
    .replace(/<path class="(foreground|background)"[^>]*\/>/g, '')
    .replace(/<text[^>]* opacity="0"[^>]*>[^<]*<\/text>/g, '')
    .replace(/<[^>]+>/g, (tag) => rounded(tag.replace(SPARE, '')));
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return `<svg class="chart" role="img" aria-label="${escapeHtml(label)}" ${size}>${cleanText(body)}`;
}

/**
 * Draws a Vega-Lite chart as an SVG element for the inside of a page, with `label` as what it says to those who do not see it. Vega is loaded on the
 * first call. Throws ArgumentError where Vega cannot draw it.
 */
export async function chartSvg(spec: TopLevelSpec, label: string): Promise<string> {
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')]);
  const logger = new ErrorLog();
  try {
    const { spec: compiled } = vegaLite.compile(spec, { logger, config: CONFIG });
    const view = new vega.View(vega.parse(compiled), { renderer: 'none', logger });
    const svg = await view.toSVG();
    view.finalize();
    if (logger.errors.length > 0) throw logger.errors[0];
    return asInline(svg, label);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ArgumentError(`renderReport: the chart '${label}' could not be drawn: ${reason}`, { cause });
  }
}
