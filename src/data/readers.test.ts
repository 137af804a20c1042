import fc from 'fast-check';
import { gzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { ArgumentError, FormatError, SecateurError } from '../core/errors.ts';
import { concatBytes } from '../io/index.ts';
import { cifar10, mnist, readCifar10, readIdx } from './index.ts';

const CODES = { uint8: 8, int8: 9, int16: 11, int32: 12, float32: 13, float64: 14 } as const;

/** An idx file of these sizes and bytes. */
function idx(code: number, shape: readonly number[], data: Uint8Array): Uint8Array {
  const head = new Uint8Array(4 + 4 * shape.length);
  head.set([0, 0, code, shape.length]);
  shape.forEach((dim, axis) => {
    new DataView(head.buffer).setUint32(4 + 4 * axis, dim, false);
  });
  return concatBytes([head, data]);
}

const bytesOf = (count: number, value: (index: number) => number = (i) => i): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => value(i));

describe('readIdx', () => {
  it('reads arrays of bytes without copying', () => {
    const file = idx(CODES.uint8, [2, 3], bytesOf(6));
    const tensor = readIdx(file);
    expect(String(tensor)).toBe('uint8[2, 3]');
    expect([...tensor.data]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(tensor.bytes.buffer).toBe(file.buffer);
  });

  it.each([
    ['int8', [0xff, 2], [-1, 2]],
    ['int16', [0xff, 0xfe, 1, 0], [-2, 256]],
    ['int32', [0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff], [256, -1]],
    ['float32', [0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0], [1.5, -2]],
    ['float64', [0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [1.5, 0]],
  ] as const)('turns %s from big-endian', (dtype, bytes, expected) => {
    const file = idx(CODES[dtype], [2], Uint8Array.from(bytes));
    // As Node reads files: a Buffer, whose slices are views.
    const tensor = readIdx(Buffer.from(file));
    expect(String(tensor)).toBe(`${dtype}[2]`);
    expect(tensor.toNumbers()).toEqual(expected);
    expect([...file.subarray(8)]).toEqual([...bytes]);
  });

  it('reads scalars and empty arrays', () => {
    expect(String(readIdx(idx(CODES.uint8, [], bytesOf(1))))).toBe('uint8[]');
    expect(String(readIdx(idx(CODES.float32, [0, 3], bytesOf(0))))).toBe('float32[0, 3]');
  });

  it('unpacks gzip', () => {
    const file = idx(CODES.uint8, [5], bytesOf(5));
    expect([...readIdx(gzipSync(file, { filename: 'labels' })).data]).toEqual([0, 1, 2, 3, 4]);
  });

  const head = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
  it.each([
    ['nothing', head(), 'idx at byte 0: the file is cut off before its header'],
    ['another magic', head(0, 1, 8, 0, 0), 'idx at byte 0: the file does not begin with two zero bytes'],
    [
      'an unknown type',
      head(0, 0, 10, 0, 0),
      'idx at byte 2, type: the type code is 10; expected 8, 9, 11, 12, 13 or 14',
    ],
    ['cut sizes', head(0, 0, 8, 2, 0, 0), 'idx at byte 6: the file is cut off before its 2 sizes'],
    [
      'too few bytes',
      idx(8, [2, 2], bytesOf(3)),
      'idx at byte 12: uint8[2, 2] takes 4 bytes, but 3 follow the header',
    ],
    [
      'too many bytes',
      idx(12, [1], bytesOf(5)),
      'idx at byte 8: int32[1] takes 4 bytes, but 5 follow the header',
    ],
    [
      'sizes beyond counting',
      idx(8, [0xffffffff, 0xffffffff, 0xffffffff, 0], bytesOf(0)),
      'idx at byte 4, sizes: the sizes 4294967295, 4294967295, 4294967295, 0 are more elements than can be counted',
    ],
  ])('refuses %s', (_, file, message) => {
    expect(() => readIdx(file)).toThrow(FormatError);
    expect(() => readIdx(file)).toThrow(message);
  });

  it('refuses gzip that is damaged, cut off or unpacks to too much', () => {
    const packed = gzipSync(
      idx(
        CODES.uint8,
        [200],
        bytesOf(200, (i) => (i * i) % 251),
      ),
    );
    const changed = (offset: number, value: number): Uint8Array => {
      const copy = packed.slice();
      copy[packed.length + offset] = value;
      return copy;
    };
    expect(() => readIdx(changed(-8, packed.at(-8)! ^ 1))).toThrow(
      `gzip at byte ${packed.length - 8}: the checksum is wrong; the file is damaged`,
    );
    // Announced with fewer bytes than there are, and with more than there can be.
    expect(() => readIdx(changed(-4, 100))).toThrow(/^gzip at byte 10: the packed bytes are damaged/);
    expect(() => readIdx(changed(-4, 209))).toThrow('the checksum is wrong');
    expect(() => readIdx(changed(-2, 0xff))).toThrow(/which its \d+ cannot hold/);
    expect(() => readIdx(packed, { maxBytes: 100 })).toThrow(
      'the file unpacks to 208 bytes, more than 100; raise maxBytes if it is to be trusted',
    );
    expect(() => readIdx(packed.subarray(0, 12))).toThrow('gzip at byte 12: the file is cut off');
    const torn = concatBytes([packed.subarray(0, 30), packed.subarray(-8)]);
    expect(() => readIdx(torn)).toThrow('gzip at byte 10: the packed bytes are damaged');
  });

  /** Reads, or gives a FormatError; every other error fails the test. */
  function survives(read: () => unknown): boolean {
    try {
      read();
      return true;
    } catch (error) {
      if (error instanceof FormatError) return false;
      throw error;
    }
  }

  it('gives a FormatError or a right array for any bytes', () => {
    const whole = idx(CODES.int16, [2, 3], bytesOf(12));
    const packed = gzipSync(whole);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        for (const start of [[], [0, 0], [0, 0, 8, 1], [0x1f, 0x8b, 8, 0]]) {
          survives(() => readIdx(concatBytes([Uint8Array.from(start), bytes])));
        }
      }),
    );
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (length) => {
        expect(survives(() => readIdx(whole.subarray(0, length)))).toBe(false);
      }),
    );
    fc.assert(
      fc.property(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), (place, flip) => {
        expect(survives(() => readIdx(packed.subarray(0, place)))).toBe(false);
        const damaged = packed.slice();
        damaged[place] = damaged[place]! ^ flip;
        // A change of the header that no one reads, such as the time, leaves the array as it is.
        if (survives(() => readIdx(damaged))) {
          expect([...readIdx(damaged).data]).toEqual([...readIdx(whole).data]);
        }
      }),
    );
  });
});

