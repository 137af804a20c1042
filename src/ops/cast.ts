import { type DType, dtypeInfo, dtypeOfCode } from '../core/dtype.ts';
import type { Shape } from '../ir/index.ts';
import { axisOf, inferredWith } from './broadcast.ts';
import { CAST_CHANNELS } from './cast-channels.ts';
import { castGrad } from './cast-grad.ts';
import { settle } from './elementwise-fold.ts';
import { entry } from './entry.ts';
import { expectFloat } from './expect.ts';
import { integersHaveNoGradient } from './later.ts';
import type { InferContext, InferRule, Inferred, Known, Operator } from './operator.ts';
import { withRules } from './with-rules.ts';

/** The dtype an attribute names by its ONNX code, or `fallback`. Throws ShapeError where the code is none. */
export function dtypeAttribute(ctx: InferContext, name: string, fallback: DType): DType;
export function dtypeAttribute(ctx: InferContext, name: string): DType | undefined;
export function dtypeAttribute(ctx: InferContext, name: string, fallback?: DType): DType | undefined {
  const code = ctx.node.int(name);
  if (code === undefined) return fallback;
  const dtype = dtypeOfCode(code);
  if (dtype) return dtype;
  throw ctx.error(`attribute '${name}' is ${code}, which is no ONNX element type`);
}

function converted({ shape, known }: Inferred, to: DType): Inferred {
  const element = (value: Known): Known =>
    typeof value === 'number' ? settle(value, to) : symbol(value, to);
  return inferredWith(to, shape, known?.map(element));
}

/** A dimension stays itself in every type that can hold it. */
function symbol(value: Known, to: DType): Known {
  const { kind, bits } = dtypeInfo(to);
  return bits >= 32 && (kind === 'int' || kind === 'uint' || kind === 'float') ? value : null;
}

const cast: InferRule = (ctx) => {
  const to = dtypeAttribute(ctx, 'to');
  if (!to) throw ctx.error("attribute 'to' is required and missing");
  return [converted(ctx.input(0), to)];
};

const castLike: InferRule = (ctx) => [converted(ctx.input(0), ctx.input(1).dtype)];

/** Scale and zero point are scalars, vectors along `axis`, or blocks along it. */
function checkScale(ctx: InferContext, shape: Shape, scale: Shape): void {
  if (scale.length === 0 || shape.length === 0) return;
  const axis = ctx.node.int('axis', 1);
  if (scale.length === 1) {
    if (scale[0] === 1 && shape.length === 1) return;
    const size = shape[axisOf(ctx, axis, shape.length)];
    if (typeof size === 'number' && typeof scale[0] === 'number' && scale[0] !== size && scale[0] !== 1) {
      throw ctx.error(`scale expects ${size} elements as axis ${axis} has, got ${scale[0]}`);
    }
  } else if (scale.length !== shape.length) {
    throw ctx.error(`scale expects 0, 1 or ${shape.length} dimensions, got ${scale.length}`);
  }
}

const quantize: InferRule = (ctx) => {
  const { shape } = ctx.input(0);
  checkScale(ctx, shape, ctx.input(1).shape);
  const zero = ctx.inputs[2]?.dtype;
  return [{ dtype: zero ?? dtypeAttribute(ctx, 'output_dtype') ?? 'uint8', shape }];
};

const dequantize: InferRule = (ctx) => {
  const { shape } = ctx.input(0);
  const scale = ctx.input(1);
  checkScale(ctx, shape, scale.shape);
  return [{ dtype: dtypeAttribute(ctx, 'output_dtype', scale.dtype), shape }];
};

const dynamicQuantize: InferRule = (ctx) => {
  expectFloat(ctx, 0);
  return [
    { dtype: 'uint8', shape: ctx.input(0).shape },
    { dtype: 'float32', shape: [] },
    { dtype: 'uint8', shape: [] },
  ];
};

/** Changes of element type, and quantization. */
export const CAST: readonly Operator[] = withRules(
  [
    entry('Cast', 6, 'Elements converted to another type.', cast, { grad: castGrad }),
    entry('CastLike', 15, "Elements converted to another tensor's type.", castLike, {
      steering: [1],
      grad: castGrad,
    }),
    entry('QuantizeLinear', 10, 'round(x / scale) + zero point, limited to the integer type.', quantize, {
      steering: [1, 2],
      grad: integersHaveNoGradient,
    }),
    entry('DequantizeLinear', 10, '(x - zero point) * scale.', dequantize, {
      steering: [1, 2],
      grad: integersHaveNoGradient,
    }),
    entry(
      'DynamicQuantizeLinear',
      11,
      'Quantization to uint8 with a scale from the range of the data.',
      dynamicQuantize,
      {
        grad: integersHaveNoGradient,
      },
    ),
  ],
  { channels: CAST_CHANNELS },
);
