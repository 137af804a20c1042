import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classNamesOf, parseClassNames, printClassNames } from './index.ts';

describe('parseClassNames', () => {
  it("reads Python's lists and maps", () => {
    expect(parseClassNames("['person', 'car']")).toEqual(['person', 'car']);
    expect(parseClassNames("{0: 'person', 1: \"driver's car\"}")).toEqual(['person', "driver's car"]);
    expect(parseClassNames("('a',)")).toEqual(['a']);
    expect(parseClassNames("[u'a', 'it\\'s\\n\\xe9\\u00e9']")).toEqual(['a', "it's\néé"]);
  });

  it('reads JSON', () => {
    expect(parseClassNames('{"0": "a", "1": "b, c: d"}')).toEqual(['a', 'b, c: d']);
    const names = fc.array(fc.string(), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(names, (list) => {
        expect(parseClassNames(JSON.stringify(list))).toEqual(list);
      }),
    );
  });

  it('goes by the numbers of a map, and gives names to those it leaves out', () => {
    expect(parseClassNames("{2: 'c', 0: 'a'}")).toEqual(['a', 'class 1', 'c']);
  });

  it.each([
    '',
    '[]',
    '{}',
    'person',
    "['a'",
    "['a' 'b']",
    "['a', 1]",
    "{'x': 'a'}",
    "{0 'a'}",
    "{99999999999: 'a'}",
    "[['a']]",
    "{0: 'a'} and more",
  ])('gives null for %s', (text) => {
    expect(parseClassNames(text)).toBeNull();
  });
});

describe('printClassNames', () => {
  it('writes what Python prints of a map', () => {
    expect(printClassNames(['person', "driver's car", 'say "hi"', `a'b"c`, 'a\\b\n'])).toBe(
      `{0: 'person', 1: "driver's car", 2: 'say "hi"', 3: 'a\\'b"c', 4: 'a\\\\b\\n'}`,
    );
  });

  it('writes what is read as the same', () => {
    const names = fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(names, (list) => {
        expect(parseClassNames(printClassNames(list))).toEqual(list);
      }),
    );
  });
});

describe('classNamesOf', () => {
  it('takes lists and maps from numbers', () => {
    expect(classNamesOf(['a', 'b'])).toEqual(['a', 'b']);
    expect(classNamesOf({ 0: 'a', 2: 'c' })).toEqual(['a', 'class 1', 'c']);
    for (const other of [null, undefined, 'a', [], {}, [1], { a: 'b' }, { '-1': 'a' }])
      expect(classNamesOf(other)).toBeNull();
  });
});
