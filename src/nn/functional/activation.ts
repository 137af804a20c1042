import { ArgumentError } from '../../core/errors.ts';
import { type Attribute, attr } from '../../ir/index.ts';
import { swish } from '../../ops/index.ts';
import type { Variable } from '../variable.ts';
import { add, clamp, div, erf, mul } from './arithmetic.ts';
import { axisFor, type Weight } from './operand.ts';

const unary = (opType: string, x: Variable, attributes: Record<string, Attribute> = {}): Variable =>
  x.tracer.op(opType, [x], { attributes });

/** `max(0, x)` */
export const relu = (x: Variable): Variable => unary('Relu', x);
/** `min(6, max(0, x))` */
export const relu6 = (x: Variable): Variable => clamp(x, 0, 6);
/** `1 / (1 + exp(-x))` */
export const sigmoid = (x: Variable): Variable => unary('Sigmoid', x);
/** Hyperbolic tangent. */
export const tanh = (x: Variable): Variable => unary('Tanh', x);
/** `x sigmoid(x)` */
export function silu(x: Variable): Variable {
  const { tracer } = x;
  const { y, composition } = swish(tracer.expressions, x.value);
  if (composition) tracer.compositions.push(composition);
  return tracer.variable(y);
}
/** `x max(0, min(1, x / 6 + 1 / 2))` */
export const hardswish = (x: Variable): Variable => unary('HardSwish', x);
/** `max(0, min(1, x / 6 + 1 / 2))` */
export const hardsigmoid = (x: Variable): Variable =>
  unary('HardSigmoid', x, { alpha: attr.float(1 / 6), beta: attr.float(0.5) });
/** x where x >= 0, else `negativeSlope x`. */
export const leakyRelu = (x: Variable, negativeSlope = 0.01): Variable =>
  unary('LeakyRelu', x, { alpha: attr.float(negativeSlope) });
/** x where x >= 0, else `alpha (exp(x) - 1)`. */
export const elu = (x: Variable, alpha = 1): Variable => unary('Elu', x, { alpha: attr.float(alpha) });
/** `log(1 + exp(beta x)) / beta`; ONNX has no threshold, and above PyTorch's the difference is below a float32's precision. */
export const softplus = (x: Variable, beta = 1): Variable =>
  beta === 1 ? unary('Softplus', x) : div(unary('Softplus', mul(x, beta)), beta);
/** `x tanh(softplus(x))`; composed, since ONNX has it from opset 18 on. */
export const mish = (x: Variable): Variable => mul(x, tanh(softplus(x)));

/**
 * `x Φ(x)` with the normal distribution function Φ, exact (`none`, the default) or by tanh:
 * `x / 2 (1 + erf(x / √2))` or `x / 2 (1 + tanh(√(2 / π) (x + 0.044715 x³)))`. Composed, since ONNX has it from opset 20 on.
 */
export function gelu(x: Variable, options: { readonly approximate?: 'none' | 'tanh' } = {}): Variable {
  const { approximate = 'none' } = options;
  if (approximate === 'none') return mul(mul(x, add(erf(div(x, Math.SQRT2)), 1)), 0.5);
  if (approximate !== 'tanh')
    throw new ArgumentError(`gelu: approximate expects 'none' or 'tanh', got '${String(approximate)}'`);
  const inner = mul(add(x, mul(mul(mul(x, x), x), 0.044715)), Math.sqrt(2 / Math.PI));
  return mul(mul(x, add(tanh(inner), 1)), 0.5);
}

/** x where x >= 0, else `weight x`, with one slope or one for each channel (axis 1). */
export function prelu(x: Variable, weight: Weight): Variable {
  const slope = x.tracer.operand(weight, x.dtype);
  const count = slope.size(0);
  const rank = x.shape.length;
  // Slopes of channels stand at axis 1, so broadcasting from the end needs axes behind them.
  const behind = count === 1 ? 0 : Math.max(0, rank - 2);
  if (behind === 0) return x.tracer.op('PRelu', [x, slope]);
  const axes = Array.from({ length: behind }, (_, axis) => axis + 1);
  return x.tracer.op('PRelu', [x, x.tracer.op('Unsqueeze', [slope, x.tracer.int64(axes)])]);
}

/** `exp(x)` divided by its sum along an axis. */
export const softmax = (x: Variable, dim = -1): Variable =>
  unary('Softmax', x, { axis: attr.int(axisFor('softmax', x, dim)) });
/** Logarithm of softmax. */
export const logSoftmax = (x: Variable, dim = -1): Variable =>
  unary('LogSoftmax', x, { axis: attr.int(axisFor('logSoftmax', x, dim)) });
