import { describe, expect, it } from 'vitest';
import { byteLengthOf, DTYPES, type DType, dtypeInfo } from '../../core/dtype.ts';
import { ArgumentError } from '../../core/errors.ts';
import { Tensor } from '../../core/tensor.ts';
import { concatBytes } from '../chunks.ts';
import { readZip } from '../zip.ts';
import { storeZip } from '../zip-writer.ts';
import { parsePyTorch } from './parse-pytorch.ts';
import { serializePyTorch } from './serialize-pytorch.ts';

/** A tensor `[2, 3]` of a dtype whose elements are all different. */
function sample(dtype: DType): Tensor {
  const { kind } = dtypeInfo(dtype);
  const bytes = Uint8Array.from({ length: byteLengthOf(dtype, 6) }, (_, index) =>
    kind === 'bool' ? index % 2 : (index * 37 + 11) % 60,
  );
  return new Tensor(dtype, [2, 3], { bytes });
}

const written = (tensors: ReadonlyMap<string, Tensor>): Uint8Array => concatBytes(serializePyTorch(tensors));

describe('serializePyTorch', () => {
  const absent = ['string', 'uint4', 'int4', 'float4e2m1', 'uint2', 'int2'];
  const dtypes = (Object.keys(DTYPES) as DType[]).filter((dtype) => !absent.includes(dtype));

  it('writes every dtype that PyTorch has, and reading gives the same', () => {
    const tensors = new Map(dtypes.map((dtype) => [dtype as string, sample(dtype)]));
    const read = parsePyTorch(written(tensors), { keepHalf: true }).tensors;
    expect([...read.keys()]).toEqual([...tensors.keys()]);
    for (const [name, tensor] of tensors) {
      expect(String(read.get(name))).toBe(String(tensor));
      expect([name, read.get(name)!.bytes]).toEqual([name, tensor.bytes]);
    }
  });

  it('keeps scalars, empty tensors, names of any text and large sizes', () => {
    const tensors = new Map([
      ['scalar', Tensor.int64(7)],
      ['empty', Tensor.zeros('float32', [0, 3])],
      ['Zähne 🧪', Tensor.full([1], 3)],
      ['large', Tensor.zeros('uint8', [300, 70_000])],
    ]);
    const read = parsePyTorch(written(tensors)).tensors;
    for (const [name, tensor] of tensors) expect(String(read.get(name))).toBe(String(tensor));
    expect(read.get('scalar')!.toNumbers()).toEqual([7]);
    expect([...read.get('Zähne 🧪')!.float32]).toEqual([3]);
    expect(parsePyTorch(written(new Map([['w', Tensor.full([2], 1)]]))).tensors.size).toBe(1);
  });

  it('copies no elements, and begins them at multiples of 64 bytes as PyTorch does', () => {
    const tensors = new Map([
      ['a', Tensor.full([3], 1)],
      ['b', Tensor.full([5], 2)],
    ]);
    const chunks = serializePyTorch(tensors);
    for (const tensor of tensors.values()) {
      expect(chunks.some(({ buffer }) => buffer === tensor.float32.buffer)).toBe(true);
    }
    const entries = readZip(concatBytes(chunks), 1e6);
    expect(entries.map(({ name }) => name)).toEqual([
      'archive/data.pkl',
      'archive/.format_version',
      'archive/.storage_alignment',
      'archive/byteorder',
      'archive/data/0',
      'archive/data/1',
      'archive/version',
    ]);
    for (const { offset } of entries) expect(offset % 64).toBe(0);
    expect(written(tensors)).toEqual(written(tensors));
  });

  it('writes memory that names share once', () => {
    const shared = Tensor.full([1000], 1);
    const same = new Tensor('float32', [10, 100], shared.data);
    const bits = new Tensor('int32', [1000], new Int32Array(shared.float32.buffer));
    const bytes = written(
      new Map([
        ['a', shared],
        ['b', shared],
        ['c', same],
        ['bits', bits],
      ]),
    );
    // A storage of PyTorch's has one dtype.
    expect(readZip(bytes, 1e6).filter(({ name }) => name.includes('/data/'))).toHaveLength(2);
    const { tensors } = parsePyTorch(bytes);
    expect(tensors.get('a')).toBe(tensors.get('b'));
    expect(tensors.get('c')!.shape).toEqual([10, 100]);
    expect(tensors.get('bits')!.data[0]).toBe(0x3f80_0000);
  });

  it.for(absent as DType[])('refuses %s, which PyTorch does not have', (dtype) => {
    expect(() => serializePyTorch(new Map([['w', Tensor.zeros(dtype, [2])]]))).toThrow(
      new ArgumentError(`serializePyTorch: 'w' is ${dtype}[2], a dtype PyTorch does not have; cast it first`),
    );
  });
});

describe('storeZip', () => {
  it('puts sizes and places that need more than 32 bits into fields of 64', () => {
    const files = [
      { name: 'folder/first', bytes: new Uint8Array(100).fill(1) },
      { name: 'second', bytes: Uint8Array.of(2, 3) },
    ];
    // As if 32 bits held numbers up to 20 alone.
    const bytes = concatBytes(storeZip(files, 64, 20));
    expect(readZip(bytes, 1e6).map(({ name, bytes }) => ({ name, bytes }))).toEqual(files);
    expect(readZip(bytes, 1e6).every(({ offset }) => offset % 64 === 0)).toBe(true);
    expect(bytes.byteLength).toBeGreaterThan(concatBytes(storeZip(files, 64)).byteLength);
  });

  it('counts more than 65 535 files', () => {
    const files = Array.from({ length: 65_536 }, (_, index) => ({
      name: `${index}`,
      bytes: Uint8Array.of(index),
    }));
    expect(readZip(concatBytes(storeZip(files, 4)), 1e6)).toHaveLength(65_536);
  });
});
