// @ts-check
/** Draws the chart of detector-experiments.mjs: mAP50 against the share that is pruned, a panel for each model. */

import { COLORS, drawSvg } from './chart-svg.mjs';

/** What is pruned as one, as the chart's colours have it. */
const KINDS = ['weights', 'rows', 'kernels', 'filters', 'channels', 'N:M'];
const SCOPES = ['within each layer', 'all layers together'];

/** @typedef {{ map50: number }} Judged */

/**
 * @param {{ images: { all: number }, results: readonly { model: string, seed: { dense: { all: Judged } }, rows: readonly { granularity: string, amount: number, all: Judged }[] }[] }} found
 */
export function granularityChart({ images, results }) {
  const values = results.flatMap(({ model, seed, rows }) => {
    const points = rows.map(({ granularity, amount, all }) => {
      const [name = '', scope = SCOPES[0]] = granularity.split(', ');
      return { model, kind: /^\d/.test(name) ? 'N:M' : name, scope, amount, map50: all.map50 };
    });
    const lines = new Map(points.map((point) => [`${point.kind} ${point.scope}`, point]));
    return [
      ...[...lines.values()].map((point) => ({ ...point, amount: 0, map50: seed.dense.all.map50 })),
      ...points,
    ];
  });
  const present = KINDS.filter((kind) => values.some((value) => value.kind === kind));
  const color = {
    field: 'kind',
    type: 'nominal',
    title: null,
    legend: { symbolType: 'circle', columnPadding: 16 },
    scale: { domain: present, range: COLORS.slice(0, present.length) },
  };
  const strokeDash = {
    field: 'scope',
    type: 'nominal',
    title: null,
    legend: { orient: 'bottom', symbolSize: 500 },
    scale: {
      domain: SCOPES,
      range: [
        [1, 0],
        [5, 3],
      ],
    },
  };
  return drawSvg(`YOLOv5n pruned and not fine-tuned, COCO8 (${images.all} images)`, {
    data: { values },
    facet: {
      column: { field: 'model', type: 'nominal', title: null, sort: results.map(({ model }) => model) },
    },
    spec: {
      width: 280,
      height: 220,
      encoding: {
        x: {
          field: 'amount',
          type: 'quantitative',
          title: 'share that is pruned',
          axis: { format: '%', tickCount: 8 },
        },
        y: { field: 'map50', type: 'quantitative', title: 'mAP50' },
        color,
      },
      layer: [
        { mark: { type: 'line', strokeWidth: 1.5 }, encoding: { strokeDash } },
        { mark: { type: 'point', filled: true, size: 30, opacity: 1 } },
      ],
    },
  });
}
