import type { LineChart, LineSeries, ReportSection, ReportTable } from '../../report/index.ts';
import type { Lottery, LotteryNetwork, LotteryRound, Spread } from '../lottery.ts';
import { metricFormat, metricTitle } from './frame.ts';
import { capital } from './history.ts';

/** Networks in words, in the order they are shown. */
const NETWORKS: readonly (readonly [LotteryNetwork, string])[] = [
  ['ticket', 'ticket'],
  ['reinit', 'fresh weights'],
  ['random-mask', 'random mask'],
];

type Measured = 'final' | 'best' | 'bestEpoch';

const present = (rounds: readonly LotteryRound[]): (readonly [LotteryNetwork, string])[] =>
  NETWORKS.filter(([network]) => rounds.some(({ final }) => final[network] !== undefined));

function chart(
  rounds: readonly LotteryRound[],
  of: Measured,
  facts: Pick<LineChart, 'title' | 'y'> & Partial<Pick<LineChart, 'caption' | 'rules'>>,
): LineChart {
  const series = present(rounds).map(([network, name]): LineSeries => {
    const found = rounds.flatMap(({ remaining, [of]: spreads }) => {
      // The dense network is where all of them begin.
      const spread = spreads[network] ?? (remaining === 1 ? spreads.ticket : undefined);
      return spread ? [{ remaining, spread }] : [];
    });
    const spreads = found.some(({ spread: { deviation } }) => deviation > 0);
    return {
      name,
      points: found.map(({ remaining, spread }): [number, number] => [remaining, spread.mean]),
      ...(spreads
        ? {
            band: found.map(({ remaining, spread: { mean, deviation } }): [number, number, number] => [
              remaining,
              mean - deviation,
              mean + deviation,
            ]),
          }
        : {}),
    };
  });
  return {
    kind: 'line',
    x: { title: 'weights that remain', format: 'percent', scale: 'log', reverse: true },
    series,
    ...facts,
  };
}

/** A column for the mean of each network, and one for its spread where there are several seeds. */
function table(
  rounds: readonly LotteryRound[],
  of: Measured,
  title: string,
  format: 'percent' | 'number',
): ReportTable {
  const networks = present(rounds);
  const spreads = rounds.some(({ final }) => Object.values(final).some(({ count }) => count > 1));
  const values = (spread: Spread | undefined): (number | null)[] => [
    spread?.mean ?? null,
    ...(spreads ? [spread && spread.count > 1 ? spread.deviation : null] : []),
  ];
  return {
    kind: 'table',
    title,
    ...(spreads ? { caption: '± is the standard deviation over seeds.' } : {}),
    columns: [
      { label: 'round', format: 'integer' },
      { label: 'remaining', format: 'percent' },
      ...networks.flatMap(([, name]) => [
        { label: name, format },
        ...(spreads ? [{ label: '±', format }] : []),
      ]),
    ],
    rows: rounds.map(({ round, remaining, [of]: found }) => [
      round,
      remaining,
      ...networks.flatMap(([network]) => values(found[network])),
    ]),
  };
}

/** Every training by itself. */
const trainingTable = ({ trainings, metric }: Lottery): ReportTable => ({
  kind: 'table',
  title: 'All trainings',
  columns: [
    { label: 'seed', format: 'text' },
    { label: 'round', format: 'integer' },
    { label: 'network' },
    { label: 'remaining', format: 'percent' },
    { label: metricTitle(metric), format: metricFormat(metric) },
    { label: 'best', format: metricFormat(metric) },
    { label: 'at epoch', format: 'integer' },
  ],
  rows: trainings.map(({ seed, round, network, remaining, final, best, bestEpoch }) => [
    String(seed),
    round,
    NETWORKS.find(([known]) => known === network)?.[1] ?? network,
    remaining,
    final,
    best,
    bestEpoch,
  ]),
});

/**
 * A section on the lottery-ticket experiment: the metric after training against the share of weights that remains, the epoch of the best (the paper's early stopping), both with the standard deviation over
 * seeds as a band; and tables of both, and of every training.
 */
export function lotterySection(lottery: Lottery, title = 'Lottery tickets'): ReportSection {
  const { metric, rounds, trainings } = lottery;
  const [name, format] = [capital(metricTitle(metric)), metricFormat(metric)];
  const seeds = new Set(trainings.map(({ seed }) => seed)).size;
  const dense = rounds.find(({ remaining }) => remaining === 1)?.final.ticket;
  const spread = seeds > 1 ? ` Mean of ${seeds} seeds; bands are a standard deviation to each side.` : '';
  return {
    title,
    text: `${trainings.length} trainings with ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}.`,
    items: [
      chart(rounds, 'final', {
        title: `${name} after training`,
        caption: `After the last epoch.${spread}`,
        y: { title: metricTitle(metric), format },
        ...(dense ? { rules: [{ y: dense.mean, label: 'nothing pruned' }] } : {}),
      }),
      chart(rounds, 'bestEpoch', {
        title: 'Epoch of the best',
        caption: `How soon the best ${metricTitle(metric)} was reached.${spread}`,
        y: { title: 'epoch', zero: true },
      }),
      table(rounds, 'final', `${name} after training`, format),
      table(rounds, 'best', `Best ${metricTitle(metric)} on the way`, format),
      table(rounds, 'bestEpoch', 'Epoch of the best', 'number'),
      trainingTable(lottery),
    ],
  };
}
