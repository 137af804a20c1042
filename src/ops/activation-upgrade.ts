import { attr } from '../ir/index.ts';
import type { UpgradeRule } from './operator.ts';

/**
 * Softmax and its kin. Before opset 13 the input is made a matrix at `axis` (1 by default) and all columns of a row belong together; since then it is the one axis
 * (the last by default).
 */
export const upgradeAlongAxis: UpgradeRule = (ctx) => {
  if (ctx.opset >= 13) return null;
  const { make, node } = ctx;
  const x = ctx.input(0);
  const rank = make.builder.inferred(x).shape.length;
  const axis = node.int('axis', 1);
  const last = { axis: attr.int(-1) };
  if ((axis < 0 ? axis + rank : axis) === rank - 1) return [make.op(node.opType, [x], last)];
  const matrix = make.op('Flatten', [x], { axis: attr.int(axis) });
  return [make.op('Reshape', [make.op(node.opType, [matrix], last), make.op('Shape', [x])])];
};
