import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { axisChannel, extent, logTicks, rangeText } from './axis.ts';

describe('axisChannel', () => {
  const domainOf = (axis: object, values: number[]) =>
    axisChannel('x', { title: 'x', ...axis }, values, { ticks: 5, room: 100 }).scale.domain;

  it('spans the values, and zero where asked', () => {
    expect(domainOf({}, [3, 5, 4])).toEqual([3, 5]);
    expect(domainOf({ zero: true }, [3, 5])).toEqual([0, 5]);
    expect(domainOf({ zero: true }, [-3, -1])).toEqual([-3, 0]);
  });

  it('gives equal values room', () => {
    expect(domainOf({}, [0])).toEqual([-1, 1]);
    const [low = 0, high = 0] = domainOf({ scale: 'log' }, [20, 20]);
    expect(low).toBeGreaterThan(0);
    expect(low).toBeLessThan(20);
    expect(high).toBeGreaterThan(20);
  });
});

describe('logTicks', () => {
  it('steps finer where there are few powers of ten', () => {
    expect(logTicks(0.1, 1)).toEqual([0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1]);
    expect(logTicks(0.01, 1)).toEqual([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]);
    expect(logTicks(1, 1e5)).toEqual([1, 10, 100, 1e3, 1e4, 1e5]);
  });

  it('gives few ticks, all inside', () => {
    const exponents = fc.tuple(
      fc.double({ min: -30, max: 30, noNaN: true }),
      fc.double({ min: 0.5, max: 40, noNaN: true }),
    );
    fc.assert(
      fc.property(exponents, ([from, decades]) => {
        const [low, high] = [10 ** from, 10 ** (from + decades)];
        const ticks = logTicks(low, high);
        expect(ticks.length).toBeGreaterThanOrEqual(1);
        expect(ticks.length).toBeLessThanOrEqual(13);
        for (const tick of ticks) {
          expect(tick).toBeGreaterThanOrEqual(low * (1 - 1e-8));
          expect(tick).toBeLessThanOrEqual(high * (1 + 1e-8));
        }
      }),
    );
  });
});

describe('extent and rangeText', () => {
  it('find least and greatest of more numbers than a call takes', () => {
    const many = Array.from({ length: 300_000 }, (_, index) => index);
    expect(extent(many)).toEqual([0, 299_999]);
    expect(extent([])).toEqual([0, 1]);
  });

  it('say one value once', () => {
    expect(rangeText([0.5, 0.25], { title: 'y', format: 'percent' })).toBe('25.00\u202f% to 50.00\u202f%');
    expect(rangeText([7, 7], { title: 'y' })).toBe('7');
  });
});
