import { GraphError } from '../core/errors.ts';
import type { ChannelsRule, GradRule, Operator, Unsupported, UpgradeRule } from './operator.ts';

/** Rules by operator, kept beside the family where they are many. */
export interface FamilyRules {
  readonly grad?: Readonly<Record<string, GradRule | Unsupported>>;
  readonly upgrade?: Readonly<Record<string, UpgradeRule>>;
  readonly channels?: Readonly<Record<string, ChannelsRule | Unsupported>>;
}

/** The entries of a family with the rules that stand in files of their own. Throws GraphError for a rule of an operator that the family does not have. */
export function withRules(operators: readonly Operator[], rules: FamilyRules): readonly Operator[] {
  const names = new Set(operators.map(({ opType }) => opType));
  for (const name of [rules.grad, rules.upgrade, rules.channels].flatMap((own) => Object.keys(own ?? {}))) {
    if (!names.has(name))
      throw new GraphError(`operator table: there are rules for '${name}', which its family does not have`);
  }
  return operators.map((operator) => {
    const grad = rules.grad?.[operator.opType];
    const upgrade = rules.upgrade?.[operator.opType];
    const channels = rules.channels?.[operator.opType];
    return {
      ...operator,
      ...(grad ? { grad } : {}),
      ...(upgrade ? { upgrade } : {}),
      ...(channels ? { channels } : {}),
    };
  });
}
