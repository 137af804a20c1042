import { DTYPES, type DType, dtypeInfo, typedArrayOf } from '../core/dtype.ts';
import { UnsupportedError } from '../core/errors.ts';
import { fromFloat32 } from '../core/float16.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { type Attribute, attr, staticShape, type Value } from '../ir/index.ts';
import type { GraphBuilder, OpOptions } from './builder.ts';
import { GRADIENT_OPSET } from './operator.ts';

/** What expressions are written with: a GraphBuilder, or what names its nodes first. */
export type NodeWriter = Pick<GraphBuilder, 'op' | 'ops' | 'constant' | 'inferred' | 'graph'>;

/** A value, or a number that becomes a constant of the other operand's dtype. */
export type Term = Value | number;

/**
 * Short spellings for the nodes that gradient and upgrade rules are made of: `make.mul(x, make.sigmoid(x))`. Nodes are written for opsets from 18 on; equal
 * constants are shared; what changes nothing (a sum over no axes, a reshape to the same shape) makes no node. All shapes are sizes.
 */
export class Expressions {
  readonly builder: NodeWriter;
  readonly #constants = new Map<string, Value>();

  constructor(builder: NodeWriter) {
    this.builder = builder;
  }

  /** Any operator with one output. */
  op(
    opType: string,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value {
    return this.builder.op(opType, inputs, { attributes });
  }

  /** Any operator with several outputs. */
  ops(opType: string, inputs: readonly (Value | null)[], options: OpOptions): readonly Value[] {
    return this.builder.ops(opType, inputs, options);
  }

  /** dtype of a value. Throws GraphError where it is not known. */
  dtype(value: Value): DType {
    return this.builder.inferred(value).dtype;
  }

  /** Sizes of a value. Throws UnsupportedError where one is not a number. */
  shape(value: Value): readonly number[] {
    const { shape } = this.builder.inferred(value);
    const sizes = staticShape(shape);
    if (sizes) return sizes;
    throw new UnsupportedError(
      `Value '${value.name}': its sizes [${shape.map((dim) => dim ?? '?').join(', ')}] must be numbers here; give the inputs static shapes`,
    );
  }

  /** A constant tensor; equal small ones are shared. */
  constant(tensor: Tensor): Value {
    if (tensor.size > 64) return this.builder.constant(tensor);
    const key = `${tensor} ${tensor.bytes.join(' ')}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const value = this.builder.constant(tensor);
    this.#constants.set(key, value);
    return value;
  }

  /** A tensor of that shape filled with one number; a scalar by default. */
  full(value: number, dtype: DType = 'float32', shape: readonly number[] = []): Value {
    const { kind, bits } = dtypeInfo(dtype);
    if (kind === 'float' && bits <= 32) return this.constant(fromFloat32(Tensor.full(shape, value), dtype));
    const data = new (typedArrayOf(dtype))(sizeOf(shape));
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data.fill(BigInt(value));
    else data.fill(value);
    return this.constant(new Tensor(dtype, shape, data));
  }

  /** An int64 vector, as axes, shapes and pads are given. */
  ints(values: readonly number[]): Value {
    return this.constant(Tensor.int64(values));
  }

  /**
   * A number as a value of the dtype and rank of `like`. onnxruntime takes an element at a time where a scalar of lower rank meets a tensor whose last axes are of
   * size 1 (a 1x1 kernel): nineteen times slower.
   */
  term(term: Term, like: Value): Value {
    if (typeof term !== 'number') return term;
    const { dtype, shape } = this.builder.inferred(like);
    return this.full(term, dtype, new Array<number>(shape.length).fill(1));
  }

  add(a: Value, b: Term): Value {
    return this.op('Add', [a, this.term(b, a)]);
  }

  sub(a: Term, b: Term): Value {
    return this.#binary('Sub', a, b);
  }

  mul(a: Value, b: Term): Value {
    return b === 1 ? a : this.op('Mul', [a, this.term(b, a)]);
  }

  div(a: Term, b: Term): Value {
    return this.#binary('Div', a, b);
  }

  pow(a: Value, b: Term): Value {
    return this.op('Pow', [a, this.term(b, a)]);
  }

  neg(a: Value): Value {
    return this.op('Neg', [a]);
  }

  exp(a: Value): Value {
    return this.op('Exp', [a]);
  }

  log(a: Value): Value {
    return this.op('Log', [a]);
  }

  sqrt(a: Value): Value {
    return this.op('Sqrt', [a]);
  }

  abs(a: Value): Value {
    return this.op('Abs', [a]);
  }

  sign(a: Value): Value {
    return this.op('Sign', [a]);
  }

  sigmoid(a: Value): Value {
    return this.op('Sigmoid', [a]);
  }

  tanh(a: Value): Value {
    return this.op('Tanh', [a]);
  }

  /** Truth values `a > b`. */
  greater(a: Value, b: Term): Value {
    return this.op('Greater', [a, this.term(b, a)]);
  }

  /** Truth values `a >= b`. */
  greaterOrEqual(a: Value, b: Term): Value {
    return this.op('GreaterOrEqual', [a, this.term(b, a)]);
  }

  /** Truth values `a < b`. */
  less(a: Value, b: Term): Value {
    return this.op('Less', [a, this.term(b, a)]);
  }

  /** Truth values `a == b`. */
  equal(a: Value, b: Term): Value {
    return this.op('Equal', [a, this.term(b, a)]);
  }

  /** `condition ? a : b`, elementwise; one of `a` and `b` is a value. */
  where(condition: Value, a: Term, b: Term): Value {
    const like = typeof a === 'number' ? b : a;
    if (typeof like === 'number') return this.op('Where', [condition, this.full(like), this.full(Number(b))]);
    return this.op('Where', [condition, this.term(a, like), this.term(b, like)]);
  }

  /** Elements converted to a dtype. */
  cast(a: Value, to: DType): Value {
    return this.dtype(a) === to ? a : this.op('Cast', [a], { to: attr.int(DTYPES[to].onnx) });
  }

  /** The sum of values of one shape. */
  sum(values: readonly Value[]): Value {
    const [first, second] = values;
    if (!first) throw new UnsupportedError('sum: expects at least one value');
    if (!second) return first;
    return this.op(values.length === 2 ? 'Add' : 'Sum', values);
  }

  /** A reduction (`ReduceSum`, `ReduceMean`, …) over axes, all of them by default; keeps them as 1 by default. */
  reduce(opType: string, a: Value, axes?: readonly number[], keepdims = true): Value {
    if (axes?.length === 0) return a;
    // Other reductions than the sum take their axes as an input from opset 18 on.
    if (axes && opType !== 'ReduceSum' && this.builder.graph.opset() < GRADIENT_OPSET) {
      return this.op(opType, [a], { axes: attr.ints(axes), keepdims: attr.int(Number(keepdims)) });
    }
    return this.op(opType, axes ? [a, this.ints(axes)] : [a], { keepdims: attr.int(Number(keepdims)) });
  }

  /** The sum over axes, which stay as 1 by default. */
  reduceSum(a: Value, axes?: readonly number[], keepdims = true): Value {
    return this.reduce('ReduceSum', a, axes, keepdims);
  }

  /** The mean over axes, which stay as 1 by default. */
  reduceMean(a: Value, axes?: readonly number[], keepdims = true): Value {
    return this.reduce('ReduceMean', a, axes, keepdims);
  }

  /** Sums a gradient over what broadcasting from `shape` repeated, so that it has that shape: `f32[2, 3, 4] -> f32[3, 1]`. */
  sumTo(a: Value, shape: readonly number[]): Value {
    const from = this.shape(a);
    const extra = from.length - shape.length;
    const axes = from.flatMap((size, axis) =>
      axis < extra || (shape[axis - extra] === 1 && size !== 1) ? [axis] : [],
    );
    return this.reshape(this.reduceSum(a, axes), shape);
  }

  /** As `sumTo`, to the shape of another value. */
  sumLike(a: Value, like: Value): Value {
    return this.sumTo(a, this.shape(like));
  }

  /** The same elements in another shape. */
  reshape(a: Value, shape: readonly number[]): Value {
    const from = this.shape(a);
    if (from.length === shape.length && from.every((size, axis) => size === shape[axis])) return a;
    // 0 would copy a size in its usual meaning.
    const attributes = shape.includes(0) ? { allowzero: attr.int(1) } : {};
    return this.op('Reshape', [a, this.ints(shape)], attributes);
  }

  /** Repeats along axes of size 1 until the shape is that. */
  expand(a: Value, shape: readonly number[]): Value {
    const from = this.shape(a);
    if (from.length === shape.length && from.every((size, axis) => size === shape[axis])) return a;
    return this.op('Expand', [a, this.ints(shape)]);
  }

  /** Axis i of the result is axis `perm[i]`. */
  transpose(a: Value, perm: readonly number[]): Value {
    return perm.every((axis, index) => axis === index)
      ? a
      : this.op('Transpose', [a], { perm: attr.ints(perm) });
  }

  /** The matrices of a batch transposed: the last two axes swapped. */
  transposeMatrix(a: Value): Value {
    const rank = this.shape(a).length;
    const perm = Array.from({ length: rank }, (_, axis) => axis);
    return this.transpose(a, [...perm.slice(0, -2), rank - 1, rank - 2]);
  }

  matmul(a: Value, b: Value): Value {
    return this.op('MatMul', [a, b]);
  }

  /** `alpha op(a) op(b)` of matrices, where op transposes if asked. */
  gemm(a: Value, b: Value, options: { transA?: boolean; transB?: boolean; alpha?: number } = {}): Value {
    const { transA = false, transB = false, alpha = 1 } = options;
    return this.op('Gemm', [a, b], {
      ...(transA ? { transA: attr.int(1) } : {}),
      ...(transB ? { transB: attr.int(1) } : {}),
      ...(alpha === 1 ? {} : { alpha: attr.float(alpha) }),
    });
  }

  /** Elements `starts` to before `ends` of the axes given, by `steps` (1 by default). */
  slice(
    a: Value,
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[],
    steps?: readonly number[],
  ): Value {
    const sizes = this.shape(a);
    const whole = axes.every(
      (axis, i) => starts[i] === 0 && ends[i]! >= sizes[axis]! && (steps?.[i] ?? 1) === 1,
    );
    if (whole) return a;
    return this.op('Slice', [
      a,
      this.ints(starts),
      this.ints(ends),
      this.ints(axes),
      ...(steps?.some((step) => step !== 1) ? [this.ints(steps)] : []),
    ]);
  }

  /** Zeros before and after, by axis; negative numbers cut. */
  pad(a: Value, begin: readonly number[], end: readonly number[]): Value {
    return [...begin, ...end].every((size) => size === 0)
      ? a
      : this.op('Pad', [a, this.ints([...begin, ...end])]);
  }

  concat(values: readonly Value[], axis: number): Value {
    const [first] = values;
    return first && values.length === 1 ? first : this.op('Concat', values, { axis: attr.int(axis) });
  }

  #binary(opType: string, a: Term, b: Term): Value {
    const like = typeof a === 'number' ? b : a;
    if (typeof like === 'number') throw new UnsupportedError(`${opType}: expects a value among its operands`);
    return this.op(opType, [this.term(a, like), this.term(b, like)]);
  }
}
