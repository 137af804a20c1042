import { dtypeInfo } from '../core/dtype.ts';
import { ShapeError } from '../core/errors.ts';
import { sizeOf } from '../core/tensor.ts';
import { type Dim, type Node, type Shape, staticShape } from '../ir/index.ts';
import { broadcastShapes } from './broadcast.ts';
import { cost, inputShape, outputShape } from './cost.ts';
import { einsumShapes } from './einsum.ts';
import { einsumChannels } from './einsum-channels.ts';
import { differ, expectFloat, expectInt8, expectRank, expectSameDtype } from './expect.ts';
import { integersHaveNoGradient, noGradRule } from './later.ts';
import { type IsConstant, isFixed, linearLayout, makeLayer, statedShape } from './layer.ts';
import {
  gemmChannels,
  matMulChannels,
  matMulIntegerChannels,
  qLinearMatMulChannels,
} from './linear-channels.ts';
import { LINEAR_GRADS } from './linear-grad.ts';
import {
  type CostContext,
  type CostRule,
  type InferContext,
  LATEST_OPSET,
  type Layer,
  type Operator,
} from './operator.ts';
import { withRules } from './with-rules.ts';

function expectNumbers(ctx: InferContext): void {
  const { dtype } = ctx.input(0);
  const { kind } = dtypeInfo(dtype);
  if (kind === 'bool' || kind === 'string')
    throw ctx.error(`input 0 expects numbers, got ${dtype}; put a Cast before it`);
}

/** `numpy.matmul`: vectors count as a row on the left and a column on the right, leading axes broadcast. */
export function matMulShape(ctx: InferContext, a: Shape, b: Shape): Shape {
  if (a.length === 0 || b.length === 0)
    throw ctx.error('a matrix product expects at least 1 dimension on either side, got a scalar');
  const inner = a[a.length - 1]!;
  const other = b[Math.max(0, b.length - 2)]!;
  if (differ(inner, other)) {
    throw ctx.error(
      `the right side expects ${inner} rows to multiply with, got ${other}; prune both sides of the connection together`,
    );
  }
  const batch = broadcastShapes(ctx, [a.slice(0, -2), b.slice(0, -2)]);
  return [...batch, ...a.slice(0, -1).slice(-1), ...(b.length > 1 ? b.slice(-1) : [])];
}

/** Multiply-accumulates of a matrix product: each output element sums over the shared dimension. */
export const matMulMacs = (ctx: CostContext): number =>
  sizeOf(outputShape(ctx)) * (inputShape(ctx, 0).at(-1) ?? 1);

/** thop counts nn.Linear, a product with a constant matrix, without bias; products of two computed values are functions it does not see. */
const linearCost = (macs: number, layer: Layer | null): ReturnType<CostRule> =>
  layer ? cost(macs) : cost(macs, 0, 0);

/** For costs a masked weight, computed from constants, counts as constant too. */
const fixedInputs =
  (node: Node): IsConstant =>
  (input) =>
    isFixed(node.inputs[input]);

function inferGemm(ctx: InferContext): Shape {
  const a = expectRank(ctx, 0, 'input A', 2).shape;
  const b = expectRank(ctx, 1, 'input B', 2).shape;
  const transA = ctx.node.int('transA', 0) !== 0;
  const transB = ctx.node.int('transB', 0) !== 0;
  const [rows, inner] = transA ? [a[1]!, a[0]!] : [a[0]!, a[1]!];
  const [other, columns] = transB ? [b[1]!, b[0]!] : [b[0]!, b[1]!];
  if (differ(inner, other)) {
    throw ctx.error(
      `weight expects ${other} input features, got ${inner}; prune both sides of the connection together`,
    );
  }
  const c = ctx.inputs[2]?.shape;
  if (c) {
    const target: readonly Dim[] = [rows, columns];
    const offset = 2 - c.length;
    if (offset < 0 || c.some((dim, axis) => dim !== 1 && differ(dim, target[axis + offset]))) {
      throw ctx.error(
        `input C expects a shape that broadcasts to [${target.map((dim) => dim ?? '?').join(', ')}], got [${c.map((dim) => dim ?? '?').join(', ')}]`,
      );
    }
  }
  return [rows, columns];
}

/** Linear where the weight is a constant matrix; on the left it is `[out, in]`, on the right `[in, out]`. */
function gemmLayer(node: Node, isConstant: IsConstant): Layer | null {
  const right = isConstant(1);
  if (right && isConstant(0)) return null;
  const inputFirst = right ? node.int('transB', 0) === 0 : node.int('transA', 0) !== 0;
  return makeLayer(isConstant, 'Linear', [
    ['weight', right ? 1 : 0, linearLayout(inputFirst)],
    ['bias', 2],
  ]);
}

function matMulLayer(node: Node, isConstant: IsConstant): Layer | null {
  const right = isConstant(1);
  if (right && isConstant(0)) return null;
  const weight = right ? 1 : 0;
  // Exporters write `x @ Transpose(weight)` without a shape for the transposed weight; layers' weights are matrices.
  if ((statedShape(node, weight)?.length ?? 2) !== 2) return null;
  return makeLayer(isConstant, 'Linear', [['weight', weight, linearLayout(right)]]);
}

