import { toFloat32 } from '../../core/float16.ts';
import { sizeOf, type Tensor } from '../../core/tensor.ts';

/** Equal parts of another axis, for each of which an axis holds other channels: see `Member.parts`. */
export interface Parts {
  readonly along: number;
  readonly count: number;
}

/** An axis of a tensor, for each index of which (part by part, where it has parts) a number is asked for. */
export interface AxisOf {
  readonly axis: number;
  readonly parts?: Parts;
}

/** Real numbers as they are computed with. */
export type Reals = Float32Array | Float64Array;

/** Elements of a tensor: as they lie there for float32 and float64, converted to float32 for others. Throws ArgumentError as `toFloat32`. */
export function realsOf(tensor: Tensor): Reals {
  return tensor.dtype === 'float64' ? (tensor.data as Float64Array) : toFloat32(tensor).float32;
}

/** How many numbers an axis has: its size, times its parts. */
export const lengthOf = (shape: readonly number[], { axis, parts }: AxisOf): number =>
  shape[axis]! * (parts?.count ?? 1);

/**
 * Sums of |w| (power 1) or w² (power 2) over all but one axis, for several axes of one tensor: a vector for each, as long as `lengthOf` says, an index of an axis with parts being `part * size + position`. Sums are taken in
 * float64. Two axes share a pass over the elements.
 */
export function axisSums(tensor: Tensor, axes: readonly AxisOf[], power: 1 | 2): Float64Array[] {
  const data = realsOf(tensor);
  const { shape } = tensor;
  const sums = axes.map((axis) => new Float64Array(lengthOf(shape, axis)));
  const open = new Set(axes.keys());
  for (const index of open) {
    open.delete(index);
    const one = axes[index]!;
    const partner = [...open].find((other) => areRowsAndColumns(one, axes[other]!));
    if (partner !== undefined) open.delete(partner);
    const two = partner === undefined ? undefined : axes[partner]!;
    const pass = (rows: AxisOf, columns: AxisOf, ofRows: Float64Array, ofColumns: Float64Array): void =>
      sumPair(data, shape, rows.axis, columns, ofRows, ofColumns, power === 2);
    if (two && one.axis < two.axis) pass(one, two, sums[index]!, sums[partner!]!);
    else if (two) pass(two, one, sums[partner!]!, sums[index]!);
    else sumSingle(data, shape, one, sums[index]!, power === 2);
  }
  return sums;
}

/** True where one axis can be the rows and a later one the columns of a pass. */
function areRowsAndColumns(a: AxisOf, b: AxisOf): boolean {
  const [rows, columns] = a.axis < b.axis ? [a, b] : [b, a];
  return !rows.parts && columns.axis !== rows.axis && (!columns.parts || columns.parts.along === rows.axis);
}

function sumSingle(
  data: Reals,
  shape: readonly number[],
  one: AxisOf,
  sums: Float64Array,
  square: boolean,
): void {
  const { axis, parts } = one;
  if (parts && parts.along > axis) {
    sumParted(data, shape, axis, parts, sums, square);
    return;
  }
  if (parts) {
    sumPair(data, shape, parts.along, one, new Float64Array(shape[parts.along]!), sums, square);
    return;
  }
  const outer = sizeOf(shape.slice(0, axis));
  const size = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  const whole = { from: 0, inner, firstRow: 0, firstColumn: 0 };
  if (outer === 1) {
    sumBlock(data, { ...whole, stride: inner, rows: size, columns: 1 }, sums, new Float64Array(1), square);
  } else {
    const block = { ...whole, stride: size * inner, rows: outer, columns: size };
    sumBlock(data, block, new Float64Array(outer), sums, square);
  }
}

/** Sums over all but the axis of rows, and over all but that of columns, which comes later. */
function sumPair(
  data: Reals,
  shape: readonly number[],
  rows: number,
  columns: AxisOf,
  ofRows: Float64Array,
  ofColumns: Float64Array,
  square: boolean,
): void {
  const height = shape[rows]!;
  const width = shape[columns.axis]!;
  const outer = sizeOf(shape.slice(0, rows));
  const mid = sizeOf(shape.slice(rows + 1, columns.axis));
  const inner = sizeOf(shape.slice(columns.axis + 1));
  const stride = mid * width * inner;
  const parts = columns.parts?.count ?? 1;
  const each = height / parts;
  for (let o = 0; o < outer; o++) {
    for (let m = 0; m < mid; m++) {
      for (let part = 0; part < parts; part++) {
        const from = (o * height + part * each) * stride + m * width * inner;
        const block = { from, stride, rows: each, columns: width, inner };
        sumBlock(
          data,
          { ...block, firstRow: part * each, firstColumn: part * width },
          ofRows,
          ofColumns,
          square,
        );
      }
    }
  }
}

