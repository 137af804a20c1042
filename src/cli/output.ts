import { existsSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, extname } from 'node:path';
import { FileError } from '../core/errors.ts';
import { type Cell, type CellKind, type ReportColumn, type ReportTable, toCsv } from '../profile/index.ts';
import { bytes, type Column, percent, renderTable, withCommas, withUnit } from './table.ts';
import { UsageError } from './usage-error.ts';

/**
 * Refuses before any work what writing would refuse after it. Throws UsageError for another extension than `kinds`, FileError for a file
 * that is there already and for a folder that is not.
 */
export function checkOutput(
  { output, force = false }: { readonly output: string; readonly force?: boolean },
  kinds: readonly string[],
  option = '--output',
): void {
  if (!kinds.includes(extname(output).toLowerCase())) {
    throw new UsageError(`${option}: '${output}' must end in ${kinds.join(' or ')}`);
  }
  if (!force && existsSync(output)) throw new FileError(output, 'exists already; --force writes over it');
  const folder = dirname(output);
  if (!existsSync(folder)) throw new FileError(output, `cannot be written: there is no folder '${folder}'`);
  if (!statSync(folder).isDirectory()) {
    throw new FileError(output, `cannot be written: '${folder}' is not a folder`);
  }
}

const endAfterwards = (signal: NodeJS.Signals): never => process.exit(128 + constants.signals[signal]);

/**
 * Writes files without being interrupted half-way, which would leave temporary files behind: SIGINT and SIGTERM end the program as soon
 * as `write` is through.
 */
export function uninterrupted(write: () => void): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.off(signal, endAfterwards).once(signal, endAfterwards);
  write();
}

/** Writes a value to standard output as JSON, two spaces deep. */
export const printJson = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
};

/** Writes a report to standard output as comma-separated values. */
export const printCsv = (table: Pick<ReportTable, 'columns' | 'rows'>): void => {
  process.stdout.write(toCsv(table));
};

/** A cell as people read it. Operations are shown with a unit, everything that is counted with commas. */
export function shown(cell: Cell, kind: CellKind, key = ''): string {
  if (cell === null) return '';
  if (typeof cell === 'object') return cell.join('x');
  if (typeof cell === 'string') return cell;
  switch (kind) {
    case 'share':
      return percent(cell);
    case 'bytes':
      return bytes(cell);
    case 'count':
      return key === 'macs' ? withUnit(cell) : withCommas(cell);
    case 'number':
      return cell.toFixed(2);
    default:
      return String(cell);
  }
}

/** Columns that a narrow terminal does without, the rightmost first: names that can be told apart are worth more. */
const DISPENSABLE = ['activationBytes', 'share', 'zerosBefore', 'outputShape'];

const columnOf = ({ key, title, kind }: ReportColumn): Column => ({
  title,
  ...(kind === 'text' || kind === 'shape' ? {} : { align: 'right' as const }),
  ...(kind === 'text' ? { flexible: true } : {}),
  ...(DISPENSABLE.includes(key) ? { dispensable: true } : {}),
});

/** A report as a table that fits the terminal. */
export function tableOf({ columns, rows, total }: ReportTable): string {
  const text = (row: readonly Cell[]): string[] =>
    row.map((cell, index) => shown(cell, columns[index]?.kind ?? 'text', columns[index]?.key));
  return renderTable(columns.map(columnOf), total ? [...rows.map(text), text(total)] : rows.map(text), {
    total: total !== null,
  });
}
