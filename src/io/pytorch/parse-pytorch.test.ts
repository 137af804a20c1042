import { existsSync, readFileSync } from 'node:fs';
import { strToU8, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../core/crc32.ts';
import type { DType } from '../../core/dtype.ts';
import { ArgumentError, FormatError, UnsupportedError } from '../../core/errors.ts';
import { toFloat32 } from '../../core/float16.ts';
import type { Tensor } from '../../core/tensor.ts';
import { createModel } from '../../models/index.ts';
import { concatBytes } from '../chunks.ts';
import { parseSafetensors } from '../safetensors.ts';
import { readZip } from '../zip.ts';
import { storeZip } from '../zip-writer.ts';
import { type ParsePyTorchOptions, parsePyTorch } from './parse-pytorch.ts';
import { PickledObject } from './pickle-values.ts';

const folder = new URL('testdata/', import.meta.url);
const file = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, folder)));

interface Described {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Whole numbers of 64 bits as text. */
  readonly values: readonly (number | string)[];
}

const expected = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as Record<
  string,
  Record<string, Described>
>;

/** Elements as PyTorch gave them; halves and smaller floats by their value. */
function valuesOf(tensor: Tensor): number[] {
  const isBits = /float16|float8/.test(tensor.dtype);
  return Array.from<number | bigint, number>((isBits ? toFloat32(tensor) : tensor).data, Number);
}

function expectTensors(
  found: ReadonlyMap<string, Tensor>,
  key: string,
  options: ParsePyTorchOptions = {},
): void {
  const wanted = expected[key]!;
  for (const [name, { dtype, shape, values }] of Object.entries(wanted)) {
    const tensor = found.get(name);
    const isHalf = dtype === 'float16' || dtype === 'bfloat16';
    const type = isHalf && !options.keepHalf ? 'float32' : dtype.replace('float8_', 'float8');
    expect([name, String(tensor)]).toEqual([name, `${type as DType}[${shape.join(', ')}]`]);
    const numbers = values.map((value) => (value === 'inf' ? Number.POSITIVE_INFINITY : Number(value)));
    expect([name, valuesOf(tensor!)]).toEqual([name, numbers]);
  }
  expect(found.size).toBe(Object.keys(wanted).length);
}

describe('a state dict', () => {
  it.for<[string, string, 'zip' | 'legacy']>([
    ['of the zip format', 'state.pt', 'zip'],
    ['of the format before it', 'state-legacy.pt', 'legacy'],
    ['of that, in protocol 1', 'state-legacy-protocol1.pt', 'legacy'],
    ['in protocol 4', 'state-protocol4.pt', 'zip'],
    ['in protocol 5', 'state-protocol5.pt', 'zip'],
    ['that was deflated', 'state-deflated.pt', 'zip'],
    ['written without checksums', 'state-without-checksums.pt', 'zip'],
  ])('%s is read: every dtype and layout', ([, name, format]) => {
    const checkpoint = parsePyTorch(file(name));
    expect(checkpoint).toMatchObject({ part: '', parts: [''], kind: 'state-dict', className: null, format });
    expect(checkpoint).toMatchObject({ prefix: '', leftOut: [], metadata: {}, attributes: {} });
    expectTensors(checkpoint.tensors, 'state');
    expectTensors(parsePyTorch(file(name), { keepHalf: true }).tensors, 'state', { keepHalf: true });
  });

  it('of a big-endian machine is turned round', () => {
    const { tensors } = parsePyTorch(file('state-big-endian.pt'));
    const wanted = parsePyTorch(file('state.pt')).tensors;
    expect(tensors.size).toBe(wanted.size - 1);
    for (const [name, tensor] of tensors)
      expect([name, tensor.bytes]).toEqual([name, wanted.get(name)!.bytes]);
  });

  it('keeps memory shared, and copies no elements that stay as they are', () => {
    for (const name of ['state.pt', 'state-legacy.pt']) {
      const bytes = file(name);
      const { tensors } = parsePyTorch(bytes);
      expect(tensors.get('same')).toBe(tensors.get('whole'));
      expect(tensors.get('whole')!.bytes.buffer).toBe(bytes.buffer);
      const [part, whole] = [tensors.get('part')!.bytes, tensors.get('whole')!.bytes];
      expect(part.byteOffset).toBe(whole.byteOffset + 16);
      expect(tensors.get('strided')!.bytes.buffer).not.toBe(bytes.buffer);
    }
  });

  it('of dtypes without a storage class is read', () => {
    expectTensors(parsePyTorch(file('newer-dtypes.pt')).tensors, 'newer');
  });

  it('of a DataParallel module loses its prefix, which is told', () => {
    const checkpoint = parsePyTorch(file('parallel.pt'));
    expect(checkpoint).toMatchObject({ part: 'state_dict', prefix: 'module.', kind: 'state-dict' });
    expect(checkpoint.metadata).toEqual({ best_prec1: 91.5, arch: 'net' });
    expectTensors(checkpoint.tensors, 'module');
  });
});

