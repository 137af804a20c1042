// @ts-check
/** What the charts of the docs share: colours for light and dark pages, and how a Vega-Lite chart becomes an SVG file. */

import * as vega from 'vega';
import * as vegaLite from 'vega-lite';

/** Text and axes. */
export const INK = '#6b7280';

/** Series, in this order. */
export const COLORS = ['#0f766e', '#c2410c', '#6d28d9', '#a16207', '#1d4ed8', '#be185d'];

const CONFIG = {
  aria: false,
  view: { stroke: null },
  axis: {
    labelColor: INK,
    titleColor: INK,
    domainColor: INK,
    tickColor: INK,
    gridColor: '#9ca3af44',
    titleFontWeight: 'normal',
  },
  header: { labelColor: INK, titleColor: INK },
  legend: { labelColor: INK, titleColor: INK, orient: 'top', direction: 'horizontal' },
};

/**
 * A chart as the text of an SVG file, on no background.
 * @param {string} title
 * @param {Record<string, unknown>} spec Vega-Lite's, without title, background and config.
 */
export async function drawSvg(title, spec) {
  const { spec: compiled } = vegaLite.compile(
    /** @type {any} */ ({
      title: { text: title, anchor: 'start', fontSize: 12, color: INK },
      background: null,
      ...spec,
      config: CONFIG,
    }),
  );
  const view = new vega.View(vega.parse(compiled), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  // Coordinates to a hundredth of a pixel: the rest is not seen.
  return `${svg.replace(/-?\d+\.\d{3,}/g, (digits) => String(Math.round(Number(digits) * 100) / 100))}\n`;
}