describe('mnist', () => {
  const images = (count: number, side = 28): Uint8Array =>
    idx(
      CODES.uint8,
      [count, side, side],
      bytesOf(count * side * side, (i) => i % 256),
    );
  const labels = (...values: number[]): Uint8Array =>
    idx(CODES.uint8, [values.length], Uint8Array.from(values));

  it('gives images of one channel, normalized, and classes', () => {
    const dataset = mnist(images(2), gzipSync(labels(7, 3)));
    expect([String(dataset.inputs), String(dataset.targets)]).toEqual(['float32[2, 1, 28, 28]', 'int64[2]']);
    expect(dataset.targets.toNumbers()).toEqual([7, 3]);
    expect(dataset.classes?.[7]).toBe('7');
    expect(dataset.inputs.float32[0]).toBeCloseTo(-0.1307 / 0.3081, 6);
    expect(dataset.inputs.float32[255]).toBeCloseTo((1 - 0.1307) / 0.3081, 6);
    expect(dataset.get(1).input.float32[0]).toBeCloseTo((16 / 255 - 0.1307) / 0.3081, 6);
  });

  it('leaves values in [0, 1] where asked, or normalizes by other figures', () => {
    expect(mnist(images(1), labels(0), { normalize: false }).inputs.float32[51]).toBe(Math.fround(0.2));
    const own = { mean: [0.2], std: [0.5] };
    expect(mnist(images(1), labels(0), { normalize: own }).inputs.float32[255]).toBeCloseTo(1.6, 6);
    const wrong = { mean: [0.2, 0.3], std: [0.5, 0.5] };
    expect(() => mnist(images(1), labels(0), { normalize: wrong })).toThrow(
      new ArgumentError('mnist: expected a mean and a std per channel (1), got 2 and 2'),
    );
  });

  it('pads to 32 with black', () => {
    const { inputs } = mnist(images(2), labels(0, 1), { size: 32 });
    const plain = mnist(images(2), labels(0, 1)).inputs;
    expect(inputs.shape).toEqual([2, 1, 32, 32]);
    const black = plain.float32[0]!;
    for (let n = 0; n < 2; n++) {
      for (let y = 0; y < 32; y++) {
        for (let x = 0; x < 32; x++) {
          const inside = y >= 2 && y < 30 && x >= 2 && x < 30;
          const expected = inside ? plain.float32[n * 784 + (y - 2) * 28 + x - 2]! : black;
          expect(inputs.float32[n * 1024 + y * 32 + x]).toBe(expected);
        }
      }
    }
  });

  it('refuses files that do not belong together', () => {
    const cases: [() => unknown, string][] = [
      [
        () => mnist(images(1, 27), labels(0)),
        'mnist at byte 0: the images are uint8[1, 27, 27]; expected uint8[N, 28, 28]',
      ],
      [() => mnist(labels(0), images(1)), 'the images are uint8[1]; expected uint8[N, 28, 28]'],
      [() => mnist(images(2), labels(0)), 'the labels are uint8[1]; expected uint8[2], one per image'],
      [() => mnist(images(2), labels(0, 10)), 'mnist at byte 9: the label of image 1 is 10; expected 0 to 9'],
    ];
    for (const [call, message] of cases) {
      expect(call).toThrow(FormatError);
      expect(call).toThrow(message);
    }
    expect(() => mnist(images(1), labels(0), { size: 30 as 28 })).toThrow(
      new ArgumentError('mnist: expected the size 28 or 32, got 30'),
    );
  });
});

