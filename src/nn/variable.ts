import type { DType } from '../core/dtype.ts';
import { ArgumentError } from '../core/errors.ts';
import type { Dim, Shape, Value } from '../ir/index.ts';
import { softmax } from './functional/activation.ts';
import * as arithmetic from './functional/arithmetic.ts';
import { detach } from './functional/detach.ts';
import type { Operand, Sizes } from './functional/operand.ts';
import { max, mean, min, type ReduceOptions, sum } from './functional/reduce.ts';
import * as shapes from './functional/shape.ts';
import type { Tracer } from './tracer.ts';

/** Arguments given one by one or as one list. */
const listed = <T>(given: readonly T[] | readonly [readonly T[]]): readonly T[] =>
  Array.isArray(given[0]) ? given[0] : (given as readonly T[]);

/**
 * A value of the graph that is being traced: what `forward` works on. It has dtype and shape, no elements. Arithmetic
 * on it adds nodes to the graph.
 */
export class Variable {
  readonly tracer: Tracer;
  readonly value: Value;

  constructor(tracer: Tracer, value: Value) {
    this.tracer = tracer;
    this.value = value;
  }

  get dtype(): DType {
    return this.tracer.builder.inferred(this.value).dtype;
  }

  /** Dimensions; symbolic ones are strings. */
  get shape(): Shape {
    return this.tracer.builder.inferred(this.value).shape;
  }

  /** Number of axes. */
  dim(): number {
    return this.shape.length;
  }

  /** Size along an axis, counted from the end where negative. Throws ArgumentError where it is symbolic or there is no such axis. */
  size(axis: number): number {
    const dim = this.shape.at(axis);
    if (typeof dim === 'number') return dim;
    throw new ArgumentError(
      `Variable '${this.value.name}': the size of axis ${axis} of [${this.shape.join(', ')}] is not a number; trace with a fixed shape there`,
    );
  }

  /** Number of elements. Throws ArgumentError where a dimension is symbolic; `flatten` and -1 in `view` need no numbers. */
  nelement(): number {
    return [...this.shape.keys()].reduce((product, axis) => product * this.size(axis), 1);
  }

  /** `this + other` with broadcasting. */
  add(other: Operand): Variable {
    return arithmetic.add(this, other);
  }

  /** `this - other` with broadcasting. */
  sub(other: Operand): Variable {
    return arithmetic.sub(this, other);
  }

  /** `this * other` elementwise with broadcasting. */
  mul(other: Operand): Variable {
    return arithmetic.mul(this, other);
  }

  /** `this / other` with broadcasting. */
  div(other: Operand): Variable {
    return arithmetic.div(this, other);
  }

  /** `this ** other` with broadcasting. */
  pow(other: Operand): Variable {
    return arithmetic.pow(this, other);
  }

  /** Matrix product; see `F.matmul`. */
  matmul(other: Exclude<Operand, number>): Variable {
    return arithmetic.matmul(this, other);
  }

  /** `-this` */
  neg(): Variable {
    return arithmetic.neg(this);
  }

  /** `1 / this` */
  reciprocal(): Variable {
    return arithmetic.reciprocal(this);
  }

  /** Absolute value. */
  abs(): Variable {
    return arithmetic.abs(this);
  }

  /** Gauss error function. */
  erf(): Variable {
    return arithmetic.erf(this);
  }

  /** The same elements, through which no gradient flows back. */
  detach(): Variable {
    return detach(this);
  }

  /** Elements converted to another dtype. */
  to(dtype: DType): Variable {
    return arithmetic.to(this, dtype);
  }

  /** Elements limited from below and above; see `F.clamp`. */
  clamp(min?: number, max?: number): Variable {
    return arithmetic.clamp(this, min, max);
  }

  /** e to the power of the elements. */
  exp(): Variable {
    return arithmetic.exp(this);
  }

  /** Natural logarithm. */
  log(): Variable {
    return arithmetic.log(this);
  }

  /** Square root. */
  sqrt(): Variable {
    return arithmetic.sqrt(this);
  }

  /** The same elements under another shape, in PyTorch's words: `x.view(-1, 576)`. See `F.reshape`. */
  view(...shape: readonly Dim[] | readonly [Shape]): Variable {
    return shapes.reshape(this, listed<Dim>(shape));
  }

  /** `view` under its other name. */
  reshape(...shape: readonly Dim[] | readonly [Shape]): Variable {
    return shapes.reshape(this, listed<Dim>(shape));
  }

  /** One axis in place of those from `start` to `end`; see `F.flatten`. */
  flatten(start = 0, end = -1): Variable {
    return shapes.flatten(this, start, end);
  }

  /** Two axes swapped. */
  transpose(dim0: number, dim1: number): Variable {
    return shapes.transpose(this, dim0, dim1);
  }

  /** Axes in another order. */
  permute(...dims: readonly number[] | readonly [readonly number[]]): Variable {
    return shapes.permute(this, listed<number>(dims));
  }

  /** The Variable itself: values of a graph have no memory layout. */
  contiguous(): Variable {
    return this;
  }

  /** An axis cut into that many parts; see `F.chunk`. */
  chunk(chunks: number, dim = 0): Variable[] {
    return shapes.chunk(this, chunks, dim);
  }

  /** An axis cut into parts of a size, or of given sizes; see `F.split`. */
  split(sizes: Sizes, dim = 0): Variable[] {
    return shapes.split(this, sizes, dim);
  }

  /** A range of an axis; see `F.narrow`. */
  narrow(dim: number, start: number, length: number): Variable {
    return shapes.narrow(this, dim, start, length);
  }

  /** A slice of an axis; see `F.select`. */
  select(dim: number, index: number): Variable {
    return shapes.select(this, dim, index);
  }

  /** An axis of size 1 put in. */
  unsqueeze(dim: number): Variable {
    return shapes.unsqueeze(this, dim);
  }

  /** Axes of size 1 dropped; see `F.squeeze`. */
  squeeze(dim?: Sizes): Variable {
    return shapes.squeeze(this, dim);
  }

  /** Axes of size 1 repeated; see `F.expand`. */
  expand(...shape: readonly number[] | readonly [readonly number[]]): Variable {
    return shapes.expand(this, listed<number>(shape));
  }

  /** Mean over axes, all by default. */
  mean(dim?: Sizes, options?: ReduceOptions): Variable {
    return mean(this, dim, options);
  }

  /** Sum over axes, all by default. */
  sum(dim?: Sizes, options?: ReduceOptions): Variable {
    return sum(this, dim, options);
  }

  /** Largest element over axes, all by default. */
  max(dim?: Sizes, options?: ReduceOptions): Variable {
    return max(this, dim, options);
  }

  /** Smallest element over axes, all by default. */
  min(dim?: Sizes, options?: ReduceOptions): Variable {
    return min(this, dim, options);
  }

  /** Softmax along an axis. */
  softmax(dim = -1): Variable {
    return softmax(this, dim);
  }
}
