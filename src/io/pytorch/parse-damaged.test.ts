import { readFileSync } from 'node:fs';
import { strToU8, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { archive, data, dictOf, pickle, storage, tensorOf, text, tuple } from '../../../test/made-pickles.ts';
import { ArgumentError, FormatError, UnsupportedError } from '../../core/errors.ts';
import { concatBytes } from '../chunks.ts';
import { readZip } from '../zip.ts';
import { storeZip } from '../zip-writer.ts';
import { parsePyTorch } from './parse-pytorch.ts';

const file = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`testdata/${name}`, import.meta.url)));

const tiny = archive(dictOf(tensorOf()), data);

describe('files that are no checkpoints, or damaged', () => {
  it('the file that is damaged below is well', () => {
    expect([...parsePyTorch(tiny).tensors.get('w')!.float32]).toEqual([1, 2, 3, 4]);
  });

  it.for<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /the file is empty/],
    [
      'a web page',
      strToU8('\n<!DOCTYPE html><html>'),
      /byte 0: the file is a web page, not a checkpoint; download/,
    ],
    ['a pointer of Git LFS', strToU8('version https://git-lfs.github.com/spec/v1\n'), /a pointer of Git LFS/],
    [
      'safetensors',
      strToU8('\x10\0\0\0\0\0\0\0{"a":{}}'),
      /of the safetensors format; name it \.safetensors/,
    ],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0), /compressed by gzip; unpack it first/],
    ['other bytes', Uint8Array.of(1, 2, 3), /begins with 01 02 03, which no checkpoint does/],
    [
      'another pickle',
      pickle(']'),
      /does not begin with PyTorch's magic number: expected what torch\.save writes, found a list/,
    ],
    [
      'what pickle.dump writes',
      archive(dictOf(tensorOf('ctorch.storage\n_load_from_bytes\nC\x00\x85R'))),
      /written by pickle\.dump, which is not read; write it by torch\.save/,
    ],
    [
      'a zip without a pickle',
      zipSync({ 'b.txt': strToU8('b') }),
      /holds no data\.pkl, .* it holds 'b\.txt'/,
    ],
    ['an empty zip', zipSync({}), /no data\.pkl, so it is no checkpoint; it holds nothing/],
    [
      'a zip of two',
      zipSync({ 'a/data.pkl': pickle('N'), 'b/data.pkl': pickle('N') }),
      /holds 2 files named data\.pkl/,
    ],
    [
      'a zip that is cut off',
      tiny.subarray(0, tiny.byteLength - 9),
      /the archive has no directory; it is cut off/,
    ],
    [
      'a name twice',
      concatBytes(
        storeZip(
          [0, 1].map(() => ({ name: 'data.pkl', bytes: pickle('N') })),
          64,
        ),
      ),
      /data\.pkl: the archive holds two files of this name/,
    ],
    [
      'an unknown byte order',
      archive('N', { byteorder: strToU8('middle') }),
      /byte order is 'middle'; expected/,
    ],
    ['a number', archive('K\x07'), /holds no weights by name: it is the number 7/],
    ['a list', archive(']'), /holds no weights by name: it is a list of 0/],
    [
      'a dict of others',
      archive(`}${text('lr')}K\x01s`),
      /no weights by name: it is a dict with the text 'lr'/,
    ],
    ['an empty dict', archive('}'), /holds no weights by name: it is a dict without entries$/],
    ['an object', archive('cm\nC\n)R'), /it is an object of m\.C/],
    ['a missing storage', archive(dictOf(tensorOf())), /a\/data\.pkl: the archive has no storage 'data\/0'/],
    [
      'a storage of another size',
      archive(dictOf(tensorOf(storage('DoubleStorage'))), data),
      /'data\/0' should hold 4 elements of torch\.DoubleStorage, but has 16 bytes/,
    ],
    ['a storage of no class', archive(dictOf(tensorOf(storage('Odd'))), data), /names the name torch\.Odd/],
    [
      'an id of something else',
      archive('K\x01Q'),
      /a persistent id is the number 1; expected one of a storage/,
    ],
    [
      'an id as text',
      archive("P('storage', <class 'torch.FloatStorage'>, '1', 'cpu', 4)\n"),
      /a persistent id is the text '.*', as pickle protocol 0 writes it, which PyTorch does not read either; save it with protocol 2/,
    ],
    ['an id of another kind', archive(`(${text('module')}tQ`), /begins with the text 'module'/],
    [
      'an id without a key',
      archive(`(${text('storage')}ctorch\nFloatStorage\nNNK\x01tQ`),
      /has None as its key/,
    ],
    [
      'an id without a count',
      archive(`(${text('storage')}ctorch\nFloatStorage\n${text('0')}NNtQ`),
      /the storage '0' has None as its number of elements/,
    ],
    [
      'an offset beyond the storage',
      archive(dictOf(tensorOf(storage(), 1)), data),
      /w: float32\[4\] with strides \[1\] reaches element 4 of the storage '0', which has 4/,
    ],
    [
      'strides beyond the storage',
      archive(dictOf(tensorOf(storage(), 0, tuple(2), tuple(4))), data),
      /float32\[2\] with strides \[4\] reaches element 4/,
    ],
    [
      'strides of another number',
      archive(dictOf(tensorOf(storage(), 0, tuple(4), tuple(1, 1))), data),
      /_rebuild_tensor_v2 is not made from a storage, the number 0, a tuple, a tuple/,
    ],
    [
      'sizes that overflow',
      archive(dictOf(tensorOf(storage(), 0, `(${'J\xff\xff\xff\x7f'.repeat(3)}t`, tuple(0, 0, 0))), data),
      /the shape \[2147483647, 2147483647, 2147483647\] has more elements than can be counted/,
    ],
    [
      'a tensor far larger than its storage',
      archive(dictOf(tensorOf(storage(), 0, '(J\xff\xff\xff\x7ft', tuple(0))), data),
      /w: reading it takes more than \d+ bytes of memory/,
    ],
    ['a damaged pickle', archive('}s'), /a\/data\.pkl: the stack is empty/],
  ])('%s is refused', ([, bytes, message]) => {
    expect(() => parsePyTorch(bytes)).toThrow(FormatError);
    expect(() => parsePyTorch(bytes)).toThrow(message);
  });

  it('a changed byte of an element is noticed by its checksum', () => {
    const { offset } = readZip(tiny, 1e6).find(({ name }) => name === 'a/data/0')!;
    const bytes = tiny.slice();
    bytes[offset + 3] = 0;
    expect(() => parsePyTorch(bytes)).toThrow(/a\/data\/0: the checksum is wrong; the file is damaged/);
  });

  it('a zip bomb is refused before it is unpacked', () => {
    const bomb = zipSync({ 'a/data.pkl': new Uint8Array(200_000_000) }, { level: 9 });
    expect(bomb.byteLength).toBeLessThan(250_000);
    expect(() => parsePyTorch(bomb)).toThrow(/a\/data\.pkl: reading it takes more than \d+ bytes of memory/);
  });

  it('modules that hold themselves, or each other many times, end in an error', () => {
    const module = `cm\nM\n)R}(${text('_parameters')}}${text('_modules')}`;
    expect(() => parsePyTorch(archive(`${module}}q\x01ub`), {})).not.toThrow();
    // m = M(); m._modules = {'m': m}
    const cycle = `cm\nM\n)Rq\x00}(${text('_parameters')}}${text('_modules')}}${text('m')}h\x00sub`;
    expect(() => parsePyTorch(archive(cycle))).toThrow(
      /m\.m\.m\.: modules are nested more than 200 deep|nested/,
    );
    // Each holds the one before twice: 2^40 names.
    let doubled = `cm\nM\n)R}(${text('_parameters')}}${text('_modules')}}ubq\x00`;
    for (let level = 0; level < 40; level++) {
      doubled += `cm\nM\n)R}(${text('_parameters')}}${text('_modules')}}(${text('a')}h\x00${text('b')}h\x00uubq\x00`;
    }
    expect(() => parsePyTorch(archive(doubled), { maxBytes: 2 ** 22 })).toThrow(
      /more than 4194304 bytes of memory/,
    );
  });

  it('several networks are not guessed among', () => {
    const two = archive(`}(${text('g')}${dictOf(tensorOf())}${text('d')}${dictOf(tensorOf())}u`, data);
    expect(() => parsePyTorch(two)).toThrow(
      new ArgumentError(
        "parsePyTorch: the checkpoint holds several networks; name the part to read: 'g', 'd'",
      ),
    );
    expect(parsePyTorch(two, { part: 'd' }).tensors.get('w')!.shape).toEqual([4]);
  });

  it('tells which entries are no tensors', () => {
    const mixed = archive(`}(${text('w')}${tensorOf()}${text('extra')}K\x01u`, data);
    expect(parsePyTorch(mixed)).toMatchObject({ part: '', leftOut: ['extra'] });
  });

  it.for<[string, Uint8Array, RegExp]>([
    ['quantized tensors', file('quantized.pt'), /'quantized' is quantized.*tensor\.dequantize\(\)/],
    ['sparse tensors', file('sparse.pt'), /'sparse' is sparse.*tensor\.to_dense\(\)/],
    ['tensors without elements', file('meta.pt'), /'meta' is on the meta device/],
    [
      'storages of quantized elements',
      archive(dictOf(tensorOf(storage('QInt8Storage', '0', 16))), data),
      /'w' has elements of torch\.QInt8Storage, which are not read; convert it/,
    ],
    [
      'conjugated views',
      archive(dictOf(tensorOf(storage(), 0, tuple(4), tuple(1), `}${text('conj')}\x88s`)), data),
      /'w' is a view that is conjugated or negated when it is used.*tensor\.resolve_conj\(\)\.resolve_neg\(\)/,
    ],
    ['TorchScript', archive('N', { 'constants.pkl': pickle(')') }), /is a TorchScript program/],
    [
      'tar files',
      Uint8Array.from({ length: 512 }, (_, i) => 'ustar'.charCodeAt(i - 257) || 0x61),
      /a tar archive/,
    ],
  ])('%s are refused with what to do', ([, bytes, message]) => {
    expect(() => parsePyTorch(bytes)).toThrow(UnsupportedError);
    expect(() => parsePyTorch(bytes)).toThrow(message);
  });
});

