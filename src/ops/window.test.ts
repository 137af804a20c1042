import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oneNode } from '../../test/one-node.ts';
import { attr } from '../ir/index.ts';
import { evaluateDim } from './symbolic.ts';
import { type AxisWindow, windowCount } from './window.ts';

const axisWindow = fc.record({
  kernel: fc.integer({ min: 1, max: 5 }),
  stride: fc.integer({ min: 1, max: 4 }),
  dilation: fc.integer({ min: 1, max: 3 }),
  begin: fc.integer({ min: 0, max: 4 }),
  end: fc.integer({ min: 0, max: 4 }),
  autoPad: fc.constant('NOTSET' as const),
});

/** Walks the window along the padded image and counts the places it may take. */
function walk(size: number, { kernel, stride, dilation, begin, end }: AxisWindow, ceil: boolean): number {
  const span = dilation * (kernel - 1) + 1;
  let count = 0;
  for (let start = -begin; ; start += stride) {
    const fits = start + span <= size + end;
    // Rounding up takes one more window that reaches over the end, if it starts before the padding there.
    const reaches = ceil && start - stride + span < size + end && start < size;
    if (!fits && !reaches) return count;
    if (ceil && start >= size) return count;
    count++;
  }
}

describe('windowCount', () => {
  it('counts the windows that a walk along the padded image finds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), axisWindow, (size, axis) => {
        const span = axis.dilation * (axis.kernel - 1) + 1;
        fc.pre(size + axis.begin + axis.end >= span);
        expect(windowCount(size, axis)).toBe(walk(size, axis, false));
      }),
    );
  });

  it('rounds up in ceil mode, without a window that starts behind the image', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), axisWindow, (size, axis) => {
        const span = axis.dilation * (axis.kernel - 1) + 1;
        fc.pre(size + axis.begin + axis.end >= span);
        expect(windowCount(size, axis, true)).toBe(walk(size, axis, true));
      }),
    );
    const pool: AxisWindow = { kernel: 2, stride: 2, dilation: 1, begin: 1, end: 1, autoPad: 'NOTSET' };
    // ceil((3 + 2 - 2) / 2) + 1 = 3, but the third window would start at 3, in the padding behind.
    expect(windowCount(3, pool, true)).toBe(2);
    expect(windowCount(4, pool, true)).toBe(3);
  });

  it('is ceil(size / stride) where the padding is to keep the size', () => {
    const axis: AxisWindow = { kernel: 3, stride: 2, dilation: 1, begin: 0, end: 0, autoPad: 'SAME_UPPER' };
    expect([4, 5, 6].map((size) => windowCount(size, axis))).toEqual([2, 3, 3]);
  });

  it('gives an expression for a symbolic size that agrees with each number put in its place', () => {
    fc.assert(
      fc.property(fc.integer({ min: 13, max: 60 }), axisWindow, fc.boolean(), (size, axis, ceil) => {
        const expression = windowCount('width', axis, ceil);
        expect(evaluateDim(expression, { width: size })).toBe(windowCount(size, axis, ceil));
      }),
    );
  });

  it('leaves a symbolic size alone where stride and padding keep it', () => {
    const axis: AxisWindow = { kernel: 3, stride: 1, dilation: 1, begin: 1, end: 1, autoPad: 'NOTSET' };
    expect(windowCount('width', axis)).toBe('width');
    expect(windowCount(null, axis)).toBe(null);
  });
});

describe('windows that make no sense', () => {
  const pool = (attributes: Parameters<typeof oneNode>[2]): (() => unknown) => {
    return () => oneNode('MaxPool', ['float32[1, 2, 8, 8]'], attributes);
  };
  const kernel = attr.ints([2, 2]);

  it.each([
    [{}, 'attribute kernel_shape is required and missing'],
    [{ kernel_shape: attr.ints([2]) }, 'kernel_shape expects 2 numbers for 2 spatial dimensions, got 1'],
    [{ kernel_shape: attr.ints([2, 0]) }, 'kernel_shape expects numbers of at least 1, got 0'],
    [{ kernel_shape: kernel, strides: attr.ints([0, 1]) }, 'strides expects numbers of at least 1, got 0'],
    [{ kernel_shape: kernel, strides: attr.ints([1]) }, 'strides expects 2 numbers, got 1 ([1])'],
    [
      { kernel_shape: kernel, dilations: attr.ints([1, -1]) },
      'dilations expects numbers of at least 1, got -1',
    ],
    [{ kernel_shape: kernel, pads: attr.ints([1, 1]) }, 'pads expects 4 numbers, got 2 ([1, 1])'],
    [{ kernel_shape: kernel, pads: attr.ints([0, 0, 0, -1]) }, 'pads expects numbers of at least 0, got -1'],
    [
      { kernel_shape: kernel, auto_pad: attr.string('SAME') },
      "auto_pad expects one of NOTSET, VALID, SAME_UPPER, SAME_LOWER, got 'SAME'",
    ],
    [
      { kernel_shape: attr.ints([9, 2]) },
      "the window spans 9 along spatial axis 0, more than the padded input's 8; use a larger input or more padding",
    ],
  ])('%o: %s', (attributes, message) => {
    expect(pool({ attributes })).toThrow(`MaxPool 'node': ${message} (input0 float32[1, 2, 8, 8])`);
  });
});
