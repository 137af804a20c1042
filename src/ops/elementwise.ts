import { type DType, dtypeInfo } from '../core/dtype.ts';
import { roundHalfEven } from '../core/numeric.ts';
import { staticShape } from '../ir/index.ts';
import { broadcastOffsets, broadcastShapes, followedSizes, inferredWith, pick } from './broadcast.ts';
import { ELEMENTWISE_CHANNELS } from './elementwise-channels.ts';
import { arithmetic, FOLDS, type Fold, foldAll, isInteger, settle } from './elementwise-fold.ts';
import {
  absGrad,
  acosGrad,
  acoshGrad,
  addGrad,
  asinGrad,
  asinhGrad,
  atanGrad,
  atanhGrad,
  clipGrad,
  cosGrad,
  coshGrad,
  divGrad,
  erfGrad,
  expGrad,
  extremumGrad,
  logGrad,
  meanGrad,
  modGrad,
  mulGrad,
  negGrad,
  powGrad,
  reciprocalGrad,
  sinGrad,
  sinhGrad,
  sqrtGrad,
  subGrad,
  tanGrad,
  whereGrad,
  zeroGrad,
} from './elementwise-grad.ts';
import { upgradeClip } from './elementwise-upgrade.ts';
import { entry } from './entry.ts';
import { expectFloat, expectSameDtype } from './expect.ts';
import { notDifferentiable } from './later.ts';
import type { GradRule, InferContext, InferRule, Inferred, Known, Operator } from './operator.ts';
import { compareDims, moduloDims, multiplyDims } from './symbolic.ts';
import { withRules } from './with-rules.ts';

function isNonNegative(value: Known): boolean {
  const order = compareDims(value, 0);
  return order === 1 || order === 0 || order === '>=';
}

/** Infers operators whose operands broadcast and share a dtype, which is the output's too. */
const variadic =
  (fold: Fold | null): InferRule =>
  (ctx) => {
    const inputs = ctx.inputs.map((_, index) => ctx.input(index));
    const { dtype } = ctx.input(0);
    expectSameDtype(ctx, 0, ...inputs.keys());
    const shape = broadcastShapes(
      ctx,
      inputs.map((input) => input.shape),
    );
    return [inferredWith(dtype, shape, fold ? foldAll(inputs, shape, fold) : undefined)];
  };

/** Infers operators of two operands. */
const binary =
  (fold: Fold | null, check?: (ctx: InferContext) => void): InferRule =>
  (ctx) => {
    ctx.input(1);
    check?.(ctx);
    return variadic(fold)(ctx);
  };

/** Infers operators whose output is a truth value. */
const predicate =
  (fold: Fold, check?: (ctx: InferContext) => void): InferRule =>
  (ctx) => {
    check?.(ctx);
    const inputs = [ctx.input(0), ctx.input(1)];
    expectSameDtype(ctx, 0, 1);
    const shape = broadcastShapes(
      ctx,
      inputs.map((input) => input.shape),
    );
    return [inferredWith('bool', shape, foldAll(inputs, shape, fold))];
  };

/** A truth value out of the order of two elements; `yes` and `no` list the outcomes that settle it. */
const comparison = (
  onNumbers: (a: number, b: number) => boolean,
  yes: readonly unknown[],
  no: readonly unknown[],
): InferRule =>
  predicate((a, b) => {
    if (typeof a === 'number' && typeof b === 'number') return Number(onNumbers(a, b));
    const order = compareDims(a, b);
    if (order === null) return null;
    if (yes.includes(order)) return 1;
    return no.includes(order) ? 0 : null;
  });

const expectBool = (ctx: InferContext): void => {
  for (const input of ctx.inputs) {
    if (input && input.dtype !== 'bool')
      throw ctx.error(`expects bool, got ${input.dtype}; put a Cast before it`);
  }
};

const expectIntegers = (ctx: InferContext): void => {
  for (const input of ctx.inputs) {
    if (input && !isInteger(input.dtype)) throw ctx.error(`expects integers, got ${input.dtype}`);
  }
};

/** Operands may be of two types from opset 12 on; the base's is the output's. */
const power: InferRule = (ctx) => {
  const base = ctx.input(0);
  const exponent = ctx.input(1);
  if (ctx.opset < 12) expectSameDtype(ctx, 0, 1);
  const shape = broadcastShapes(ctx, [base.shape, exponent.shape]);
  const fold: Fold = (a, b, dtype) => {
    if (typeof a === 'number' && typeof b === 'number') return settle(a ** b, dtype);
    if (b === 1) return a;
    return b === 2 ? multiplyDims(a, a) : null;
  };
  return [inferredWith(base.dtype, shape, foldAll([base, exponent], shape, fold))];
};

