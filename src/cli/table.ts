import Table from 'cli-table3';
import { terminalWidth } from './terminal.ts';

/** A column of a table on the terminal. */
export interface Column {
  readonly title: string;
  /** Text stands left, numbers right. */
  readonly align?: 'left' | 'right';
  /** Gives way when the terminal is narrow: text is shortened, of a column of numbers only the title. */
  readonly flexible?: boolean;
  /** Is left out when the terminal is narrow. */
  readonly dispensable?: boolean;
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

/** Least width of a column of text: below it the ends of names tell nothing any more. */
const NARROWEST = 12;

/** Width that a column of text should keep; columns that can be done without go first. */
const READABLE = 28;

/** Shortens text to `width` by leaving out its middle: both ends of a layer's path tell something. */
function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  const keep = Math.max(width - 1, 1);
  const head = Math.ceil(keep / 2);
  return `${text.slice(0, head)}…${keep > head ? text.slice(text.length - (keep - head)) : ''}`;
}

/** Width of columns side by side, two spaces between. */
const widthOf = (widths: readonly number[]): number =>
  widths.reduce((sum, width) => sum + width, 2 * (widths.length - 1));

/**
 * Rows as a table without borders that fits `width` where it can: dispensable columns go where names would become unreadable, then
 * flexible ones are shortened in the middle, the widest first. The last row may be a total, set off by a line.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: { width?: number; total?: boolean } = {},
): string {
  const width = options.width ?? terminalWidth(120);
  const cellWidths = columns.map((_, index) => Math.max(0, ...rows.map((row) => row[index]?.length ?? 0)));
  const widths = columns.map(({ title }, index) => Math.max(title.length, cellWidths[index]!));
  const least = (index: number, text: number): number =>
    Math.min(widths[index]!, columns[index]!.align === 'right' ? Math.max(cellWidths[index]!, text) : text);
  const readable = widths.map((w, index) => (columns[index]!.flexible ? least(index, READABLE) : w));
  const dispensable = columns.findLastIndex((column) => column.dispensable);
  if (dispensable >= 0 && widthOf(readable) > width) {
    const without = <T>(list: readonly T[]): T[] => list.filter((_, index) => index !== dispensable);
    return renderTable(without(columns), rows.map(without), { ...options, width });
  }
  for (let excess = widthOf(widths) - width; excess > 0; excess--) {
    let widest = -1;
    for (const [index, { flexible }] of columns.entries()) {
      if (!flexible || widths[index]! <= least(index, NARROWEST)) continue;
      if (widest < 0 || widths[index]! > widths[widest]!) widest = index;
    }
    if (widest < 0) break;
    widths[widest]!--;
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
    fitted(columns.map(({ title }) => title)),
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
