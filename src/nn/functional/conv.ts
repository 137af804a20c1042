import { ArgumentError } from '../../core/errors.ts';
import { attr } from '../../ir/index.ts';
import type { Variable } from '../variable.ts';
import { add, matmul } from './arithmetic.ts';
import { expectSpatial, perAxis, type Sizes, type Weight } from './operand.ts';
import { permute } from './shape.ts';

/** Zeros around the input: a number or one per axis, `'valid'` for none, `'same'` for an output as large as the input. */
export type Padding = Sizes | 'same' | 'valid';

/** How a window slides. */
export interface ConvFunctionOptions {
  /** Default 1. */
  readonly stride?: Sizes;
  /** Default 0. */
  readonly padding?: Padding;
  /** Default 1. */
  readonly dilation?: Sizes;
  /** Default 1. */
  readonly groups?: number;
}

/** How a window slides, backwards. */
export interface ConvTransposeFunctionOptions {
  /** Default 1. */
  readonly stride?: Sizes;
  /** Rows and columns cut off; default 0. */
  readonly padding?: Sizes;
  /** Rows and columns added at the end; default 0. */
  readonly outputPadding?: Sizes;
  /** Default 1. */
  readonly groups?: number;
  /** Default 1. */
  readonly dilation?: Sizes;
}

/**
 * ONNX's `pads`, all beginnings and then all ends. `'same'` pads `dilation (kernel - 1)` in all, the odd one at the end as PyTorch does.
 * Throws ArgumentError for `'same'` with a stride.
 */
function padsOf(
  caller: string,
  padding: Padding,
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): number[] {
  if (padding === 'valid') return kernel.flatMap(() => [0, 0]);
  if (padding !== 'same') {
    if (typeof padding === 'string')
      throw new ArgumentError(
        `${caller}: padding expects numbers, 'same' or 'valid', got '${String(padding)}'`,
      );
    const each = perAxis(caller, 'padding', padding, kernel.length, 0);
    return [...each, ...each];
  }
  if (strides.some((stride) => stride !== 1))
    throw new ArgumentError(`${caller}: padding='same' is not supported for strided convolutions`);
  const total = kernel.map((size, axis) => dilations[axis]! * (size - 1));
  const begin = total.map((pad) => Math.floor(pad / 2));
  return [...begin, ...total.map((pad, axis) => pad - begin[axis]!)];
}

function conv(
  caller: string,
  spatial: number,
  x: Variable,
  weight: Weight,
  bias: Weight | null,
  options: ConvFunctionOptions,
): Variable {
  expectSpatial(caller, x, spatial);
  const w = x.tracer.operand(weight, x.dtype);
  const kernel = Array.from({ length: spatial }, (_, axis) => w.size(axis + 2));
  const strides = perAxis(caller, 'stride', options.stride ?? 1, spatial, 1);
  const dilations = perAxis(caller, 'dilation', options.dilation ?? 1, spatial, 1);
  return x.tracer.op('Conv', [x, w, ...optional(bias, x)], {
    attributes: {
      dilations: attr.ints(dilations),
      group: attr.int(options.groups ?? 1),
      kernel_shape: attr.ints(kernel),
      pads: attr.ints(padsOf(caller, options.padding ?? 0, kernel, strides, dilations)),
      strides: attr.ints(strides),
    },
  });
}

/** The bias as a list, empty where there is none. */
const optional = (bias: Weight | null, x: Variable): Variable[] =>
  bias === null ? [] : [x.tracer.operand(bias, x.dtype)];

/** Convolution over `[N, C, L]` with a weight `[out, in / groups, k]`. */
export const conv1d = (
  x: Variable,
  weight: Weight,
  bias: Weight | null = null,
  options: ConvFunctionOptions = {},
): Variable => conv('conv1d', 1, x, weight, bias, options);

/** Convolution over `[N, C, H, W]` with a weight `[out, in / groups, kh, kw]`. */
export const conv2d = (
  x: Variable,
  weight: Weight,
  bias: Weight | null = null,
  options: ConvFunctionOptions = {},
): Variable => conv('conv2d', 2, x, weight, bias, options);

function convTranspose(
  caller: string,
  spatial: number,
  x: Variable,
  weight: Weight,
  bias: Weight | null,
  options: ConvTransposeFunctionOptions,
): Variable {
  expectSpatial(caller, x, spatial);
  const w = x.tracer.operand(weight, x.dtype);
  const padding = perAxis(caller, 'padding', options.padding ?? 0, spatial, 0);
  return x.tracer.op('ConvTranspose', [x, w, ...optional(bias, x)], {
    attributes: {
      dilations: attr.ints(perAxis(caller, 'dilation', options.dilation ?? 1, spatial, 1)),
      group: attr.int(options.groups ?? 1),
      kernel_shape: attr.ints(Array.from({ length: spatial }, (_, axis) => w.size(axis + 2))),
      output_padding: attr.ints(perAxis(caller, 'outputPadding', options.outputPadding ?? 0, spatial, 0)),
      pads: attr.ints([...padding, ...padding]),
      strides: attr.ints(perAxis(caller, 'stride', options.stride ?? 1, spatial, 1)),
    },
  });
}

/** Transposed convolution over `[N, C, L]` with a weight `[in, out / groups, k]`. */
export const convTranspose1d = (
  x: Variable,
  weight: Weight,
  bias: Weight | null = null,
  options: ConvTransposeFunctionOptions = {},
): Variable => convTranspose('convTranspose1d', 1, x, weight, bias, options);

/** Transposed convolution over `[N, C, H, W]` with a weight `[in, out / groups, kh, kw]`. */
export const convTranspose2d = (
  x: Variable,
  weight: Weight,
  bias: Weight | null = null,
  options: ConvTransposeFunctionOptions = {},
): Variable => convTranspose('convTranspose2d', 2, x, weight, bias, options);

/** `x Wᵀ + b` over the last axis, with a weight `[out, in]`. */
export function linear(x: Variable, weight: Weight, bias: Weight | null = null): Variable {
  const w = x.tracer.operand(weight, x.dtype);
  if (x.shape.length === 2) {
    return x.tracer.op('Gemm', [x, w, ...optional(bias, x)], { attributes: { transB: attr.int(1) } });
  }
  const product = matmul(x, permute(w, [1, 0]));
  return bias ? add(product, bias) : product;
}

/** Rows of a table `[count, features]` by int64 indices of any shape. */
export const embedding = (indices: Variable, weight: Weight): Variable =>
  indices.tracer.op('Gather', [indices.tracer.operand(weight, 'float32'), indices], {
    attributes: { axis: attr.int(0) },
  });
