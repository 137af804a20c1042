import { sizeOf, Tensor } from '../core/tensor.ts';
import type { Value } from '../ir/index.ts';
import type { Expressions } from './expressions.ts';

/** A matrix of float32 with rows and columns swapped. */
function transposed(matrix: Tensor): Tensor {
  const [rows = 0, columns = 0] = matrix.shape;
  const from = matrix.float32;
  const data = new Float32Array(from.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      data[column * rows + row] = from[row * columns + column]!;
  }
  return new Tensor('float32', [columns, rows], data);
}

/**
 * The gradient before a constant matrix `[to, from]` was applied along an axis, as resampling and mirroring do: the transposed matrix times the gradient after it, whose axis has size `to`. One matrix
 * product and no Transpose, whichever axis it is.
 */
export function backAlong(make: Expressions, grad: Value, axis: number, matrix: Tensor): Value {
  const sizes = make.shape(grad);
  const [to = 1, from = 1] = matrix.shape;
  const before = sizes.slice(0, axis);
  const behind = sizes.slice(axis + 1);
  const inner = sizeOf(behind);
  const dtype = make.dtype(grad);
  const constant = (tensor: Tensor): Value => make.cast(make.constant(tensor), dtype);
  const product =
    inner === 1
      ? make.matmul(make.reshape(grad, [...before, to]), constant(matrix))
      : make.matmul(constant(transposed(matrix)), make.reshape(grad, [...before, to, inner]));
  return make.reshape(product, [...before, from, ...behind]);
}
