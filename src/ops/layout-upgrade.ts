import type { UpgradeRule } from './operator.ts';

/** Axes were an attribute until opset 12. */
const axesAsInput =
  (opType: string): UpgradeRule =>
  ({ node, opset, make, input }) => {
    const axes = node.ints('axes');
    if (opset >= 13 || !axes) return null;
    return [make.op(opType, [input(0), make.ints(axes)])];
  };

/** Sizes were an attribute until opset 12; without them parts were equal, which opset 18 wants to hear. */
const upgradeSplit: UpgradeRule = (ctx) => {
  const { node, opset, make } = ctx;
  if (opset >= 18 || (opset >= 13 && node.inputs[1])) return null;
  const axis = node.int('axis', 0);
  const count = node.outputs.length;
  const { shape } = make.builder.inferred(ctx.input(0));
  const size = shape[axis < 0 ? axis + shape.length : axis];
  const stated = node.ints('split', []);
  if (stated.length === 0 && typeof size !== 'number')
    throw ctx.unsupported('its parts are equal, but the size of the axis is not known');
  const parts = stated.length > 0 ? stated : node.outputs.map(() => Number(size) / count);
  const attributes = Object.fromEntries([...node.attributes].filter(([name]) => name === 'axis'));
  return make.ops('Split', [ctx.input(0), make.ints(parts)], { outputs: count, attributes });
};

/** Older spellings of operators that move elements. */
export const LAYOUT_UPGRADES: Readonly<Record<string, UpgradeRule>> = {
  Squeeze: axesAsInput('Squeeze'),
  Unsqueeze: axesAsInput('Unsqueeze'),
  Split: upgradeSplit,
};