describe('files of the format before the zip format', () => {
  const whole = file('state-legacy.pt');
  // Five pickles; then each storage behind its number of elements.
  const magic = pickle('\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19');
  const legacy = (value: string, keys: string, storages: Uint8Array = new Uint8Array(0)): Uint8Array =>
    concatBytes([magic, pickle('M\xe9\x03'), pickle('}'), pickle(value), pickle(keys), storages]);
  const view = (...numbers: number[]): string =>
    `(${text('storage')}ctorch\nFloatStorage\n${text('0')}${text('cpu')}K\x04(${text('v')}${numbers
      .map((value) => `K${String.fromCharCode(value)}`)
      .join('')}ttQ`;
  const keys = `](${text('0')}e`;
  const elements = concatBytes([new Uint8Array(BigInt64Array.of(4n).buffer), data['data/0']]);

  it('hold views of storages', () => {
    const bytes = legacy(dictOf(tensorOf(view(1, 2), 1, tuple(1))), keys, elements);
    expect([...parsePyTorch(bytes).tensors.get('w')!.float32]).toEqual([3]);
  });

  it('are refused where they are cut off, wherever that is', () => {
    for (let length = 0; length < whole.byteLength; length += 3) {
      expect(() => parsePyTorch(whole.subarray(0, length))).toThrow(FormatError);
    }
  });

  it.for<[string, Uint8Array, RegExp]>([
    ['of another version', concatBytes([magic, pickle('K\x01')]), /protocol version: expected version 1001/],
    ['without a list of keys', legacy('}', 'N'), /storage keys: expected a list, found None/],
    ['with a key too many', legacy('}', keys), /the text '0' is the key of no storage of the value/],
    ['with a key too few', legacy(dictOf(tensorOf()), ']'), /the storage '0' is not in the file/],
    [
      'with a key twice',
      legacy(dictOf(tensorOf()), `](${text('0')}${text('0')}e`, elements),
      /storage '0': the storage is in the file twice/,
    ],
    [
      'without a storage',
      legacy(dictOf(tensorOf()), keys),
      /storage '0': the file is cut off before the storage/,
    ],
    [
      'with a storage of another size',
      legacy(dictOf(tensorOf(storage('FloatStorage', '0', 5))), keys, elements),
      /the storage has 4 elements, the value says 5/,
    ],
    [
      'with a storage cut off',
      legacy(dictOf(tensorOf()), keys, elements.subarray(0, 20)),
      /the storage takes 16 bytes, but 12 are left/,
    ],
    [
      'with two types of one storage',
      legacy(`](${storage()}${storage('IntStorage')}e`, keys, elements),
      /is 4 elements of torch\.IntStorage here, and 4 of torch\.FloatStorage elsewhere/,
    ],
    [
      'with a view beyond its storage',
      legacy(dictOf(tensorOf(view(3, 2))), keys, elements),
      /a view of elements 3 to 5 leaves the storage '0', which has 4/,
    ],
    [
      'with a view of something else',
      legacy(dictOf(tensorOf(view())), keys),
      /is a tuple; expected key, offset/,
    ],
    ['with an id in the keys', legacy('}', 'K\x01Q'), /a persistent id stands where none is expected/],
  ])('are refused %s', ([, bytes, message]) => {
    expect(() => parsePyTorch(bytes)).toThrow(FormatError);
    expect(() => parsePyTorch(bytes)).toThrow(message);
  });
});
