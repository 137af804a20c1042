import { FormatError } from '../../core/errors.ts';

/** Marks at the beginning of a text that say how it is encoded. */
const MARKS: readonly (readonly [bytes: readonly number[], encoding: string])[] = [
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
];

const DECLARED = /^<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]+)["']/;

/** Bytes in which a declaration ends, if there is one. */
const MOST_DECLARED = 200;

/**
 * Text of an XML file: UTF-8, unless its first bytes or its declaration say otherwise. Throws FormatError for bytes that are no such text, and for an encoding that is not known.
 */
export function decodeXml(bytes: Uint8Array): string {
  const marked = MARKS.find(([mark]) => mark.every((byte, index) => bytes[index] === byte))?.[1];
  // Declarations are ASCII in every encoding that is read by them.
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, MOST_DECLARED)).replace(/^ï»¿/, '');
  const encoding = marked ?? DECLARED.exec(head)?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof RangeError) {
      throw new FormatError('XML', `the encoding '${encoding}' is not known`, {}, { cause: error });
    }
    throw new FormatError('XML', `the bytes are no text in ${encoding}`, {}, { cause: error });
  }
}