/** `fmod` 0: the divisor's sign, as in Python; 1: the dividend's, as in C. */
const modulo: InferRule = (ctx) => {
  const cLike = ctx.node.int('fmod', 0) === 1;
  const { dtype } = ctx.input(0);
  if (!cLike && dtypeInfo(dtype).kind === 'float') throw ctx.error(`${dtype} operands need fmod = 1`);
  return binary(
    arithmetic(
      (a, b) => (cLike ? a % b : a - b * Math.floor(a / b)),
      (a, b) => (isNonNegative(b) && (!cLike || isNonNegative(a)) ? moduloDims(a, b) : null),
    ),
  )(ctx);
};

const mean: InferRule = (ctx) => {
  expectFloat(ctx, ...ctx.inputs.keys());
  return variadic(null)(ctx);
};

const shift: InferRule = (ctx) => {
  const left = ctx.node.string('direction', '') === 'LEFT';
  return binary(
    arithmetic(
      (a, b) => (left ? a * 2 ** b : Math.floor(a / 2 ** b)),
      () => null,
    ),
    expectIntegers,
  )(ctx);
};

const bitwise = (onNumbers: (a: bigint, b: bigint) => bigint): InferRule =>
  binary(
    arithmetic(
      (a, b) =>
        Number.isSafeInteger(a) && Number.isSafeInteger(b)
          ? Number(onNumbers(BigInt(a), BigInt(b)))
          : Number.NaN,
      () => null,
    ),
    expectIntegers,
  );

const where: InferRule = (ctx) => {
  const [condition, yes, no] = [ctx.input(0), ctx.input(1), ctx.input(2)];
  if (condition.dtype !== 'bool')
    throw ctx.error(`condition expects bool, got ${condition.dtype}; put a Cast before it`);
  expectSameDtype(ctx, 1, 2);
  const shape = broadcastShapes(ctx, [condition.shape, yes.shape, no.shape]);
  const to = followedSizes(shape);
  const spread = ({ shape: own, known }: Inferred): Known[] | undefined => {
    const from = staticShape(own);
    return known && from && to ? pick(known, broadcastOffsets(from, to)) : undefined;
  };
  const [chosen, a, b] = [spread(condition), spread(yes), spread(no)];
  // An operand whose elements are not known still leaves those known that are taken from the other.
  const known = chosen?.map((choice, index) => {
    const [ifTrue, ifFalse] = [a?.[index] ?? null, b?.[index] ?? null];
    if (choice === null) return ifTrue === ifFalse ? ifTrue : null;
    return choice === 0 ? ifFalse : ifTrue;
  });
  return [inferredWith(yes.dtype, shape, a || b ? known : undefined)];
};

/** Infers functions of one operand; `fold` is given only where the result is exact. */
const unary =
  (fold: ((a: Known, dtype: DType) => Known) | null, check?: (ctx: InferContext) => void): InferRule =>
  (ctx) => {
    const { dtype, shape, known } = ctx.input(0);
    check?.(ctx);
    return [inferredWith(dtype, shape, fold ? known?.map((element) => fold(element, dtype)) : undefined)];
  };

const expectFloats = (ctx: InferContext): void => expectFloat(ctx, 0);

const expectNumbers = (ctx: InferContext): void => {
  const { dtype } = ctx.input(0);
  const { kind } = dtypeInfo(dtype);
  if (kind === 'bool' || kind === 'string')
    throw ctx.error(`input 0 expects numbers, got ${dtype}; put a Cast before it`);
};

const onNumber =
  (f: (a: number) => number, onSymbol: (symbol: Known) => Known = () => null) =>
  (a: Known, dtype: DType): Known =>
    typeof a === 'number' ? settle(f(a), dtype) : onSymbol(a);

const same = (symbol: Known): Known => symbol;

const testOfFloat: InferRule = (ctx) => {
  const { shape } = ctx.input(0);
  expectFloat(ctx, 0);
  return [{ dtype: 'bool', shape }];
};

