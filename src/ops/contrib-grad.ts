import type { Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';
import { type GradContext, type GradRule, type Unsupported, unsupported } from './operator.ts';

const fused = unsupported(
  "it is written by onnxruntime's optimizer; train the model as it was before it was optimized",
);

/** Derivative of `x Φ(x)`: `Φ(x) + x φ(x)`. */
function geluSlope(make: Expressions, x: Value): Value {
  const cumulative = make.add(make.mul(make.op('Erf', [make.mul(x, Math.SQRT1_2)]), 0.5), 0.5);
  const density = make.mul(make.exp(make.mul(make.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return make.add(cumulative, make.mul(x, density));
}

/** Derivative of `x / 2 (1 + t)`, `t = tanh(k (x + c x³))`. */
function tanhGeluSlope(make: Expressions, x: Value): Value {
  const [k, c] = [Math.sqrt(2 / Math.PI), 0.044715];
  const square = make.mul(x, x);
  const t = make.tanh(make.mul(x, make.add(make.mul(square, k * c), k)));
  const inner = make.mul(x, make.add(make.mul(square, 1.5 * k * c), 0.5 * k));
  return make.add(make.mul(make.add(t, 1), 0.5), make.mul(make.sub(1, make.mul(t, t)), inner));
}

/** A function of an input plus a bias over its last axis, where there is one. */
const biased =
  (slope: (make: Expressions, x: Value) => Value): GradRule =>
  (ctx: GradContext) => {
    const { make, node } = ctx;
    const x = node.inputs[1] ? make.add(ctx.input(0), ctx.input(1)) : ctx.input(0);
    const gradient = make.mul(ctx.grad, slope(make, x));
    return [ctx.needs(0) ? gradient : null, ctx.needs(1) ? make.sumLike(gradient, ctx.input(1)) : null];
  };

/** `x σ(α x)`: `σ + α y (1 - σ)`. */
const quickGelu: GradRule = ({ make, grad, node, input, output }) => {
  const alpha = node.float('alpha', 1.702);
  const s = make.sigmoid(make.mul(input(0), alpha));
  return [make.mul(grad, make.add(s, make.mul(make.mul(output(0), alpha), make.sub(1, s))))];
};

/** `α op(A) op(B)`, by the rule of the plain product where nothing is transposed in a batch. */
const fusedMatMul: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  if (node.int('transBatchA', 0) !== 0 || node.int('transBatchB', 0) !== 0) {
    throw ctx.unsupported('transBatchA and transBatchB have no gradient rule');
  }
  const [transA, transB] = [node.int('transA', 0) !== 0, node.int('transB', 0) !== 0];
  const scaled = make.mul(grad, node.float('alpha', 1));
  const [a, b] = [ctx.input(0), ctx.input(1)];
  if (ctx.shape(a).length < 2 || ctx.shape(b).length < 2)
    throw ctx.unsupported('a vector has no gradient rule here; reshape it to a matrix');
  const turned = (value: Value, turn: boolean): Value => (turn ? make.transposeMatrix(value) : value);
  const toA = (): Value => make.matmul(scaled, turned(b, !transB));
  const toB = (): Value => make.matmul(turned(a, !transA), scaled);
  return [
    ctx.needs(0) ? make.sumLike(turned(toA(), transA), a) : null,
    ctx.needs(1) ? make.sumLike(turned(toB(), transB), b) : null,
  ];
};

/** Gradient rules of onnxruntime's own operators. */
export const CONTRIB_GRADS: Readonly<Record<string, GradRule | Unsupported>> = {
  FusedConv: fused,
  FusedGemm: fused,
  FusedMatMul: fusedMatMul,
  Gelu: biased(geluSlope),
  QuickGelu: quickGelu,
  FastGelu: biased(tanhGeluSlope),
  BiasGelu: biased(geluSlope),
  SkipLayerNormalization: fused,
  SkipSimplifiedLayerNormalization: fused,
  Attention: fused,
  MultiHeadAttention: fused,
};
