import { type Cell, type CellKind, type ReportColumn, type ReportTable, toCsv } from '../profile/index.ts';
import { bytes, type Column, percent, renderTable, withCommas, withUnit } from './table.ts';

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

const columnOf = ({ title, kind }: ReportColumn): Column => ({
  title,
  ...(kind === 'text' || kind === 'shape' ? {} : { align: 'right' as const }),
  ...(kind === 'text' ? { flexible: true } : {}),
});

/** A report as a table that fits the terminal. */
export function tableOf({ columns, rows, total }: ReportTable): string {
  const text = (row: readonly Cell[]): string[] =>
    row.map((cell, index) => shown(cell, columns[index]?.kind ?? 'text', columns[index]?.key));
  return renderTable(columns.map(columnOf), total ? [...rows.map(text), text(total)] : rows.map(text), {
    total: total !== null,
  });
}
