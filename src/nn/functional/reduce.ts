import { attr } from '../../ir/index.ts';
import type { Variable } from '../variable.ts';
import { axesFor, type Sizes } from './operand.ts';

/** How a reduction is made. */
export interface ReduceOptions {
  /** Keep reduced axes with size 1; false by default. */
  readonly keepdim?: boolean;
}

const reduction =
  (opType: string, caller: string) =>
  (x: Variable, dim?: Sizes, options: ReduceOptions = {}): Variable =>
    x.tracer.op(opType, [x], {
      attributes: {
        axes: attr.ints(axesFor(caller, x, dim)),
        keepdims: attr.int(options.keepdim ? 1 : 0),
      },
    });

/** Mean over axes, all of them by default. */
export const mean: (x: Variable, dim?: Sizes, options?: ReduceOptions) => Variable = reduction(
  'ReduceMean',
  'mean',
);

/** Largest element over axes, all of them by default (PyTorch's `amax`). */
export const max: (x: Variable, dim?: Sizes, options?: ReduceOptions) => Variable = reduction(
  'ReduceMax',
  'max',
);

/** Smallest element over axes, all of them by default (PyTorch's `amin`). */
export const min: (x: Variable, dim?: Sizes, options?: ReduceOptions) => Variable = reduction(
  'ReduceMin',
  'min',
);

/** Sum over axes, all of them by default. */
export const sum = (x: Variable, dim?: Sizes, options: ReduceOptions = {}): Variable =>
  x.tracer.op('ReduceSum', [x, x.tracer.int64(axesFor('sum', x, dim))], {
    attributes: { keepdims: attr.int(options.keepdim ? 1 : 0) },
  });
