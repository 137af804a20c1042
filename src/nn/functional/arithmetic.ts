import { type DType, dtypeInfo } from '../../core/dtype.ts';
import { attr } from '../../ir/index.ts';
import type { Variable } from '../variable.ts';
import type { Operand } from './operand.ts';

const binary =
  (opType: string) =>
  (a: Variable, b: Operand): Variable =>
    a.tracer.op(opType, [a, a.tracer.operand(b, a.dtype)]);

const unary =
  (opType: string) =>
  (x: Variable): Variable =>
    x.tracer.op(opType, [x]);

/** `a + b` with broadcasting. */
export const add: (a: Variable, b: Operand) => Variable = binary('Add');
/** `a - b` with broadcasting. */
export const sub: (a: Variable, b: Operand) => Variable = binary('Sub');
/** `a b` elementwise with broadcasting. */
export const mul: (a: Variable, b: Operand) => Variable = binary('Mul');
/** `a / b` with broadcasting; integers are cut toward zero. */
export const div: (a: Variable, b: Operand) => Variable = binary('Div');
/** `a ** b` with broadcasting. */
export const pow: (a: Variable, b: Operand) => Variable = binary('Pow');
/** Matrix product over the last two axes, with broadcasting over those before. */
export const matmul: (a: Variable, b: Exclude<Operand, number>) => Variable = binary('MatMul');
/** `-x` */
export const neg: (x: Variable) => Variable = unary('Neg');
/** e to the power of x. */
export const exp: (x: Variable) => Variable = unary('Exp');
/** Natural logarithm. */
export const log: (x: Variable) => Variable = unary('Log');
/** Square root. */
export const sqrt: (x: Variable) => Variable = unary('Sqrt');
/** Absolute value. */
export const abs: (x: Variable) => Variable = unary('Abs');
/** Gauss error function. */
export const erf: (x: Variable) => Variable = unary('Erf');

/** `1 / x` */
export const reciprocal: (x: Variable) => Variable = unary('Reciprocal');

/** Elements of `a` where the condition (a bool Variable) holds, of `b` elsewhere. */
export const where = (condition: Variable, a: Variable, b: Operand): Variable =>
  a.tracer.op('Where', [condition, a, a.tracer.operand(b, a.dtype)]);

/** Elements converted to another dtype. */
export const to = (x: Variable, dtype: DType): Variable =>
  x.dtype === dtype ? x : x.tracer.op('Cast', [x], { attributes: { to: attr.int(dtypeInfo(dtype).onnx) } });

/** Limits elements from below and above; either may be left out. */
export const clamp = (x: Variable, min?: number, max?: number): Variable =>
  x.tracer.op('Clip', [
    x,
    min === undefined ? null : x.tracer.scalar(min, x.dtype),
    max === undefined ? null : x.tracer.scalar(max, x.dtype),
  ]);
