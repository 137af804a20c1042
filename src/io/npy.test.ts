import fc from 'fast-check';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { FormatError, SecateurError, UnsupportedError } from '../core/errors.ts';
import { concatBytes } from './chunks.ts';
import { parseNpy, parseNpz } from './npy.ts';

/** A file of this header text, as `numpy.save` lays it out, and these bytes. */
function npy(header: string, data: Uint8Array = new Uint8Array(0), version = 1): Uint8Array {
  const text = new TextEncoder().encode(header);
  const head = new Uint8Array(version === 1 ? 10 : 12);
  head.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  if (version === 1) new DataView(head.buffer).setUint16(8, text.byteLength, true);
  else new DataView(head.buffer).setUint32(8, text.byteLength, true);
  return concatBytes([head, text, data]);
}

const headerOf = (descr: string, shape: string, fortran = 'False'): string =>
  `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }          \n`;

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

describe('parseNpy', () => {
  it.for([1, 2, 3])('reads version %i without copying', (version) => {
    const file = npy(headerOf("'<f4'", '(2, 3)'), floats(0, 1, 2, 3, 4, 5), version);
    const tensor = parseNpy(file);
    expect(String(tensor)).toBe('float32[2, 3]');
    expect(tensor.bytes.buffer).toBe(file.buffer);
    expect([...tensor.float32]).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('transposes Fortran order: the first axis is the fastest in the file', () => {
    // numpy.save of numpy.array([[0, 1, 2], [3, 4, 5]], order='F') stores 0 3 1 4 2 5.
    const tensor = parseNpy(npy(headerOf("'<f4'", '(2, 3)', 'True'), floats(0, 3, 1, 4, 2, 5)));
    expect(tensor.shape).toEqual([2, 3]);
    expect([...tensor.float32]).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('transposes any shape: element [i, j, k] lies at i + j·I + k·I·J', () => {
    fc.assert(
      fc.property(fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)), ([I, J, K]) => {
        const stored = Int16Array.from({ length: I * J * K }, (_, index) => index);
        const file = npy(headerOf("'<i2'", `(${I}, ${J}, ${K})`, 'True'), new Uint8Array(stored.buffer));
        const expected: number[] = [];
        for (let i = 0; i < I; i++)
          for (let j = 0; j < J; j++) for (let k = 0; k < K; k++) expected.push(i + j * I + k * I * J);
        expect(parseNpy(file).toNumbers()).toEqual(expected);
      }),
    );
  });

  it.for<[string, number[], string, (number | bigint)[]]>([
    ["'>f4'", [0x3f, 0xc0, 0, 0], 'float32', [1.5]],
    ["'>i8'", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], 'int64', [-2n]],
    ["'>c8'", [0x3f, 0x80, 0, 0, 0x40, 0, 0, 0], 'complex64', [1, 2]],
    ["'<f2'", [0x00, 0x3c], 'float16', [0x3c00]],
    ["'>f2'", [0x3c, 0x00], 'float16', [0x3c00]],
    ["'|b1'", [1], 'bool', [1]],
    ["'?'", [0], 'bool', [0]],
    ["'|i1'", [0xff], 'int8', [-1]],
    ["'=u4'", [1, 0, 0, 0], 'uint32', [1]],
    ["'<f8'", [0, 0, 0, 0, 0, 0, 0xf0, 0x3f], 'float64', [1]],
  ])('reads the type %s', ([descr, bytes, dtype, expected]) => {
    const tensor = parseNpy(npy(headerOf(descr, '(1,)'), Uint8Array.from(bytes)));
    expect(tensor.dtype).toBe(dtype);
    expect(Array.from<number | bigint, number | bigint>(tensor.data, (element) => element)).toEqual(expected);
  });

  it('reads scalars and empty arrays', () => {
    expect(String(parseNpy(npy(headerOf("'<f4'", '()'), floats(3))))).toBe('float32[]');
    expect(String(parseNpy(npy(headerOf("'<f4'", '(0, 5)', 'True'))))).toBe('float32[0, 5]');
  });

  it.for<[string, Uint8Array, RegExp]>([
    ['no magic', new Uint8Array(20), /does not begin with '\\x93NUMPY'/],
    ['an unknown version', npy('', undefined, 4), /version is 4; expected 1, 2 or 3/],
    ['a cut prefix', npy('').subarray(0, 9), /cut off before its header/],
    [
      'a cut header',
      npy(headerOf("'<f4'", '()')).subarray(0, 40),
      /announced with \d+ bytes, but 30 are left/,
    ],
    ['a header that is code', npy("__import__('os')"), /expected a dictionary/],
    [
      'a header without shape',
      npy("{'descr': '<f4', 'fortran_order': False, 'descr': '<f4'}"),
      /more than one 'descr'/,
    ],
    [
      'a header with a field of the wrong type',
      npy("{'descr': True, 'fortran_order': False, 'shape': ()}"),
      /no readable 'descr'/,
    ],
    ['a header without its end', npy(headerOf("'<f4'", '()').replace('}', '')), /expected a dictionary/],
    ['a header of blanks', npy(`{${' '.repeat(1_000_000)}`, undefined, 2), /expected a dictionary/],
    [
      'a bare number as shape',
      npy(headerOf("'<f4'", '(3)'), floats(1, 2, 3)),
      /shape is \(3\); expected a tuple/,
    ],
    [
      'a shape that overflows',
      npy(headerOf("'<f4'", '(9999999999, 9999999999)')),
      /more elements than can be counted/,
    ],
    [
      'too few bytes',
      npy(headerOf("'<f4'", '(3,)'), floats(1, 2)),
      /float32\[3\] takes 12 bytes, but 8 follow/,
    ],
    ['too many bytes', npy(headerOf("'<f4'", '(1,)'), floats(1, 2)), /takes 4 bytes, but 8 follow/],
    ['a type that is none', npy(headerOf("'<<'", '(1,)')), /the type is '<<'/],
  ])('refuses %s', ([, bytes, text]) => {
    expect(() => parseNpy(bytes)).toThrow(FormatError);
    expect(() => parseNpy(bytes)).toThrow(text);
  });

  it.for([
    ["'|O'", 'objects are pickled Python code'],
    ["'<U3'", 'are not read'],
    ["'<M8[D]'", 'are not read'],
    ["'<f16'", 'are not read'],
    ["[('a', '<f4'), ('b', '<i4')]", 'structured arrays'],
  ] as const)('does not read %s', ([descr, text]) => {
    expect(() => parseNpy(npy(headerOf(descr, '(1,)')))).toThrow(UnsupportedError);
    expect(() => parseNpy(npy(headerOf(descr, '(1,)')))).toThrow(text);
  });
});

describe('parseNpz', () => {
  const array = npy(headerOf("'<f4'", '(500,)'), new Uint8Array(2000));

  it.for([0, 9] as const)('reads an archive packed at level %i', (level) => {
    const file = zipSync({ 'a.npy': array, 'b/c.npy': npy(headerOf("'<f4'", '()'), floats(2)) }, { level });
    const tensors = parseNpz(file);
    expect([...tensors.keys()]).toEqual(['a', 'b/c']);
    expect(String(tensors.get('a'))).toBe('float32[500]');
    expect([...tensors.get('b/c')!.float32]).toEqual([2]);
  });

  it('refuses an archive that unpacks to more than is allowed', () => {
    const file = zipSync({ 'a.npy': array, 'b.npy': array });
    expect(() => parseNpz(file, { maxBytes: 3000 })).toThrow(
      /unpacks to more than 3000 bytes; raise maxBytes if it is to be trusted/,
    );
  });

  /** The archive with a number of its one directory entry replaced. */
  function patched(file: Uint8Array, offset: number, value: number, size: 2 | 4): Uint8Array {
    const bytes = file.slice();
    const view = new DataView(bytes.buffer);
    const directory = view.getUint32(bytes.byteLength - 6, true);
    if (size === 2) view.setUint16(directory + offset, value, true);
    else view.setUint32(directory + offset, value, true);
    return bytes;
  }

  it.for<[string, (file: Uint8Array) => Uint8Array, RegExp]>([
    ['no zip file', () => new Uint8Array(100), /no directory; it is cut off, or no zip file/],
    ['a cut file', (file) => file.subarray(0, file.byteLength - 1), /no directory/],
    ['a wrong checksum', (file) => patched(file, 16, 1, 4), /checksum is wrong/],
    ['an encrypted file', (file) => patched(file, 8, 1, 2), /the file is encrypted/],
    ['another method', (file) => patched(file, 10, 14, 2), /packed by method 14/],
    [
      'a size that cannot be',
      (file) => patched(file, 24, 2 ** 30, 4),
      /cannot unpack to the announced 1073741824/,
    ],
    [
      'a size that is not so',
      (file) => patched(file, 24, 3000, 4),
      /unpacks to \d+ bytes, its size is announced as 3000/,
    ],
    [
      'a shorter size',
      (file) => patched(file, 24, 100, 4),
      /checksum is wrong|its size is announced|damaged/,
    ],
    ['packed bytes beyond the end', (file) => patched(file, 20, 2 ** 30, 4), /needs 1073741824 bytes here/],
    ['a file elsewhere', (file) => patched(file, 42, 5, 4), /not where the directory says/],
  ])('refuses %s', ([, damage, text]) => {
    const file = damage(zipSync({ 'a.npy': array }));
    expect(() => parseNpz(file)).toThrow(FormatError);
    expect(() => parseNpz(file)).toThrow(text);
  });

  it('refuses a stored file of another size, two arrays of one name and an array that is damaged', () => {
    expect(() => parseNpz(patched(zipSync({ 'a.npy': array }, { level: 0 }), 24, 7, 4))).toThrow(
      /its size is announced as 7/,
    );
    expect(() => parseNpz(zipSync({ a: array, 'a.npy': array }))).toThrow(/npz at byte \d+, a: two arrays/);
    expect(() => parseNpz(zipSync({ 'a.npy': new Uint8Array(3) }))).toThrow(
      /npz at byte \d+, a.npy: npy at byte 0/,
    );
  });

  it('refuses more entries than the archive has room for', () => {
    const file = zipSync({ 'a.npy': array }).slice();
    new DataView(file.buffer).setUint16(file.byteLength - 12, 0xffff, true);
    expect(() => parseNpz(file)).toThrow(/a directory of 65535 entries/);
  });

  it('damaged at random gives arrays or an error', () => {
    const file = zipSync({ 'a.npy': npy(headerOf("'<f4'", '(2, 2)', 'True'), floats(1, 2, 3, 4)), b: array });
    const survives = (read: () => unknown): void => {
      try {
        read();
      } catch (error) {
        if (!(error instanceof SecateurError)) throw error;
      }
    };
    for (let length = 0; length < file.byteLength; length++) {
      expect(() => parseNpz(file.subarray(0, length))).toThrow(FormatError);
    }
    fc.assert(
      fc.property(
        fc.nat(file.byteLength - 1),
        fc.nat(255),
        fc.uint8Array({ maxLength: 80 }),
        (at, byte, random) => {
          const bytes = file.slice();
          bytes[at] = byte;
          survives(() => parseNpz(bytes));
          const single = npy(headerOf("'<f4'", '(2, 2)'), floats(1, 2, 3, 4));
          single[at % single.byteLength] = byte;
          survives(() => parseNpy(single));
          survives(() => parseNpy(npy(new TextDecoder().decode(random))));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
