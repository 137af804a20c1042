import { attr, type Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';
import type { GradContext, GradRule } from './operator.ts';
import { step } from './step.ts';

/** The gradient of a function of one input: the gradient that flows in times its derivative. */
const times =
  (derivative: (ctx: GradContext, x: Value, make: Expressions) => Value): GradRule =>
  (ctx) => [ctx.make.mul(ctx.grad, derivative(ctx, ctx.input(0), ctx.make))];

/** `max(x, 0)`: g where y > 0, and 0 at 0. It needs y alone, so that x can be given up. */
export const reluGrad = times((ctx, _x, make) => step(make, ctx.output(0)));

/** 1 where x > 0, else `slope`. */
function slopes(make: Expressions, x: Value, slope: number): Value {
  const up = step(make, x);
  if (slope < 0 || slope > 1) return make.add(make.mul(up, 1 - slope), slope);
  return make.op('Clip', [up, make.full(slope, make.dtype(x)), null]);
}

/** `x > 0 ? x : alpha x`: at 0 the slope is alpha, as in PyTorch. */
export const leakyReluGrad = times((ctx, x, make) => slopes(make, x, ctx.node.float('alpha', 0.01)));

/** `x > 0 ? x : slope x`: `d slope = Σ g min(x, 0)` over what shares a slope. */
export const preluGrad: GradRule = (ctx) => {
  const { make, grad } = ctx;
  const [x, slope] = [ctx.input(0), ctx.input(1)];
  // up + (1 - up) slope = slope + up (1 - slope)
  const factor = (): Value => make.add(make.mul(step(make, x), make.sub(1, slope)), slope);
  return [
    ctx.needs(0) ? make.mul(grad, factor()) : null,
    ctx.needs(1) ? make.sumLike(make.mul(grad, make.op('Min', [x, make.term(0, x)])), slope) : null,
  ];
};

/** The derivative of an exponential below 0 that continues into a line above: `below` where x <= 0, `above` beyond. */
const bent = (make: Expressions, x: Value, above: number, below: Value): Value =>
  make.where(make.greater(x, 0), above, below);

/** At most 1, in one pass. */
const atMostOne = (make: Expressions, a: Value): Value =>
  make.op('Clip', [a, null, make.full(1, make.dtype(a))]);

/** `x > 0 ? x : α (exp(x) - 1)`: the derivative is 1 or `α exp(x) = y + α`. */
export const eluGrad = times((ctx, x, make) => {
  const alpha = ctx.node.float('alpha', 1);
  const below = make.add(ctx.output(0), alpha);
  // With α = 1 both pieces meet: above 0, y + 1 is more than 1.
  return alpha === 1 ? atMostOne(make, below) : bent(make, x, 1, below);
});

/** `x > 0 ? x : α (exp(x / α) - 1)`: the derivative is 1 or `exp(x / α) = y / α + 1`. */
export const celuGrad = times((ctx, x, make) => {
  const alpha = ctx.node.float('alpha', 1);
  const below = make.add(make.mul(ctx.output(0), 1 / alpha), 1);
  return alpha > 0 ? atMostOne(make, below) : bent(make, x, 1, below);
});

/** `γ (x > 0 ? x : α (exp(x) - 1))`: the derivative is γ or `γ α exp(x) = y + γ α`. */
export const seluGrad = times((ctx, x, make) => {
  const alpha = ctx.node.float('alpha', 1.6732632423543772);
  const gamma = ctx.node.float('gamma', 1.0507009873554805);
  return bent(make, x, gamma, make.add(ctx.output(0), gamma * alpha));
});

/** Of `x Φ(x)`: `Φ(x) + x φ(x)`, with the normal distribution and its density. */
export function geluSlope(make: Expressions, x: Value): Value {
  const phi = make.add(make.mul(make.op('Erf', [make.mul(x, Math.SQRT1_2)]), 0.5), 0.5);
  const density = make.exp(make.mul(x, make.mul(x, -0.5)));
  return make.add(phi, make.mul(make.mul(x, 1 / Math.sqrt(2 * Math.PI)), density));
}

/** Of `x / 2 (1 + t)`, `t = tanh(k (x + c x³))`: `(1 + t) / 2 + x / 2 (1 - t²) k (1 + 3 c x²)`. */
export function tanhGeluSlope(make: Expressions, x: Value): Value {
  const [k, c] = [Math.sqrt(2 / Math.PI), 0.044715];
  const square = make.mul(x, x);
  const t = make.tanh(make.mul(x, make.add(make.mul(square, k * c), k)));
  const inner = make.mul(x, make.add(make.mul(square, 1.5 * k * c), 0.5 * k));
  return make.add(make.add(make.mul(t, 0.5), 0.5), make.mul(make.sub(1, make.mul(t, t)), inner));
}

/** `x Φ(x)`, exact or by tanh. */
export const geluGrad = times((ctx, x, make) =>
  ctx.node.string('approximate', 'none') === 'tanh' ? tanhGeluSlope(make, x) : geluSlope(make, x),
);

/** `y (1 - y)` */
export const sigmoidGrad = times((ctx, _x, make) => {
  const y = ctx.output(0);
  return make.mul(y, make.sub(1, y));
});

/** `1 - y²` */
export const tanhGrad = times((ctx, _x, make) => {
  const y = ctx.output(0);
  return make.sub(1, make.mul(y, y));
});

/** `max(0, min(1, α x + β))`: α where 0 < y < 1, that is where y (1 - y) > 0. */
export const hardSigmoidGrad = times((ctx, _x, make) => {
  const y = ctx.output(0);
  return make.mul(step(make, make.mul(y, make.sub(1, y))), ctx.node.float('alpha', 0.2));
});

/** `x h(x)`, `h = max(0, min(1, x / 6 + 1 / 2))`: h, and x / 6 = h - 1 / 2 more where 0 < h < 1. */
export const hardSwishGrad = times((_ctx, x, make) => {
  const hard = (slope: number): Value =>
    make.op('HardSigmoid', [x], { alpha: attr.float(slope), beta: attr.float(0.5) });
  const h = hard(1 / 6);
  // h(-x) = 1 - h(x): both are positive in between only.
  const between = step(make, make.mul(h, hard(-1 / 6)));
  return make.add(h, make.mul(between, make.sub(h, 0.5)));
});

/**
 * `x tanh(log(1 + exp(x)))`. With s = sigmoid(x) and q = 1 - s that tanh is `t = s (1 + q) / (1 + q²)`, and
 * `t + x (1 - t²) s = s / (1 + q²) (1 + q + 4 x q² / (1 + q²))`: neither overflows nor takes a logarithm.
 */
export const mishGrad = times((_ctx, x, make) => {
  const s = make.sigmoid(x);
  const q = make.sub(1, s);
  const square = make.mul(q, q);
  const divisor = make.add(square, 1);
  const bracket = make.add(make.add(make.div(make.mul(make.mul(x, 4), square), divisor), q), 1);
  return make.mul(make.div(s, divisor), bracket);
});

/** `x s`, `s = sigmoid(α x)`: `s + α y (1 - s)`; α is 1 where it is left out, but in the operator QuickGelu. */
export const swishGrad = (alphaByDefault: number): GradRule =>
  times((ctx, x, make) => {
    const alpha = ctx.node.float('alpha', alphaByDefault);
    const s = make.sigmoid(make.mul(x, alpha));
    return make.add(s, make.mul(make.mul(ctx.output(0), alpha), make.sub(1, s)));
  });

/** `log(1 + exp(x))`: sigmoid(x). */
export const softplusGrad = times((_ctx, x, make) => make.sigmoid(x));

/** `x / (1 + |x|)`: `1 / (1 + |x|)²`. */
export const softsignGrad: GradRule = (ctx) => {
  const { make, grad } = ctx;
  const divisor = make.add(make.abs(ctx.input(0)), 1);
  return [make.div(grad, make.mul(divisor, divisor))];
};

/** `x > alpha ? x : 0` */
export const thresholdedReluGrad = times((ctx, x, make) =>
  make.cast(make.greater(x, ctx.node.float('alpha', 1)), make.dtype(x)),
);

/** x moved towards 0 where |x| > lambd, else 0. */
export const shrinkGrad = times((ctx, x, make) =>
  make.cast(make.greater(make.abs(x), ctx.node.float('lambd', 0.5)), make.dtype(x)),
);

/** The axis of Softmax, from opset 13 on. */
const axis = (ctx: GradContext): number[] => {
  const rank = ctx.shape(ctx.input(0)).length;
  const stated = ctx.node.int('axis', -1);
  return [stated < 0 ? stated + rank : stated];
};

/** `y (g - Σ g y)` along the axis. */
export const softmaxGrad: GradRule = (ctx) => {
  const { make, grad } = ctx;
  const y = ctx.output(0);
  return [make.mul(y, make.sub(grad, make.reduceSum(make.mul(grad, y), axis(ctx))))];
};

/** `g - exp(y) Σ g` along the axis. */
export const logSoftmaxGrad: GradRule = (ctx) => {
  const { make, grad } = ctx;
  return [make.sub(grad, make.mul(make.exp(ctx.output(0)), make.reduceSum(grad, axis(ctx))))];
};
