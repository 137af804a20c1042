import { Tensor } from '../core/tensor.ts';
import { attr, type Value } from '../ir/index.ts';
import type { RewriteContext, UpgradeRule } from './operator.ts';

/** Until opset 10 there was one way of coordinates, `x / scale`, and nearest meant the element before. */
const OLD = {
  coordinate_transformation_mode: attr.string('asymmetric'),
  nearest_mode: attr.string('floor'),
} as const;

const resized = ({ node, make, input }: RewriteContext, scales: Value): readonly Value[] => {
  const mode = node.string('mode', 'nearest');
  const named = mode === 'bilinear' ? 'linear' : mode;
  return [make.op('Resize', [input(0), null, scales], { ...OLD, mode: attr.string(named) })];
};

const upgradeResize: UpgradeRule = (ctx) => (ctx.opset >= 11 ? null : resized(ctx, ctx.input(1)));

/** Scales were an attribute until opset 8. */
const upgradeUpsample: UpgradeRule = (ctx) => {
  const scales = ctx.node.floats('scales');
  return resized(ctx, scales ? ctx.make.constant(Tensor.of(Float32Array.from(scales))) : ctx.input(1));
};

/** Older spellings of resampling. */
export const RESIZE_UPGRADES: Readonly<Record<string, UpgradeRule>> = {
  Resize: upgradeResize,
  Upsample: upgradeUpsample,
};
