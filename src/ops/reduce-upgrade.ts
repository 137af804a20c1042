import { attr } from '../ir/index.ts';
import type { UpgradeRule } from './operator.ts';

/** Axes of a reduction were an attribute before `inputFrom`: 13 for the sum, 18 for the others. */
export const upgradeReduction =
  (inputFrom: number): UpgradeRule =>
  (ctx) => {
    const { make, node, opset } = ctx;
    const axes = node.ints('axes');
    if (opset >= inputFrom || !axes) return null;
    const keepdims = attr.int(node.int('keepdims', 1));
    return [make.op(node.opType, [ctx.input(0), make.ints(axes)], { keepdims })];
  };
