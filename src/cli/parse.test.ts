import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearest } from '../core/nearest.ts';
import { axis, parseAmount, parseShape, wholeNumber } from './parse.ts';

describe('values of options', () => {
  it('take shapes with commas or x, named or not, and gather them', () => {
    const first = parseShape('1,3,640,640');
    expect(first).toEqual([{ input: null, shape: [1, 3, 640, 640] }]);
    expect(parseShape('a=b=2x3', first)[1]).toEqual({ input: 'a=b', shape: [2, 3] });
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1 }), (shape) => {
        expect(parseShape(`x=${shape.join(',')}`)).toEqual([{ input: 'x', shape }]);
      }),
    );
    for (const text of ['', 'x=', '1,,2', '0,3', '-1', '1.5', '1,n']) {
      expect(() => parseShape(text)).toThrow('expected whole numbers like 1,3,640,640');
    }
  });

  it('take amounts as shares and counts', () => {
    expect(['0.3', '30%', '.5', '1.0', '0', '1e-1'].map(parseAmount)).toEqual([0.3, 0.3, 0.5, 1, 0, 0.1]);
    expect(['1', '25'].map(parseAmount)).toEqual([{ count: 1 }, { count: 25 }]);
    for (const text of ['', ' ', 'x', '-0.1', '-5', 'Infinity', '%']) {
      expect(() => parseAmount(text)).toThrow('expected a share such as 0.3 or 30%');
    }
    for (const text of ['1.5', '130%']) expect(() => parseAmount(text)).toThrow('a share must be at most 1');
    expect(() => parseAmount('90071992547409930')).toThrow('a count must be a whole number');
  });

  it('take whole numbers', () => {
    expect(wholeNumber(1)('7')).toBe(7);
    for (const text of ['0', '', '1.5', 'x', '-3'])
      expect(() => wholeNumber(1)(text)).toThrow('a whole number of at least 1');
    expect(axis('-1')).toBe(-1);
    for (const text of ['', '0.5', 'x']) expect(() => axis(text)).toThrow('expected a whole number');
  });
});

describe('nearest', () => {
  it('finds what was meant, and nothing far off', () => {
    const names = ['lenet5', 'yolov5n', 'yolov5s', 'mobilenet_v2'];
    expect(nearest('yolo5s', names)).toBe('yolov5s');
    expect(nearest('mobilenetv2', names)).toBe('mobilenet_v2');
    expect(nearest('vgg16', names)).toBeNull();
    expect(nearest('', names)).toBeNull();
  });
});