describe('a whole module', () => {
  it.for(['module.pt', 'module-legacy.pt'])(
    'in %s gives what its state_dict gives, whatever its class',
    (name) => {
      const checkpoint = parsePyTorch(file(name));
      expect(checkpoint).toMatchObject({ part: '', kind: 'module', className: 'networks.Net', leftOut: [] });
      expectTensors(checkpoint.tensors, 'module');
      expect([...checkpoint.tensors.keys()]).toEqual(Object.keys(expected.module!));
    },
  );

  it('gives its attributes as plain data', () => {
    expect(parsePyTorch(file('module.pt')).attributes).toEqual({
      training: true,
      names: ['cell', 'platelet'],
      yaml: {
        nc: 2,
        anchors: [
          [10, 13],
          [16, 30],
        ],
        head: [[-1, 1, 'Detect', ['nc']]],
      },
      stride: [8, 16],
    });
  });
});

describe('a checkpoint with several parts', () => {
  const bytes = file('checkpoint.pt');

  it('gives averaged weights where they are there, and tells what else is', () => {
    const checkpoint = parsePyTorch(bytes);
    expect(checkpoint).toMatchObject({ part: 'ema', parts: ['ema', 'model'], className: 'networks.Net' });
    expectTensors(checkpoint.tensors, 'ema');
  });

  it('gives the part that is asked for', () => {
    const checkpoint = parsePyTorch(bytes, { part: 'model' });
    expect(checkpoint.part).toBe('model');
    expectTensors(checkpoint.tensors, 'module');
    expect(() => parsePyTorch(bytes, { part: 'teacher' })).toThrow(
      new ArgumentError("parsePyTorch: no weights lie under 'teacher'; parts are 'ema', 'model'"),
    );
  });

  it('gives what lies beside as plain data', () => {
    const { metadata, root } = parsePyTorch(bytes);
    expect(metadata).toMatchObject({
      epoch: 12,
      best_fitness: 0.625,
      results: [[0.5, 0.25]],
      opt: {
        class: 'argparse.Namespace',
        weights: 'yolov5n.pt',
        imgsz: [640, 640],
        path: { class: 'pathlib.PurePosixPath', args: ['runs', 'train'] },
      },
      date: '2024-01-01',
      size: [3, 4],
      tags: ['small'],
      large: 2n ** 70n,
      none: null,
    });
    expect(Object.keys(metadata)).not.toContain('model');
    expect(root instanceof Map && root.get('model')).toBeInstanceOf(PickledObject);
  });

  it('takes no more memory than it may', () => {
    expect(() => parsePyTorch(bytes, { maxBytes: 1000 })).toThrow(
      /more than 1000 bytes of memory; raise maxBytes/,
    );
    expect(() => parsePyTorch(bytes, { maxBytes: -1 })).toThrow(/maxBytes expects a number of bytes, got -1/);
  });
});

/** A pickle of protocol 2 in Latin-1. */
const pickle = (text: string): Uint8Array =>
  Uint8Array.from(`\x80\x02${text}.`, (character) => character.charCodeAt(0));

const archive = (data: string, files: Record<string, Uint8Array> = {}): Uint8Array =>
  concatBytes(
    storeZip(
      [
        { name: 'a/data.pkl', bytes: pickle(data) },
        ...Object.entries(files).map(([name, bytes]) => ({ name: `a/${name}`, bytes })),
      ],
      64,
    ),
  );