describe('readCifar10', () => {
  const record = (label: number, shift: number): Uint8Array =>
    concatBytes([Uint8Array.of(label), bytesOf(3072, (i) => (i + shift) % 256)]);

  it('reads labels, and planes as they lie', () => {
    const dataset = readCifar10(concatBytes([record(9, 0), record(3, 1)]), { normalize: false });
    expect(String(dataset.inputs)).toBe('float32[2, 3, 32, 32]');
    expect(dataset.targets.toNumbers()).toEqual([9, 3]);
    expect(dataset.classes?.[9]).toBe('truck');
    expect([...dataset.get(1).input.float32]).toEqual(
      Array.from({ length: 3072 }, (_, i) => Math.fround(((i + 1) % 256) / 255)),
    );
  });

  it('normalizes each channel by its own figures', () => {
    const { inputs } = readCifar10(concatBytes([record(0, 0)]));
    [
      [0.4914, 0.247],
      [0.4822, 0.2435],
      [0.4465, 0.2616],
    ].forEach(([mean, std], channel) => {
      expect(inputs.float32[channel * 1024 + 255]).toBeCloseTo((1 - mean!) / std!, 6);
    });
  });

  it('refuses files of other lengths and labels that are no class', () => {
    const cases: [() => unknown, string][] = [
      [() => readCifar10(new Uint8Array(0)), 'CIFAR-10 at byte 0: the file has 0 bytes'],
      [
        () => readCifar10(new Uint8Array(3074)),
        'CIFAR-10 at byte 3073: the file has 3074 bytes; expected a multiple of 3073',
      ],
      [
        () => readCifar10(concatBytes([record(0, 0), record(10, 0)])),
        'CIFAR-10 at byte 3073: the label of image 1 is 10',
      ],
      [
        () => cifar10(new Uint8Array(5), Uint8Array.of(1)),
        'CIFAR-10: 1 labels take 3072 bytes of pixels, got 5',
      ],
      [() => cifar10(new Uint8Array(3072), Uint8Array.of(11)), 'the label of image 0 is 11; expected 0 to 9'],
    ];
    for (const [call, message] of cases) {
      expect(call).toThrow(FormatError);
      expect(call).toThrow(message);
    }
  });

  it('gives a FormatError or as many images as there are records, for any bytes', () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(3072), fc.uint8Array({ maxLength: 64 }), (records, rest, noise) => {
        const bytes = new Uint8Array(records * 3073 + (rest % 3 === 0 ? 0 : rest));
        bytes.set(noise.subarray(0, bytes.length));
        try {
          expect(readCifar10(bytes).length).toBe(records);
          expect(bytes.length).toBe(records * 3073);
        } catch (error) {
          if (!(error instanceof SecateurError)) throw error;
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 40 },
    );
  });
});
