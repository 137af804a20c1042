import type { ValueFormat } from './report.ts';

/** What stands where there is no value. */
export const NO_VALUE = '–';

/** Between a number and its unit: narrow, and no line ends there. */
const SPACE = '\u202f';

const grouped = (value: number, digits: number): string =>
  value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** Digits after the point that four significant ones need: 0.98 of 0.98, 3 of 12.345, none of 12345. */
function digitsOf(value: number): number {
  if (value === 0) return 0;
  const [mantissa = '', exponent = '0'] = Math.abs(value).toExponential(3).split('e');
  const significant = mantissa.replace('.', '').replace(/0+$/, '').length;
  return Math.max(0, significant - 1 - Number(exponent));
}

/** True where plain digits would be too many to read. */
const needsExponent = (value: number): boolean =>
  value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e9);

/** 0.0123 with `digits` after the point, or as many as four significant digits need; 1.5e-7. */
function plainNumber(value: number, digits?: number): string {
  if (digits !== undefined) return grouped(value, digits);
  if (needsExponent(value)) return String(Number(value.toPrecision(4)).toExponential());
  return grouped(value, digitsOf(value));
}

/** 28.10 MB, in powers of ten as file managers count. */
function byteCount(value: number, digits = 2): string {
  for (const [unit, size] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (Math.abs(value) >= size) return `${(value / size).toFixed(digits)}${SPACE}${unit}`;
  }
  return `${plainNumber(value)}${SPACE}B`;
}

/** A minus sign as wide as a plus, in place of the hyphen. */
const withMinus = (text: string): string => text.replaceAll('-', '\u2212');

/**
 * A number as the page shows it. `digits` are those after the point. Gives `–` for null, NaN and infinities, which a report holds as null.
 */
export function formatValue(value: number | null, format: ValueFormat = 'number', digits?: number): string {
  if (value === null || !Number.isFinite(value)) return NO_VALUE;
  switch (format) {
    case 'text':
      return String(value);
    case 'integer':
      return withMinus(grouped(value, digits ?? 0));
    case 'number':
      return withMinus(plainNumber(value, digits));
    case 'percent':
      return withMinus(`${grouped(value * 100, digits ?? 2)}${SPACE}%`);
    case 'bytes':
      return withMinus(byteCount(value, digits));
    case 'ratio':
      return withMinus(`${plainNumber(value, digits)}×`);
  }
}

/**
 * Digits after the point that all numbers of a column share, so that their points stand under each other: as many as the one that needs most.
 * Undefined where one of them would not be written plainly.
 */
export function sharedDigits(values: readonly number[]): number | undefined {
  if (values.some(needsExponent)) return undefined;
  return Math.max(0, ...values.map(digitsOf));
}