const text = (content: string): string => `X${String.fromCharCode(content.length)}\0\0\0${content}`;
/** A persistent id: storage class, key and number of elements. */
const storage = (kind = 'FloatStorage', key = '0', count = 4): string =>
  `(${text('storage')}ctorch\n${kind}\n${text(key)}${text('cpu')}K${String.fromCharCode(count)}tQ`;
const tuple = (...values: number[]): string =>
  `(${values.map((value) => `K${String.fromCharCode(value)}`).join('')}t`;
/** `{'w': _rebuild_tensor_v2(…)}` */
const dictOf = (tensor: string): string => `}${text('w')}${tensor}s`;
const tensorOf = (held = storage(), offset = 0, shape = tuple(4), strides = tuple(1)): string =>
  `ctorch._utils\n_rebuild_tensor_v2\n(${held}K${String.fromCharCode(offset)}${shape}${strides}\x89}tR`;
const data = { 'data/0': new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) };
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
    ['another pickle', pickle(']'), /does not begin with PyTorch's magic number, found a list/],
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

const weights = new URL('../../../../shared/data/weights/', import.meta.url);
const real = (name: string): Uint8Array => readFileSync(new URL(name, weights));

describe.skipIf(!existsSync(weights))(
  'checkpoints of others (skipped where ../shared/data is absent)',
  () => {
    it.for<[string, string]>([
      ['resnet20-12fca82f.th', 'resnet20'],
      ['resnet56-4bfd9763.th', 'resnet56'],
    ])('%s loads into %s', ([name, model]) => {
      const { tensors, ...told } = parsePyTorch(real(name));
      expect(told).toMatchObject({ format: 'legacy', part: 'state_dict', prefix: 'module.' });
      const module = createModel(model);
      expect(module.loadStateDict(tensors)).toEqual({ missingKeys: [], unexpectedKeys: [] });
      expect(module.stateDict().get('linear.weight')!.data).toEqual(tensors.get('linear.weight')!.data);
    });

    it('burn_mnist gives tensors of the same names, types and shapes from .pt and .safetensors', () => {
      // Two trainings of one network: their values are not the same.
      const { tensors } = parsePyTorch(real('burn_mnist.pt'));
      const same = parseSafetensors(real('burn_mnist.safetensors')).tensors;
      expect([...tensors.keys()].sort()).toEqual([...same.keys()].sort());
      for (const [name, tensor] of tensors) expect(String(tensor)).toBe(String(same.get(name)));
    });

    // Checksums over the bytes of all tensors, as torch.load of PyTorch 2.13 gives them.
    it.for<[string, number]>([
      ['burn_mnist.pt', 3490944345],
      ['resnet20-12fca82f.th', 487755346],
      ['resnet56-4bfd9763.th', 3449592716],
      // After model.float(), in the order of its state dict.
      ['yolov5n.pt', 3494316702],
    ])('%s gives the bytes that PyTorch reads', ([name, checksum]) => {
      const { tensors } = parsePyTorch(real(name));
      expect(crc32(concatBytes([...tensors.values()].map(({ bytes }) => bytes)))).toBe(checksum);
    });

    it('yolov5n.pt, a whole module in half precision, loads into YOLOv5n', () => {
      const checkpoint = parsePyTorch(real('yolov5n.pt'));
      expect(checkpoint).toMatchObject({ part: 'model', className: 'models.yolo.Model', kind: 'module' });
      expect(checkpoint.attributes).toMatchObject({
        yaml: { nc: 80, depth_multiple: 0.33 },
        stride: [8, 16, 32],
      });
      expect(checkpoint.attributes.names).toHaveLength(80);
      expect(checkpoint.metadata).toMatchObject({ epoch: -1, ema: null });
      const module = createModel('yolov5n');
      expect(module.loadStateDict(checkpoint.tensors)).toEqual({ missingKeys: [], unexpectedKeys: [] });
      const half = parsePyTorch(real('yolov5n.pt'), { keepHalf: true }).tensors.get('model.0.conv.weight')!;
      expect(half.dtype).toBe('float16');
      expect(toFloat32(half).data).toEqual(module.stateDict().get('model.0.conv.weight')!.data);
    });
  },
);
