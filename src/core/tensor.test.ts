import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from './errors.ts';
import { normalizeAxis, sizeOf, stridesOf, Tensor } from './tensor.ts';

describe('shapes', () => {
  it('have a size and row-major strides', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 5 }), (shape) => {
        const strides = stridesOf(shape);
        // The last element's place is one less than the size.
        const last = shape.reduce((place, dim, axis) => place + (dim - 1) * strides[axis]!, 0);
        expect(last).toBe(sizeOf(shape) - 1);
        expect(strides.at(-1) ?? 1).toBe(1);
      }),
    );
    expect([sizeOf([]), sizeOf([3, 0, 2]), sizeOf([2, 3])]).toEqual([1, 0, 6]);
    expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
  });

  it('count negative axes from the back', () => {
    expect([normalizeAxis(0, 3), normalizeAxis(2, 3), normalizeAxis(-1, 3), normalizeAxis(-3, 3)]).toEqual([
      0, 2, 2, 0,
    ]);
    for (const axis of [3, -4, 0.5]) {
      expect(() => normalizeAxis(axis, 3)).toThrow(
        `axis ${axis} is out of range for rank 3; expected -3 to 2`,
      );
    }
    expect(() => normalizeAxis(0, 0)).toThrow(ArgumentError);
  });
});

