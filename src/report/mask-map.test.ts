import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { drawMaskMap, maskMap } from './mask-map.ts';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const mask = (values: readonly number[], shape: readonly number[]) =>
  Tensor.of(Float32Array.from(values), shape);

describe('maskMap', () => {
  it('shows a filter in each row', () => {
    const map = maskMap(mask([1, 0, 0, 0, 1, 1], [2, 3, 1]), { title: 'conv' });
    expect(map).toEqual({
      kind: 'mask',
      title: 'conv',
      shape: [2, 3, 1],
      kept: 3,
      rows: 2,
      columns: 3,
      cells: '/AAA//',
    });
  });

  it('takes the filters from another axis', () => {
    // Filters of a transposed convolution, or of MatMul weights, stand second.
    const map = maskMap(mask([1, 0, 0, 1, 1, 0], [3, 2]), { axis: 1 });
    expect([map.rows, map.columns, map.cells]).toEqual([2, 3, '/A/A/A']);
    const inner = maskMap(mask([1, 0, 1, 1, 0, 0, 1, 1], [2, 2, 2]), { axis: -2 });
    // Filter 0: 1, 0 and 0, 0; filter 1: 1, 1 and 1, 1.
    expect(inner.cells).toBe('/AAA////');
  });

  it('shows one axis as one row, and a scalar as one cell', () => {
    expect(maskMap(mask([1, 0, 1], [3]))).toMatchObject({ rows: 1, columns: 3, cells: '/A/' });
    expect(maskMap(mask([1], []))).toMatchObject({ rows: 1, columns: 1, cells: '/', shape: [] });
  });

  it('reads masks of other dtypes', () => {
    expect(maskMap(new Tensor('bool', [2, 1], Uint8Array.of(0, 1))).cells).toBe('A/');
    expect(maskMap(new Tensor('int64', [2, 1], BigInt64Array.of(2n, 0n))).cells).toBe('/A');
  });

  it('reduces large masks to shares, of which only wholly pruned and wholly kept parts are 0 and 1', () => {
    const size = 256 * 960;
    const values = new Float32Array(size).fill(1);
    // The first cell holds 4 filters and 10 weights of each.
    values[0] = 0;
    // The last cell is all pruned but one.
    for (let row = 252; row < 256; row++) values.fill(0, row * 960 + 950, row * 960 + 960);
    values[size - 1] = 1;
    // The second cell is half pruned.
    for (let row = 0; row < 2; row++) values.fill(0, row * 960 + 10, row * 960 + 20);
    const map = maskMap(Tensor.of(values, [256, 960]));
    expect([map.rows, map.columns, map.cells.length]).toEqual([64, 96, 64 * 96]);
    expect(DIGITS.indexOf(map.cells[0]!)).toBe(61);
    expect(DIGITS.indexOf(map.cells[1]!)).toBe(32);
    expect(map.cells.at(-1)).toBe('C');
    expect(map.cells[2]).toBe('/');
    expect(map.kept).toBe(size - 1 - 39 - 20);
  });

  it('counts what is kept for any shape and axis', () => {
    const cases = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }).chain((shape) => {
      const size = shape.reduce((product, dim) => product * dim, 1);
      const values = fc.array(fc.constantFrom(0, 1), { minLength: size, maxLength: size });
      return fc.tuple(fc.constant(shape), values, fc.nat(shape.length - 1));
    });
    fc.assert(
      fc.property(cases, ([shape, values, axis]) => {
        const map = maskMap(mask(values, shape), { axis });
        const kept = values.filter((value) => value !== 0).length;
        expect(map.kept).toBe(kept);
        expect(map.cells).toHaveLength(map.rows * map.columns);
        // At most 7 filters, but up to 343 weights in one.
        if (map.rows * map.columns === values.length)
          expect([...map.cells].filter((cell) => cell === '/')).toHaveLength(kept);
      }),
    );
  });

  it('refuses empty masks and axes that are not there', () => {
    expect(() => maskMap(mask([], [0, 3]))).toThrow(ArgumentError);
    expect(() => maskMap(mask([], [0, 3]))).toThrow(
      'maskMap: expected a mask with elements, got float32[0, 3]',
    );
    expect(() => maskMap(mask([1], [1, 1]), { axis: 2 })).toThrow('axis 2 is out of range for rank 2');
  });
});

describe('drawMaskMap', () => {
  it('draws one path per shade, cells side by side in one stroke', () => {
    const { body, notes, legend } = drawMaskMap(maskMap(mask([1, 1, 0, 0, 0, 1], [2, 3]), { title: 'fc' }));
    expect(body).toContain('<path class="k8" d="M0 0h2M2 1h1"/>');
    expect(body.match(/<path/g)).toHaveLength(1);
    expect(body).toContain('role="img"');
    expect(body).toContain(
      'aria-label="Mask map: fc. 2 × 3 cells, filters downward. 3 of 6 weights are kept (50.00\u202f%).',
    );
    expect(notes).toContain('Shape 2 × 3.');
    expect(legend).not.toContain('in part');
  });

  it('shades parts and says that they are parts', () => {
    const values = Float32Array.from({ length: 200 * 4 }, (_, index) => (index % 3 === 0 ? 1 : 0));
    const { body, notes, legend } = drawMaskMap(maskMap(Tensor.of(values, [200, 4])));
    expect(body.match(/<path class="k[1-7]"/g)?.length).toBeGreaterThan(0);
    expect(notes.at(-1)).toBe('Shape 200 × 4, reduced to 64 × 4 cells, shaded by the share kept.');
    expect(legend).toContain('in part');
  });

  it('stays small: at most 45 kB for the worst mask', () => {
    const values = Float32Array.from({ length: 64 * 96 }, (_, index) => (index + Math.floor(index / 96)) % 2);
    expect(drawMaskMap(maskMap(Tensor.of(values, [64, 96]))).body.length).toBeLessThan(45_000);
  });
});
