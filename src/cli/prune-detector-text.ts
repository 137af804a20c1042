import { join } from 'node:path';
import type { DetectorState } from '../detect/index.ts';
import type { PrunedDetector } from '../node/index.ts';
import { cutsOfRounds, type EpochRecord, shrinkRoundsOutcome } from '../train/index.ts';
import { tableOf } from './output.ts';
import { cutTable, whyNotLines } from './shrink-text.ts';
import { bytes, renderTable, withCommas, withUnit } from './table.ts';
import { duration } from './training-progress.ts';

const NUMBERS = ['box', 'obj', 'cls'] as const;
const SCORES = ['precision', 'recall', 'map50', 'map'] as const;

const WIDTH = 10;

const cells = (values: readonly string[]): string => values.map((value) => value.padStart(WIDTH)).join('');

/** Above the lines of epochs. */
export const epochHead = (): string =>
  `${'epoch'.padEnd(9)}${cells([...NUMBERS, 'P', 'R', 'mAP50', 'mAP50-95', 'time'])}`;

/** An epoch as a line: parts of the loss, scores on the validation images. */
export function epochLine(
  round: number,
  { epoch, train, validation, seconds }: EpochRecord,
  epochs: number,
): string {
  const shown = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '';
  const name = `${round === 0 ? '' : `${round}: `}${epoch}/${epochs}`;
  return `${name.padEnd(9)}${cells([
    ...NUMBERS.map((part) => shown(train[part], 4)),
    ...SCORES.map((score) => shown(validation?.[score], 3)),
    `${seconds.toFixed(1)} s`,
  ])}`;
}

/** What came of a run, for the terminal. */
export function outcomeLines(result: PrunedDetector, folder: string): string[] {
  const { rounds, files, seconds } = result;
  const total = Object.values(seconds).reduce((sum, value) => sum + value, 0);
  const cuts = cutTable(cutsOfRounds(rounds));
  const whyNot = whyNotLines(
    rounds.rounds.at(-1)?.whyNot ?? [],
    'not cut in the last round, or less than asked:',
  );
  return [
    changes(result),
    '',
    ...(cuts.rows.length === 0 ? [] : [tableOf(cuts), '']),
    ...(whyNot.length === 0 ? [] : [...whyNot, '']),
    `ended               ${shrinkRoundsOutcome(rounds)}`,
    `verified            ${rounds.rounds.at(-1)?.verified ?? 'nothing was cut'}`,
    `models              ${files.dense}, ${files.pruned}`,
    `weights, plan       ${files.denseWeights}, ${files.prunedWeights}, ${files.plan}`,
    ...(result.images.length === 0 ? [] : [`images              ${join(folder, 'images')}`]),
    `report              ${files.report}, ${files.json}`,
    `took                ${duration(total)}`,
  ];
}

/** Accuracy, cost and latency, dense and pruned side by side. */
function changes({ dense, pruned, latency }: PrunedDetector): string {
  const accuracy = dense.judged.flatMap((was, at) => {
    const is = pruned.judged[at]!;
    return (
      [
        ['mAP50', 'map50'],
        ['mAP50-95', 'map'],
      ] as const
    ).map(([title, name]) => [
      `${title}, ${was.split}`,
      was[name].toFixed(3),
      is[name].toFixed(3),
      `${is[name] < was[name] ? '-' : '+'}${Math.abs(is[name] - was[name]).toFixed(3)}`,
    ]);
  });
  const costs: readonly (readonly [string, (state: DetectorState) => number, (value: number) => string])[] = [
    ['parameters', ({ parameters }) => parameters, withCommas],
    ['MACs', ({ macs }) => macs, withUnit],
    ['file', ({ sizes }) => sizes.raw, bytes],
    ['file, gzip', ({ sizes }) => sizes.gzip ?? 0, bytes],
  ];
  const ratio = (was: number, is: number): string => `x ${(is / was).toFixed(3)}`;
  const right = (title: string) => ({ title, align: 'right' }) as const;
  return renderTable(
    [{ title: '' }, right('dense'), right('pruned'), right('')],
    [
      ...accuracy,
      ...costs.map(([title, of, shown]) => {
        const [was, is] = [of(dense), of(pruned)];
        return [title, shown(was), shown(is), ratio(was, is)];
      }),
      ...latency.map(({ dense: was, pruned: is }) => [
        `latency, ${was.threads} ${was.threads === 1 ? 'thread' : 'threads'}`,
        `${was.median.toFixed(2)} ms`,
        `${is.median.toFixed(2)} ms`,
        ratio(was.median, is.median),
      ]),
    ],
  );
}
