import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampleTensor } from '../../test/rich-graph.ts';
import type { DType } from '../core/dtype.ts';
import { ArgumentError, FormatError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { concatBytes } from './chunks.ts';
import { parseSafetensors, serializeSafetensors } from './safetensors.ts';

const DTYPES: DType[] = [
  'float64',
  'float32',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint64',
  'uint32',
  'uint16',
  'uint8',
  'bool',
  'float8e4m3fn',
  'float8e5m2',
  'float8e8m0',
  'float8e4m3fnuz',
  'float8e5m2fnuz',
  'float4e2m1',
  'complex64',
];

/** A file of this header, and this many bytes of data. */
function fileOf(header: string | Uint8Array, data = 0): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  return concatBytes([prefix, json, new Uint8Array(data)]);
}

const entry = (begin: unknown, end: unknown, shape: unknown = [1], dtype = 'F32'): string =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

describe('safetensors', () => {
  it('keeps names, order, dtypes, shapes, bytes and metadata', () => {
    const tensors = new Map(DTYPES.map((dtype, index) => [`t.${dtype}`, sampleTensor(dtype, index)]));
    tensors.set('scalar', new Tensor('float32', [], Float32Array.of(2)));
    tensors.set('empty', Tensor.zeros('int64', [0, 3]));
    tensors.set('__proto__', Tensor.of(Float32Array.of(1)));
    const metadata = new Map([
      ['format', 'pt'],
      ['__proto__', 'é'],
    ]);
    const file = concatBytes(serializeSafetensors(tensors, metadata));
    const read = parseSafetensors(file);
    expect(read.metadata).toEqual(metadata);
    expect([...read.tensors.keys()]).toEqual([...tensors.keys()]);
    for (const [name, tensor] of tensors) {
      expect(String(read.tensors.get(name))).toBe(String(tensor));
      expect(read.tensors.get(name)!.bytes).toEqual(tensor.bytes);
    }
    expect(read.tensors.get('t.float64')!.bytes.buffer).toBe(file.buffer);
  });

  it('begins the data at a multiple of 8 bytes and writes the same bytes each time', () => {
    for (const name of ['a', 'ab', 'abc', 'abcdefgh']) {
      const tensors = new Map([[name, Tensor.of(Float64Array.of(1))]]);
      const [head, data] = serializeSafetensors(tensors);
      expect(head!.byteLength % 8).toBe(0);
      expect(data!.buffer).toBe(tensors.get(name)!.data.buffer);
      expect(serializeSafetensors(tensors)[0]).toEqual(head);
    }
  });

  const folder = fileURLToPath(new URL('../../../shared/models/', import.meta.url));
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.safetensors')) : [];
  // Without the folder beside the checkout there is nothing to read.
  it.skipIf(files.length === 0)('of others are read, and written with the same tensors', () => {
    for (const file of files) {
      const { tensors, metadata } = parseSafetensors(readFileSync(folder + file));
      expect(tensors.size).toBeGreaterThan(0);
      const again = parseSafetensors(concatBytes(serializeSafetensors(tensors, metadata)));
      for (const [name, tensor] of tensors) expect(again.tensors.get(name)!.bytes).toEqual(tensor.bytes);
    }
  });

  it.for<[string, Uint8Array, string | undefined, RegExp]>([
    ['too short a file', new Uint8Array(7), undefined, /at least 8 bytes, this has 7/],
    ['a header beyond the limit', new Uint8Array(16).fill(0xff), undefined, /at most 100000000 are allowed/],
    [
      'a header beyond the end',
      fileOf('{}').subarray(0, 9),
      undefined,
      /announced with 2 bytes, but 1 are left/,
    ],
    ['a header that is no JSON', fileOf('{'), undefined, /no JSON in UTF-8/],
    ['a header that is not UTF-8', fileOf(Uint8Array.of(0x7b, 0xff, 0x7d)), undefined, /no JSON in UTF-8/],
    ['a header that is a list', fileOf('[]'), undefined, /no JSON object/],
    ['a name twice', fileOf(`{"a":${entry(0, 4)},"\\u0061":${entry(4, 8)}}`, 8), 'a', /this name twice/],
    [
      'a field twice',
      fileOf('{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
      'dtype',
      /this name twice/,
    ],
    [
      'metadata that is no text',
      fileOf('{"__metadata__":{"a":1}}'),
      '__metadata__.a',
      /expected text, found number/,
    ],
    ['metadata that is no object', fileOf('{"__metadata__":[]}'), '__metadata__', /expected an object/],
    ['an entry that is no object', fileOf('{"a":3}'), 'a', /expected an object with dtype/],
    ['an unknown field', fileOf('{"a":{"x":1}}'), 'a', /unknown field 'x'/],
    ['an unknown dtype', fileOf(`{"a":${entry(0, 4, [1], 'F33')}}`, 4), 'a', /"F33" is not known/],
    [
      'a negative dimension',
      fileOf(`{"a":${entry(0, 4, [-1])}}`, 4),
      'a',
      /expected a list of whole numbers/,
    ],
    [
      'dimensions that overflow',
      fileOf(`{"a":${entry(0, 4, [2 ** 50, 2 ** 50])}}`, 4),
      'a',
      /more elements than can be counted/,
    ],
    [
      'offsets that are no numbers',
      fileOf(`{"a":${entry(0, '4')}}`, 4),
      'a',
      /expected a list of begin and end/,
    ],
    ['offsets beyond the end', fileOf(`{"a":${entry(0, 4)}}`, 3), 'a', /0 to 4; the data has 3 bytes/],
    ['offsets in reverse', fileOf(`{"a":${entry(4, 0)}}`, 4), 'a', /4 to 0/],
    [
      'a size that does not fit the shape',
      fileOf(`{"a":${entry(0, 8)}}`, 8),
      'a',
      /F32\[1\] takes 4 bytes, data_offsets span 8/,
    ],
    [
      'an overlap',
      fileOf(`{"a":${entry(0, 8, [2])},"b":${entry(4, 8)}}`, 8),
      'b',
      /inside the tensor that ends at 8/,
    ],
    ['a gap', fileOf(`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12), 'b', /gaps are not allowed/],
    [
      'data behind the last tensor',
      fileOf(`{"a":${entry(0, 4)}}`, 5),
      undefined,
      /end at byte 4 of the data, which has 5/,
    ],
  ])('%s is refused with its place', ([, bytes, field, text]) => {
    let error: unknown;
    try {
      parseSafetensors(bytes);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(FormatError);
    if (!(error instanceof FormatError)) return;
    expect(error.message).toMatch(text);
    expect(error.field).toBe(field);
    expect(error.offset).toBeLessThanOrEqual(bytes.byteLength);
  });

  it('dtypes and names without a place in the format are refused', () => {
    expect(() => serializeSafetensors(new Map([['a', sampleTensor('string')]]))).toThrow(
      new ArgumentError(
        "serializeSafetensors: 'a' is string[3], a dtype the format does not have; cast it first",
      ),
    );
    expect(() => serializeSafetensors(new Map([['__metadata__', sampleTensor('bool')]]))).toThrow(
      /cannot be called/,
    );
  });

  it('damaged at random gives tensors or an error with an offset', () => {
    const file = concatBytes(
      serializeSafetensors(
        new Map([
          ['a', sampleTensor('float32')],
          ['b', sampleTensor('bool')],
        ]),
        new Map([['k', 'v']]),
      ),
    );
    const survives = (bytes: Uint8Array): void => {
      try {
        parseSafetensors(bytes);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        expect(error.offset).toBeDefined();
      }
    };
    for (let length = 0; length < file.byteLength; length++) {
      expect(() => parseSafetensors(file.subarray(0, length))).toThrow(FormatError);
    }
    fc.assert(
      fc.property(
        fc.nat(file.byteLength - 1),
        fc.nat(255),
        fc.uint8Array({ maxLength: 60 }),
        (at, byte, random) => {
          const bytes = file.slice();
          bytes[at] = byte;
          survives(bytes);
          survives(random);
          survives(fileOf(random));
        },
      ),
      { numRuns: 1000 },
    );
    survives(fileOf('['.repeat(1_000_000)));
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expect(() => parseSafetensors(fileOf(`{"a":{"dtype":${deep}}}`))).toThrow(
      /the dtype a list is not known/,
    );
    const long = '\\u0061'.repeat(2_000_000);
    expect(() => parseSafetensors(fileOf(`{"${long}":1}`))).toThrow(FormatError);
  });
});
