import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gradientsAt, nodeGraph, vector } from '../../test/gradient-at.ts';
import { expectMeasured, wave } from '../../test/measured-gradients.ts';
import { gradient } from '../autograd/index.ts';
import { sizeOf, Tensor } from '../core/tensor.ts';
import { type Attribute, attr } from '../ir/index.ts';
import { createSession } from '../runtime/index.ts';

const filled = (shape: readonly number[]): Tensor => new Tensor('float32', shape, wave(sizeOf(shape)));

const COORDINATES = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
] as const;
const NEAREST = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'] as const;

describe('the gradient of Resize', () => {
  for (const mode of ['nearest', 'linear', 'cubic']) {
    it(`agrees with differences in mode ${mode} for any sizes and coordinates`, async () => {
      const size = fc.integer({ min: 2, max: 9 });
      await fc.assert(
        fc.asyncProperty(
          fc.tuple(size, size, size, size),
          fc.constantFrom(...COORDINATES),
          fc.constantFrom(...NEAREST),
          async ([height, width, high, wide], coordinates, nearest) => {
            const x0 = filled([1, 2, height, width]);
            const graph = nodeGraph('Resize', [x0, null, null, Tensor.int64([1, 2, high, wide])], {
              constants: [3],
              attributes: {
                mode: attr.string(mode),
                coordinate_transformation_mode: attr.string(coordinates),
                nearest_mode: attr.string(nearest),
              },
            });
            await expectMeasured(graph, { x0 });
          },
        ),
        { numRuns: 40 },
      );
    });
  }

  // Places so close to a whole number or a half that rounding decides: y is what the engine shows of 0, 1, 2, …
  it.each([
    ['half_pixel_symmetric', 'floor', 3, 1],
    ['half_pixel_symmetric', 'floor', 3, 11],
    ['half_pixel_symmetric', 'floor', 9, 5],
    ['asymmetric', 'round_prefer_ceil', 7, 2],
    ['asymmetric', 'round_prefer_ceil', 7, 8],
    ['asymmetric', 'round_prefer_floor', 7, 4],
    ['half_pixel', 'round_prefer_floor', 6, 7],
  ])('goes to the element that %s, %s shows from %i to %i', async (coordinates, nearest, from, to) => {
    const options = {
      constants: [3],
      attributes: {
        coordinate_transformation_mode: attr.string(coordinates),
        nearest_mode: attr.string(nearest),
      },
    };
    const x = vector(...Array.from({ length: from }, (_, i) => i)).reshape([1, 1, 1, from]);
    const inputs = [x, null, null, Tensor.int64([1, 1, 1, to])];
    const session = await createSession(nodeGraph('Resize', inputs, options));
    const y = [...(await session.run({ x0: x })).get('y0')!.float32];
    await session.dispose();
    const expected = new Array<number>(from).fill(0);
    y.forEach((source, place) => {
      expected[source]! += 2 ** place;
    });
    const gradOutput = y.map((_, place) => 2 ** place);
    expect((await gradientsAt('Resize', inputs, { ...options, gradOutput }))[0]).toEqual(expected);
  });

  it.each<[string, Readonly<Record<string, Attribute>>]>([
    ['a coefficient', { mode: attr.string('cubic'), cubic_coeff_a: attr.float(-0.5) }],
    ['taps outside left out', { mode: attr.string('cubic'), exclude_outside: attr.int(1) }],
    [
      'coordinates of TensorFlow 1',
      {
        coordinate_transformation_mode: attr.string('tf_half_pixel_for_nn'),
        nearest_mode: attr.string('floor'),
      },
    ],
  ])('by scales, with %s', async (_, attributes) => {
    const x0 = filled([1, 2, 4, 7]);
    const graph = nodeGraph('Resize', [x0, null, vector(1, 1, 1.6, 0.6)], { constants: [2], attributes });
    expect(await expectMeasured(graph, { x0 })).toBe(2);
  });

  it.each(['not_larger', 'not_smaller'])('with the aspect ratio kept: %s', async (policy) => {
    const x0 = filled([5, 7]);
    const graph = nodeGraph('Resize', [x0, null, null, Tensor.int64([8, 9])], {
      constants: [3],
      attributes: { mode: attr.string('linear'), keep_aspect_ratio_policy: attr.string(policy) },
    });
    expect(await expectMeasured(graph, { x0 })).toBe(2);
  });

  it('by whole scales sums what was repeated', async () => {
    const options = { constants: [2], gradOutput: [1, 2, 3, 4, 5, 6] };
    const inputs = [vector(7, 8).reshape([1, 1, 1, 2]), null, vector(1, 1, 1, 3)];
    expect((await gradientsAt('Resize', inputs, options))[0]).toEqual([6, 15]);
    const graph = nodeGraph('Resize', [filled([1, 2, 4, 4]), null, vector(1, 1, 2, 2)], options);
    const { nodes } = gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' });
    expect(nodes.some(({ opType }) => opType === 'MatMul' || opType === 'Transpose')).toBe(false);
  });

  it('of an image is two products and no Transpose', () => {
    const graph = nodeGraph('Resize', [filled([1, 2, 4, 4]), null, vector(1, 1, 1.5, 1.5)], {
      constants: [2],
      attributes: { mode: attr.string('linear') },
    });
    const { nodes } = gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' });
    expect(nodes.filter(({ opType }) => opType === 'MatMul')).toHaveLength(2);
    expect(nodes.some(({ opType }) => opType === 'Transpose')).toBe(false);
  });

  it.each<[string, Readonly<Record<string, Attribute>>]>([
    ['antialias has no gradient rule', { mode: attr.string('linear'), antialias: attr.int(1) }],
  ])('is refused: %s', (message, attributes) => {
    const graph = nodeGraph('Resize', [filled([1, 1, 4, 4]), null, vector(1, 1, 0.5, 0.5)], {
      constants: [2],
      attributes,
    });
    expect(() => gradient(graph, { of: 'y0', withRespectTo: ['x0'], gradOutput: 'g' })).toThrow(message);
  });
});
