import type { Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';
import type { GradContext, GradRule } from './operator.ts';

/** The gradient of a function of one input, made from what flows in. */
const of =
  (rule: (make: Expressions, grad: Value, x: Value, ctx: GradContext) => Value): GradRule =>
  (ctx) => [rule(ctx.make, ctx.grad, ctx.input(0), ctx)];

/** One gradient for each input that needs it, summed over what broadcasting repeated. */
const each = (ctx: GradContext, rule: (index: number) => Value): (Value | null)[] =>
  ctx.node.inputs.map((input, index) =>
    input && ctx.needs(index) ? ctx.make.sumLike(rule(index), input) : null,
  );

/** No gradient flows: the result is constant between its steps. PyTorch's floor, round and sign give zeros too. */
export const zeroGrad: GradRule = () => [];

/** `a + b + …` */
export const addGrad: GradRule = (ctx) => each(ctx, () => ctx.grad);

/** `a - b` */
export const subGrad: GradRule = (ctx) => {
  const [a = null, b = null] = each(ctx, () => ctx.grad);
  return [a, b && ctx.make.neg(b)];
};

/** `(ab)' = a'b + ab'` */
export const mulGrad: GradRule = (ctx) => {
  const { make, grad } = ctx;
  const [a, b] = [ctx.input(0), ctx.input(1)];
  if (a === b) return [make.mul(make.mul(grad, 2), a)];
  return each(ctx, (index) => make.mul(grad, index === 0 ? b : a));
};

/** `y = a / b`: `g / b` and `-g y / b`. */
export const divGrad: GradRule = (ctx) => {
  const { make, grad } = ctx;
  const b = ctx.input(1);
  const size = (value: Value): number => ctx.shape(value).reduce((product, dim) => product * dim, 1);
  const whole = size(b) === size(grad);
  const quotient = ctx.needs(0) || whole ? make.div(grad, b) : null;
  const byDivisor = (): Value => {
    if (quotient && whole) return make.neg(make.sumLike(make.mul(quotient, ctx.output(0)), b));
    // The division and the sign come last, on a tensor that the sum has made small.
    return make.neg(make.div(make.sumLike(make.mul(grad, ctx.output(0)), b), b));
  };
  return [
    ctx.needs(0) && quotient ? make.sumLike(quotient, ctx.input(0)) : null,
    ctx.needs(1) ? byDivisor() : null,
  ];
};

/** `y = a^b`: `g b a^(b - 1)` and `g y log(a)`; 0 where b is 0, and the logarithm counts as 0 where a is 0 and b is not negative. */
export const powGrad: GradRule = (ctx) => {
  const { make, grad } = ctx;
  const [a, b] = [ctx.input(0), ctx.input(1)];
  const dtype = make.dtype(a);
  const byBase = (): Value | null => {
    const exponents = ctx.numbers(1);
    const [exponent] = exponents?.length === 1 ? exponents : [];
    if (exponent !== undefined) return byNumber(ctx, exponent);
    const power = make.cast(b, dtype);
    const slope = make.mul(make.pow(a, make.sub(power, 1)), power);
    return make.where(make.equal(power, 0), 0, make.mul(grad, slope));
  };
  const byExponent = (): Value => {
    const flat = make.op('And', [make.equal(a, 0), make.greaterOrEqual(b, 0)]);
    return make.where(flat, 0, make.mul(grad, make.mul(ctx.output(0), make.log(a))));
  };
  const spread = (value: Value | null, like: Value): Value | null => value && make.sumLike(value, like);
  return [ctx.needs(0) ? spread(byBase(), a) : null, ctx.needs(1) ? spread(byExponent(), b) : null];
};

/** `g b a^(b - 1)` for a number b. */
function byNumber(ctx: GradContext, exponent: number): Value | null {
  const { make, grad } = ctx;
  const a = ctx.input(0);
  if (exponent === 0) return null;
  if (exponent === 1) return grad;
  const scaled = make.mul(grad, exponent);
  if (exponent === 2) return make.mul(scaled, a);
  if (exponent === 0.5) return make.div(scaled, ctx.output(0));
  return make.mul(scaled, exponent === 3 ? make.mul(a, a) : make.pow(a, exponent - 1));
}

/** The remainder `y = a - n b` with a whole number n = (a - y) / b that does not change: `g` and `-g n`. */
export const modGrad: GradRule = (ctx) => {
  const { make, grad } = ctx;
  return each(ctx, (index) => {
    if (index === 0) return grad;
    return make.mul(grad, make.div(make.sub(ctx.output(0), ctx.input(0)), ctx.input(1)));
  });
};

/** Maximum or minimum: g goes to the inputs that are the result, in equal shares. */
export const extremumGrad: GradRule = (ctx) => {
  const { make, grad } = ctx;
  const inputs = ctx.node.inputs.map((_, index) => ctx.input(index));
  if (inputs.length === 1) return [grad];
  const chosen = inputs.map((input) => make.cast(make.equal(ctx.output(0), input), make.dtype(grad)));
  const share = make.div(grad, make.sum(chosen));
  return each(ctx, (index) => make.mul(share, chosen[index]!));
};

/** The mean of n inputs: `g / n` each. */
export const meanGrad: GradRule = (ctx) => {
  const { make, node } = ctx;
  const sums = each(ctx, () => ctx.grad);
  return sums.map((sum) => sum && make.mul(sum, 1 / node.inputs.length));
};

/** g where the element was taken, 0 (not a product with 0: what is not taken may be infinite) elsewhere. */
export const whereGrad: GradRule = (ctx) => {
  const { make, grad } = ctx;
  const condition = ctx.input(0);
  return each(ctx, (index) =>
    index === 1 ? make.where(condition, grad, 0) : make.where(condition, 0, grad),
  );
};

/**
 * `y = min(max(x, low), high)`: g where y is x, the limits among it, as PyTorch's clamp does. Limits of 0 and 6 are how ReLU6 is written, and there g stops at the
 * limits, as it does in PyTorch's. A limit that is learnt takes g where it was in force.
 */
export const clipGrad: GradRule = (ctx) => {
  const { make, grad, node } = ctx;
  const x = ctx.input(0);
  const [low, high] = [node.inputs[1] ?? null, node.inputs[2] ?? null];
  const where = (truth: Value): Value => make.mul(grad, make.cast(truth, make.dtype(grad)));
  const inside = (): Value => {
    if (!low && !high) return grad;
    const y = ctx.output(0);
    if (ctx.numbers(1)?.[0] === 0 && ctx.numbers(2)?.[0] === 6) {
      return where(make.op('And', [make.greater(y, 0), make.less(y, 6)]));
    }
    return where(make.equal(y, x));
  };
  return [
    ctx.needs(0) ? inside() : null,
    low && ctx.needs(1) ? make.sumLike(where(make.less(x, low)), low) : null,
    high && ctx.needs(2) ? make.sumLike(where(make.greater(x, high)), high) : null,
  ];
};

/** `|x|`: `g sign(x)`, 0 at 0. */
export const absGrad = of((make, grad, x) => make.mul(grad, make.sign(x)));

/** `-x` */
export const negGrad = of((make, grad) => make.neg(grad));

/** `√x`: `g / 2 / y` */
export const sqrtGrad = of((make, grad, _x, ctx) => make.div(make.mul(grad, 0.5), ctx.output(0)));

/** `1 / x`: `-g y²` */
export const reciprocalGrad = of((make, grad, _x, ctx) => {
  const y = ctx.output(0);
  return make.neg(make.mul(grad, make.mul(y, y)));
});

/** `exp(x)`: `g y` */
export const expGrad = of((make, grad, _x, ctx) => make.mul(grad, ctx.output(0)));

/** `log(x)`: `g / x` */
export const logGrad = of((make, grad, x) => make.div(grad, x));

/** `erf(x)`: `g 2 / √π exp(-x²)`; the factor goes into the exponent. */
export const erfGrad = of((make, grad, x) =>
  make.mul(grad, make.exp(make.sub(Math.log(2 / Math.sqrt(Math.PI)), make.mul(x, x)))),
);

/** `sin(x)`: `g cos(x)` */
export const sinGrad = of((make, grad, x) => make.mul(grad, make.op('Cos', [x])));

/** `cos(x)`: `-g sin(x)` */
export const cosGrad = of((make, grad, x) => make.neg(make.mul(grad, make.op('Sin', [x]))));

/** `tan(x)`: `g (1 + y²)` */
export const tanGrad = of((make, grad, _x, ctx) => {
  const y = ctx.output(0);
  return make.mul(grad, make.add(make.mul(y, y), 1));
});

/** `√(1 - x²)` */
const cosineOfArc = (make: Expressions, x: Value): Value => make.sqrt(make.sub(1, make.mul(x, x)));

/** `asin(x)`: `g / √(1 - x²)` */
export const asinGrad = of((make, grad, x) => make.div(grad, cosineOfArc(make, x)));

/** `acos(x)`: `-g / √(1 - x²)` */
export const acosGrad = of((make, grad, x) => make.neg(make.div(grad, cosineOfArc(make, x))));

/** `atan(x)`: `g / (1 + x²)` */
export const atanGrad = of((make, grad, x) => make.div(grad, make.add(make.mul(x, x), 1)));

/** `sinh(x)`: `g cosh(x)` */
export const sinhGrad = of((make, grad, x) => make.mul(grad, make.op('Cosh', [x])));

/** `cosh(x)`: `g sinh(x)` */
export const coshGrad = of((make, grad, x) => make.mul(grad, make.op('Sinh', [x])));

/** `asinh(x)`: `g / √(x² + 1)` */
export const asinhGrad = of((make, grad, x) => make.div(grad, make.sqrt(make.add(make.mul(x, x), 1))));

/** `acosh(x)`: `g / √(x² - 1)` */
export const acoshGrad = of((make, grad, x) => make.div(grad, make.sqrt(make.sub(make.mul(x, x), 1))));

/** `atanh(x)`: `g / (1 - x²)` */
export const atanhGrad = of((make, grad, x) => make.div(grad, make.sub(1, make.mul(x, x))));
