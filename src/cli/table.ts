import Table from 'cli-table3';

/** A column of a table on the terminal. */
export interface Column {
  readonly title: string;
  /** Text stands left, numbers right. */
  readonly align?: 'left' | 'right';
  /** The column that gives way when the terminal is narrow. */
  readonly flexible?: boolean;
}

const BORDERLESS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  right: '',
  'right-mid': '',
  mid: '',
  'mid-mid': '',
  middle: '  ',
};

const NARROWEST = 12;

/** Shortens text to `width` by leaving out its middle: both ends of a layer's path tell something. */
function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  const keep = Math.max(width - 1, 1);
  const head = Math.ceil(keep / 2);
  return `${text.slice(0, head)}…${keep > head ? text.slice(text.length - (keep - head)) : ''}`;
}

/** Columns that a table may take: the terminal's, or 120 where output is no terminal. */
const terminalWidth = (): number => (process.stdout.isTTY ? process.stdout.columns : 120);

/**
 * Rows as a table without borders that fits `width`: flexible columns are shortened in the middle until it does. The last row may be a
 * total, set off by a line.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: { width?: number; total?: boolean } = {},
): string {
  const width = options.width ?? terminalWidth();
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const gaps = 2 * (columns.length - 1);
  const flexible = columns.flatMap((column, index) => (column.flexible ? [index] : []));
  let excess = widths.reduce((sum, w) => sum + w, gaps) - width;
  for (const index of flexible) {
    if (excess <= 0) break;
    const narrowed = Math.max(NARROWEST, (widths[index] ?? 0) - excess);
    excess -= (widths[index] ?? 0) - narrowed;
    widths[index] = narrowed;
  }
  const fitted = (row: readonly string[]): string[] =>
    row.map((cell, index) => (columns[index]?.flexible ? shorten(cell, widths[index] ?? cell.length) : cell));
  const table = new Table({
    head: [],
    chars: BORDERLESS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    colAligns: columns.map(({ align }) => align ?? 'left'),
  });
  const rule = widths.map((w) => '─'.repeat(w));
  const body = rows.map(fitted);
  const last = options.total && body.length > 1 ? body.splice(-1) : [];
  table.push(
    columns.map(({ title }) => title),
    rule,
    ...body,
    ...(last.length > 0 ? [rule, ...last] : []),
  );
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** 7,027,720 */
export const withCommas = (value: number): string =>
  value.toLocaleString('en-US', { maximumFractionDigits: 0 });

/** 7.93 G, 1.87 M, 12.4 k */
export function withUnit(value: number): string {
  for (const [unit, size] of [
    ['T', 1e12],
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (Math.abs(value) >= size) return `${(value / size).toPrecision(4)} ${unit}`;
  }
  return String(value);
}

/** 28.1 MB, in powers of ten as file managers count. */
export function bytes(value: number): string {
  for (const [unit, size] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (value >= size) return `${(value / size).toFixed(2)} ${unit}`;
  }
  return `${value} B`;
}

/** 29.92 % */
export const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
