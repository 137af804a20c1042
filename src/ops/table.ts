import { normalizeDomain } from '../ir/index.ts';
import { ACTIVATION } from './activation.ts';
import { BLOCKED } from './blocked.ts';
import { CAST } from './cast.ts';
import { CONSTANT } from './constant.ts';
import { CONTRIB } from './contrib.ts';
import { CONTROL } from './control.ts';
import { CONV } from './conv.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { INDEXING } from './indexing.ts';
import { LAYOUT } from './layout.ts';
import { LINEAR } from './linear.ts';
import { NORM } from './norm.ts';
import type { Operator } from './operator.ts';
import { POOL } from './pool.ts';
import { RECURRENT } from './recurrent.ts';
import { REDUCE } from './reduce.ts';
import { RESIZE } from './resize.ts';

/** Every operator that is known, family by family. */
export const OPERATORS: readonly Operator[] = [
  ...CONV,
  ...LINEAR,
  ...NORM,
  ...ACTIVATION,
  ...POOL,
  ...RECURRENT,
  ...ELEMENTWISE,
  ...CAST,
  ...LAYOUT,
  ...INDEXING,
  ...REDUCE,
  ...RESIZE,
  ...CONSTANT,
  ...CONTROL,
  ...CONTRIB,
  ...BLOCKED,
];

const byDomain = new Map<string, Map<string, Operator>>();
for (const operator of OPERATORS) {
  const domain = normalizeDomain(operator.domain);
  const operators = byDomain.get(domain) ?? new Map<string, Operator>();
  byDomain.set(domain, operators.set(operator.opType, operator));
}

/** The entry of an operator, or undefined where it is not known. */
export const findOperator = (domain: string, opType: string): Operator | undefined =>
  byDomain.get(normalizeDomain(domain))?.get(opType);
