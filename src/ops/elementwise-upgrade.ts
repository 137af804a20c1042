import type { UpgradeRule } from './operator.ts';

/** Clip's limits were attributes before opset 11. */
export const upgradeClip: UpgradeRule = (ctx) => {
  if (ctx.opset >= 11) return null;
  const { make, node } = ctx;
  const x = ctx.input(0);
  const limit = (name: string): ReturnType<typeof make.full> | null => {
    const number = node.float(name);
    return number === undefined ? null : make.full(number, make.dtype(x));
  };
  return [make.op('Clip', [x, limit('min'), limit('max')])];
};
