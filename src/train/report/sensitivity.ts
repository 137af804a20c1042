import type { LineSeries, ReportItem, ReportSection } from '../../report/index.ts';
import type { Sensitivity } from '../sensitivity.ts';
import { metricFormat, metricTitle } from './frame.ts';
import { capital } from './history.ts';

/** Options of `sensitivitySection`. */
export interface SensitivitySectionOptions {
  /** Amounts per layer that were derived, such as by `amountsFrom`; a column of the table. */
  readonly chosen?: Readonly<Record<string, number>>;
  /** Lines in one chart at most, the most sensitive layers first; the table has all. Default 8. */
  readonly limit?: number;
  /** Default: `Sensitivity`. */
  readonly title?: string;
}

/** A section on a sensitivity analysis: the metric of each layer by amount, as a chart and as a table. */
export function sensitivitySection(
  { metric, dense, rows, amounts }: Sensitivity,
  options: SensitivitySectionOptions = {},
): ReportSection {
  const { chosen, limit = 8, title = 'Sensitivity' } = options;
  const format = metricFormat(metric);
  // What a layer loses over all amounts, in either direction.
  const lost = (scores: readonly number[]): number =>
    scores.reduce((sum, score) => sum + Math.abs(dense - score), 0);
  const drawn = new Set([...rows].sort((a, b) => lost(b.scores) - lost(a.scores)).slice(0, limit));
  const series = rows
    .filter((row) => drawn.has(row))
    .map(
      ({ layer, scores }): LineSeries => ({
        name: layer,
        points: [[0, dense], ...scores.map((score, index): [number, number] => [amounts[index]!, score])],
      }),
    );
  const chart: ReportItem[] =
    series.length === 0
      ? []
      : [
          {
            kind: 'line',
            title: `${capital(metricTitle(metric))} of each layer by amount`,
            caption: `One layer is pruned at a time, the others stay as they are.${
              drawn.size < rows.length
                ? ` The ${drawn.size} most sensitive of ${rows.length} layers are drawn.`
                : ''
            }`,
            x: { title: 'share of the layer that is pruned', format: 'percent' },
            y: { title: metricTitle(metric), format },
            series,
            rules: [{ y: dense, label: 'nothing pruned' }],
          },
        ];
  return {
    title,
    items: [
      ...chart,
      {
        kind: 'table',
        title: `${capital(metricTitle(metric))} by amount`,
        columns: [
          { label: 'layer' },
          { label: 'weights', format: 'integer' },
          ...(chosen ? [{ label: 'chosen', format: 'percent' as const, digits: 1 }] : []),
          ...amounts.map((amount) => ({
            label: `${Number((amount * 100).toFixed(2))} %`,
            format,
            ...(format === 'percent' ? { digits: 1 } : {}),
          })),
        ],
        rows: rows.map(({ layer, size, scores }) => [
          layer,
          size,
          ...(chosen ? [chosen[layer] ?? null] : []),
          ...scores,
        ]),
      },
    ],
  };
}
