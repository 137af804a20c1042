import type { LineChart, ReportItem, ReportSection, ReportTable } from '../../report/index.ts';
import type { LayerCut } from '../../structural/index.ts';
import type { EpochRecord } from '../history.ts';
import type { ShrinkHistory } from '../shrink-rounds-options.ts';
import { metricFormat, metricTitle } from './frame.ts';
import { capital, historySection } from './history.ts';
import { shrinkSections } from './shrink.ts';

/** Options of `shrinkRoundsSections`. */
export interface ShrinkRoundsSectionsOptions {
  /** Metric of the curve; default `accuracy`. */
  readonly metric?: string;
  /** The least that the metric may be, drawn as a line. */
  readonly floor?: number;
}

/**
 * Sections on a run of cutting and fine-tuning in rounds: the metric against multiply-accumulates, just cut and fine-tuned; a table of rounds; all training epoch by epoch, with marks where the model was cut; the channels of
 * each group of layers, dense and in the end; and what was not cut, and why.
 */
export function shrinkRoundsSections(
  history: ShrinkHistory,
  options: ShrinkRoundsSectionsOptions = {},
): ReportSection[] {
  const { metric = 'accuracy', floor } = options;
  const { rounds } = history;
  const curves = rounds.length === 0 ? [] : [curve(history, metric, floor)];
  return [
    { title: 'Rounds', text: shrinkRoundsOutcome(history), items: [...curves, roundTable(history, metric)] },
    training(history),
    ...shrinkSections({
      cuts: cutsOfRounds(history),
      whyNot: rounds.at(-1)?.whyNot ?? [],
      verification: null,
      notes: rounds.at(-1)?.notes ?? [],
    }),
  ];
}

/** How a structural run ended, as a sentence. */
export function shrinkRoundsOutcome({ ended, rounds, best }: ShrinkHistory): string {
  const count = `${rounds.length} ${rounds.length === 1 ? 'round' : 'rounds'}`;
  const model = best === 0 ? 'the model before any round' : `the model of round ${best}`;
  switch (ended) {
    case 'target':
      return rounds.length === 0
        ? 'The target was met before any round.'
        : `The target was met after ${count}.`;
    case 'floor':
      return `Round ${rounds.at(-1)!.round} fell under the floor; what is left is ${model}.`;
    case 'rounds':
      return `${capital(count)} did not reach the target: ${rounds.at(-1)!.reached?.why ?? 'no more could be cut'}.`;
    case 'nothing to cut':
      return 'No channel could be cut.';
  }
}

/** Channels of each group of layers in the dense model and after the last round that was kept. */
export function cutsOfRounds({ rounds }: ShrinkHistory): LayerCut[] {
  const all = new Map<string, LayerCut>();
  for (const { cuts } of rounds.filter(({ kept }) => kept)) {
    const seen = new Map<string, number>();
    for (const cut of cuts) {
      // A layer can make the channels of several groups.
      const count = seen.get(cut.name) ?? 0;
      seen.set(cut.name, count + 1);
      const key = `${cut.name}#${count}`;
      const known = all.get(key);
      all.set(key, known ? { ...known, after: cut.after } : cut);
    }
  }
  return [...all.values()];
}

function curve(history: ShrinkHistory, metric: string, floor: number | undefined): LineChart {
  const { dense, denseCost, rounds } = history;
  const at = (scores: Readonly<Record<string, number>>): number | null => finite(scores[metric]);
  const share = (macs: number): number => (denseCost.macs === 0 ? 1 : macs / denseCost.macs);
  const start = [1, at(dense)] as const;
  return {
    kind: 'line',
    title: `${capital(metricTitle(metric))} by MACs`,
    caption: 'Multiply-accumulates as a share of the dense model’s; on the validation samples.',
    x: { title: 'MACs of the dense model', format: 'percent' },
    y: { title: metricTitle(metric), format: metricFormat(metric) },
    series: [
      {
        name: 'fine-tuned',
        points: [start, ...rounds.map(({ cost, after }) => [share(cost.macs), at(after)] as const)],
      },
      {
        name: 'just cut',
        points: [start, ...rounds.map(({ cost, before }) => [share(cost.macs), at(before)] as const)],
      },
    ],
    rules: floor === undefined ? [] : [{ y: floor, label: 'floor' }],
  };
}

function roundTable({ dense, denseCost, rounds }: ShrinkHistory, metric: string): ReportTable {
  const format = metricFormat(metric);
  const name = metricTitle(metric);
  return {
    kind: 'table',
    title: 'Rounds',
    caption:
      'Round 0 is the model before. A cut is verified against the model before it, with the same channels silenced.',
    columns: [
      { label: 'round', format: 'integer' },
      { label: 'parameters', format: 'integer' },
      { label: 'MACs', format: 'integer' },
      { label: 'of the dense MACs', format: 'percent' },
      { label: `${name}, cut`, format },
      { label: 'fine-tuned', format },
      { label: 'loss, fine-tuned', format: 'number' },
      { label: 'kept' },
      { label: 'verified' },
    ],
    rows: [
      [
        0,
        denseCost.parameters,
        denseCost.macs,
        1,
        null,
        finite(dense[metric]),
        finite(dense.loss),
        null,
        null,
      ],
      ...rounds.map(({ round, cost, before, after, kept, verified }) => [
        round,
        cost.parameters,
        cost.macs,
        denseCost.macs === 0 ? null : cost.macs / denseCost.macs,
        finite(before[metric]),
        finite(after[metric]),
        finite(after.loss),
        kept ? 'yes' : 'no',
        verified ?? 'no',
      ]),
    ],
  };
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;

/** Epochs of the whole run one after the other. */
function training({ sparse, rounds }: ShrinkHistory): ReportSection {
  const all: EpochRecord[] = [];
  const cuts: number[] = [];
  const add = (records: readonly EpochRecord[]): void => {
    const [epochs, steps] = [all.length, all.at(-1)?.step ?? 0];
    all.push(
      ...records.map((record, index) => ({
        ...record,
        epoch: epochs + index + 1,
        step: steps + record.step,
      })),
    );
  };
  add(sparse);
  for (const { growing, epochs } of rounds) {
    add(growing);
    cuts.push(all.length + 1);
    add(epochs);
  }
  const { title, text, items } = historySection({ epochs: all, losses: [] });
  const marked = items.map(
    (item): ReportItem =>
      item.kind === 'line' ? { ...item, markers: cuts.map((x) => ({ x, label: 'cut' })) } : item,
  );
  return { title, ...(text === undefined ? {} : { text }), items: marked };
}
