import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../core/tensor.ts';
import type { Dim } from '../ir/index.ts';
import { F, Module, type ModuleOutput, run, trace, type Variable } from './index.ts';

/** A module of one expression. */
class Expression extends Module<ModuleOutput> {
  readonly #body: (...inputs: Variable[]) => ModuleOutput;

  constructor(body: (...inputs: Variable[]) => ModuleOutput) {
    super();
    this.#body = body;
  }

  override forward(...inputs: Variable[]): ModuleOutput {
    return this.#body(...inputs);
  }
}

/** Whole numbers from 0 on. */
const counted = (...shape: number[]): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return Tensor.of(
    Float32Array.from({ length: size }, (_, i) => i),
    shape,
  );
};

interface Result {
  readonly shape: readonly number[];
  readonly data: number[];
}

async function results(
  body: (...inputs: Variable[]) => ModuleOutput,
  ...inputs: Tensor[]
): Promise<Result[]> {
  const output = await run(new Expression(body), ...inputs);
  const list: readonly Tensor[] = output instanceof Tensor ? [output] : output;
  return list.map(({ shape, float32 }) => ({ shape, data: [...float32] }));
}

const result = async (body: (...inputs: Variable[]) => ModuleOutput, ...inputs: Tensor[]): Promise<Result> =>
  (await results(body, ...inputs))[0]!;

/** Traces the expression for one input. */
const traced = (shape: readonly Dim[], body: (x: Variable) => ModuleOutput): (() => unknown) => {
  const module = new Expression(body);
  return () => trace(module, shape);
};

