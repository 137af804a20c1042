import type { EpochRecord, ModelState } from '../train/index.ts';
import { bytes, type Column, percent, renderTable, withCommas } from './table.ts';
import type { Verification } from './trained-model.ts';

/** `98.71 %`, or nothing where there is no number. */
export const share = (value: number | null | undefined): string =>
  value === null || value === undefined || Number.isNaN(value) ? '' : percent(value);

const loss = (value: number | undefined): string => (value === undefined ? '' : value.toPrecision(4));

const right = (title: string): Column => ({ title, align: 'right' });

/** Epochs as a table for the terminal. */
export function epochsText(epochs: readonly EpochRecord[]): string {
  return renderTable(
    [
      right('epoch'),
      { ...right('steps'), dispensable: true },
      { ...right('lr'), dispensable: true },
      right('train loss'),
      right('train acc.'),
      right('val. loss'),
      right('val. acc.'),
      { ...right('time'), dispensable: true },
    ],
    epochs.map(({ epoch, step, lr, train, validation, seconds }) => [
      String(epoch),
      withCommas(step),
      lr.toPrecision(3),
      loss(train.loss),
      share(train.accuracy),
      loss(validation?.loss),
      share(validation?.accuracy),
      `${seconds.toFixed(1)} s`,
    ]),
  );
}

const line = (title: string, text: string): string => `${title.padEnd(20)}${text}`;

/** What became of the model, a line each. */
export function changeLines(before: ModelState, after: ModelState): string[] {
  const sparsity = ({ parameters, zeros }: ModelState): string =>
    percent(parameters === 0 ? 0 : zeros / parameters);
  const size = (title: string, from: number | null | undefined, to: number | null | undefined): string[] =>
    typeof from === 'number' && typeof to === 'number' ? [line(title, `${bytes(from)} -> ${bytes(to)}`)] : [];
  const [was, is] = [before.metrics?.accuracy, after.metrics?.accuracy];
  return [
    ...(is === undefined
      ? []
      : [line('accuracy', `${was === undefined ? '' : `${share(was)} -> `}${share(is)} (validation)`)]),
    line('parameters', withCommas(after.parameters)),
    line(
      'sparsity',
      `${sparsity(before)} -> ${sparsity(after)} (${withCommas(after.parameters - after.zeros)} weights are not zero)`,
    ),
    ...size('file', before.sizes?.raw, after.sizes?.raw),
    ...size('file, gzip', before.sizes?.gzip, after.sizes?.gzip),
    ...size('file, brotli', before.sizes?.brotli, after.sizes?.brotli),
  ];
}

/** Lines on the file that was written and read back. */
export const verifiedLines = (
  output: string,
  size: number,
  { samples, maxDifference, metrics, on }: Verification,
): string[] => [
  line('wrote', `${output} (${bytes(size)})`),
  line(
    'checked',
    `read back and run in onnxruntime: outputs for ${samples} samples within ${maxDifference.toPrecision(2)} of the model's`,
  ),
  line('accuracy, file', `${share(metrics.accuracy)} on ${on}`),
];

/** Lines on further files. */
export const reportLines = (paths: readonly string[]): string[] =>
  paths.length === 0 ? [] : [line('report', paths.join(', '))];

/** Columns that a note takes at most, its label left out. */
const NOTE_WIDTH = 90;

/** Sentences for the user, broken at words, under one label. */
export const noteLines = (notes: readonly string[]): string[] =>
  notes.flatMap((note) => wrapped(note).map((text, index) => line(index === 0 ? 'note' : '', text)));

function wrapped(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!;
    if (last !== '' && last.length + word.length + 1 > NOTE_WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}
