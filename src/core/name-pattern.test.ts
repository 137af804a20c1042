import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { namePattern } from './name-pattern.ts';

describe('namePattern', () => {
  it('takes * for any characters and ? for one', () => {
    const matches = (pattern: string, name: string): boolean => namePattern(pattern).test(name);
    expect(matches('model.*.conv', 'model.0.m.1.conv')).toBe(true);
    expect(matches('model.?.conv', 'model.0.conv')).toBe(true);
    expect(matches('model.?.conv', 'model.10.conv')).toBe(false);
    expect(matches('model.24', 'model.24.m')).toBe(false);
    expect(matches('model.24', 'modelx24')).toBe(false);
  });

  it('takes brackets for one of the characters in them', () => {
    const matching = (pattern: string): string[] =>
      ['model.0', 'model.4', 'model.7', 'model.10', 'model.[7-0]', 'model.[.]'].filter((name) =>
        namePattern(pattern).test(name),
      );
    expect(matching('model.[0-4]')).toEqual(['model.0', 'model.4']);
    expect(matching('model.[47]')).toEqual(['model.4', 'model.7']);
    expect(matching('model.[1][0-9]')).toEqual(['model.10']);
    expect(matching('model.[7-0]')).toEqual(['model.[7-0]']);
    expect(matching('model.[.]')).toEqual(['model.[.]']);
  });

  it('means what stands in a name, too, where it is asked to', () => {
    const matches = (pattern: string, name: string): boolean =>
      namePattern(pattern, { within: true }).test(name);
    expect(matches('model.24', 'model.24.m.0')).toBe(true);
    expect(matches('model.24', 'model.24')).toBe(true);
    expect(matches('model.2', 'model.24')).toBe(false);
  });

  it('takes everything else for what it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        fc.pre(!/[*?]|\[[^\]]+\]/.test(name));
        expect(namePattern(name).test(name)).toBe(true);
        expect(namePattern(name).test(`${name}x`)).toBe(false);
      }),
    );
  });
});
