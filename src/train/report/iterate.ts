import type { BarChart, LineChart, ReportItem, ReportSection, ReportTable } from '../../report/index.ts';
import type { IterateHistory } from '../iterate.ts';
import { metricFormat, metricTitle } from './frame.ts';
import { capital, historySection } from './history.ts';

/** Options of `iterateSections`. */
export interface IterateSectionsOptions {
  /** Metric of the curve; default `accuracy`. */
  readonly metric?: string;
  /** The least that the metric may be, drawn as a line. */
  readonly floor?: number;
}

/** Layers that are drawn at most; a table lists all. */
const MOST_BARS = 40;

/**
 * Sections on a run of pruning and fine-tuning in rounds: the metric against sparsity, before and after fine-tuning; a table of rounds; all fine-tuning epoch by epoch, with marks where the model was
 * pruned; and the sparsity of each layer in the end.
 */
export function iterateSections(
  history: IterateHistory,
  options: IterateSectionsOptions = {},
): ReportSection[] {
  const { metric = 'accuracy', floor } = options;
  const curves = history.rounds.length === 0 ? [] : [curve(history, metric, floor), remaining(history)];
  return [
    { title: 'Rounds', text: iterateOutcome(history), items: [...curves, roundTable(history, metric)] },
    fineTuning(history),
    { title: 'Layers', items: layerItems(history) },
  ];
}

/** How a run of rounds ended, as a sentence. */
export function iterateOutcome({ ended, rounds, best }: IterateHistory): string {
  const count = `${rounds.length} ${rounds.length === 1 ? 'round' : 'rounds'}`;
  const model = best === 0 ? 'the model before any round' : `the model of round ${best}`;
  switch (ended) {
    case 'target':
      return rounds.length === 0
        ? 'The target was met before any round.'
        : `The target was met after ${count}.`;
    case 'floor':
      return `Round ${rounds.length} fell under the floor; what is left is ${model}.`;
    case 'rounds':
      return `${capital(count)} did not reach the target; what is left is ${model}.`;
  }
}

function curve({ dense, rounds }: IterateHistory, metric: string, floor: number | undefined): LineChart {
  const at = (scores: Readonly<Record<string, number>>): number | null => scores[metric] ?? null;
  const start = [0, at(dense)] as const;
  return {
    kind: 'line',
    title: `${capital(metricTitle(metric))} by sparsity`,
    caption: 'Of the weights that are pruned; on the validation samples.',
    x: { title: 'sparsity', format: 'percent' },
    y: { title: metricTitle(metric), format: metricFormat(metric) },
    series: [
      {
        name: 'fine-tuned',
        points: [start, ...rounds.map(({ sparsity, after }) => [sparsity, at(after)] as const)],
      },
      {
        name: 'just pruned',
        points: [start, ...rounds.map(({ sparsity, before }) => [sparsity, at(before)] as const)],
      },
    ],
    // The dense model is where both lines begin.
    rules: floor === undefined ? [] : [{ y: floor, label: 'floor' }],
  };
}

function remaining({ rounds, parameters }: IterateHistory): LineChart {
  return {
    kind: 'line',
    title: 'Parameters that remain, by round',
    width: 'half',
    x: { title: 'round', format: 'integer' },
    y: { title: 'parameters that are not zero', format: 'integer', zero: true },
    series: [
      {
        name: 'not zero',
        points: [[0, parameters], ...rounds.map(({ round, nonZero }) => [round, nonZero] as const)],
      },
    ],
  };
}

function roundTable({ dense, rounds, parameters }: IterateHistory, metric: string): ReportTable {
  const format = metricFormat(metric);
  const hasSizes = rounds.some(({ fileSize }) => fileSize !== null);
  const name = metricTitle(metric);
  return {
    kind: 'table',
    title: 'Rounds',
    caption: 'Round 0 is the model before.',
    columns: [
      { label: 'round', format: 'integer' },
      { label: 'sparsity asked', format: 'percent' },
      { label: 'found', format: 'percent' },
      { label: 'not zero', format: 'integer' },
      ...(hasSizes ? [{ label: 'file, gzip', format: 'bytes' as const }] : []),
      { label: `${name}, pruned`, format },
      { label: 'fine-tuned', format },
      { label: 'kept' },
    ],
    rows: [
      [0, null, null, parameters, ...(hasSizes ? [null] : []), null, dense[metric] ?? null, null],
      ...rounds.map(({ round, asked, sparsity, nonZero, fileSize, before, after, kept }) => [
        round,
        asked,
        sparsity,
        nonZero,
        ...(hasSizes ? [fileSize] : []),
        before[metric] ?? null,
        after[metric] ?? null,
        kept ? 'yes' : 'no',
      ]),
    ],
  };
}

/** Epochs of all rounds one after the other. */
function fineTuning({ rounds }: IterateHistory): ReportSection {
  let [epochs, steps] = [0, 0];
  const starts: number[] = [];
  const all = rounds.flatMap((round) => {
    starts.push(epochs + 1);
    const own = round.epochs.map((record) => ({
      ...record,
      epoch: epochs + record.epoch,
      step: steps + record.step,
    }));
    epochs += round.epochs.length;
    steps += round.epochs.at(-1)?.step ?? 0;
    return own;
  });
  const { title, text, items } = historySection({ epochs: all, losses: [] }, { title: 'Fine-tuning' });
  const marked = items.map(
    (item): ReportItem =>
      item.kind === 'line' ? { ...item, markers: starts.map((x) => ({ x, label: 'pruned' })) } : item,
  );
  return { title, ...(text === undefined ? {} : { text }), items: marked };
}

function layerItems({ layers }: IterateHistory): (BarChart | ReportTable)[] {
  const drawn = layers.slice(0, MOST_BARS);
  const bars: BarChart = {
    kind: 'bars',
    title: 'Sparsity of each layer',
    ...(drawn.length < layers.length ? { caption: `The first ${drawn.length} of ${layers.length}.` } : {}),
    value: { title: 'sparsity', format: 'percent' },
    categories: drawn.map(({ layer }) => layer),
    series: [{ name: 'sparsity', values: drawn.map(({ sparsity }) => sparsity) }],
  };
  return [
    bars,
    {
      kind: 'table',
      title: 'Layers',
      columns: [
        { label: 'layer' },
        { label: 'weights', format: 'integer' },
        { label: 'sparsity', format: 'percent' },
      ],
      rows: layers.map(({ layer, size, sparsity }) => [layer, size, sparsity]),
    },
  ];
}
