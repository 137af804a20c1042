import { InvalidArgumentError } from 'commander';

/** A number in a range, both ends included. */
export const numberIn =
  (low: number, high = Number.POSITIVE_INFINITY) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value >= low && value <= high) return value;
    const range = high === Number.POSITIVE_INFINITY ? `of at least ${low}` : `from ${low} to ${high}`;
    throw new InvalidArgumentError(`expected a number ${range}`);
  };

/** A share between 0 and 1: `0.95` or `95%`. */
export function parseShare(text: string): number {
  const match = /^(\d*\.?\d+)\s*%$/.exec(text);
  const value = match ? Number(match[1]) / 100 : Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('expected a share between 0 and 1, such as 0.95 or 95%');
}

/** Shares with commas between them: `0.1,0.5,90%`. */
export const parseShares = (text: string): number[] => text.split(',').map(parseShare);

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** A number of bytes: `40KB` (powers of ten), `1.5MiB` (powers of two), `40000`. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = UNITS[(match?.[2] ?? '?').toLowerCase()];
  const value = match && unit ? Math.round(Number(match[1]) * unit) : 0;
  if (value >= 1) return value;
  throw new InvalidArgumentError('expected a size such as 40KB, 1.5MB, 64KiB or 40000');
}

/** Whole numbers with commas between them, each once: `0,1,2`. */
export function parseSeeds(text: string): number[] {
  const seeds = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (seeds.some((seed) => !Number.isSafeInteger(seed) || seed < 0)) {
    throw new InvalidArgumentError('expected whole numbers such as 0,1,2');
  }
  if (new Set(seeds).size < seeds.length) throw new InvalidArgumentError('a seed is given twice');
  return seeds;
}

/** Where a lottery ticket is rewound to. */
export type RewindPoint = 'init' | { readonly epoch: number } | { readonly step: number };

/** `init`, `epoch:1`, `step:500` */
export function parseRewind(text: string): RewindPoint {
  if (text === 'init') return 'init';
  const match = /^(epoch|step):(\d+)$/.exec(text);
  if (!match)
    throw new InvalidArgumentError('expected init, epoch:N such as epoch:1, or step:N such as step:500');
  const at = Number(match[2]);
  return match[1] === 'epoch' ? { epoch: at } : { step: at };
}

/** Terms added to the loss, by the words of the command line. */
export const PENALTIES = ['l1', 'slimming', 'group-lasso'] as const;

/** A term added to the loss, and its factor. */
export interface Penalty {
  readonly kind: (typeof PENALTIES)[number];
  readonly lambda: number;
}

/** `l1:1e-4`; collects repeated options. */
export function parsePenalty(text: string, before: readonly Penalty[] = []): Penalty[] {
  const [name, factor = ''] = text.split(':');
  const kind = PENALTIES.find((known) => known === name);
  const lambda = Number(factor);
  if (kind && factor.trim() !== '' && Number.isFinite(lambda) && lambda > 0)
    return [...before, { kind, lambda }];
  throw new InvalidArgumentError(`expected KIND:FACTOR such as l1:1e-4; kinds are ${PENALTIES.join(', ')}`);
}

/** Ways of changing training images at random. */
export const AUGMENTATIONS = ['crop', 'flip', 'mixup'] as const;
export type Augmentation = (typeof AUGMENTATIONS)[number];

/** `crop,flip,mixup` */
export function parseAugment(text: string): Augmentation[] {
  return text.split(',').map((part) => {
    const known = AUGMENTATIONS.find((name) => name === part.trim());
    if (known) return known;
    throw new InvalidArgumentError(`expected ${AUGMENTATIONS.join(', ')}, or several with commas between`);
  });
}
