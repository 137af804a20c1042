import { free } from './cost.ts';
import { noChannelsRule, noGradRule } from './later.ts';
import { type InferRule, LATEST_OPSET, type Operator } from './operator.ts';

/** The entry of an operator without parameters that no convention counts; `facts` say what is different. */
export const entry = (
  opType: string,
  first: number,
  summary: string,
  infer: InferRule,
  facts: Partial<Omit<Operator, 'opType' | 'summary' | 'infer'>> = {},
): Operator => ({
  domain: '',
  opType,
  opsets: [first, LATEST_OPSET],
  summary,
  infer,
  cost: free,
  grad: noGradRule,
  channels: noChannelsRule,
  layer: null,
  ...facts,
});
