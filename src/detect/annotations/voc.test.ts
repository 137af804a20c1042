import { describe, expect, it } from 'vitest';
import { FormatError } from '../../core/errors.ts';
import { parseVocAnnotation } from './voc.ts';

const object = (name: string, corners: readonly (number | string)[], more = ''): string => {
  const [xmin, ymin, xmax, ymax] = corners;
  return `<object><name>${name}</name>${more}<bndbox><xmin>${xmin}</xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox></object>`;
};

const annotation = (inside: string): string => `<annotation>${inside}</annotation>`;

describe('parseVocAnnotation', () => {
  it('reads name, size and objects, whose pixels count from 1', () => {
    const text = `<?xml version="1.0" encoding="UTF-8"?>
      <!-- made by hand -->
      <annotation verified="yes">
        <folder>VOC2007</folder><filename>000005 &amp; more.jpg</filename><path>C:\\images\\x.jpg</path>
        <size><width>500</width><height>375</height><depth>3</depth></size>
        ${object('chair', [263, 211, 324, 339], '<difficult>0</difficult>')}
        ${object(' <![CDATA[dining <table>]]> ', [' 1.5 ', 1, '2e2', 375], '<difficult>1</difficult>')}
      </annotation>`;
    expect(parseVocAnnotation(text)).toEqual({
      fileName: '000005 & more.jpg',
      size: { height: 375, width: 500 },
      objects: [
        { name: 'chair', box: [262, 210, 324, 339], mark: null },
        { name: 'dining <table>', box: [0.5, 0, 200, 375], mark: 'difficult' },
      ],
    });
  });

  it('takes coordinates as they are where they count from 0', () => {
    const { objects } = parseVocAnnotation(annotation(object('a', [0, 3, 10, 20])), { origin: 0 });
    expect(objects[0]!.box).toEqual([0, 3, 10, 20]);
  });

  it('reads what has no size, no name and no objects', () => {
    const nothing = { fileName: null, size: null, objects: [] };
    expect(parseVocAnnotation('\ufeff<annotation/>')).toEqual(nothing);
    const zeros = annotation('<filename/><size><width>0</width><height>0</height></size>');
    expect(parseVocAnnotation(zeros)).toEqual(nothing);
  });

  it('does not take the parts of an object for objects, nor their boxes for its box', () => {
    const part = `<part>${object('head', [7, 7, 8, 8]).replace(/<.?object>/g, '')}</part>`;
    const { objects } = parseVocAnnotation(annotation(object('person', [1, 2, 3, 4], part)));
    expect(objects).toEqual([{ name: 'person', box: [0, 1, 3, 4], mark: null }]);
  });

  it.each([
    ['<html><body/></html>', 'VOC annotation: expected the element <annotation>, got <html>'],
    ['', 'VOC annotation: is no XML: line 1:0: document must contain a root element.'],
    ['<annotation><object>', 'VOC annotation: is no XML: line 1:20: unclosed tag: object'],
    [annotation('<object/>'), 'VOC annotation: object 1 has no <name>'],
    [
      annotation('<object><name>a</name></object>'),
      "VOC annotation: object 1 ('a'): <xmin> of <bndbox> is missing; expected a number",
    ],
    [
      annotation(object('a', [1, 1, 2, 2]) + object('b', [1, 'x', 2, 2])),
      "VOC annotation: object 2 ('b'): <ymin> of <bndbox> is 'x'; expected a number",
    ],
    [
      annotation(object('b', [1, 1, 'Infinity', 2])),
      "VOC annotation: object 1 ('b'): <xmax> of <bndbox> is 'Infinity'; expected a number",
    ],
  ])('says what is wrong with %j', (text, message) => {
    expect(() => parseVocAnnotation(text)).toThrow(FormatError);
    expect(() => parseVocAnnotation(text)).toThrow(message);
  });

  it('expands no entities but the predefined ones', () => {
    const laughs = Array.from(
      { length: 9 },
      (_, i) => `<!ENTITY lol${i + 1} "${`&lol${i === 0 ? '' : i};`.repeat(10)}">`,
    ).join('');
    for (const [declared, entity] of [
      [`<!ENTITY lol "lol">${laughs}`, 'lol9'],
      ['<!ENTITY file SYSTEM "file:///etc/passwd">', 'file'],
      ['<!ELEMENT annotation ANY>', 'constructor'],
    ]) {
      const text = `<!DOCTYPE annotation [${declared}]>${annotation(`<filename>&${entity};</filename>`)}`;
      expect(() => parseVocAnnotation(text), entity).toThrow(/is no XML: line 1:\d+: undefined entity/);
    }
  });

  it('stops where elements lie too deep in each other, and where a document is too long', () => {
    const deep = `<annotation>${'<a>'.repeat(100_000)}`;
    expect(() => parseVocAnnotation(deep)).toThrow(
      'VOC annotation: elements lie in each other more than 32 deep',
    );
    const long = annotation(' '.repeat(10_000_000));
    expect(() => parseVocAnnotation(long)).toThrow(
      'VOC annotation: has 10000025 characters; expected at most 10000000 for one image',
    );
  });
});
