import type { Variable } from '../nn/index.ts';

/** Ends of a slice beyond any size. */
const END = 2 ** 31 - 1;

/** Every other row and column of a map from the given ones on: `x[:, :, row::2, column::2]`. */
export function everyOther(x: Variable, row = 0, column = 0): Variable {
  const { tracer } = x;
  return tracer.op('Slice', [
    x,
    tracer.int64([row, column]),
    tracer.int64([END, END]),
    tracer.int64([2, 3]),
    tracer.int64([2, 2]),
  ]);
}
