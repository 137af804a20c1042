import { normalizeDomain } from '../ir/index.ts';
import { CONV } from './conv.ts';
import type { Operator } from './operator.ts';

/** Every operator that is known, family by family. */
export const OPERATORS: readonly Operator[] = [...CONV];

const key = (domain: string, opType: string): string => `${normalizeDomain(domain)}:${opType}`;

const byKey = new Map<string, Operator>();
for (const operator of OPERATORS) byKey.set(key(operator.domain, operator.opType), operator);

/** The entry of an operator, or undefined where it is not known. */
export const findOperator = (domain: string, opType: string): Operator | undefined =>
  byKey.get(key(domain, opType));
