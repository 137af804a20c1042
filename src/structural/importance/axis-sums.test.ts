import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromFloat32 } from '../../core/float16.ts';
import { sizeOf, stridesOf, Tensor } from '../../core/tensor.ts';
import { type AxisOf, axisSums, lengthOf } from './axis-sums.ts';
import { rowsOf } from './fpgm.ts';

/** Where an element counts for an axis, by its place along all axes. */
function indexOf(place: readonly number[], shape: readonly number[], { axis, parts }: AxisOf): number {
  if (!parts) return place[axis]!;
  const each = shape[parts.along]! / parts.count;
  return Math.floor(place[parts.along]! / each) * shape[axis]! + place[axis]!;
}

const placeOf = (at: number, shape: readonly number[]): number[] =>
  stridesOf(shape).map((stride, axis) => Math.floor(at / stride) % shape[axis]!);

const shapes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 });

/** A shape with some of its axes, among them such as go by parts of another. */
const asked = shapes.chain((shape) => {
  const parted = shape.flatMap((_, axis) =>
    shape.flatMap((size, along) =>
      along === axis
        ? []
        : [1, 2, 3].filter((count) => size % count === 0).map((count) => ({ axis, parts: { along, count } })),
    ),
  );
  const all: AxisOf[] = [...shape.keys()].map((axis) => ({ axis }));
  return fc.record({
    shape: fc.constant(shape),
    axes: fc.shuffledSubarray([...all, ...parted], { minLength: 1 }),
  });
});

const numbers = (count: number): Float64Array =>
  Float64Array.from({ length: count }, (_, at) => Math.sin(at * 12.9898 + 1) * 3);

describe('axisSums', () => {
  it('sums magnitudes and squares over all but the axes asked for, in any order and combination', () => {
    fc.assert(
      fc.property(asked, fc.constantFrom(1 as const, 2 as const), ({ shape, axes }, power) => {
        const data = numbers(sizeOf(shape));
        const sums = axisSums(new Tensor('float64', shape, data), axes, power);
        axes.forEach((axis, index) => {
          const expected = new Float64Array(lengthOf(shape, axis));
          data.forEach((x, at) => {
            expected[indexOf(placeOf(at, shape), shape, axis)]! += Math.abs(x) ** power;
          });
          expect(sums[index]!.length).toBe(expected.length);
          const errors = expected.map((sum, at) => Math.abs(sum - sums[index]![at]!));
          expect(Math.max(...errors)).toBeLessThan(1e-9);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('reads small floats and integers as the numbers they stand for', () => {
    const half = fromFloat32(new Tensor('float32', [2, 2], Float32Array.of(0.5, -1, 2, 4)), 'float16');
    expect(axisSums(half, [{ axis: 0 }, { axis: 1 }], 1).map((sums) => [...sums])).toEqual([
      [1.5, 6],
      [2.5, 5],
    ]);
    const bytes = new Tensor('int8', [3], Int8Array.of(-3, 0, 2));
    expect(axisSums(bytes, [{ axis: 0 }], 2).map((sums) => [...sums])).toEqual([[9, 0, 4]]);
  });
});

describe('rowsOf', () => {
  it('gives what lies at each index as a row', () => {
    fc.assert(
      fc.property(asked, ({ shape, axes }) => {
        const data = numbers(sizeOf(shape));
        for (const axis of axes) {
          const rows = rowsOf(new Tensor('float64', shape, data), axis);
          const expected: number[][] = Array.from({ length: lengthOf(shape, axis) }, () => []);
          data.forEach((x, at) => {
            expected[indexOf(placeOf(at, shape), shape, axis)]!.push(x);
          });
          expect(rows.shape[0]).toBe(expected.length);
          expect([...rows.data]).toEqual(expected.flat());
        }
      }),
      { numRuns: 100 },
    );
  });
});
