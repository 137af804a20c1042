import { ArgumentError } from '../../core/errors.ts';
import { attr, type Dim, staticShape } from '../../ir/index.ts';
import type { Variable } from '../variable.ts';
import { axesFor, axisFor, type Sizes } from './operand.ts';

const printed = (shape: readonly Dim[]): string => `[${shape.map((dim) => dim ?? '?').join(', ')}]`;

/**
 * The same elements under another shape. One dimension may be -1, which takes what is left; symbolic dimensions are given by their names,
 * as `x.shape` has them. Throws ArgumentError for a symbol that the input does not have.
 */
export function reshape(x: Variable, shape: readonly Dim[]): Variable {
  for (const dim of shape) {
    if (dim === null || (typeof dim === 'number' && (!Number.isSafeInteger(dim) || dim < -1))) {
      throw new ArgumentError(
        `reshape: the dimensions ${printed(shape)} must be whole numbers >= 0, -1 once, or symbols of ${printed(x.shape)}`,
      );
    }
  }
  const { tracer } = x;
  const numbers = staticShape(shape);
  if (shape.includes(0)) {
    if (!numbers)
      throw new ArgumentError(`reshape: the dimensions ${printed(shape)} have a size of 0 beside symbols`);
    // With `allowzero` a 0 is a size; without, it copies the input's.
    return tracer.op('Reshape', [x, tracer.int64(numbers)], { attributes: { allowzero: attr.int(1) } });
  }
  const missing = shape.find((dim) => typeof dim === 'string' && staticShape(x.shape));
  if (missing !== undefined) throw noSymbol(x, missing);
  // A symbol on its own axis is copied; one more may be left open.
  let open = shape.includes(-1);
  const target = shape.map((dim, axis): Dim => {
    if (typeof dim !== 'string') return dim;
    if (dim === x.shape[axis]) return 0;
    if (open) return dim;
    open = true;
    return -1;
  });
  const fixed = staticShape(target);
  if (fixed) return tracer.op('Reshape', [x, tracer.int64(fixed)]);
  const parts = target.map((dim): Variable => {
    if (typeof dim === 'number') return tracer.int64([dim]);
    const axis = x.shape.indexOf(dim);
    if (axis < 0) throw noSymbol(x, dim);
    return tracer.op('Shape', [x], { attributes: { start: attr.int(axis), end: attr.int(axis + 1) } });
  });
  return tracer.op('Reshape', [x, tracer.op('Concat', parts, { attributes: { axis: attr.int(0) } })]);
}

const noSymbol = (x: Variable, dim: Dim): ArgumentError =>
  new ArgumentError(`reshape: the input ${printed(x.shape)} has no dimension '${dim}' to copy`);

/** Makes one axis of the axes from `start` to `end`, both included. */
export function flatten(x: Variable, start = 0, end = -1): Variable {
  const first = axisFor('flatten', x, start);
  const last = axisFor('flatten', x, end);
  if (last < first)
    throw new ArgumentError(
      `flatten: expects start <= end, got axes ${first} and ${last} of ${printed(x.shape)}`,
    );
  const rank = x.shape.length;
  if (first === 1 && last === rank - 1)
    return x.tracer.op('Flatten', [x], { attributes: { axis: attr.int(1) } });
  if (first === last) return x;
  return reshape(x, [...x.shape.slice(0, first), -1, ...x.shape.slice(last + 1)]);
}

/** Axes in another order. Throws ArgumentError where an axis is missing or named twice. */
export function permute(x: Variable, dims: readonly number[]): Variable {
  const order = dims.map((dim) => axisFor('permute', x, dim));
  if (new Set(order).size !== x.shape.length || order.length !== x.shape.length) {
    throw new ArgumentError(
      `permute: expects every axis of ${printed(x.shape)} once, got [${dims.join(', ')}]`,
    );
  }
  return x.tracer.op('Transpose', [x], { attributes: { perm: attr.ints(order) } });
}

/** Two axes swapped. */
export function transpose(x: Variable, dim0: number, dim1: number): Variable {
  const a = axisFor('transpose', x, dim0);
  const b = axisFor('transpose', x, dim1);
  return permute(
    x,
    [...x.shape.keys()].map((axis) => (axis === a ? b : axis === b ? a : axis)),
  );
}

/** An axis of size 1 put in. */
export const unsqueeze = (x: Variable, dim: number): Variable =>
  x.tracer.op('Unsqueeze', [x, x.tracer.int64([axisFor('unsqueeze', x, dim, 1)])]);