/** A matrix of runs of `inner` elements: where it lies, and where its sums go. */
interface Block {
  readonly from: number;
  /** Elements from a row to the next. */
  readonly stride: number;
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  readonly firstRow: number;
  readonly firstColumn: number;
}

/** Four rows at a time: their sums do not wait for each other, and a column's sum is read and written once. */
function sumBlock(
  data: Reals,
  block: Block,
  ofRows: Float64Array,
  ofColumns: Float64Array,
  square: boolean,
): void {
  const { from, stride, rows, columns, inner, firstRow, firstColumn } = block;
  const fours = rows - (rows % 4);
  if (inner === 1) sumFours(data, block, fours, ofRows, ofColumns, square);
  else sumFoursOfRuns(data, block, fours, ofRows, ofColumns, square);
  for (let row = fours; row < rows; row++) {
    let place = from + row * stride;
    let total = 0;
    for (let column = firstColumn; column < firstColumn + columns; column++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        const x = data[place++]!;
        sum += square ? x * x : Math.abs(x);
      }
      ofColumns[column]! += sum;
      total += sum;
    }
    ofRows[firstRow + row]! += total;
  }
}

/** Rows of single elements: linear layers and 1x1 convolutions, where a loop over runs of one would take half as long again. */
function sumFours(
  data: Reals,
  { from, stride, columns, firstRow, firstColumn }: Block,
  rows: number,
  ofRows: Float64Array,
  ofColumns: Float64Array,
  square: boolean,
): void {
  for (let row = 0; row < rows; row += 4) {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    const p0 = from + row * stride;
    const p1 = p0 + stride;
    const p2 = p1 + stride;
    const p3 = p2 + stride;
    for (let column = 0; column < columns; column++) {
      let x0 = data[p0 + column]!;
      let x1 = data[p1 + column]!;
      let x2 = data[p2 + column]!;
      let x3 = data[p3 + column]!;
      if (square) {
        x0 *= x0;
        x1 *= x1;
        x2 *= x2;
        x3 *= x3;
      } else {
        x0 = Math.abs(x0);
        x1 = Math.abs(x1);
        x2 = Math.abs(x2);
        x3 = Math.abs(x3);
      }
      s0 += x0;
      s1 += x1;
      s2 += x2;
      s3 += x3;
      ofColumns[firstColumn + column]! += x0 + x1 + (x2 + x3);
    }
    ofRows[firstRow + row]! += s0;
    ofRows[firstRow + row + 1]! += s1;
    ofRows[firstRow + row + 2]! += s2;
    ofRows[firstRow + row + 3]! += s3;
  }
}

/** Rows of runs: the windows of convolutions. */
function sumFoursOfRuns(
  data: Reals,
  { from, stride, columns, inner, firstRow, firstColumn }: Block,
  rows: number,
  ofRows: Float64Array,
  ofColumns: Float64Array,
  square: boolean,
): void {
  for (let row = 0; row < rows; row += 4) {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    let p0 = from + row * stride;
    let p1 = p0 + stride;
    let p2 = p1 + stride;
    let p3 = p2 + stride;
    for (let column = firstColumn; column < firstColumn + columns; column++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        let x0 = data[p0++]!;
        let x1 = data[p1++]!;
        let x2 = data[p2++]!;
        let x3 = data[p3++]!;
        if (square) {
          x0 *= x0;
          x1 *= x1;
          x2 *= x2;
          x3 *= x3;
        } else {
          x0 = Math.abs(x0);
          x1 = Math.abs(x1);
          x2 = Math.abs(x2);
          x3 = Math.abs(x3);
        }
        s0 += x0;
        s1 += x1;
        s2 += x2;
        s3 += x3;
        sum += x0 + x1 + (x2 + x3);
      }
      ofColumns[column]! += sum;
    }
    ofRows[firstRow + row]! += s0;
    ofRows[firstRow + row + 1]! += s1;
    ofRows[firstRow + row + 2]! += s2;
    ofRows[firstRow + row + 3]! += s3;
  }
}

/** Sums for an axis whose parts lie along a later one. */
function sumParted(
  data: Reals,
  shape: readonly number[],
  axis: number,
  { along, count }: Parts,
  sums: Float64Array,
  square: boolean,
): void {
  const size = shape[axis]!;
  const afterAxis = sizeOf(shape.slice(axis + 1));
  const afterAlong = sizeOf(shape.slice(along + 1));
  const each = shape[along]! / count;
  for (let place = 0; place < data.length; place++) {
    const position = Math.floor(place / afterAxis) % size;
    const part = Math.floor((Math.floor(place / afterAlong) % shape[along]!) / each);
    const x = data[place]!;
    sums[part * size + position]! += square ? x * x : Math.abs(x);
  }
}
