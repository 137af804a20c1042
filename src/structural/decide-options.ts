import { ArgumentError } from '../core/errors.ts';

/** Among which groups units are ranked. */
export const SCOPES = ['layer', 'global', 'isomorphic'] as const;

/** How a number of channels is brought to a multiple. */
export const ROUNDINGS = ['up', 'nearest'] as const;

/** A share of units for layers of some names. */
export interface PatternRatio {
  /** A pattern over layer names: `*` stands for any characters, `?` for one; the name of a module means all layers in it. */
  readonly pattern: string;
  /** Share of units to be removed, in [0, 1]. */
  readonly ratio: number;
}

/** How much goes, and from where. */
export interface DecideOptions {
  /** Share of units to be removed, in [0, 1]. */
  readonly ratio: number;
  /** Other shares for layers of some names; of several that match a group, the first counts. In scopes other than `layer` the groups of one pattern are ranked among themselves. */
  readonly ratios?: readonly PatternRatio[];
  /**
   * Among which groups units are ranked: `layer` takes the ratio from each group (default); `global` takes the least important of all groups together; `isomorphic` of those together whose layers are
   * alike (Fang et al. 2024).
   */
  readonly scope?: (typeof SCOPES)[number];
  /** Patterns over layer names; groups that have such a layer among those that make their channels are left whole. */
  readonly ignore?: readonly string[];
  /** How many units of each group stay at least. Default 1. */
  readonly keepAtLeast?: number;
  /** The largest share of a group's units that may go, in [0, 1]. Default 1. */
  readonly maxRatio?: number;
  /** Lets a multiple of this many channels stay in each layer that is cut. Default 1. */
  readonly roundTo?: number;
  /** `up` keeps more channels to reach the multiple (default), `nearest` goes to the nearer one. */
  readonly rounding?: (typeof ROUNDINGS)[number];
}

const isShare = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1;
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 1;

/** Throws ArgumentError, which names the option, where one is not what it may be. */
export function checkDecideOptions(options: DecideOptions): void {
  const { ratio, ratios = [], scope = 'layer', rounding = 'up' } = options;
  const { keepAtLeast = 1, maxRatio = 1, roundTo = 1 } = options;
  const refuse = (name: string, expected: string, value: unknown): never => {
    throw new ArgumentError(`decide: ${name} must be ${expected}, got ${String(value)}`);
  };
  if (!isShare(ratio)) refuse('ratio', 'a number from 0 to 1', ratio);
  ratios.forEach((own, index) => {
    if (!isShare(own.ratio)) refuse(`ratios[${index}].ratio`, 'a number from 0 to 1', own.ratio);
  });
  if (!isShare(maxRatio)) refuse('maxRatio', 'a number from 0 to 1', maxRatio);
  if (!isCount(keepAtLeast)) refuse('keepAtLeast', 'a whole number >= 1', keepAtLeast);
  if (!isCount(roundTo)) refuse('roundTo', 'a whole number >= 1', roundTo);
  if (!SCOPES.includes(scope)) refuse('scope', SCOPES.join(', '), scope);
  if (!ROUNDINGS.includes(rounding)) refuse('rounding', ROUNDINGS.join(' or '), rounding);
}