const not: InferRule = (ctx) => {
  const { shape, known } = ctx.input(0);
  expectBool(ctx);
  return [
    inferredWith(
      'bool',
      shape,
      known?.map((element) => (typeof element === 'number' ? 1 - element : null)),
    ),
  ];
};

/** The limits are attributes before opset 11, optional scalars after. */
const clip: InferRule = (ctx) => {
  const { dtype, shape, known } = ctx.input(0);
  if (ctx.opset < 11) return [{ dtype, shape }];
  expectSameDtype(ctx, 0, 1, 2);
  const limit = (index: number, otherwise: number): Known => {
    const input = ctx.inputs[index];
    return input ? (input.known?.[0] ?? null) : otherwise;
  };
  const least = limit(1, Number.NEGATIVE_INFINITY);
  const most = limit(2, Number.POSITIVE_INFINITY);
  const clipped = (element: Known): Known => {
    const raised = least === Number.NEGATIVE_INFINITY ? element : FOLDS.Max(element, least, dtype);
    return most === Number.POSITIVE_INFINITY ? raised : FOLDS.Min(raised, most, dtype);
  };
  return [inferredWith(dtype, shape, known?.map(clipped))];
};

const logic = (onNumbers: (a: number, b: number) => number, deciding: number | null): InferRule =>
  predicate((a, b) => {
    if (deciding !== null && (a === deciding || b === deciding)) return deciding;
    return typeof a === 'number' && typeof b === 'number' ? onNumbers(a, b) : null;
  }, expectBool);

/** A function of floats whose elements are not folded: the engine's last bit may differ. */
const transcendental = (opType: string, first: number, formula: string, grad: GradRule): Operator =>
  entry(opType, first, `Elementwise ${formula}.`, unary(null, expectFloats), { grad });

const logical = { grad: notDifferentiable };

