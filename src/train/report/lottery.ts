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

function table(rounds: readonly LotteryRound[], metric: string): ReportTable {
  const networks = present(rounds);
  const format = metricFormat(metric);
  const values = (spread: Spread | undefined): (number | null)[] => [
    spread?.mean ?? null,
    spread && spread.count > 1 ? spread.deviation : null,
  ];
  return {
    kind: 'table',
    title: `${capital(metricTitle(metric))} after training, and the best on the way`,
    columns: [
      { label: 'round', format: 'integer' },
      { label: 'remaining', format: 'percent' },
      ...networks.flatMap(([, name]) => [
        { label: name, format },
        { label: '±', format },
        { label: `${name}, best`, format },
        { label: '±', format },
      ]),
    ],
    rows: rounds.map(({ round, remaining, final, best }) => [
      round,
      remaining,
      ...networks.flatMap(([network]) => [...values(final[network]), ...values(best[network])]),
    ]),
  };
}

/**
 * A section on the lottery-ticket experiment: the metric after training against the share of weights that remains, the epoch of the best (the paper's early stopping), both with the standard deviation over
 * seeds as a band, and a table.
 */
export function lotterySection(
  { metric, rounds, trainings }: Lottery,
  title = 'Lottery tickets',
): ReportSection {
  const seeds = new Set(trainings.map(({ seed }) => seed)).size;
  const dense = rounds.find(({ remaining }) => remaining === 1)?.final.ticket;
  const spread = seeds > 1 ? ` Mean of ${seeds} seeds; bands are a standard deviation to each side.` : '';
  return {
    title,
    text: `${trainings.length} trainings with ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}.`,
    items: [
      chart(rounds, 'final', {
        title: `${capital(metricTitle(metric))} after training`,
        caption: `After the last epoch.${spread}`,
        y: { title: metricTitle(metric), format: metricFormat(metric) },
        ...(dense ? { rules: [{ y: dense.mean, label: 'nothing pruned' }] } : {}),
      }),
      chart(rounds, 'bestEpoch', {
        title: 'Epoch of the best',
        caption: `How soon the best ${metricTitle(metric)} was reached.${spread}`,
        y: { title: 'epoch', zero: true },
      }),
      table(rounds, metric),
    ],
  };
}
