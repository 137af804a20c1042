import { GraphError } from '../core/errors.ts';
import type { GradRule, Operator, Unsupported, UpgradeRule } from './operator.ts';

/** Rules by operator, kept beside the family where they are many. */
export interface FamilyRules {
  readonly grad?: Readonly<Record<string, GradRule | Unsupported>>;
  readonly upgrade?: Readonly<Record<string, UpgradeRule>>;
}

/** The entries of a family with the rules that stand in files of their own. Throws GraphError for a rule of an operator that the family does not have. */
export function withRules(operators: readonly Operator[], rules: FamilyRules): readonly Operator[] {
  const names = new Set(operators.map(({ opType }) => opType));
  for (const name of [...Object.keys(rules.grad ?? {}), ...Object.keys(rules.upgrade ?? {})]) {
    if (!names.has(name))
      throw new GraphError(`operator table: there are rules for '${name}', which its family does not have`);
  }
  return operators.map((operator) => {
    const grad = rules.grad?.[operator.opType];
    const upgrade = rules.upgrade?.[operator.opType];
    return { ...operator, ...(grad ? { grad } : {}), ...(upgrade ? { upgrade } : {}) };
  });
}