/** Axes of size 1 dropped: those given, or all of them. As in PyTorch a given axis of another size stays. */
export function squeeze(x: Variable, dim?: Sizes): Variable {
  const gone = axesFor('squeeze', x, dim).filter((axis) => x.shape[axis] === 1);
  return gone.length === 0 ? x : x.tracer.op('Squeeze', [x, x.tracer.int64(gone)]);
}

/** Repeats axes of size 1 up to a size; -1 keeps an axis. New axes may stand in front. */
export function expand(x: Variable, shape: readonly number[]): Variable {
  const offset = shape.length - x.shape.length;
  const valid =
    offset >= 0 &&
    shape.every((dim, axis) => {
      if (!Number.isSafeInteger(dim) || dim < -1 || (dim === -1 && axis < offset)) return false;
      const own = x.shape[axis - offset];
      return axis < offset || dim === -1 || own === 1 || own === dim;
    });
  if (!valid)
    throw new ArgumentError(`expand: ${printed(x.shape)} cannot be expanded to [${shape.join(', ')}]`);
  return x.tracer.op('Expand', [x, x.tracer.int64(shape.map((dim) => (dim === -1 ? 1 : dim)))]);
}

/** Cuts an axis into parts of a size (the last may be smaller), or into parts of given sizes. */
export function split(x: Variable, sizes: Sizes, dim = 0): Variable[] {
  const axis = axisFor('split', x, dim);
  const total = x.size(axis);
  const parts = typeof sizes === 'number' ? partsOf(total, sizes) : [...sizes];
  const sum = parts.reduce((a, b) => a + b, 0);
  if (sum !== total || parts.some((part) => !Number.isSafeInteger(part) || part < 0)) {
    throw new ArgumentError(
      `split: expects whole numbers that add up to ${total}, the size of axis ${axis}, got [${parts.join(', ')}]`,
    );
  }
  return x.tracer.ops('Split', [x, x.tracer.int64(parts)], {
    attributes: { axis: attr.int(axis) },
    outputs: parts.length,
  });
}

function partsOf(total: number, size: number): number[] {
  if (!Number.isSafeInteger(size) || size < 1)
    throw new ArgumentError(`split: expects a size of at least 1, got ${size}`);
  return Array.from({ length: Math.ceil(total / size) }, (_, i) => Math.min(size, total - i * size));
}

/** Cuts an axis into that many parts, the last of which may be smaller; fewer where the axis is too short. */
export function chunk(x: Variable, chunks: number, dim = 0): Variable[] {
  if (!Number.isSafeInteger(chunks) || chunks < 1)
    throw new ArgumentError(`chunk: expects a whole number of chunks >= 1, got ${chunks}`);
  const axis = axisFor('chunk', x, dim);
  return split(x, Math.ceil(x.size(axis) / chunks), axis);
}

/** `length` elements of an axis from `start` on. */
export function narrow(x: Variable, dim: number, start: number, length: number): Variable {
  const axis = axisFor('narrow', x, dim);
  const size = x.shape[axis];
  const end = start + length;
  if (start < 0 || length < 0 || (typeof size === 'number' && end > size)) {
    throw new ArgumentError(
      `narrow: ${length} elements from ${start} on do not lie in axis ${axis} of ${printed(x.shape)}`,
    );
  }
  const { tracer } = x;
  return tracer.op('Slice', [x, tracer.int64([start]), tracer.int64([end]), tracer.int64([axis])]);
}

/** The slice at an index of an axis; the axis goes. Negative indices count from the end. */
export function select(x: Variable, dim: number, index: number): Variable {
  const axis = axisFor('select', x, dim);
  const size = x.shape[axis];
  if (!Number.isSafeInteger(index) || (typeof size === 'number' && (index < -size || index >= size))) {
    throw new ArgumentError(`select: index ${index} is not in axis ${axis} of ${printed(x.shape)}`);
  }
  return x.tracer.op('Gather', [x, x.tracer.int64(index)], { attributes: { axis: attr.int(axis) } });
}

/** Joins along an axis that is there. Throws ArgumentError without inputs. */
export function cat(inputs: readonly Variable[], dim = 0): Variable {
  const [first] = inputs;
  if (!first) throw new ArgumentError('cat: expects at least one Variable');
  return first.tracer.op('Concat', inputs, { attributes: { axis: attr.int(axisFor('cat', first, dim)) } });
}

/** Joins along a new axis. Throws ArgumentError without inputs. */
export function stack(inputs: readonly Variable[], dim = 0): Variable {
  const [first] = inputs;
  if (!first) throw new ArgumentError('stack: expects at least one Variable');
  const axis = axisFor('stack', first, dim, 1);
  return cat(
    inputs.map((input) => unsqueeze(input, axis)),
    axis,
  );
}
