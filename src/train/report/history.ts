import type { ChartMarker, LineChart, LineSeries, ReportSection, ReportTable } from '../../report/index.ts';
import type { EpochRecord, History } from '../history.ts';
import { metricFormat, metricTitle } from './frame.ts';

/** Options of `historySection`. */
export interface HistorySectionOptions {
  /** Default: `Training`. */
  readonly title?: string;
  /** Steps at which something happened, such as a pruning. */
  readonly markers?: readonly ChartMarker[];
}

/** Names of all metrics, the loss first. */
function metricsIn(epochs: readonly EpochRecord[]): string[] {
  const names = epochs.flatMap(({ train, validation }) => [
    ...Object.keys(train),
    ...Object.keys(validation ?? {}),
  ]);
  return [...new Set(['loss', ...names])].filter((name) => names.includes(name));
}

/** A chart of one metric by epoch, for training and validation. */
function epochChart(epochs: readonly EpochRecord[], metric: string): LineChart {
  const line = (name: string, valueIn: (record: EpochRecord) => number | undefined): LineSeries => ({
    name,
    points: epochs.map((record) => [record.epoch, finite(valueIn(record))]),
  });
  const both = [
    line('training', ({ train }) => train[metric]),
    line('validation', ({ validation }) => validation?.[metric]),
  ];
  return {
    kind: 'line',
    title: `${capital(metricTitle(metric))} by epoch`,
    width: 'half',
    x: { title: 'epoch', format: 'integer' },
    y: { title: metricTitle(metric), format: metricFormat(metric) },
    series: both.filter(({ points }) => points.some(([, y]) => y !== null)),
  };
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;

/** With a capital letter at its beginning; `mAP` stays as it is. */
export const capital = (text: string): string =>
  /^[a-z][A-Z]/.test(text) ? text : `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

/** A table of epochs: step, learning rate, every metric of training and validation, and time. */
function epochTable(epochs: readonly EpochRecord[]): ReportTable {
  const metrics = metricsIn(epochs);
  const hasValidation = epochs.some(({ validation }) => validation !== null);
  const parts = hasValidation ? (['train', 'validation'] as const) : (['train'] as const);
  return {
    kind: 'table',
    title: 'Epochs',
    columns: [
      { label: 'epoch', format: 'integer' },
      { label: 'steps', format: 'integer' },
      { label: 'lr', format: 'number' },
      ...parts.flatMap((part) =>
        metrics.map((metric) => ({
          label: `${part === 'train' ? 'train' : 'val.'} ${metricTitle(metric)}`,
          format: metricFormat(metric),
        })),
      ),
      { label: 'time', unit: 's', format: 'number', digits: 1 },
    ],
    rows: epochs.map((record) => [
      record.epoch,
      record.step,
      record.lr,
      ...parts.flatMap((part) => metrics.map((metric) => finite(record[part]?.[metric]))),
      record.seconds,
    ]),
  };
}

/** A section on a run of training: the loss step by step, each metric by epoch, and a table of epochs. */
export function historySection(
  { epochs, losses }: Pick<History, 'epochs' | 'losses'>,
  options: HistorySectionOptions = {},
): ReportSection {
  const { title = 'Training', markers } = options;
  if (epochs.length === 0) return { title, text: 'No epoch was trained.', items: [] };
  const loss: LineChart[] =
    losses.length < 2
      ? []
      : [
          {
            kind: 'line',
            title: 'Loss by step',
            caption: 'Mean of the training loss since the point before.',
            x: { title: 'step', format: 'integer' },
            y: { title: 'loss' },
            series: [{ name: 'training', points: losses.map(([step, value]) => [step, finite(value)]) }],
            ...(markers === undefined ? {} : { markers }),
          },
        ];
  const charts = epochs.length < 2 ? [] : metricsIn(epochs).map((metric) => epochChart(epochs, metric));
  return { title, items: [...loss, ...charts, epochTable(epochs)] };
}
