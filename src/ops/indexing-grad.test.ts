import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gradientsAt, nodeGraph, vector } from '../../test/gradient-at.ts';
import { expectMeasured, wave } from '../../test/measured-gradients.ts';
import { gradient } from '../autograd/index.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { type Attribute, attr } from '../ir/index.ts';

const filled = (shape: readonly number[], seed = 1): Tensor =>
  new Tensor('float32', shape, wave(sizeOf(shape), seed));

const ints = (...values: readonly number[]): Tensor => Tensor.int64(values);

describe('the gradient of Gather', () => {
  it.each([0, 1, -1])(
    'adds up where an index comes twice or counts from the end, along axis %i',
    async (axis) => {
      const x0 = filled([3, 4, 3]);
      const indices = ints(2, 0, -1, 2, 1, -3).reshape([2, 3]);
      const graph = nodeGraph('Gather', [x0, indices], { attributes: { axis: attr.int(axis) } });
      expect(await expectMeasured(graph, { x0, x1: indices })).toBe(2);
    },
  );

  it('loses nothing where thousands of indices fall on one row', async () => {
    // So many that an engine which adds from several threads without care loses some.
    const count = 200_000;
    const indices = Tensor.int64(Array.from({ length: count }, (_, i) => i % 2));
    for (let run = 0; run < 5; run++) {
      const [found] = await gradientsAt('Gather', [Tensor.zeros('float32', [2, 4]), indices]);
      expect(found).toEqual(new Array(8).fill(count / 2));
    }
  });

  it.each([
    ['Gather', ints(1, 1, 0)],
    ['GatherND', ints(1, 1, 0).reshape([3, 1])],
    ['GatherElements', ints(1, 1, 0)],
  ])('of %s is never left to ScatterND, which loses some now and then', (opType, indices) => {
    const graph = nodeGraph(opType, [filled([4]), indices]);
    const { nodes } = gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' });
    const used = nodes.map((node) => node.opType);
    expect(used).toContain('ScatterElements');
    expect(used).not.toContain('ScatterND');
  });

  it('takes int32 indices', async () => {
    const indices = Tensor.of(Int32Array.from([1, 1, 0]));
    const [found] = await gradientsAt('Gather', [vector(5, 6, 7), indices], { gradOutput: [1, 10, 100] });
    expect(found).toEqual([100, 11, 0]);
  });

  it.each([
    [1, [0, 1, 0]],
    [-1, [0, 0, 1]],
  ])('of the one constant index %i is padding', async (index, row) => {
    const options = { attributes: { axis: attr.int(1) }, constants: [1] };
    const inputs = [filled([2, 3]), ints(index).reshape([])];
    expect((await gradientsAt('Gather', inputs, options))[0]).toEqual([...row, ...row]);
    const graph = nodeGraph('Gather', inputs, options);
    const { nodes } = gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' });
    expect(nodes.map((node) => node.opType)).not.toContain('ScatterElements');
  });
});

describe('gradients of GatherElements and GatherND', () => {
  it.each([0, 1])('GatherElements along axis %i, with an element chosen twice', async (axis) => {
    const x0 = filled([3, 3]);
    const x1 = ints(0, 1, 1, 0, 2, -1).reshape([2, 3]);
    const graph = nodeGraph('GatherElements', [x0, x1], { attributes: { axis: attr.int(axis) } });
    expect(await expectMeasured(graph, { x0, x1 })).toBe(2);
  });

  it.each<[readonly number[], readonly number[], readonly number[], number]>([
    [[3, 4], [3, 2], [0, 1, 2, -1, 0, 1], 0],
    [[3, 4], [2, 1], [2, 2], 0],
    [[3, 4, 2], [2, 2, 2], [0, 1, 2, 3, -3, -3, 2, 3], 0],
    [[2, 3, 4], [2, 2, 1], [0, -1, 2, 2], 1],
    [[2, 2, 3], [2, 2, 1], [0, 1, 1, 2], 2],
  ])('GatherND of %j by indices %j %j, batch_dims %i', async (shape, indices, values, batch) => {
    const [x0, x1] = [filled(shape), ints(...values).reshape(indices)];
    const graph = nodeGraph('GatherND', [x0, x1], { attributes: { batch_dims: attr.int(batch) } });
    expect(await expectMeasured(graph, { x0, x1 })).toBe(2);
  });
});

