import type * as profile from '../profile/index.ts';
import type { Drawn } from './figure.ts';
import { escapeHtml } from './html-text.ts';
import type { ReportTable, TableCell, TableColumn, ValueFormat } from './report.ts';
import { formatValue, NO_VALUE, sharedDigits } from './value-format.ts';

const FORMATS: Readonly<Record<profile.CellKind, ValueFormat>> = {
  text: 'text',
  count: 'integer',
  bytes: 'bytes',
  share: 'percent',
  shape: 'text',
  number: 'number',
};

const cellOf = (value: profile.Cell): TableCell =>
  typeof value === 'object' ? (value?.join(' × ') ?? null) : value;

/** A table of `secateur/profile` (of a profile, a sparsity report, …) as an item of a report. */
export function profileItem(title: string, { columns, rows, total }: profile.ReportTable): ReportTable {
  return {
    kind: 'table',
    title,
    columns: columns.map((column) => ({ label: column.title, format: FORMATS[column.kind] })),
    rows: rows.map((row) => row.map(cellOf)),
    ...(total ? { total: total.map(cellOf) } : {}),
  };
}

/** Digits after the point of a column's numbers. */
function digitsOf({ format, digits }: TableColumn, cells: readonly TableCell[]): number | undefined {
  if (digits !== undefined || (format !== 'number' && format !== 'ratio')) return digits;
  return sharedDigits(cells.filter((cell) => typeof cell === 'number'));
}

/** Draws a table: numbers right, with as many digits all down a column. */
export function drawTable({ columns, rows, total }: ReportTable): Drawn {
  const digits = columns.map((column, index) =>
    digitsOf(
      column,
      [...rows, total ?? []].map((row) => row[index] ?? null),
    ),
  );
  const isText = columns.map(({ format = 'text' }) => format === 'text');
  const head = columns.map(({ label, unit }, index) => {
    const shown = unit === undefined ? '' : ` <span class="unit">${escapeHtml(unit)}</span>`;
    return `<th scope="col"${isText[index] ? '' : ' class="n"'}>${escapeHtml(label)}${shown}</th>`;
  });
  const line = (row: readonly TableCell[], missing: string): string => {
    const cells = row.map((value, index) => {
      const column = columns[index]!;
      const shown =
        typeof value === 'string' ? value : formatValue(value, column.format ?? 'text', digits[index]);
      const text = value === null ? missing : escapeHtml(shown);
      if (!isText[index]) return `<td class="n">${text}</td>`;
      return index === 0 ? `<th scope="row">${text}</th>` : `<td>${text}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  };
  const foot = total ? `\n<tfoot>${line(total, '')}</tfoot>` : '';
  const body = `<table>
<thead><tr>${head.join('')}</tr></thead>
<tbody>
${rows.map((row) => line(row, NO_VALUE)).join('\n')}
</tbody>${foot}
</table>`;
  return { body, legend: '', notes: [], width: 'full' };
}
