import { describe, expect, it } from 'vitest';
import { archive, data, dictOf, int32, pickle, tensorOf, text } from '../../../test/made-pickles.ts';
import { concatBytes } from '../chunks.ts';
import { storeZip } from '../zip-writer.ts';
import { parsePyTorch } from './parse-pytorch.ts';

// Small files that would make much: what is held once and named often. Each has no end, or none in memory, where it is made anew for each name.

const times = (count: number, part: string | ((index: number) => string)): string =>
  typeof part === 'string' ? part.repeat(count) : Array.from({ length: count }, (_, i) => part(i)).join('');

const weights = `${text('model')}${dictOf(tensorOf())}`;
/** A type of one byte, a text of a mebibyte and its shape, in the memo's places 0 to 2. */
const oldArray = `cnumpy\ndtype\n(${text('i1')}K\x00K\x01tRq\x00${text('a'.repeat(2 ** 20))}q\x01(J${int32(2 ** 20)}tq\x02`;
const arrayState = '(K\x01h\x02h\x00\x89h\x01tq\x03';
const arrayOf = 'cnumpy.core.multiarray\n_reconstruct\n)Rh\x03b';

describe('files that make more than they hold', () => {
  it.for<[string, () => Uint8Array]>([
    [
      'objects with named arguments',
      () => archive(`cm\nC\nq\x00(${times(1e4, 'N')}tq\x01}NNsq\x02](${times(500, 'h\x00h\x01h\x02\x92')}e`),
    ],
    ['objects with arguments', () => archive(`](${times(20, `(cm\nC\n${times(2e4, 'N')}o`)}e`)],
    ['tuples in tuples', () => archive(`N${times(1e5, '\x85')}`)],
    ['lists with an item', () => archive(`](${times(25_000, ']Na')}e`)],
    [
      "arrays of Python 2's text",
      () => archive(`${oldArray}${arrayState}}(${times(100, (i) => text(`k${i}`) + arrayOf)}u`),
    ],
    [
      "one array of Python 2's text by many names",
      () =>
        archive(`${oldArray}${arrayState}${arrayOf}q\x04}(${times(100, (i) => `${text(`k${i}`)}h\x04`)}u`),
    ],
    [
      'metadata that is held once',
      () =>
        archive(
          `](${times(1000, 'N')}eq\x00}(${weights}${times(100, (i) => `${text(`k${i}`)}h\x00`)}u`,
          data,
        ),
    ],
    ['a quoted text', () => archive(`S'${'a'.repeat(2 ** 20)}'\n`)],
  ])('%s are refused for the memory they take', ([, make]) => {
    expect(() => parsePyTorch(make(), { maxBytes: 5e6 })).toThrow(
      /reading it takes more than 5000000 bytes of memory; raise maxBytes/,
    );
  });

  it('dicts and texts that are compared again and again are judged once', () => {
    const dict = `}(${times(5e4, (i) => `${text(`k${i}`)}N`)}uq\x00`;
    const many = `}(${times(5e4, (i) => `${text(`x${i}`)}h\x00`)}u`;
    expect(() => parsePyTorch(archive(`}(${text('a')}${dict}${text('b')}${many}u`))).toThrow(
      /holds no weights by name/,
    );
    const scalar = `cnumpy.core.multiarray\nscalar\nq\x03(h\x00h\x01tq\x04${times(1e5, 'h\x03h\x04R0')}`;
    expect(() => parsePyTorch(archive(oldArray + scalar))).toThrow(/holds no weights by name/);
    const wrapped = archive(`}${text('module.'.repeat(1e5))}${tensorOf()}s`, data);
    expect([...parsePyTorch(wrapped).tensors.keys()]).toEqual(['']);
    const keys = `${text('y'.repeat(2 ** 20))}q\x00(${times(24, 'h\x00')}tq\x01`;
    const long = archive(`${keys}}(${weights}${times(2e3, (i) => `${text(`k${i}`)}}(h\x01Nu`)}u`, data);
    expect(Object.keys(parsePyTorch(long).metadata.k0 as object)[0]).toMatch(/^\(y{60}…, /);
  });

  it('lists some of very many networks', () => {
    const dict = `${dictOf(tensorOf())}q\x00`;
    const many = `}(${text('a')}${dict}${times(2e5, (i) => `${text(`x${i}`)}h\x00`)}u`;
    expect(() => parsePyTorch(archive(`}${text('all')}${many}s`, data))).toThrow(
      /name the part to read: 'all\.a', ('all\.x\d', ){7}…$/,
    );
  });

  it('long names and keys are refused', () => {
    const name = text('y'.repeat(2000));
    expect(() => parsePyTorch(archive(`${text('m')}${name}\x93`))).toThrow(
      /the name of a class or function is longer than 1024 characters/,
    );
    const id = `(${text('storage')}ctorch\nFloatStorage\n${name}${text('cpu')}K\x04tQ`;
    expect(() => parsePyTorch(archive(id))).toThrow(/a persistent id has the text 'y{60}…' as its key/);
  });

  it('an archive whose directory names the same bytes twice is refused', () => {
    const files = [5000, 10].map((size, index) => ({ name: `a/data/${index}`, bytes: new Uint8Array(size) }));
    const bytes = concatBytes(storeZip([{ name: 'a/data.pkl', bytes: pickle('N') }, ...files], 64));
    const directory = new DataView(bytes.buffer).getUint32(bytes.byteLength - 6, true);
    const second = directory + 46 + 'a/data.pkl'.length;
    const third = second + 46 + 'a/data/0'.length;
    bytes.copyWithin(third, second, second + 46);
    expect(() => parsePyTorch(bytes)).toThrow(/a\/data\/1: the files of the archive overlap/);
  });
});
