import { describe, expect, it } from 'vitest';
import { oneNode } from '../../test/one-node.ts';
import { ShapeError } from '../core/errors.ts';
import { type Attribute, attr } from '../ir/index.ts';

const ints = (...values: number[]): Attribute => attr.ints(values);
const cost = (thop: number): unknown => ({ macs: 0, 'thop@0.0.31': thop, 'thop@0.1.1': thop });

// Shapes as onnxruntime 1.30 computes them.
describe('shapes of poolings', () => {
  it.each<[string, string, Record<string, Attribute>, string]>([
    ['MaxPool', 'float32[1,2,8,8]', { kernel_shape: ints(2, 2), strides: ints(2, 2) }, 'float32[1, 2, 4, 4]'],
    [
      'MaxPool',
      'float32[1,2,112,112]',
      { kernel_shape: ints(3, 3), strides: ints(2, 2), ceil_mode: attr.int(1) },
      'float32[1, 2, 56, 56]',
    ],
    [
      'MaxPool',
      'float32[1,2,20,20]',
      { kernel_shape: ints(5, 5), pads: ints(2, 2, 2, 2) },
      'float32[1, 2, 20, 20]',
    ],
    ['MaxPool', 'float32[1,2,9]', { kernel_shape: ints(3), dilations: ints(3) }, 'float32[1, 2, 3]'],
    [
      'MaxPool',
      'float32[1,2,7]',
      { kernel_shape: ints(3), strides: ints(2), auto_pad: attr.string('SAME_UPPER') },
      'float32[1, 2, 4]',
    ],
    ['MaxPool', 'uint8[1,2,7]', { kernel_shape: ints(3) }, 'uint8[1, 2, 5]'],
    [
      'AveragePool',
      'float32[1,2,6,7,8]',
      { kernel_shape: ints(2, 3, 4), strides: ints(2, 2, 2) },
      'float32[1, 2, 3, 3, 3]',
    ],
    [
      'AveragePool',
      'float32[n,2,h,8]',
      { kernel_shape: ints(2, 2), strides: ints(2, 2) },
      'float32[n, 2, floor(h/2), 4]',
    ],
    ['LpPool', 'float32[1,2,7]', { kernel_shape: ints(3), strides: ints(2) }, 'float32[1, 2, 3]'],
    ['GlobalAveragePool', 'float32[n,2,h,?]', {}, 'float32[n, 2, 1, 1]'],
    ['GlobalMaxPool', 'float32[1,2,7]', {}, 'float32[1, 2, 1]'],
    ['GlobalLpPool', 'float32[1,2,7,8,9]', {}, 'float32[1, 2, 1, 1, 1]'],
  ])('%s of %s with %o', (opType, input, attributes, output) => {
    expect(oneNode(opType, [input], { attributes }).types).toEqual([output]);
  });

  it('MaxPool gives indices where they are asked for', () => {
    const { types } = oneNode('MaxPool', ['float32[1,2,8]'], {
      attributes: { kernel_shape: ints(2) },
      outputs: 2,
    });
    expect(types).toEqual(['float32[1, 2, 7]', 'int64[1, 2, 7]']);
  });

  it('MaxUnpool undoes the size of a pooling, or has the size it is given', () => {
    const attributes = { kernel_shape: ints(2, 3), strides: ints(2, 2), pads: ints(0, 1, 0, 0) };
    const inputs = ['float32[1,4,3,3]', 'int64[1,4,3,3]'];
    expect(oneNode('MaxUnpool', inputs, { attributes }).types).toEqual(['float32[1, 4, 6, 6]']);
    expect(oneNode('MaxUnpool', [...inputs, 'int64[4]'], { attributes }).types).toEqual([
      'float32[?, ?, ?, ?]',
    ]);
    // The constants are zeros.
    expect(oneNode('MaxUnpool', [...inputs, 'const int64[4]'], { attributes }).types).toEqual([
      'float32[0, 0, 0, 0]',
    ]);
  });

  it('of regions have one result per region', () => {
    const pooled = { pooled_shape: ints(2, 3) };
    expect(
      oneNode('MaxRoiPool', ['float32[1,4,6,6]', 'float32[rois,5]'], { attributes: pooled }).types,
    ).toEqual(['float32[rois, 4, 2, 3]']);
    const height = { output_height: attr.int(7) };
    expect(
      oneNode('RoiAlign', ['float32[1,4,6,6]', 'float32[rois,4]', 'int64[9]'], { attributes: height }).types,
    ).toEqual(['float32[9, 4, 7, 1]']);
  });
});