describe('Tensor', () => {
  it('shows the array it was made over, and copies nothing', () => {
    const data = Float32Array.of(1, 2, 3, 4);
    const tensor = new Tensor('float32', [2, 2], data);
    expect(tensor.data).toBe(data);
    expect(tensor.float32).toBe(data);
    data[0] = 9;
    expect(tensor.toNumbers()).toEqual([9, 2, 3, 4]);
    expect(new Float32Array(tensor.bytes.buffer, tensor.bytes.byteOffset, 4)).toEqual(data);
    expect([tensor.size, tensor.byteLength, String(tensor)]).toEqual([4, 16, 'float32[2, 2]']);
  });

  it('is a view of raw bytes, and copies them only where they lie unaligned', () => {
    const bytes = new Uint8Array(9);
    const view = new DataView(bytes.buffer);
    view.setFloat32(1, 1.5, true);
    view.setFloat32(5, -2, true);
    const unaligned = new Tensor('float32', [2], { bytes: bytes.subarray(1) });
    expect(unaligned.bytes.buffer).toBe(bytes.buffer);
    expect([...unaligned.float32]).toEqual([1.5, -2]);
    const aligned = new Tensor('float32', [2], { bytes: bytes.slice(1) });
    const before = aligned.bytes;
    aligned.float32[0] = 7;
    expect(new DataView(before.buffer).getFloat32(0, true)).toBe(7);
    // The typed copy is the tensor's memory from then on.
    unaligned.float32[0] = 8;
    expect(unaligned.toNumbers()).toEqual([8, -2]);
    expect(new Float32Array(unaligned.bytes.slice().buffer)[0]).toBe(8);
  });

  it('reads unaligned bytes out of a Buffer of Node', () => {
    const buffer = Buffer.from([0, 0, 0, 0, 0x80, 0x3f]).subarray(2);
    const tensor = new Tensor('float32', [1], { bytes: buffer });
    expect([...tensor.float32]).toEqual([1]);
  });

  it('copies its shape', () => {
    const shape = [2];
    const tensor = new Tensor('float32', shape, new Float32Array(2));
    shape[0] = 3;
    expect(tensor.shape).toEqual([2]);
    expect(Object.isFrozen(tensor.shape)).toBe(true);
  });

  it('takes packed and complex elements as their memory', () => {
    expect(new Tensor('int4', [3], new Uint8Array(2)).bytes.byteLength).toBe(2);
    expect(new Tensor('complex64', [2], new Float32Array(4)).data.length).toBe(4);
    expect(new Tensor('bfloat16', [2], new Uint16Array(2)).byteLength).toBe(4);
  });

  it('refuses shapes and data that do not fit', () => {
    const refusals: [() => unknown, string][] = [
      [
        () => new Tensor('float32', [2, -1], new Float32Array(0)),
        'Tensor: shape [2, -1] has the dimension -1; expected whole numbers >= 0',
      ],
      [
        () => new Tensor('float32', [0.5], new Float32Array(0)),
        'Tensor: shape [0.5] has the dimension 0.5; expected whole numbers >= 0',
      ],
      [
        () => new Tensor('float32', [2 ** 40, 2 ** 40], new Float32Array(0)),
        'Tensor: shape [1099511627776, 1099511627776] has more elements than can be counted',
      ],
      [
        () => new Tensor('float32', [3], new Float32Array(2)),
        'Tensor: float32[3] takes a Float32Array of 3 or 12 raw bytes, got a Float32Array of 2',
      ],
      [
        () => new Tensor('float32', [1], new Float64Array(1)),
        'Tensor: float32[1] takes a Float32Array of 1 or 4 raw bytes, got a Float64Array of 1',
      ],
      // As many bytes, but of another type.
      [
        () => new Tensor('float32', [1], new Int32Array(1)),
        'Tensor: float32[1] takes a Float32Array of 1 or 4 raw bytes, got a Int32Array of 1',
      ],
      [
        () => new Tensor('int64', [1], { bytes: new Uint8Array(7) }),
        'Tensor: int64[1] takes a BigInt64Array of 1 or 8 raw bytes, got 7 raw bytes',
      ],
      [
        () => new Tensor('float32', [1], ['a']),
        'Tensor: float32[1] takes a Float32Array of 1 or 4 raw bytes, got 1 strings',
      ],
      [
        () => new Tensor('int4', [3], new Uint8Array(3)),
        'Tensor: int4[3] takes a Uint8Array of 2 or 2 raw bytes, got a Uint8Array of 3',
      ],
      [
        () => new Tensor('complex64', [2], new Float32Array(2)),
        'Tensor: complex64[2] takes a Float32Array of 4 or 16 raw bytes, got a Float32Array of 2',
      ],
      [() => new Tensor('string', [2], ['a']), 'Tensor: string[2] takes 2 strings, got 1 strings'],
      [
        () => new Tensor('string', [2], new Uint8Array(2)),
        'Tensor: string[2] takes 2 strings, got a Uint8Array of 2',
      ],
    ];
    for (const [make, message] of refusals) {
      expect(make).toThrow(message);
      expect(make).toThrow(ArgumentError);
    }
  });

  it('is a box whose elements can be replaced, unless they do not fit', () => {
    const tensor = Tensor.of(Float32Array.of(1, 2));
    const data = Float32Array.of(3, 4);
    tensor.setData(data);
    expect(tensor.data).toBe(data);
    expect(() => tensor.setData(new Float32Array(3))).toThrow(ArgumentError);
    expect(tensor.data).toBe(data);
  });

  it('shares memory with its other shapes, and none with its clones', () => {
    const tensor = Tensor.of(Float32Array.of(1, 2, 3, 4));
    const matrix = tensor.reshape([2, 2]);
    const copy = tensor.clone();
    const bytes = new Tensor('float32', [4], { bytes: tensor.bytes });
    const copyOfBytes = bytes.clone();
    tensor.float32[0] = 9;
    expect([matrix.float32[0], bytes.float32[0]]).toEqual([9, 9]);
    expect([copy.float32[0], copyOfBytes.float32[0]]).toEqual([1, 1]);
    expect(matrix.shape).toEqual([2, 2]);
    expect(() => tensor.reshape([3])).toThrow(
      'Tensor: float32[3] takes a Float32Array of 3 or 12 raw bytes, got a Float32Array of 4',
    );
    const strings = new Tensor('string', [2], ['a', 'ü']);
    expect([strings.clone().strings, strings.clone().strings === strings.strings]).toEqual([
      ['a', 'ü'],
      false,
    ]);
    expect(strings.byteLength).toBe(3);
  });

  it('is made of zeros, one value, an array or whole numbers', () => {
    expect([...Tensor.zeros('float32', [2]).float32]).toEqual([0, 0]);
    expect(Tensor.zeros('string', [2]).strings).toEqual(['', '']);
    expect([...Tensor.full([2, 1], 3).float32]).toEqual([3, 3]);
    expect([Tensor.of(new Int8Array(3)).dtype, Tensor.of(new Int8Array(3)).shape]).toEqual(['int8', [3]]);
    expect(Tensor.of(new Int8Array(4), [2, 2]).shape).toEqual([2, 2]);
    const axes = Tensor.int64([1, -1]);
    expect([axes.dtype, axes.shape, axes.data]).toEqual(['int64', [2], BigInt64Array.of(1n, -1n)]);
    expect([Tensor.int64(5).shape, Tensor.int64(5).toNumbers()]).toEqual([[], [5]]);
  });

  it('says which reading its dtype does not have', () => {
    const strings = new Tensor('string', [1], ['a']);
    const refusals: [() => unknown, string][] = [
      [() => strings.data, "Tensor: dtype 'string' has no typed array; read `strings`"],
      [() => strings.bytes, "Tensor: dtype 'string' has no raw bytes; read `strings`"],
      [() => strings.float32, 'Tensor: expected float32, got string; convert it first'],
      [() => Tensor.int64(1).float32, 'Tensor: expected float32, got int64; convert it first'],
      [
        () => Tensor.zeros('complex64', [1]).float32,
        'Tensor: expected float32, got complex64; convert it first',
      ],
      [() => Tensor.int64(1).strings, 'Tensor: expected strings, got int64'],
      ...(['string', 'complex64', 'float16', 'int4', 'float8e4m3fn'] as const).map(
        (dtype): [() => unknown, string] => [
          () => Tensor.zeros(dtype, [1]).toNumbers(),
          `Tensor: ${dtype} elements are not plain numbers`,
        ],
      ),
    ];
    for (const [read, message] of refusals) {
      expect(read).toThrow(message);
      expect(read).toThrow(ArgumentError);
    }
    expect(Tensor.zeros('bool', [1]).toNumbers()).toEqual([0]);
    expect(Tensor.of(BigUint64Array.of(2n ** 53n)).toNumbers()).toEqual([2 ** 53]);
  });
});
