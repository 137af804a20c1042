import { InvalidArgumentError } from 'commander';
import { parseBytes, parseShare } from './training-parse.ts';

/** How much of something is to stay: a share of what the model has, or a number in its own unit. */
export type Target = { readonly share: number } | { readonly value: number };

/** `50%`: what is to stay of something; null for text without a percent sign. Throws InvalidArgumentError where nothing or all would stay. */
function shareOf(text: string): Target | null {
  const match = /^(\d*\.?\d+)\s*%$/.exec(text.trim());
  if (!match) return null;
  const share = Number(match[1]) / 100;
  if (share > 0 && share < 1) return { share };
  throw new InvalidArgumentError('expected a share between 0 % and 100 %, such as 50%: what is to stay');
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

/** A number that is to stay: `50%` of what there is, `3M`, `2.26G`, `7000000`. */
export function parseCountTarget(text: string): Target {
  const share = shareOf(text);
  if (share) return share;
  const match = /^(\d*\.?\d+(?:e\d+)?)\s*([kmgt]?)$/i.exec(text.trim());
  const value = match ? Number(match[1]) * UNITS[match[2]!.toLowerCase()]! : 0;
  if (value >= 1) return { value: Math.round(value) };
  throw new InvalidArgumentError(
    'expected what is to stay: a share such as 50%, or a number such as 3M or 2.26G',
  );
}

/** Bytes that are to stay: `60%` of what there is, `4MB`. */
export const parseSizeTarget = (text: string): Target => shareOf(text) ?? { value: parseBytes(text) };

const TIMES: Readonly<Record<string, number>> = { us: 1e-3, ms: 1, s: 1e3 };

/** Milliseconds that are to stay: `60%` of what there is, `20ms`, `1.5s`. */
export function parseLatencyTarget(text: string): Target {
  const share = shareOf(text);
  if (share) return share;
  const match = /^(\d*\.?\d+)\s*(us|ms|s)$/i.exec(text.trim());
  const value = match ? Number(match[1]) * TIMES[match[2]!.toLowerCase()]! : 0;
  if (value > 0) return { value };
  throw new InvalidArgumentError('expected a time with its unit such as 20ms, or a share such as 60%');
}

/** A share of the layers of some names. */
export interface NamedRatio {
  readonly pattern: string;
  readonly ratio: number;
}

/** `model.24.*=0.3`; collects repeated options. */
export function parseNamedRatio(text: string, before: readonly NamedRatio[] = []): NamedRatio[] {
  const equals = text.lastIndexOf('=');
  if (equals < 1) throw new InvalidArgumentError("expected PATTERN=SHARE such as 'model.2.*=0.3'");
  return [...before, { pattern: text.slice(0, equals), ratio: parseShare(text.slice(equals + 1)) }];
}

/** A number of blocks: `2`, or a share of those there are: `0.25`, `25%`. */
export function parseBlocks(text: string): { readonly share: number } | { readonly count: number } {
  const count = Number(text);
  if (/^\d+$/.test(text.trim()) && Number.isSafeInteger(count) && count > 0) return { count };
  const share = /[.%]/.test(text) ? parseShare(text) : 0;
  if (share > 0) return { share };
  throw new InvalidArgumentError('expected a number of blocks such as 2, or a share of them such as 25%');
}
