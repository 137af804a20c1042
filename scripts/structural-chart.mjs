// @ts-check
/** Draws the chart of structural-experiments.mjs: what each importance loses at each share of the MACs. */

import { COLORS, drawSvg, INK } from './chart-svg.mjs';

/**
 * A drawing as SVG, for light and dark pages.
 * @param {string} title
 * @param {readonly { method: string, share: number, mean: number, deviation: number }[]} points Accuracy less that of the dense network trained as long, in 0 to 1.
 */
export async function importanceChart(title, points) {
  const shares = [...new Set(points.map(({ share }) => share))].sort((a, b) => b - a);
  const label = (/** @type {number} */ share) => `${100 * share} % of the MACs`;
  const values = points.map(({ method, share, mean, deviation }) => ({
    method,
    share: label(share),
    accuracy: 100 * mean,
    low: 100 * (mean - deviation),
    high: 100 * (mean + deviation),
  }));
  const best = points.filter(({ share }) => share === shares[0]).sort((a, b) => b.mean - a.mean);
  const y = { field: 'method', type: 'nominal', title: null, sort: best.map(({ method }) => method) };
  const color = {
    field: 'share',
    type: 'nominal',
    title: null,
    scale: { domain: shares.map(label), range: COLORS.slice(0, shares.length) },
  };
  const x = {
    type: 'quantitative',
    scale: { zero: false },
    title: 'accuracy on the test images against dense, points',
  };
  return drawSvg(title, {
    width: 520,
    height: { step: 20 },
    layer: [
      {
        data: { values: [{ accuracy: 0 }] },
        mark: { type: 'rule', color: INK, strokeDash: [4, 3] },
        encoding: { x: { ...x, field: 'accuracy' } },
      },
      {
        data: { values },
        mark: { type: 'rule', strokeWidth: 1.5, opacity: 0.5 },
        encoding: { y, color, x: { ...x, field: 'low' }, x2: { field: 'high' } },
      },
      {
        data: { values },
        mark: { type: 'point', filled: true, size: 45, opacity: 1 },
        encoding: {
          y,
          color,
          shape: { ...color, scale: { domain: shares.map(label) } },
          x: { ...x, field: 'accuracy' },
        },
      },
    ],
  });
}