describe('errors of poolings', () => {
  const kernel = { kernel_shape: ints(2) };
  it.each<[string, string[], Record<string, Attribute>, string]>([
    [
      'MaxPool',
      ['int32[1,2,8]'],
      kernel,
      'input 0 expects floating-point elements, got int32; put a Cast before it',
    ],
    [
      'AveragePool',
      ['int8[1,2,8]'],
      kernel,
      'input 0 expects floating-point elements, got int8; put a Cast before it',
    ],
    ['AveragePool', ['float32[2,8]'], kernel, 'the input expects at least 3 dimensions, got 2'],
    ['GlobalAveragePool', ['float32[2,8]'], {}, 'the input expects at least 3 dimensions, got 2'],
    ['MaxUnpool', ['float32[1,4,3]', 'int32[1,4,3]'], kernel, 'indices expect int64, got int32'],
    [
      'MaxUnpool',
      ['float32[1,4,3]', 'int64[1,4,4]'],
      kernel,
      'indices expects shape [1, 4, 3], got [1, 4, 4]',
    ],
    [
      'MaxUnpool',
      ['float32[1,4,3]', 'int64[1,4,3]', 'int64[2]'],
      kernel,
      'output_shape expects shape [3], got [2]',
    ],
    ['MaxRoiPool', ['float32[1,4,6,6]', 'float32[3,4]'], {}, 'rois expects shape [?, 5], got [3, 4]'],
    ['MaxRoiPool', ['float32[1,4,6,6]', 'float32[3,5]'], {}, 'pooled_shape expects 2 numbers, got none'],
    ['MaxRoiPool', ['float32[1,4,6]', 'float32[3,5]'], {}, 'the input expects 4 dimensions, got 3'],
    [
      'RoiAlign',
      ['float32[1,4,6,6]', 'float32[3,4]', 'int64[2]'],
      {},
      'batch_indices expects shape [3], got [2]',
    ],
    [
      'RoiAlign',
      ['float32[1,4,6,6]', 'float32[3,4]', 'int64[]'],
      {},
      'batch_indices expects 1 dimensions, got 0',
    ],
    [
      'RoiAlign',
      ['float32[1,4,6,6]', 'float64[3,4]', 'int64[3]'],
      {},
      'input 1 expects float32 as input 0, got float64; put a Cast before it',
    ],
  ])('%s of %j with %o: %s', (opType, inputs, attributes, message) => {
    const build = (): unknown => oneNode(opType, inputs, { attributes });
    expect(build).toThrow(ShapeError);
    expect(build).toThrow(`${opType} 'node': ${message}`);
  });
});

describe('cost of poolings', () => {
  it('follows the rules thop has', () => {
    const attributes = { kernel_shape: ints(2, 2), strides: ints(2, 2) };
    expect(oneNode('MaxPool', ['float32[1,2,8,8]'], { attributes }).cost).toEqual(cost(0));
    expect(oneNode('AveragePool', ['float32[1,2,8,8]'], { attributes }).cost).toEqual(cost(2 * 4 * 4));
    // Adaptive pooling to one element: 49 additions and a division each.
    expect(oneNode('GlobalAveragePool', ['float32[1,2,7,7]']).cost).toEqual(cost(2 * 50));
    expect(oneNode('GlobalMaxPool', ['float32[1,2,7,7]']).cost).toEqual(cost(0));
  });
});
