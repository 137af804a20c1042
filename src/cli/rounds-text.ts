import { cutsOfRounds, type ShrinkHistory, shrinkRoundsOutcome } from '../train/index.ts';
import { tableOf } from './output.ts';
import { cutTable, whyNotLines } from './shrink-text.ts';
import { percent, renderTable, withCommas, withUnit } from './table.ts';
import { share } from './training-text.ts';

/** Rounds as a table for the terminal, how they ended, the layers that were cut, and why others were not. */
export function roundsLines(history: ShrinkHistory): string[] {
  const cuts = cutTable(cutsOfRounds(history));
  const whyNot = whyNotLines(
    history.rounds.at(-1)?.whyNot ?? [],
    'not cut in the last round, or less than asked:',
  );
  return [
    roundsTable(history),
    '',
    ...(cuts.rows.length === 0 ? [] : [tableOf(cuts), '']),
    ...(whyNot.length === 0 ? [] : [...whyNot, '']),
    `ended               ${shrinkRoundsOutcome(history)}`,
    ...provenLines(history),
  ];
}

function roundsTable({ dense, denseCost, rounds }: ShrinkHistory): string {
  const right = (title: string) => ({ title, align: 'right' }) as const;
  return renderTable(
    [
      right('round'),
      right('parameters'),
      right('MACs'),
      right('of dense'),
      right('cut'),
      right('fine-tuned'),
      { title: 'verified' },
      { title: 'kept' },
    ],
    [
      [
        '0',
        withCommas(denseCost.parameters),
        withUnit(denseCost.macs),
        '',
        '',
        share(dense.accuracy),
        '',
        '',
      ],
      ...rounds.map(({ round, cost, before, after, verified, kept }) => [
        String(round),
        withCommas(cost.parameters),
        withUnit(cost.macs),
        denseCost.macs === 0 ? '' : percent(cost.macs / denseCost.macs),
        share(before.accuracy),
        share(after.accuracy),
        verified === null ? 'no' : 'yes',
        kept ? 'yes' : 'no',
      ]),
    ],
  );
}

/** What the proof of the last cut says. */
function provenLines({ rounds }: ShrinkHistory): string[] {
  const verified = rounds.at(-1)?.verified ?? null;
  return verified === null
    ? []
    : [
        'verified            each cut model computes what the one before does with these channels silenced; the last:',
        `                    ${verified}`,
      ];
}
