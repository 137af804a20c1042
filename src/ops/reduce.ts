import { sizeOf, stridesOf } from '../core/tensor.ts';
import { type Shape, staticShape } from '../ir/index.ts';
import { axesOf, axisOf, inferredWith, stridedOffsets } from './broadcast.ts';
import { entry } from './entry.ts';
import { notDifferentiable } from './later.ts';
import type { GradRule, InferContext, InferRule, Known, Operator } from './operator.ts';
import { REDUCE_CHANNELS } from './reduce-channels.ts';
import {
  cumSumGrad,
  reduceExtremumGrad,
  reduceL1Grad,
  reduceL2Grad,
  reduceLogSumExpGrad,
  reduceLogSumGrad,
  reduceMeanGrad,
  reduceProdGrad,
  reduceSumGrad,
  reduceSumSquareGrad,
} from './reduce-grad.ts';
import { upgradeReduction } from './reduce-upgrade.ts';
import { addDims, maxDims, minDims, multiplyDims } from './symbolic.ts';
import { withRules } from './with-rules.ts';

/** Axes of a reduction: an attribute before `inputFrom`, an input after. `'unknown'` where they are not known. */
function reducedAxes(ctx: InferContext, rank: number, inputFrom: number): readonly number[] | 'unknown' {
  const all = Array.from({ length: rank }, (_, axis) => axis);
  if (ctx.opset < inputFrom) return axesOf(ctx, ctx.node.ints('axes', all), rank);
  if (ctx.inputs[1]) {
    const axes = ctx.numbers(1);
    if (!axes && ctx.inputs[1].shape[0] !== 0) return 'unknown';
    if (axes && axes.length > 0) return axesOf(ctx, axes, rank);
  }
  return ctx.node.int('noop_with_empty_axes', 0) === 0 ? all : [];
}

const withoutAxes = (shape: Shape, axes: readonly number[], keep: boolean): Shape =>
  shape.flatMap((dim, axis) => (axes.includes(axis) ? (keep ? [1] : []) : [dim]));

/** Infers a reduction; integers are folded by `fold`. */
const reduction =
  (inputFrom: number, fold?: (a: Known, b: Known) => Known): InferRule =>
  (ctx) => {
    const { dtype, shape, known } = ctx.input(0);
    const keep = ctx.node.int('keepdims', 1) === 1;
    const axes = reducedAxes(ctx, shape.length, inputFrom);
    if (axes === 'unknown') return [keep ? { dtype, shape: shape.map(() => null) } : null];
    const reduced = withoutAxes(shape, axes, keep);
    // The order of float additions is the engine's: only whole numbers are followed.
    const whole = fold && (dtype === 'int64' || dtype === 'int32');
    return [inferredWith(dtype, reduced, whole && known ? folded(known, shape, axes, fold) : undefined)];
  };

function folded(
  known: readonly Known[],
  shape: Shape,
  axes: readonly number[],
  fold: (a: Known, b: Known) => Known,
): Known[] | undefined {
  const sizes = staticShape(shape);
  if (!sizes || sizeOf(sizes) === 0) return undefined;
  const strides = stridesOf(sizes);
  const offsets = (wanted: (axis: number) => boolean): number[] => {
    const own = [...sizes.keys()].filter(wanted);
    return stridedOffsets(
      own.map((axis) => sizes[axis]!),
      own.map((axis) => strides[axis]!),
    );
  };
  const inside = offsets((axis) => axes.includes(axis));
  return offsets((axis) => !axes.includes(axis)).map((start) =>
    inside.map((offset) => known[start + offset] ?? null).reduce(fold),
  );
}

const argument: InferRule = (ctx) => {
  const { shape } = ctx.input(0);
  const axis = axisOf(ctx, ctx.node.int('axis', 0), shape.length);
  return [{ dtype: 'int64', shape: withoutAxes(shape, [axis], ctx.node.int('keepdims', 1) === 1) }];
};

const cumulative: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  ctx.input(1);
  return [{ dtype, shape }];
};

/** The entry of a reduction whose axes are an input from opset `inputFrom` on. */
const reduce = (
  opType: string,
  summary: string,
  grad: GradRule,
  { inputFrom = 18, fold }: { inputFrom?: number; fold?: (a: Known, b: Known) => Known } = {},
): Operator =>
  entry(opType, 1, summary, reduction(inputFrom, fold), {
    steering: [1],
    grad,
    upgrade: upgradeReduction(inputFrom),
  });

/** Reductions along axes. */
export const REDUCE: readonly Operator[] = withRules(
  [
    reduce('ReduceSum', 'Sum along axes.', reduceSumGrad, { inputFrom: 13, fold: addDims }),
    reduce('ReduceMean', 'Mean along axes.', reduceMeanGrad),
    reduce('ReduceMax', 'Maximum along axes.', reduceExtremumGrad, { fold: maxDims }),
    reduce('ReduceMin', 'Minimum along axes.', reduceExtremumGrad, { fold: minDims }),
    reduce('ReduceProd', 'Product along axes.', reduceProdGrad, { fold: multiplyDims }),
    reduce('ReduceL1', 'Sum of absolute values along axes.', reduceL1Grad),
    reduce('ReduceL2', 'Square root of the sum of squares along axes.', reduceL2Grad),
    reduce('ReduceLogSum', 'Logarithm of the sum along axes.', reduceLogSumGrad),
    reduce('ReduceLogSumExp', 'Logarithm of the sum of exponentials along axes.', reduceLogSumExpGrad),
    reduce('ReduceSumSquare', 'Sum of squares along axes.', reduceSumSquareGrad),
    entry('ArgMax', 1, 'Index of the largest element of an axis.', argument, { grad: notDifferentiable }),
    entry('ArgMin', 1, 'Index of the smallest element of an axis.', argument, { grad: notDifferentiable }),
    entry('CumSum', 11, 'Running sum along an axis.', cumulative, { steering: [1], grad: cumSumGrad }),
  ],
  { channels: REDUCE_CHANNELS },
);
