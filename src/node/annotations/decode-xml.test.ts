import { describe, expect, it } from 'vitest';
import { FormatError } from '../../core/errors.ts';
import { decodeXml } from './decode-xml.ts';

const latin = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

describe('decodeXml', () => {
  it('reads UTF-8, with and without a mark', () => {
    const bytes = new TextEncoder().encode('<a>ü</a>');
    expect(decodeXml(bytes)).toBe('<a>ü</a>');
    expect(decodeXml(Uint8Array.of(0xef, 0xbb, 0xbf, ...bytes))).toBe('<a>ü</a>');
  });

  it('reads what the mark or the declaration says', () => {
    const units = Uint16Array.from('\ufeff<a>ü</a>', (letter) => letter.charCodeAt(0));
    const little = new Uint8Array(units.buffer);
    expect(decodeXml(little)).toBe('<a>ü</a>');
    const big = little.map((_, at) => little[at ^ 1]!);
    expect(decodeXml(big)).toBe('<a>ü</a>');
    const declared = `<?xml version="1.0" encoding='ISO-8859-1'?><a>ü</a>`;
    expect(decodeXml(latin(declared))).toBe(declared);
  });

  it('says what is wrong with other bytes', () => {
    expect(() => decodeXml(latin('<a>ü</a>'))).toThrow(FormatError);
    expect(() => decodeXml(latin('<a>ü</a>'))).toThrow('XML: the bytes are no text in utf-8');
    expect(() => decodeXml(latin('<?xml version="1.0" encoding="martian"?>'))).toThrow(
      "XML: the encoding 'martian' is not known",
    );
  });
});
