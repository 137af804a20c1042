import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../core/crc32.ts';
import type { DType } from '../../core/dtype.ts';
import { ArgumentError } from '../../core/errors.ts';
import { toFloat32 } from '../../core/float16.ts';
import type { Tensor } from '../../core/tensor.ts';
import { createModel } from '../../models/index.ts';
import { concatBytes } from '../chunks.ts';
import { parseSafetensors, serializeSafetensors } from '../safetensors.ts';
import { type ParsePyTorchOptions, parsePyTorch } from './parse-pytorch.ts';
import { PickledObject } from './pickle-values.ts';
import { serializePyTorch } from './serialize-pytorch.ts';

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

    it('burn_mnist is one network in .pt and .safetensors, saved after more training in one', () => {
      const { tensors } = parsePyTorch(real('burn_mnist.pt'));
      const later = parseSafetensors(real('burn_mnist.safetensors')).tensors;
      expect([...tensors.keys()].sort()).toEqual([...later.keys()].sort());
      for (const [name, tensor] of tensors) expect(String(tensor)).toBe(String(later.get(name)));
      // In PyTorch too every tensor has other values in one than in the other: four epochs of 938 batches here, eight there, from one start.
      const steps = 'norm1.num_batches_tracked';
      expect([tensors.get(steps)!.toNumbers(), later.get(steps)!.toNumbers()]).toEqual([[3752], [7504]]);
      // Batch norm behind it takes all of its gradient: what is left is where both began.
      const [bias, same] = [tensors, later].map((of) => of.get('fc2.bias')!.toNumbers());
      bias!.forEach((value, index) => {
        expect(Math.abs(value - same![index]!)).toBeLessThan(1e-7);
      });
    });

    it.for(['burn_mnist.pt', 'burn_mnist.safetensors'])(
      '%s reads the same once written in the other format',
      (name) => {
        const bytes = real(name);
        const isPyTorch = name.endsWith('.pt');
        const { tensors } = isPyTorch ? parsePyTorch(bytes) : parseSafetensors(bytes);
        const written = concatBytes(isPyTorch ? serializeSafetensors(tensors) : serializePyTorch(tensors));
        const read = (isPyTorch ? parseSafetensors(written) : parsePyTorch(written)).tensors;
        expect([...read.keys()].sort()).toEqual([...tensors.keys()].sort());
        for (const [key, tensor] of tensors) expect(read.get(key)).toEqual(tensor);
      },
    );

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
