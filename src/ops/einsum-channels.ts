import { ShapeError } from '../core/errors.ts';
import { type Factor, sumOfProducts } from './contraction.ts';
import { einsumIndices } from './einsum.ts';
import type { ChannelsContext, ChannelsRule } from './operator.ts';

/** Einsum: indices of the output that one weight alone has make channels, those of several operands are tied. */
export const einsumChannels: ChannelsRule = (ctx) => {
  const { node } = ctx;
  const fail = (message: string): ShapeError => new ShapeError(`${node.label}: ${message}`);
  const ranks = node.inputs.map((_, index) => ctx.shape(index).length);
  const { operands, output } = einsumIndices(fail, node.string('equation', ''), ranks);
  const factors = operands.map((indices, input) => withoutDiagonal(ctx, input, indices));
  return { outputs: [sumOfProducts(ctx, factors, output)] };
};

/** An index an operand has twice (its diagonal) is followed on neither axis: both stay. */
function withoutDiagonal(ctx: ChannelsContext, input: number, indices: readonly string[]): Factor {
  return {
    input,
    indices: indices.map((index, axis) => {
      if (indices.indexOf(index) === indices.lastIndexOf(index)) return index;
      ctx.freeze(ctx.axis(input, axis), 'takes a diagonal of them');
      return `${index} ${input} ${axis}`;
    }),
  };
}
