import type { Value } from '../ir/index.ts';
import { geluSlope, swishGrad, tanhGeluSlope } from './activation-grad.ts';
import type { Expressions } from './expressions.ts';
import { type GradContext, type GradRule, type Unsupported, unsupported } from './operator.ts';

const fused = unsupported(
  "it is written by onnxruntime's optimizer; train the model as it was before it was optimized",
);

/** A function of an input plus a bias over its last axis, where there is one. */
const biased =
  (slope: (make: Expressions, x: Value) => Value): GradRule =>
  (ctx: GradContext) => {
    const { make, node } = ctx;
    const x = node.inputs[1] ? make.add(ctx.input(0), ctx.input(1)) : ctx.input(0);
    const gradient = make.mul(ctx.grad, slope(make, x));
    return [ctx.needs(0) ? gradient : null, ctx.needs(1) ? make.sumLike(gradient, ctx.input(1)) : null];
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
  QuickGelu: swishGrad(1.702),
  FastGelu: biased(tanhGeluSlope),
  BiasGelu: biased(geluSlope),
  SkipLayerNormalization: fused,
  SkipSimplifiedLayerNormalization: fused,
  Attention: fused,
  MultiHeadAttention: fused,
};
