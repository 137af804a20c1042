import type { GradRule } from './operator.ts';

/** The gradient in the input's dtype. Integers and truth values are not asked. */
export const castGrad: GradRule = (ctx) => [ctx.make.cast(ctx.grad, ctx.make.dtype(ctx.input(0)))];