describe('gradients of scattering', () => {
  it.each(['none', 'add'])('ScatterElements with reduction %s', async (reduction) => {
    const [x0, x1, x2] = [filled([3, 3]), ints(1, 0, 2, 0, 2, 1).reshape([2, 3]), filled([2, 3], 2)];
    const graph = nodeGraph('ScatterElements', [x0, x1, x2], {
      attributes: { axis: attr.int(0), reduction: attr.string(reduction) },
    });
    expect(await expectMeasured(graph, { x0, x1, x2 })).toBe(4);
  });

  it.each(['none', 'add'])('ScatterND with reduction %s', async (reduction) => {
    const [x0, x1, x2] = [filled([4, 2]), ints(3, 1).reshape([2, 1]), filled([2, 2], 2)];
    const graph = nodeGraph('ScatterND', [x0, x1, x2], { attributes: { reduction: attr.string(reduction) } });
    expect(await expectMeasured(graph, { x0, x1, x2 })).toBe(4);
  });

  it('with reduction max is refused', () => {
    const graph = nodeGraph('ScatterND', [filled([4]), ints(3).reshape([1, 1]), filled([1])], {
      attributes: { reduction: attr.string('max') },
    });
    expect(() => gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' })).toThrow(
      "ScatterND 'node': reduction 'max' has no gradient rule",
    );
  });
});

describe('the gradient of Slice', () => {
  it('agrees with differences for any starts, ends and steps', async () => {
    const range = fc.record({
      start: fc.integer({ min: -9, max: 9 }),
      end: fc.integer({ min: -9, max: 9 }),
      step: fc.constantFrom(1, 2, 3, -1, -2, -3),
    });
    await fc.assert(
      fc.asyncProperty(fc.tuple(range, range), async (ranges) => {
        const x0 = filled([5, 7]);
        const graph = nodeGraph(
          'Slice',
          [
            x0,
            ints(...ranges.map(({ start }) => start)),
            ints(...ranges.map(({ end }) => end)),
            ints(0, -1),
            ints(...ranges.map(({ step }) => step)),
          ],
          { constants: [1, 2, 3, 4] },
        );
        // Nothing is left of some ranges.
        fc.pre(
          ranges.every(({ start, end, step }, axis) => lengthOf(start, end, step, axis === 0 ? 5 : 7) > 0),
        );
        await expectMeasured(graph, { x0 });
      }),
      { numRuns: 60 },
    );
  });
});

/** Elements that NumPy's `start:end:step` takes of `size`. */
function lengthOf(start: number, end: number, step: number, size: number): number {
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const at = (index: number): number => Math.min(Math.max(index < 0 ? index + size : index, low), high);
  return Math.max(0, Math.ceil((at(end) - at(start)) / step));
}

describe('the gradient of Pad', () => {
  it.each<[string, readonly number[]]>([
    ['constant', [1, 0, 2, 3]],
    ['constant', [-1, 2, 1, -2]],
    ['reflect', [2, 1, 0, 3]],
    ['edge', [2, 1, 0, 3]],
    ['edge', [0, 0, 2, 2]],
    ['wrap', [1, 2, 2, 1]],
  ])('%s, by %j', async (mode, pads) => {
    const x0 = filled([3, 5]);
    const graph = nodeGraph('Pad', [x0, ints(...pads)], {
      attributes: { mode: attr.string(mode) },
      constants: [1],
      opset: 19,
    });
    expect(await expectMeasured(graph, { x0 })).toBe(2);
  });

  it('reaches the value put around, and some axes only', async () => {
    const [x0, x2] = [filled([3, 2]), new Tensor('float32', [], Float32Array.of(0.5))];
    const graph = nodeGraph('Pad', [x0, ints(1, 2), x2, ints(-1)], { constants: [1, 3] });
    expect(await expectMeasured(graph, { x0, x2 })).toBe(4);
    const found = await gradientsAt('Pad', [x0, ints(1, 2), x2, ints(-1)], { constants: [1, 3] });
    expect(found[2]).toEqual([9]);
  });
});

describe('gradients of other operators that choose', () => {
  it.each<
    [string, readonly number[], readonly (Tensor | null)[], Readonly<Record<string, Attribute>>, number]
  >([
    ['Trilu', [3, 4], [ints(1).reshape([])], {}, 1],
    ['Trilu', [2, 3, 3], [], { upper: attr.int(0) }, 1],
    ['TopK', [3, 5], [ints(2)], {}, 2],
    ['TopK', [3, 5], [ints(2)], { axis: attr.int(0), largest: attr.int(0) }, 2],
    ['CenterCropPad', [5, 4], [ints(2, 7)], {}, 1],
    ['CenterCropPad', [4, 5], [ints(8)], { axes: attr.ints([-1]) }, 1],
  ])('%s of %j', async (opType, shape, more, attributes, outputs) => {
    const x0 = filled(shape);
    const graph = nodeGraph(opType, [x0, ...more], { attributes, outputs, constants: [1] });
    expect(await expectMeasured(graph, { x0 })).toBe(2);
  });

  it.each([
    ['Compress', [filled([3]), new Tensor('bool', [3], Uint8Array.of(1, 0, 1))], 'shapes must be known'],
    ['GridSample', [filled([1, 1, 2, 2]), filled([1, 2, 2, 2])], 'train without it'],
  ])('%s says why it has none', (opType, inputs, why) => {
    const graph = nodeGraph(opType, inputs, { constants: [1] });
    expect(() => gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' })).toThrow(why);
  });
});
