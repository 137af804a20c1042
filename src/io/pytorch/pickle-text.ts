import { latin1Bytes, latin1Text, type PickleReader, textOrBytes } from './pickle-reader.ts';
import type { PickleValue } from './pickle-values.ts';

/** Longest whole number in bytes; PyTorch's own longest, the old format's magic number, has 10. */
const MOST_NUMBER = 1024;
/** Decimal digits of a number written as text: reading them takes the square of their count. Source: CPython's own limit. */
const MOST_DIGITS = 4300;

/** A number where it is exact, otherwise a bigint. */
export function wholeNumber(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** LONG1 and LONG4: two's complement, little-endian. */
export function longNumber(reader: PickleReader, length: number): number | bigint {
  if (!(length >= 0 && length <= MOST_NUMBER)) {
    throw reader.fail(`a number takes ${length} bytes; at most ${MOST_NUMBER} are read`);
  }
  let value = 0n;
  const bytes = reader.take(length);
  for (let index = length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index]!);
  return wholeNumber(BigInt.asIntN(length * 8, value));
}

/** INT and LONG: decimal digits; `01` and `00` are True and False there. */
export function decimalNumber(reader: PickleReader): PickleValue {
  const line = reader.line();
  if (line === '01') return true;
  if (line === '00') return false;
  const digits = /^\s*([+-]?)(\d+)L?\s*$/.exec(line);
  if (digits === null || line.length > MOST_DIGITS) throw reader.fail('a line of digits was expected');
  const value = BigInt(digits[2]!);
  return wholeNumber(digits[1] === '-' ? -value : value);
}

/** FLOAT: as Python prints it. */
export function decimalFloat(reader: PickleReader): number {
  const line = reader.line().trim().toLowerCase();
  const special = /^([+-]?)(inf|infinity|nan)$/.exec(line);
  if (special !== null) {
    const value = special[2] === 'nan' ? Number.NaN : Number.POSITIVE_INFINITY;
    return special[1] === '-' ? -value : value;
  }
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(line))
    throw reader.fail('a line with a number was expected');
  return Number(line);
}

/** GET and PUT: a place in the memo. */
export function memoPlace(reader: PickleReader): number {
  const line = reader.line();
  if (!/^\d{1,10}$/.test(line)) throw reader.fail('a line with a place in the memo was expected');
  return Number(line);
}

/** UNICODE: Latin-1 in which `\uXXXX` and `\UXXXXXXXX` stand for other characters. */
export function rawUnicode(reader: PickleReader): string {
  const line = latin1Text(reader.lineBytes());
  return line.replace(
    /\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g,
    (_, four: string | undefined, eight: string) => {
      const code = Number.parseInt(four ?? eight, 16);
      if (code > 0x10ffff) throw reader.fail('a character is beyond Unicode');
      return String.fromCodePoint(code);
    },
  );
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
};

/** STRING: a Python literal in quotes, bytes in Python 2. */
export function quotedString(reader: PickleReader): string | Uint8Array {
  const line = latin1Text(reader.lineBytes()).trim();
  const quote = line[0];
  if (line.length < 2 || (quote !== "'" && quote !== '"') || line.at(-1) !== quote) {
    throw reader.fail('a text in quotes was expected');
  }
  const text = line
    .slice(1, -1)
    .replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)/g, (_, escaped: string) =>
      escaped.length === 3 && escaped.startsWith('x')
        ? String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
        : /^[0-7]/.test(escaped)
          ? String.fromCharCode(Number.parseInt(escaped, 8) & 0xff)
          : (ESCAPES[escaped] ?? escaped),
    );
  return textOrBytes(latin1Bytes(text)!);
}
