import { attr, type Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';
import type { GradContext, GradRule } from './operator.ts';

/** What the gradient of a reduction is made of. */
interface Reduction {
  readonly make: Expressions;
  readonly x: Value;
  /** Axes that are reduced, from the front. */
  readonly axes: readonly number[];
  /** Number of elements that one result is made of. */
  readonly count: number;
  /** The gradient that flows in, with the reduced axes as 1. */
  readonly grad: Value;
  /** The result, with the reduced axes as 1. Makes a node only where it is asked for. */
  readonly y: () => Value;
}

/** Reads the axes of a reduction as opset 18 gives them. */
function reductionOf(ctx: GradContext): Reduction {
  const { make, node } = ctx;
  const x = ctx.input(0);
  const sizes = ctx.shape(x);
  // Axes that are not known leave the sizes of the output open, which was refused before.
  const stated = ctx.numbers(1);
  const all = stated === undefined || stated.length === 0;
  const noop = all && node.int('noop_with_empty_axes', 0) !== 0;
  const axes = noop
    ? []
    : all
      ? sizes.map((_, axis) => axis)
      : stated.map((axis) => (axis < 0 ? axis + sizes.length : axis));
  const kept = sizes.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return {
    make,
    x,
    axes,
    count: axes.reduce((product, axis) => product * sizes[axis]!, 1),
    grad: make.reshape(ctx.grad, kept),
    y: () => make.reshape(ctx.output(0), kept),
  };
}

/** The gradient of a reduction; it may leave reduced axes as 1, where it is the same along them. */
const of =
  (rule: (reduction: Reduction) => Value): GradRule =>
  (ctx) => [rule(reductionOf(ctx))];

/** `Σ x`: g everywhere. */
export const reduceSumGrad = of(({ grad }) => grad);

/** `Σ x / n`: `g / n` everywhere. */
export const reduceMeanGrad = of(({ make, grad, count }) => make.mul(grad, 1 / count));

/** Largest or smallest element: g in equal shares to all that are it, as PyTorch's amax and amin do. */
export const reduceExtremumGrad = of(({ make, grad, x, y, axes }) => {
  const chosen = make.cast(make.equal(x, y()), make.dtype(grad));
  return make.mul(chosen, make.div(grad, make.reduceSum(chosen, axes)));
});

/**
 * `Π x`: g times the product of the others. That is `y / x` without zeros; with one zero it is the product of the rest there and 0 elsewhere; with more it is 0.
 */
export const reduceProdGrad = of(({ make, grad, x, axes }) => {
  const zero = make.equal(x, 0);
  const zeros = make.reduceSum(make.cast(zero, make.dtype(x)), axes);
  const nonzero = make.where(zero, 1, x);
  const product = make.mul(grad, make.reduce('ReduceProd', nonzero, axes));
  const atNonzero = make.where(make.equal(zeros, 0), product, 0);
  const atZero = make.where(make.equal(zeros, 1), product, 0);
  return make.div(make.where(zero, atZero, atNonzero), nonzero);
});

/** `Σ |x|`: `g sign(x)` */
export const reduceL1Grad = of(({ make, grad, x }) => make.mul(make.sign(x), grad));

/** `√Σ x²`: `g x / y`, 0 where y is 0. */
export const reduceL2Grad = of(({ make, grad, x, y }) => {
  const norm = y();
  return make.mul(x, make.where(make.equal(norm, 0), 0, make.div(grad, norm)));
});

/** `log Σ x`: `g / Σ x = g exp(-y)` everywhere. */
export const reduceLogSumGrad = of(({ make, grad, y }) => make.mul(grad, make.exp(make.neg(y()))));

/** `log Σ exp(x)`: `g exp(x - y)` */
export const reduceLogSumExpGrad = of(({ make, grad, x, y }) => make.mul(make.exp(make.sub(x, y())), grad));

/** `Σ x²`: `2 g x` */
export const reduceSumSquareGrad = of(({ make, grad, x }) => make.mul(x, make.mul(grad, 2)));

/** A running sum: the running sum of g from the other end. */
export const cumSumGrad: GradRule = (ctx) => {
  const { make, node } = ctx;
  const attributes = {
    exclusive: attr.int(node.int('exclusive', 0)),
    reverse: attr.int(1 - node.int('reverse', 0)),
  };
  return [make.op('CumSum', [ctx.grad, ctx.input(1)], attributes)];
};