describe('shapes', () => {
  it('views, with one open dimension, as arguments or as a list', async () => {
    expect((await result((x) => x.view(-1, x.nelement() / x.size(0)), counted(2, 3, 4))).shape).toEqual([
      2, 12,
    ]);
    expect((await result((x) => x.reshape([4, -1]), counted(2, 3, 4))).shape).toEqual([4, 6]);
  });

  it('views symbolic dimensions wherever they stand', () => {
    const shapeOf = (from: Dim[], to: Dim[]): Dim[] => {
      const graph = trace(new Expression((x) => x.view(to)), from);
      const [output] = graph.outputs;
      return output?.type?.kind === 'tensor' ? [...(output.type.shape ?? [])] : [];
    };
    expect(shapeOf(['b', 3, 4], ['b', 12])).toEqual(['b', 12]);
    expect(shapeOf(['b', 3, 4], ['b', -1])).toEqual(['b', 12]);
    expect(shapeOf([3, 'b', 4], ['b', 12])).toEqual(['b', 12]);
    expect(shapeOf([3, 'b', 'c'], ['c', 'b', 3])).toEqual(['c', 'b', 3]);
    expect(shapeOf(['b', 'c', 8], ['c', 'b', -1])).toEqual(['c', 'b', 8]);
  });

  it('views any order of fixed and symbolic dimensions (property)', () => {
    const dims = fc.uniqueArray(fc.integer({ min: 2, max: 9 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        dims,
        fc.array(fc.boolean(), { minLength: 5 }),
        fc.func(fc.integer()),
        (sizes, named, order) => {
          const shape = sizes.map((size, axis): Dim => (named[axis] ? `s${size}` : size));
          const target = [...shape].sort((a, b) => order(a) - order(b));
          const [output] = trace(new Expression((x) => x.view(target)), shape).outputs;
          expect(output?.type).toMatchObject({ dtype: 'float32', shape: target });
        },
      ),
    );
  });

  it('turns axes round and back (property)', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.func(fc.integer()), async (shape, order) => {
        const axes = [...shape.keys()].sort((a, b) => order(a) - order(b));
        const inverse = axes.map((_, axis) => axes.indexOf(axis));
        const [turned, back] = await results(
          (x) => [x.permute(axes), x.permute(axes).permute(inverse)],
          counted(...shape),
        );
        expect(turned?.shape).toEqual(axes.map((axis) => shape[axis]));
        expect(back).toEqual({ shape, data: [...counted(...shape).float32] });
      }),
      { numRuns: 25 },
    );
  });

  it('runs a view whose symbols change places', async () => {
    const graph = new Expression((x) => x.view(x.shape[1]!, x.shape[0]!, 3));
    expect((await result((x) => graph.forward(x), counted(2, 4, 3))).shape).toEqual([4, 2, 3]);
  });

  it('flattens, transposes, permutes', async () => {
    expect((await result((x) => x.flatten(1, 2), counted(2, 3, 4, 5))).shape).toEqual([2, 12, 5]);
    expect((await result((x) => x.flatten(), counted(2, 3))).shape).toEqual([6]);
    expect(await result((x) => x.transpose(0, -1), counted(2, 3))).toEqual({
      shape: [3, 2],
      data: [0, 3, 1, 4, 2, 5],
    });
    expect((await result((x) => x.permute(2, 0, 1).contiguous(), counted(2, 3, 4))).shape).toEqual([4, 2, 3]);
  });

  it('squeezes only axes of size 1, unsqueezes, expands', async () => {
    expect((await result((x) => x.squeeze(), counted(1, 3, 1))).shape).toEqual([3]);
    expect((await result((x) => x.squeeze(1).neg(), counted(1, 3, 1))).shape).toEqual([1, 3, 1]);
    expect((await result((x) => x.unsqueeze(-1), counted(2, 3))).shape).toEqual([2, 3, 1]);
    expect(await result((x) => x.expand(2, -1, 2), counted(3, 1))).toEqual({
      shape: [2, 3, 2],
      data: [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2],
    });
  });

  it('cuts: split, chunk, narrow, select', async () => {
    expect((await results((x) => x.split(2), counted(5))).map(({ data }) => data)).toEqual([
      [0, 1],
      [2, 3],
      [4],
    ]);
    expect((await results((x) => x.split([1, 3], 1), counted(1, 4))).map(({ data }) => data)).toEqual([
      [0],
      [1, 2, 3],
    ]);
    // PyTorch: 5 elements in 4 chunks are 2 + 2 + 1.
    expect((await results((x) => x.chunk(4), counted(5))).map(({ data }) => data)).toEqual([
      [0, 1],
      [2, 3],
      [4],
    ]);
    expect((await result((x) => x.narrow(-1, 1, 2), counted(2, 3))).data).toEqual([1, 2, 4, 5]);
    expect(await result((x) => x.select(0, -1), counted(2, 3))).toEqual({ shape: [3], data: [3, 4, 5] });
  });

  it('joins: cat and stack', async () => {
    const [a, b] = [counted(2), counted(2)];
    expect(await result((x, y) => F.cat([x!, y!]), a, b)).toEqual({ shape: [4], data: [0, 1, 0, 1] });
    expect(await result((x, y) => F.stack([x!, y!], 1), a, b)).toEqual({ shape: [2, 2], data: [0, 0, 1, 1] });
  });

  it('says what does not fit', () => {
    expect(traced([2, 3], (x) => x.view(-2, 3))).toThrow(
      'reshape: the dimensions [-2, 3] must be whole numbers',
    );
    expect(traced([2, 3], (x) => x.view('batch', 3, 1, 1))).toThrow(
      "reshape: the input [2, 3] has no dimension 'batch' to copy",
    );
    expect(traced(['b', 3], (x) => x.view('c', 'd'))).toThrow(
      "reshape: the input [b, 3] has no dimension 'd' to copy",
    );
    expect(traced(['b', 3], (x) => x.view(x.nelement()))).toThrow(
      'the size of axis 0 of [b, 3] is not a number',
    );
    expect(traced([2, 3], (x) => x.flatten(1, 0))).toThrow(
      'flatten: expects start <= end, got axes 1 and 0 of [2, 3]',
    );
    expect(traced([2, 3], (x) => x.permute(0, 0))).toThrow(
      'permute: expects every axis of [2, 3] once, got [0, 0]',
    );
    expect(traced([2, 3], (x) => x.transpose(0, 2))).toThrow(
      'transpose: axis 2 is not in [-2, 1] of float32[2, 3]',
    );
    expect(traced([2, 3], (x) => x.expand(4, 3))).toThrow('expand: [2, 3] cannot be expanded to [4, 3]');
    expect(traced([2, 3], (x) => x.split([1, 1], 1))).toThrow(
      'split: expects whole numbers that add up to 3, the size of axis 1, got [1, 1]',
    );
    expect(traced([2, 3], (x) => x.split(0))).toThrow('split: expects a size of at least 1, got 0');
    expect(traced([2, 3], (x) => x.chunk(0))).toThrow('chunk: expects a whole number of chunks >= 1, got 0');
    expect(traced([2, 3], (x) => x.narrow(1, 2, 2))).toThrow(
      'narrow: 2 elements from 2 on do not lie in axis 1 of [2, 3]',
    );
    expect(traced([2, 3], (x) => x.select(1, 3))).toThrow('select: index 3 is not in axis 1 of [2, 3]');
    expect(() => F.cat([])).toThrow('cat: expects at least one Variable');
    expect(() => F.stack([])).toThrow('stack: expects at least one Variable');
  });
});

