import { Tensor } from '../core/tensor.ts';
import { attr, type Value } from '../ir/index.ts';
import type { RewriteContext, UpgradeRule } from './operator.ts';

/** Until opset 10 there was one way of coordinates, `x / scale`. */
function resized({ make }: RewriteContext, x: Value, scales: Value, mode: string, nearest: string): Value {
  return make.op('Resize', [x, null, scales], {
    coordinate_transformation_mode: attr.string('asymmetric'),
    nearest_mode: attr.string(nearest),
    mode: attr.string(mode),
  });
}

/**
 * Nearest meant the element before on axes that grow and the one behind on axes that shrink: two nodes where there are both. Source: onnxruntime, which runs these opsets so.
 */
function older(ctx: RewriteContext, scales: Value, numbers: readonly number[] | undefined): readonly Value[] {
  const { make, node } = ctx;
  const mode = node.string('mode', 'nearest');
  const x = ctx.input(0);
  if (mode !== 'nearest') return [resized(ctx, x, scales, mode === 'bilinear' ? 'linear' : mode, 'floor')];
  if (!numbers)
    throw ctx.unsupported(
      'until opset 10 nearest rounds up or down by its scales, which are not known here; make them constants or export for opset 11 or later',
    );
  const part = (chosen: (scale: number) => boolean): Value =>
    make.constant(Tensor.of(Float32Array.from(numbers, (scale) => (chosen(scale) ? scale : 1))));
  const shrinks = numbers.some((scale) => scale < 1);
  const small = shrinks
    ? resized(
        ctx,
        x,
        part((scale) => scale < 1),
        mode,
        'ceil',
      )
    : x;
  if (shrinks && !numbers.some((scale) => scale > 1)) return [small];
  return [
    resized(
      ctx,
      small,
      part((scale) => scale >= 1),
      mode,
      'floor',
    ),
  ];
}

const upgradeResize: UpgradeRule = (ctx) =>
  ctx.opset >= 11 ? null : older(ctx, ctx.input(1), ctx.numbers(1));

/** Scales were an attribute until opset 8. */
const upgradeUpsample: UpgradeRule = (ctx) => {
  const scales = ctx.node.floats('scales');
  return scales
    ? older(ctx, ctx.make.constant(Tensor.of(Float32Array.from(scales))), scales)
    : older(ctx, ctx.input(1), ctx.numbers(1));
};

/** Older spellings of resampling. */
export const RESIZE_UPGRADES: Readonly<Record<string, UpgradeRule>> = {
  Resize: upgradeResize,
  Upsample: upgradeUpsample,
};
