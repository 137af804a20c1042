import { type Factor, inexactZeroPoint, sumOfProducts, tieToResult } from './contraction.ts';
import type { Channels, ChannelsContext, ChannelsRule } from './operator.ts';

/** Axes of a matrix product by their indices: `m` rows, `k` summed over, `n` columns; batches by their distance from the matrix. */
interface Product {
  readonly factors: readonly [a: Factor, b: Factor];
  readonly output: readonly string[];
}

/** How the axes of an operand are ordered: the batches, then rows and columns. */
export type Arrange = (batches: readonly string[], row: string, column: string) => readonly string[];

const straight: Arrange = (batches, row, column) => [...batches, row, column];

/**
 * Indices of a matrix product of inputs `a` and `b`. A vector is a row on the left and a column on the right. `arrange` says where an operand of at least two axes has its batches, rows and columns.
 */
function matrixProduct(
  ctx: ChannelsContext,
  a: number,
  b: number,
  arrange: readonly [Arrange, Arrange] = [straight, straight],
): Product {
  const ranks = [ctx.shape(a).length, ctx.shape(b).length] as const;
  const batches = (rank: number): string[] =>
    Array.from({ length: Math.max(0, rank - 2) }, (_, axis) => `batch ${rank - 2 - axis}`);
  const left = ranks[0] < 2 ? ['k'] : arrange[0](batches(ranks[0]), 'm', 'k');
  const right = ranks[1] < 2 ? ['k'] : arrange[1](batches(ranks[1]), 'k', 'n');
  return {
    factors: [
      { input: a, indices: left },
      { input: b, indices: right },
    ],
    output: [...batches(Math.max(...ranks)), ...(ranks[0] < 2 ? [] : ['m']), ...(ranks[1] < 2 ? [] : ['n'])],
  };
}

/** Labels of a matrix product of inputs `a` and `b`; `arrange` as in `matrixProduct`. */
export function productChannels(
  ctx: ChannelsContext,
  a: number,
  b: number,
  arrange?: readonly [Arrange, Arrange],
): Channels {
  const { factors, output } = matrixProduct(ctx, a, b, arrange);
  return sumOfProducts(ctx, factors, output);
}

/** Gemm: C is broadcast to the product. */
export const gemmChannels: ChannelsRule = (ctx) => {
  const a = ctx.node.int('transA', 0) === 0 ? ['m', 'k'] : ['k', 'm'];
  const b = ctx.node.int('transB', 0) === 0 ? ['k', 'n'] : ['n', 'k'];
  const channels = sumOfProducts(
    ctx,
    [
      { input: 0, indices: a },
      { input: 1, indices: b },
    ],
    ['m', 'n'],
  );
  tieToResult(ctx, channels, ctx.outputShape(0), 2);
  return { outputs: [channels] };
};

/** MatMul: leading axes are tied as elementwise operators do it. */
export const matMulChannels: ChannelsRule = (ctx) => ({
  outputs: [productChannels(ctx, 0, 1)],
});

/** What a quantized product says beside its matrices. */
interface QuantizedProduct {
  readonly a: number;
  readonly b: number;
  readonly zeroPointA: number;
  /** Scales and zero points of A or of the result: one for each row, where they are vectors. */
  readonly perRow: readonly number[];
  /** Scales, zero points and biases along the columns. */
  readonly perColumn: readonly number[];
}

/** A product of quantized matrices. */
export const quantizedProduct =
  ({ a, b, zeroPointA, perRow, perColumn }: QuantizedProduct): ChannelsRule =>
  (ctx) => {
    const channels = productChannels(ctx, a, b);
    const shape = ctx.outputShape(0);
    inexactZeroPoint(ctx, a, ctx.shape(a).length - 1, zeroPointA);
    for (const input of perColumn) tieToResult(ctx, channels, shape, input);
    for (const input of perRow) {
      // More axes than one end with a column, `[..., rows, 1]`.
      const vector = ctx.has(input) && ctx.shape(input).length === 1;
      tieToResult(ctx, channels, shape, input, vector ? shape.length - 2 : undefined);
    }
    return { outputs: [channels] };
  };

/** MatMulInteger: zero points in inputs 2 and 3. */
export const matMulIntegerChannels = quantizedProduct({
  a: 0,
  b: 1,
  zeroPointA: 2,
  perRow: [2],
  perColumn: [3],
});

/** QLinearMatMul: each matrix and the result with its scale and zero point behind it. */
export const qLinearMatMulChannels = quantizedProduct({
  a: 0,
  b: 3,
  zeroPointA: 2,
  perRow: [1, 2, 6, 7],
  perColumn: [4, 5],
});