describe('arithmetic', () => {
  it('broadcasts numbers, tensors and variables', async () => {
    const x = Tensor.of(Float32Array.of(1, 4, 9), [3]);
    expect((await result((v) => v.add(1).mul(2).sub(2).div(4), x)).data).toEqual([0.5, 2, 4.5]);
    expect((await result((v) => v.pow(2), x)).data).toEqual([1, 16, 81]);
    expect((await result((v) => v.sqrt().neg(), x)).data).toEqual([-1, -2, -3]);
    expect((await result((v) => v.add(Tensor.of(Float32Array.of(1, 2), [2, 1])), x)).data).toEqual([
      2, 5, 10, 3, 6, 11,
    ]);
    expect((await result((v) => v.log().exp().sub(v).abs().max().mul(0), x)).data).toEqual([0]);
    expect((await result((v) => v.clamp(2, 5), x)).data).toEqual([2, 4, 5]);
    expect((await result((v) => v.reciprocal(), x)).data[1]).toBe(0.25);
  });

  it('multiplies matrices', async () => {
    const product = await result((a, b) => a!.matmul(b!), counted(2, 3), counted(3, 2));
    expect(product).toEqual({ shape: [2, 2], data: [10, 13, 28, 40] });
  });

  it('reduces over axes, with or without keeping them', async () => {
    const x = counted(2, 3);
    expect(await result((v) => v.mean(1), x)).toEqual({ shape: [2], data: [1, 4] });
    expect(await result((v) => v.sum(0, { keepdim: true }), x)).toEqual({ shape: [1, 3], data: [3, 5, 7] });
    expect(await result((v) => v.max([0, 1]), x)).toEqual({ shape: [], data: [5] });
    expect((await result((v) => v.min(-1), x)).data).toEqual([0, 3]);
    expect((await result((v) => v.mean(), x)).data).toEqual([2.5]);
  });

  it('refuses numbers that the dtype cannot hold', () => {
    const ints = new Expression((x) => x.add(0.5));
    expect(() => trace(ints, { ids: { shape: [2], dtype: 'int64' } })).toThrow(
      "int64 cannot hold 0.5; convert the variable first: x.to('float32')",
    );
  });
});

describe('layers as functions', () => {
  it('says what options and inputs do not fit', () => {
    const weight = Tensor.full([2, 3, 3, 3], 1);
    expect(traced([1, 3, 5], (x) => F.conv2d(x, weight))).toThrow(
      'conv2d: expects a batch [N, C, H, W], got float32[1, 3, 5]',
    );
    expect(traced([1, 3, 5, 5], (x) => F.conv2d(x, weight, null, { stride: 2, padding: 'same' }))).toThrow(
      "conv2d: padding='same' is not supported for strided convolutions",
    );
    expect(traced([1, 3, 5, 5], (x) => F.conv2d(x, weight, null, { stride: [1, 0] }))).toThrow(
      'conv2d: stride expects a whole number or 2 of them >= 1, got [1, 0]',
    );
    expect(traced([1, 3, 5, 5], (x) => F.maxPool2d(x, 2, { padding: 2 }))).toThrow(
      'maxPool2d: pad should be at most half of effective kernel size',
    );
    expect(traced([1, 3, 5, 5], (x) => F.adaptiveAvgPool2d(x, 2))).toThrow(
      'adaptiveAvgPool2d: 2 places do not divide axis 2 of [1, 3, 5, 5]; ONNX has no pooling windows of unequal size',
    );
    expect(traced([1, 3, 5, 5], (x) => F.interpolate(x, {}))).toThrow(
      'interpolate: either size or scaleFactor should be defined, and not both',
    );
    expect(traced([1, 3, 5, 5], (x) => F.interpolate(x, { size: 2, alignCorners: true }))).toThrow(
      "interpolate: alignCorners goes with the modes 'bilinear' and 'bicubic' only",
    );
    expect(traced([1, 3, 5, 5], (x) => F.pad(x, [1]))).toThrow('pad: expects a pair of whole numbers');
    expect(traced([1, 3, 5, 5], (x) => F.dropout(x, 2))).toThrow(
      'probability has to be between 0 and 1, but got 2',
    );
  });

  it('drops elements in training, and scales the others', async () => {
    const x = Tensor.full([1000], 1);
    const { data } = await result((v) => F.dropout(v, 0.25, { training: true }), x);
    expect(new Set(data)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
    expect(Math.abs(data.filter((value) => value === 0).length - 250)).toBeLessThan(80);
  });
});
