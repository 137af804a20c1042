import type { BarChart, LineChart, ReportItem, ReportSection, ReportTable } from '../../report/index.ts';
import { historySection, shrinkRoundsSections } from '../../train/index.ts';
import type {
  DetectorState,
  JudgedDetector,
  LatencyPair,
  PrunedDetectorOutcome,
} from '../pruning/outcome.ts';

/** Classes beyond which a chart is left out: nobody reads so many bars. */
const MOST_CLASSES = 30;

/**
 * What a report says of a detector that was pruned: accuracy, cost and latency side by side; average precision by class and precision against recall, before and after; the training of the dense model; the rounds, what each bought, and where channels
 * went. `images` are put where they belong.
 */
export function pruningSections(
  outcome: PrunedDetectorOutcome,
  images: readonly ReportItem[] = [],
): ReportSection[] {
  const { training, dense, pruned, rounds, latency } = outcome;
  const trained = historySection({ epochs: training, losses: [] }, { title: 'Training of the dense model' });
  return [
    { title: 'What it came to', items: [accuracyTable(dense, pruned), ...latencyTables(latency)] },
    { title: 'Cost', items: costTables(dense, pruned) },
    { title: 'Images before and after', items: images },
    { title: 'By class', items: dense.judged.flatMap((judged, at) => byClass(judged, pruned.judged[at]!)) },
    ...(training.length === 0 ? [] : [trained]),
    ...shrinkRoundsSections(rounds, { metric: 'map50' }),
  ];
}

/** Counts and bytes, each a table, since a column has one kind of number. */
function costTables(
  { sizes: was, ...dense }: DetectorState,
  { sizes: is, ...pruned }: DetectorState,
): ReportTable[] {
  const table = (
    title: string,
    format: 'integer' | 'bytes',
    rows: readonly (readonly [name: string, was: number | null, is: number | null])[],
  ): ReportTable => ({
    kind: 'table',
    title,
    columns: [
      { label: 'quantity' },
      { label: 'dense', format },
      { label: 'pruned', format },
      { label: 'pruned / dense', format: 'ratio' },
    ],
    rows: rows.map(([name, a, b]) => [name, a, b, a === null || b === null ? null : b / a]),
  });
  return [
    table('Parameters and operations', 'integer', [
      ['parameters', dense.parameters, pruned.parameters],
      ['multiply-accumulates of an image', dense.macs, pruned.macs],
    ]),
    table('Size of the ONNX file', 'bytes', [
      ['as it is', was.raw, is.raw],
      ['gzip', was.gzip, is.gzip],
      ['brotli', was.brotli, is.brotli],
    ]),
  ];
}

const FIGURES = [
  ['mAP50', 'map50'],
  ['mAP50-95', 'map'],
  ['precision', 'precision'],
  ['recall', 'recall'],
  ['F1', 'f1'],
] as const;

function accuracyTable(dense: DetectorState, pruned: DetectorState): ReportTable {
  const number = { format: 'number', digits: 3 } as const;
  return {
    kind: 'table',
    title: 'Accuracy before and after',
    caption: 'Precision, recall and F1 at the confidence where the mean F1 of each model is best.',
    columns: [
      { label: 'on' },
      { label: 'images', format: 'integer' },
      { label: 'objects', format: 'integer' },
      { label: 'figure' },
      { label: 'dense', ...number },
      { label: 'pruned', ...number },
      { label: 'difference', ...number },
    ],
    rows: dense.judged.flatMap((was, at) => {
      const is = pruned.judged[at]!;
      return FIGURES.map(([title, name]) => [
        was.split,
        was.images,
        was.instances,
        title,
        was[name],
        is[name],
        is[name] - was[name],
      ]);
    }),
  };
}

function latencyTables(latency: readonly LatencyPair[]): ReportTable[] {
  if (latency.length === 0) return [];
  const ms = { unit: 'ms', format: 'number', digits: 2 } as const;
  return [
    {
      kind: 'table',
      title: 'Latency of one image',
      caption: `Measured in ${latency[0]!.dense.engine} on random inputs, both models in turns, ${latency.map(({ pruned }) => pruned.runs).join(' and ')} runs of each.`,
      columns: [
        { label: 'threads', format: 'integer' },
        { label: 'dense, median', ...ms },
        { label: 'pruned, median', ...ms },
        { label: 'pruned / dense', format: 'ratio' },
        { label: 'dense, least', ...ms },
        { label: 'pruned, least', ...ms },
      ],
      rows: latency.map(({ dense, pruned }) => [
        dense.threads,
        dense.median,
        pruned.median,
        pruned.median / dense.median,
        dense.min,
        pruned.min,
      ]),
    },
  ];
}

function byClass(dense: JudgedDetector, pruned: JudgedDetector): (BarChart | LineChart | ReportTable)[] {
  const { split, classes } = dense;
  if (classes.length === 0) return [];
  const after = new Map(pruned.classes.map((row) => [row.label, row]));
  const number = { format: 'number', digits: 3 } as const;
  const table: ReportTable = {
    kind: 'table',
    title: `Average precision by class on ${split}`,
    columns: [
      { label: 'class' },
      { label: 'objects', format: 'integer' },
      { label: 'AP50, dense', ...number },
      { label: 'pruned', ...number },
      { label: 'AP50-95, dense', ...number },
      { label: 'pruned', ...number },
    ],
    rows: classes.map(({ label, name, instances, map50, map }) => {
      const is = after.get(label);
      return [name, instances, map50, is?.map50 ?? null, map, is?.map ?? null];
    }),
    total: ['all', dense.instances, dense.map50, pruned.map50, dense.map, pruned.map],
  };
  if (classes.length > MOST_CLASSES) return [table];
  const bars: BarChart = {
    kind: 'bars',
    title: `AP50 by class on ${split}`,
    width: 'half',
    value: { title: 'AP50' },
    categories: classes.map(({ label, name }) => `${label}: ${name}`),
    series: [
      { name: 'dense', values: classes.map(({ map50 }) => map50) },
      { name: 'pruned', values: classes.map(({ label }) => after.get(label)?.map50 ?? null) },
    ],
  };
  const curve: LineChart = {
    kind: 'line',
    title: `Precision and recall on ${split}`,
    caption: 'Mean over the classes, at an overlap of 0.5.',
    width: 'half',
    x: { title: 'recall' },
    y: { title: 'precision', zero: true },
    series: [
      { name: `dense (mAP50 ${dense.map50.toFixed(3)})`, points: dense.curve },
      { name: `pruned (mAP50 ${pruned.map50.toFixed(3)})`, points: pruned.curve },
    ],
  };
  return [bars, curve, table];
}
