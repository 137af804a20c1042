import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dim } from '../ir/index.ts';
import {
  addDims,
  ceilDivideDims,
  compareDims,
  divideDims,
  evaluateDim,
  maxDims,
  minDims,
  moduloDims,
  multiplyDims,
  productOfDims,
  scaleDim,
  subtractDims,
  truncateDims,
} from './symbolic.ts';

describe('arithmetic of symbolic dimensions', () => {
  it('writes equal expressions alike', () => {
    expect(multiplyDims('batch', 12)).toBe('12*batch');
    expect(multiplyDims(12, 'batch')).toBe('12*batch');
    expect(addDims(multiplyDims('b', 'a'), 1)).toBe('a*b + 1');
    expect(subtractDims(1, 'n')).toBe('1 - n');
    expect(productOfDims([2, 'h', 3, 'w'])).toBe('6*h*w');
  });

  it('cancels exact divisions and keeps the rest as floor', () => {
    expect(divideDims('12*batch', 12)).toBe('batch');
    expect(divideDims('12*batch + 24', 12)).toBe('batch + 2');
    expect(divideDims(multiplyDims('a + 1', 'b + 2'), 'a + 1')).toBe('b + 2');
    expect(divideDims('6*h*w', 'h')).toBe('6*w');
    expect(divideDims('h', 2)).toBe('floor(h/2)');
    expect(divideDims('4*h + 5', 2)).toBe('2*h + 2');
    expect(divideDims(divideDims('h', 2), 2)).toBe('floor(h/4)');
    expect(divideDims('h + 7', 3)).toBe('floor((h + 1)/3) + 2');
    expect(ceilDivideDims(7, 2)).toBe(4);
    expect(ceilDivideDims('h', 2)).toBe('floor((h + 1)/2)');
    expect(divideDims('h', 0)).toBe(null);
  });

  it('compares by the least size 1 of a symbol', () => {
    expect(compareDims('batch', -1)).toBe(1);
    expect(compareDims('batch', 1)).toBe('>=');
    expect(compareDims('batch', 2)).toBe(null);
    expect(compareDims('a + 1', 'a')).toBe(1);
    expect(compareDims('a', 'a')).toBe(0);
    expect(minDims('batch', 1)).toBe(1);
    expect(minDims('seq', 512)).toBe('min(seq, 512)');
  });

  it('bounds what a division leaves', () => {
    expect(compareDims(subtractDims('w', multiplyDims(2, divideDims('w', 2))), 0)).toBe('>=');
    expect(compareDims(moduloDims('w', 7), 7)).toBe(-1);
    expect(truncateDims(subtractDims('w', multiplyDims(2, ceilDivideDims('w', 2))), 2)).toBe(0);
    expect(truncateDims('w', 2)).toBe('floor(w/2)');
    expect(truncateDims(multiplyDims('w', -1), 2)).toBe('-floor(w/2)');
    expect(truncateDims(subtractDims('w', 9), 2)).toBe(null);
    expect(truncateDims(subtractDims(multiplyDims('w', 2), 8), 2)).toBe('w - 4');
    expect(compareDims('s', minDims('s', 33))).toBe('>=');
    expect(compareDims(minDims('s', 33), 's')).toBe('<=');
    expect(truncateDims(-7, 2)).toBe(-3);
    expect(truncateDims('w', 0)).toBe(null);
  });

  it('lets a slice and its complement add up', () => {
    const head = minDims('h', 3);
    const tail = maxDims(subtractDims('h', 3), 0);
    expect(addDims(head, tail)).toBe('h');
  });

  it('takes names that are no expression as symbols', () => {
    expect(multiplyDims('batch-size', 2)).toBe('2*`batch-size`');
    expect(divideDims('2*`batch-size`', 2)).toBe('batch-size');
    expect(addDims('p2o.DynamicDimension.0', 1)).toBe('p2o.DynamicDimension.0 + 1');
    expect(evaluateDim('2*`batch-size`', { 'batch-size': 4 })).toBe(8);
    expect(evaluateDim('a + b', { 'a + b': 4 })).toBe(4);
    expect(evaluateDim('a + b', { a: 4 })).toBe('b + 4');
  });

  it('scales by simple fractions', () => {
    expect(scaleDim('h', 2)).toBe('2*h');
    expect(scaleDim('h', 0.5)).toBe('floor(h/2)');
    expect(scaleDim('h', 1.1)).toBe(null);
    expect(scaleDim(7, 0.5)).toBe(3);
  });

  it('agrees with numbers for every size, and prints what it reads', () => {
    type Expression = { dim: Dim; value: number };
    const sizes = { a: 3, b: 7, 'odd name': 5 };
    const leaf = fc.oneof(
      fc.integer({ min: 0, max: 9 }).map((n): Expression => ({ dim: n, value: n })),
      fc
        .constantFrom<'a' | 'b' | 'odd name'>('a', 'b', 'odd name')
        .map((name): Expression => ({ dim: name, value: sizes[name] })),
    );
    const { tree } = fc.letrec<{ tree: Expression; node: Expression }>((tie) => ({
      tree: fc.oneof({ maxDepth: 4 }, leaf, tie('node')),
      node: fc
        .tuple(fc.constantFrom('+', '-', '*', '/', 'min', 'max', '%'), tie('tree'), tie('tree'))
        .map(([operation, x, y]): Expression => {
          const divisor = Math.abs(y.value) + 1;
          const by = typeof y.dim === 'number' ? Math.abs(y.dim) + 1 : 4;
          switch (operation) {
            case '+':
              return { dim: addDims(x.dim, y.dim), value: x.value + y.value };
            case '-':
              return { dim: subtractDims(x.dim, y.dim), value: x.value - y.value };
            case '*':
              return { dim: multiplyDims(x.dim, y.dim), value: x.value * y.value };
            case '/':
              return typeof y.dim === 'number'
                ? { dim: divideDims(x.dim, divisor), value: Math.floor(x.value / divisor) }
                : { dim: divideDims(x.dim, by), value: Math.floor(x.value / by) };
            case '%':
              return { dim: moduloDims(x.dim, by), value: x.value - by * Math.floor(x.value / by) };
            case 'min':
              return { dim: minDims(x.dim, y.dim), value: Math.min(x.value, y.value) };
            default:
              return { dim: maxDims(x.dim, y.dim), value: Math.max(x.value, y.value) };
          }
        }),
    }));
    fc.assert(
      fc.property(tree, ({ dim, value }) => {
        if (dim === null) return;
        expect(evaluateDim(dim, sizes)).toBe(value + 0);
        expect(addDims(dim, 0)).toBe(dim);
        const order = compareDims(dim, 4);
        const sign = Math.sign(value - 4);
        if (order === '>=') expect(sign).toBeGreaterThanOrEqual(0);
        else if (order === '<=') expect(sign).toBeLessThanOrEqual(0);
        else if (order !== null) expect(sign).toBe(order);
        const cut = truncateDims(dim, 3);
        if (cut !== null) expect(evaluateDim(cut, sizes)).toBe(Math.trunc(value / 3) + 0);
      }),
      { numRuns: 5000 },
    );
  });
});