/** Arithmetic, comparison and logic, element by element. */
export const ELEMENTWISE: readonly Operator[] = withRules(
  [
    entry('Add', 7, 'Elementwise a + b with broadcasting.', binary(FOLDS.Add), {
      grad: addGrad,
      sum: true,
      broadcasts: true,
    }),
    entry('Sub', 7, 'Elementwise a - b with broadcasting.', binary(FOLDS.Sub), {
      grad: subGrad,
      broadcasts: true,
    }),
    entry('Mul', 7, 'Elementwise a * b with broadcasting.', binary(FOLDS.Mul), {
      grad: mulGrad,
      product: true,
      broadcasts: true,
    }),
    entry('Div', 7, 'Elementwise a / b with broadcasting; integers are cut toward zero.', binary(FOLDS.Div), {
      grad: divGrad,
      broadcasts: true,
    }),
    entry('Pow', 7, 'Elementwise a to the power of b with broadcasting.', power, {
      grad: powGrad,
      broadcasts: true,
    }),
    entry('Mod', 10, 'Elementwise remainder with broadcasting.', modulo, { grad: modGrad }),
    entry('Max', 8, 'Elementwise maximum of any number of tensors.', variadic(FOLDS.Max), {
      grad: extremumGrad,
    }),
    entry('Min', 8, 'Elementwise minimum of any number of tensors.', variadic(FOLDS.Min), {
      grad: extremumGrad,
    }),
    entry('Mean', 8, 'Elementwise mean of any number of tensors.', mean, { grad: meanGrad }),
    entry('Sum', 8, 'Elementwise sum of any number of tensors.', variadic(FOLDS.Add), {
      grad: addGrad,
      sum: true,
    }),
    entry('Where', 9, 'Elements of one tensor where the condition holds, of the other elsewhere.', where, {
      grad: whereGrad,
    }),
    entry('Clip', 6, 'Elementwise limits from below and above.', clip, {
      steering: [1, 2],
      grad: clipGrad,
      upgrade: upgradeClip,
    }),
    entry(
      'Abs',
      6,
      'Elementwise |x|.',
      unary(
        onNumber(Math.abs, (symbol) => (isNonNegative(symbol) ? symbol : null)),
        expectNumbers,
      ),
      { grad: absGrad },
    ),
    entry(
      'Neg',
      6,
      'Elementwise -x.',
      unary(
        onNumber(
          (a) => -a,
          (symbol) => multiplyDims(symbol, -1),
        ),
        expectNumbers,
      ),
      { grad: negGrad },
    ),
    entry('Sqrt', 6, 'Elementwise square root.', unary(onNumber(Math.sqrt), expectFloats), {
      grad: sqrtGrad,
    }),
    entry(
      'Reciprocal',
      6,
      'Elementwise 1 / x.',
      unary(
        onNumber((a) => 1 / a),
        expectFloats,
      ),
      { grad: reciprocalGrad },
    ),
    entry('Floor', 6, 'Elementwise rounding down.', unary(onNumber(Math.floor, same), expectFloats), {
      grad: zeroGrad,
    }),
    entry('Ceil', 6, 'Elementwise rounding up.', unary(onNumber(Math.ceil, same), expectFloats), {
      grad: zeroGrad,
    }),
    entry(
      'Round',
      11,
      'Elementwise rounding, halves to even.',
      unary(onNumber(roundHalfEven, same), expectFloats),
      { grad: zeroGrad },
    ),
    entry(
      'Sign',
      9,
      'Elementwise sign: -1, 0 or 1.',
      unary(
        onNumber(Math.sign, (symbol) => (compareDims(symbol, 0) === 1 ? 1 : null)),
        expectNumbers,
      ),
      { grad: zeroGrad },
    ),
    transcendental('Exp', 6, 'e to the power of x', expGrad),
    transcendental('Log', 6, 'natural logarithm', logGrad),
    entry('Erf', 9, 'Elementwise Gauss error function.', unary(null, expectNumbers), { grad: erfGrad }),
    transcendental('Sin', 7, 'sine', sinGrad),
    transcendental('Cos', 7, 'cosine', cosGrad),
    transcendental('Tan', 7, 'tangent', tanGrad),
    transcendental('Asin', 7, 'arcsine', asinGrad),
    transcendental('Acos', 7, 'arccosine', acosGrad),
    transcendental('Atan', 7, 'arctangent', atanGrad),
    transcendental('Sinh', 9, 'hyperbolic sine', sinhGrad),
    transcendental('Cosh', 9, 'hyperbolic cosine', coshGrad),
    transcendental('Asinh', 9, 'inverse hyperbolic sine', asinhGrad),
    transcendental('Acosh', 9, 'inverse hyperbolic cosine', acoshGrad),
    transcendental('Atanh', 9, 'inverse hyperbolic tangent', atanhGrad),
    entry(
      'Equal',
      7,
      'Elementwise a == b.',
      comparison((a, b) => a === b, [0], [1, -1]),
      logical,
    ),
    entry(
      'Greater',
      7,
      'Elementwise a > b.',
      comparison((a, b) => a > b, [1], [0, -1, '<=']),
      logical,
    ),
    entry(
      'GreaterOrEqual',
      12,
      'Elementwise a >= b.',
      comparison((a, b) => a >= b, [0, 1, '>='], [-1]),
      logical,
    ),
    entry(
      'Less',
      7,
      'Elementwise a < b.',
      comparison((a, b) => a < b, [-1], [0, 1, '>=']),
      logical,
    ),
    entry(
      'LessOrEqual',
      12,
      'Elementwise a <= b.',
      comparison((a, b) => a <= b, [0, -1, '<='], [1]),
      logical,
    ),
    entry(
      'And',
      7,
      'Elementwise logical and.',
      logic((a, b) => a & b, 0),
      logical,
    ),
    entry(
      'Or',
      7,
      'Elementwise logical or.',
      logic((a, b) => a | b, 1),
      logical,
    ),
    entry(
      'Xor',
      7,
      'Elementwise exclusive or.',
      logic((a, b) => a ^ b, null),
      logical,
    ),
    entry('Not', 1, 'Elementwise logical negation.', not, logical),
    entry('IsNaN', 9, 'True where an element is not a number.', testOfFloat, logical),
    entry('IsInf', 10, 'True where an element is infinite.', testOfFloat, logical),
    entry('BitShift', 11, 'Elementwise shift of unsigned integers.', shift, logical),
    entry(
      'BitwiseAnd',
      18,
      'Elementwise and of bits.',
      bitwise((a, b) => a & b),
      logical,
    ),
    entry(
      'BitwiseOr',
      18,
      'Elementwise or of bits.',
      bitwise((a, b) => a | b),
      logical,
    ),
    entry(
      'BitwiseXor',
      18,
      'Elementwise exclusive or of bits.',
      bitwise((a, b) => a ^ b),
      logical,
    ),
    entry('BitwiseNot', 18, 'Elementwise negation of bits.', unary(null, expectIntegers), logical),
  ],
  { channels: ELEMENTWISE_CHANNELS },
);
