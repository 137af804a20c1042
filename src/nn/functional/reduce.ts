import { attr } from '../../ir/index.ts';
import type { Variable } from '../variable.ts';
import { axesFor, type Sizes } from './operand.ts';

/** How a reduction is made. */
export interface ReduceOptions {
  /** Keep reduced axes with size 1; false by default. */
  readonly keepdim?: boolean;
}

/** A reduction whose axes are an input from that opset on, and an attribute before. */
const reduction =
  (opType: string, caller: string, inputFrom = 18) =>
  (x: Variable, dim?: Sizes, options: ReduceOptions = {}): Variable => {
    const { tracer } = x;
    const axes = axesFor(caller, x, dim);
    const keepdims = attr.int(options.keepdim ? 1 : 0);
    return tracer.builder.graph.opset() < inputFrom
      ? tracer.op(opType, [x], { attributes: { axes: attr.ints(axes), keepdims } })
      : tracer.op(opType, [x, tracer.int64(axes)], { attributes: { keepdims } });
  };

type Reduction = (x: Variable, dim?: Sizes, options?: ReduceOptions) => Variable;

/** Mean over axes, all of them by default. */
export const mean: Reduction = reduction('ReduceMean', 'mean');
/** Largest element over axes, all of them by default (PyTorch's `amax`). */
export const max: Reduction = reduction('ReduceMax', 'max');
/** Smallest element over axes, all of them by default (PyTorch's `amin`). */
export const min: Reduction = reduction('ReduceMin', 'min');
/** Sum over axes, all of them by default. */
export const sum: Reduction = reduction('ReduceSum', 'sum', 13);
