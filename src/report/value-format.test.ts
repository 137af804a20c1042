import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatValue, sharedDigits } from './value-format.ts';

/** With ordinary spaces and minus signs, so that the lines below can be typed. */
const format = (...args: Parameters<typeof formatValue>): string =>
  formatValue(...args)
    .replaceAll('\u202f', ' ')
    .replaceAll('\u2212', '-');

describe('formatValue', () => {
  it('writes numbers in every format', () => {
    expect(format(1234567, 'integer')).toBe('1,234,567');
    expect(format(0.29917, 'percent')).toBe('29.92 %');
    expect(format(1, 'percent')).toBe('100.00 %');
    expect(format(28_100_000, 'bytes')).toBe('28.10 MB');
    expect(format(3248, 'bytes')).toBe('3.25 kB');
    expect(format(1.5e9, 'bytes')).toBe('1.50 GB');
    expect(format(324, 'bytes')).toBe('324 B');
    expect(format(10.25, 'ratio')).toBe('10.25×');
    expect(format(2.5, 'text')).toBe('2.5');
  });

  it('writes plain numbers with as many digits as four significant ones need', () => {
    expect([0, 1, 0.5, 0.98714, 12.3456, 81194, 0.00123456].map((value) => format(value))).toEqual([
      '0',
      '1',
      '0.5',
      '0.9871',
      '12.35',
      '81,194',
      '0.001235',
    ]);
    expect(format(1.5e-7)).toBe('1.5e-7');
    expect(format(1.23456e12)).toBe('1.235e+12');
    expect(format(-0.25)).toBe('-0.25');
  });

  it('takes the digits after the point as given', () => {
    expect(format(2, 'number', 3)).toBe('2.000');
    expect(format(99.96, 'ratio', 1)).toBe('100.0×');
    expect(format(0.98765, 'percent', 0)).toBe('99 %');
    expect(format(2_345_678, 'bytes', 1)).toBe('2.3 MB');
  });

  it('shows a dash for what is missing', () => {
    expect([null, Number.NaN, Number.POSITIVE_INFINITY].map((value) => format(value))).toEqual([
      '–',
      '–',
      '–',
    ]);
  });

  it('stays within half of the fourth significant digit', () => {
    const values = fc.double({ min: 1e-4, max: 1e8, noNaN: true });
    fc.assert(
      fc.property(values, (value) => {
        const shown = Number(format(value).replaceAll(',', ''));
        expect(Math.abs(shown - value)).toBeLessThanOrEqual(Math.abs(value) * 0.00051);
      }),
    );
  });
});

describe('sharedDigits', () => {
  it('is what the number that needs most needs, and undefined where plain digits would not do', () => {
    expect(sharedDigits([1, 0.98, 0.9871])).toBe(4);
    expect(sharedDigits([1, 20])).toBe(0);
    expect(sharedDigits([])).toBe(0);
    expect(sharedDigits([1, 1e-9])).toBeUndefined();
  });
});
