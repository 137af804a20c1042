import { sizeOf } from '../core/tensor.ts';
import type { Dim, Shape } from '../ir/index.ts';
import { axesOf } from './broadcast.ts';
import { cost, outputShape } from './cost.ts';
import { entry } from './entry.ts';
import type { CostRule, InferContext, InferRule, Known, Operator } from './operator.ts';
import { RESIZE_CHANNELS } from './resize-channels.ts';
import { RESIZE_GRADS } from './resize-grad.ts';
import { RESIZE_UPGRADES } from './resize-upgrade.ts';
import { scaleDim } from './symbolic.ts';
import { withRules } from './with-rules.ts';

/** Known elements of an input that is left out by being empty; `'unknown'` where there are some, but not known. */
function optional(ctx: InferContext, index: number): readonly Known[] | 'unknown' | undefined {
  const input = ctx.inputs[index];
  if (!input || input.shape[0] === 0) return undefined;
  return input.known ?? 'unknown';
}

function scaled(ctx: InferContext, shape: Shape, axes: readonly number[], scales: readonly Known[]): Dim[] {
  if (scales.length !== axes.length) {
    throw ctx.error(`scales expects ${axes.length} numbers, got ${scales.length}`);
  }
  const result: Dim[] = [...shape];
  axes.forEach((axis, index) => {
    const scale = scales[index];
    result[axis] = typeof scale === 'number' ? scaleDim(shape[axis]!, scale) : null;
  });
  return result;
}

/** Sizes as they are, or one scale for all axes, the smallest or largest of those asked for. */
function sized(ctx: InferContext, shape: Shape, axes: readonly number[], sizes: readonly Known[]): Dim[] {
  if (sizes.length !== axes.length)
    throw ctx.error(`sizes expects ${axes.length} numbers, got ${sizes.length}`);
  const policy = ctx.opset >= 18 ? ctx.node.string('keep_aspect_ratio_policy', 'stretch') : 'stretch';
  const result: Dim[] = [...shape];
  if (policy === 'stretch') {
    axes.forEach((axis, index) => {
      result[axis] = sizes[index]!;
    });
    return result;
  }
  const ratios = axes.map((axis, index) => {
    const [wanted, size] = [sizes[index], shape[axis]];
    return typeof wanted === 'number' && typeof size === 'number' ? Math.fround(wanted / size) : Number.NaN;
  });
  const scale = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  for (const axis of axes) {
    const size = shape[axis]!;
    result[axis] = typeof size === 'number' && !Number.isNaN(scale) ? Math.round(scale * size) : null;
  }
  return result;
}

/** Opset 10 takes scales as input 1; from 11 on inputs are roi, scales, sizes, of which one of the last two is given. */
const resize: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  const given = ctx.opset >= 18 ? ctx.node.ints('axes') : undefined;
  const axes = given ? axesOf(ctx, given, shape.length) : [...shape.keys()];
  const unknown = shape.map((dim, axis) => (axes.includes(axis) ? null : dim));
  const scales = optional(ctx, ctx.opset < 11 ? 1 : 2);
  const sizes = ctx.opset < 11 ? undefined : optional(ctx, 3);
  if (scales === undefined && sizes === undefined) throw ctx.error('expects scales or sizes, got neither');
  if (sizes !== undefined) {
    return [{ dtype, shape: sizes === 'unknown' ? unknown : sized(ctx, shape, axes, sizes) }];
  }
  if (scales === undefined || scales === 'unknown') return [{ dtype, shape: unknown }];
  return [{ dtype, shape: scaled(ctx, shape, axes, scales) }];
};

/** Scales are an attribute before opset 9, an input after. */
const upsample: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  const scales = ctx.opset < 9 ? ctx.node.floats('scales') : ctx.known(1);
  return [{ dtype, shape: scales ? scaled(ctx, shape, [...shape.keys()], scales) : shape.map(() => null) }];
};

/** Operations per output element of nn.Upsample's modes: Keys' cubic solves for 224 and sums 35, bilinear takes 6 products and 5 sums. */
const PER_ELEMENT: Readonly<Record<string, number>> = { linear: 5, bilinear: 11, bicubic: 224 + 35 };

/** thop counts nn.Upsample in the modes nearest (0.1.1 only), linear, bilinear and bicubic; trilinear it takes as 0. */
const resizeCost: CostRule = (ctx) => {
  const shape = outputShape(ctx);
  const elements = sizeOf(shape);
  const mode = ctx.node.string('mode', 'nearest');
  if (mode === 'nearest') return cost(0, 0, elements);
  const names: Readonly<Record<string, string>> = {
    linear3: 'linear',
    linear4: 'bilinear',
    cubic4: 'bicubic',
  };
  const operations = elements * (PER_ELEMENT[names[`${mode}${shape.length}`] ?? ''] ?? 0);
  return cost(0, operations, operations);
};

/** Images and volumes brought to another size. */
export const RESIZE: readonly Operator[] = withRules(
  [
    entry('Resize', 10, 'Resampling to sizes or by scales.', resize, {
      cost: resizeCost,
      shapeInput: 3,
      steering: [1, 2],
    }),
    entry('Upsample', 7, 'Resampling by scales; Resize since opset 10.', upsample, {
      cost: resizeCost,
      opsets: [7, 9],
      steering: [1],
    }),
  ],
  { grad: RESIZE_GRADS, upgrade: RESIZE_UPGRADES, channels: RESIZE_CHANNELS },
);