/** The sum over all combinations of indices, each with a product of all operands: one multiply-accumulate per operand beyond the first. */
const einsumCost: CostRule = (ctx) => {
  const { node } = ctx;
  const shapes = node.inputs.map((_, index) => inputShape(ctx, index));
  const fail = (message: string): ShapeError => new ShapeError(`${node.label}: ${message}`);
  const extents = staticShape(einsumShapes(fail, node.string('equation', ''), shapes).extents) ?? [];
  return cost((shapes.length - 1) * sizeOf(extents), 0, 0);
};

function gemmSum(node: Node): ReturnType<NonNullable<Operator['weightedSum']>> {
  // Where C is scaled, it is no bias.
  const bias = node.float('beta', 1) === 1 ? 2 : null;
  if (node.int('transA', 0) !== 0) return { bias, besides: 'transposes its input' };
  return bias === null || node.float('alpha', 1) !== 1 ? { bias, besides: 'scales its product' } : { bias };
}

/** The matrix product with bias, on which others are built. */
export const gemm: Operator = {
  domain: '',
  opType: 'Gemm',
  opsets: [1, LATEST_OPSET],
  summary: 'alpha * A B + beta * C for matrices, either of them transposed: a linear layer with bias.',
  infer: (ctx) => {
    expectNumbers(ctx);
    expectSameDtype(ctx, 0, 1, 2);
    return [{ dtype: ctx.input(0).dtype, shape: inferGemm(ctx) }];
  },
  cost: (ctx) => {
    const inner = inputShape(ctx, 0)[ctx.node.int('transA', 0) === 0 ? 1 : 0]!;
    return linearCost(sizeOf(outputShape(ctx)) * inner, gemmLayer(ctx.node, fixedInputs(ctx.node)));
  },
  grad: noGradRule,
  channels: gemmChannels,
  layer: gemmLayer,
};

/** Linear layers and matrix products. */
export const LINEAR: readonly Operator[] = withRules(
  [
    { ...gemm, weightedSum: gemmSum },
    {
      domain: '',
      opType: 'MatMul',
      opsets: [1, LATEST_OPSET],
      summary: 'Matrix product with broadcast leading axes.',
      infer: (ctx) => {
        expectNumbers(ctx);
        expectSameDtype(ctx, 0, 1);
        const { dtype, shape } = ctx.input(0);
        return [{ dtype, shape: matMulShape(ctx, shape, ctx.input(1).shape) }];
      },
      cost: (ctx) => linearCost(matMulMacs(ctx), matMulLayer(ctx.node, fixedInputs(ctx.node))),
      grad: noGradRule,
      weightedSum: () => ({ bias: null }),
      channels: matMulChannels,
      layer: matMulLayer,
    },
    {
      domain: '',
      opType: 'Einsum',
      opsets: [12, LATEST_OPSET],
      summary: 'Sum of products of operands, given by an equation over index letters.',
      infer: (ctx) => {
        const equation = ctx.node.string('equation');
        if (equation === undefined) throw ctx.error('attribute equation is required and missing');
        expectNumbers(ctx);
        expectSameDtype(ctx, 0, ...ctx.inputs.keys());
        const shapes = ctx.inputs.map((_, index) => ctx.input(index).shape);
        const { output } = einsumShapes((message) => ctx.error(message), equation, shapes);
        return [{ dtype: ctx.input(0).dtype, shape: output }];
      },
      cost: einsumCost,
      grad: noGradRule,
      channels: einsumChannels,
      layer: null,
    },
    {
      domain: '',
      opType: 'MatMulInteger',
      steering: [2, 3],
      opsets: [10, LATEST_OPSET],
      summary: 'Matrix product of 8-bit integers with 32-bit sums.',
      infer: (ctx) => {
        expectInt8(ctx, 0, 1, 2, 3);
        return [{ dtype: 'int32', shape: matMulShape(ctx, ctx.input(0).shape, ctx.input(1).shape) }];
      },
      // thop has no rule for quantized modules.
      cost: (ctx) => cost(matMulMacs(ctx), 0, 0),
      grad: integersHaveNoGradient,
      channels: matMulIntegerChannels,
      layer: null,
    },
    {
      domain: '',
      opType: 'QLinearMatMul',
      steering: [1, 2, 4, 5, 6, 7],
      opsets: [10, LATEST_OPSET],
      summary: 'Matrix product of quantized tensors, with a quantized result.',
      infer: (ctx) => {
        expectInt8(ctx, 0, 2, 3, 5, 7);
        expectFloat(ctx, 1, 4, 6);
        return [
          { dtype: ctx.input(7).dtype, shape: matMulShape(ctx, ctx.input(0).shape, ctx.input(3).shape) },
        ];
      },
      // Inputs 0 and 3 are the matrices.
      cost: (ctx) => cost(matMulMacs(ctx), 0, 0),
      grad: integersHaveNoGradient,
      channels: qLinearMatMulChannels,
      layer: null,
    },
  ],
  { grad: LINEAR_GRADS },
);
