import { describe, expect, it } from 'vitest';
import { oneNode } from '../../test/one-node.ts';
import { ShapeError } from '../core/errors.ts';
import { type Attribute, attr } from '../ir/index.ts';

const NONE: Record<string, Attribute> = {};
const cost = (thop0031: number, thop011: number): unknown => ({
  macs: 0,
  'thop@0.0.31': thop0031,
  'thop@0.1.1': thop011,
});
const vectors = (count: number, size: number, prefix = ''): string[] =>
  new Array<string>(count).fill(`${prefix}float32[${size}]`);
const X = 'float32[batch,6,8,8]';
const Y = 'float32[batch, 6, 8, 8]';

describe('shapes of normalizations', () => {
  it('BatchNormalization keeps the input, with statistics beside it in training', () => {
    const inputs = [X, ...vectors(4, 6)];
    for (const opset of [7, 9, 14, 15])
      expect(oneNode('BatchNormalization', inputs, { opset }).types).toEqual([Y]);
    const training = { training_mode: attr.int(1) };
    expect(
      oneNode('BatchNormalization', inputs, { opset: 15, attributes: training, outputs: 3 }).types,
    ).toEqual([Y, 'float32[6]', 'float32[6]']);
    expect(oneNode('BatchNormalization', inputs, { opset: 9, outputs: 5 }).types).toEqual([
      Y,
      ...new Array<string>(4).fill('float32[6]'),
    ]);
  });

  it('BatchNormalization may have statistics per place until opset 8, and other types from 15 on', () => {
    const spatial = { spatial: attr.int(0) };
    const places = new Array<string>(4).fill('float32[6,8,8]');
    expect(oneNode('BatchNormalization', [X, ...places], { opset: 7, attributes: spatial }).types).toEqual([
      Y,
    ]);
    expect(() => oneNode('BatchNormalization', [X, ...places], { opset: 9, attributes: spatial })).toThrow(
      'scale expects shape [6], got [6, 8, 8]',
    );
    expect(oneNode('BatchNormalization', ['float16[2,6]', ...vectors(4, 6)], { opset: 15 }).types).toEqual([
      'float16[2, 6]',
    ]);
  });

  it('LayerNormalization gives mean and deviation with 1 for the normalized axes', () => {
    const attributes = { axis: attr.int(2) };
    const { types } = oneNode('LayerNormalization', [X, 'float32[8,8]', 'float32[8,8]'], {
      attributes,
      outputs: 3,
    });
    expect(types).toEqual([Y, 'float32[batch, 6, 1, 1]', 'float32[batch, 6, 1, 1]']);
    const half = { stash_type: attr.int(16) };
    expect(
      oneNode('LayerNormalization', ['float16[2,4]', 'float16[4]'], { attributes: half, outputs: 2 }).types,
    ).toEqual(['float16[2, 4]', 'bfloat16[2, 1]']);
    expect(oneNode('LayerNormalization', ['float32[2,4]', 'float32[1]']).types).toEqual(['float32[2, 4]']);
  });

  it('RMSNormalization gives the type of its scale', () => {
    expect(oneNode('RMSNormalization', ['float32[2,4]', 'float16[4]'], { opset: 23 }).types).toEqual([
      'float16[2, 4]',
    ]);
  });

  it('GroupNormalization scales groups in opset 18 and channels from 21 on', () => {
    const attributes = { num_groups: attr.int(2) };
    expect(oneNode('GroupNormalization', [X, ...vectors(2, 2)], { opset: 18, attributes }).types).toEqual([
      Y,
    ]);
    expect(oneNode('GroupNormalization', [X, ...vectors(2, 6)], { opset: 21, attributes }).types).toEqual([
      Y,
    ]);
  });

  it.each<[string, string[], Record<string, Attribute>]>([
    ['InstanceNormalization', [X, ...vectors(2, 6)], NONE],
    ['LpNormalization', [X], { axis: attr.int(1) }],
    ['LRN', [X], { size: attr.int(5) }],
    ['MeanVarianceNormalization', [X], NONE],
    ['Dropout', [X], NONE],
    ['Dropout', [X, 'float32[]', 'bool[]'], NONE],
  ])('%s of %j keeps the shape', (opType, inputs, attributes) => {
    expect(oneNode(opType, inputs, { attributes }).types).toEqual([Y]);
  });

  it('Dropout has a mask, of booleans from opset 10 on', () => {
    expect(oneNode('Dropout', ['float32[2]'], { outputs: 2 }).types).toEqual(['float32[2]', 'bool[2]']);
    expect(oneNode('Dropout', ['float32[2]'], { opset: 9, outputs: 2 }).types).toEqual([
      'float32[2]',
      'float32[2]',
    ]);
  });
});

describe('errors of normalizations', () => {
  it.each<[string, (string | null)[], Record<string, Attribute>, string]>([
    ['BatchNormalization', [X, ...vectors(4, 5)], NONE, 'scale expects shape [6], got [5]'],
    [
      'BatchNormalization',
      [X, ...vectors(2, 6), 'float32[5]', 'float32[6]'],
      NONE,
      'mean expects shape [6], got [5]',
    ],
    ['BatchNormalization', [X, ...vectors(3, 6)], NONE, 'input 4 is required and missing'],
    [
      'BatchNormalization',
      ['float32[6]', ...vectors(4, 6)],
      NONE,
      'the input expects at least 2 dimensions, got 1',
    ],
    [
      'BatchNormalization',
      ['int32[2,6]', ...vectors(4, 6)],
      NONE,
      'input 0 expects floating-point elements, got int32; put a Cast before it',
    ],
    ['InstanceNormalization', [X, ...vectors(2, 5)], NONE, 'scale expects shape [6], got [5]'],
    [
      'InstanceNormalization',
      ['float32[2,6]', ...vectors(2, 6)],
      NONE,
      'the input expects at least 3 dimensions, got 2',
    ],
    ['LayerNormalization', [X, 'float32[6]'], NONE, 'scale expects shape [8], got [6]'],
    ['LayerNormalization', [X, null], NONE, 'input 1 is required and missing'],
    [
      'LayerNormalization',
      [X, 'float32[8]'],
      { axis: attr.int(4) },
      'axis 4 is out of range for 4 dimensions',
    ],
    [
      'LayerNormalization',
      [X, 'float32[8]'],
      { stash_type: attr.int(7) },
      'stash_type expects 1 (float32) or 16 (bfloat16), got 7',
    ],
    ['GroupNormalization', [X, ...vectors(2, 6)], NONE, 'attribute num_groups is required and missing'],
    [
      'GroupNormalization',
      [X, ...vectors(2, 6)],
      { num_groups: attr.int(4) },
      'num_groups expects a divisor of 6 channels, got 4',
    ],
    [
      'GroupNormalization',
      [X, ...vectors(2, 5)],
      { num_groups: attr.int(2) },
      'scale expects shape [2], got [5]',
    ],
    ['RMSNormalization', [X, 'float32[6]'], NONE, 'scale expects shape [8], got [6]'],
    ['LpNormalization', [X], { axis: attr.int(-5) }, 'axis -5 is out of range for 4 dimensions'],
    ['LRN', [X], NONE, 'size expects a number of at least 1, got none'],
    ['LRN', ['float32[6]'], { size: attr.int(5) }, 'the input expects at least 2 dimensions, got 1'],
    ['MeanVarianceNormalization', ['float32[2,6]'], NONE, 'axes: 2 is out of range for 2 dimensions'],
    ['Dropout', [X, 'float32[2]'], NONE, 'ratio expects shape [], got [2]'],
    [
      'Dropout',
      ['int64[2]'],
      NONE,
      'input 0 expects floating-point elements, got int64; put a Cast before it',
    ],
  ])('%s of %j with %o: %s', (opType, inputs, attributes, message) => {
    const build = (): unknown => oneNode(opType, inputs, { attributes });
    expect(build).toThrow(ShapeError);
    expect(build).toThrow(`${opType} 'node': ${message}`);
  });

  it('BatchNormalization has statistics among its outputs in training mode alone', () => {
    expect(() => oneNode('BatchNormalization', [X, ...vectors(4, 6)], { outputs: 3 })).toThrow(
      'outputs 1 and 2 expect training_mode = 1, got 3 outputs without it',
    );
  });
});

describe('cost of normalizations', () => {
  it('follows the rules thop has: 0.0.31 for batch norm alone, 0.1.1 also for layer and instance norm', () => {
    const x = 'float32[2,6,4]';
    expect(oneNode('BatchNormalization', [x, ...vectors(4, 6)]).cost).toEqual(cost(96, 192));
    expect(oneNode('InstanceNormalization', [x, ...vectors(2, 6)]).cost).toEqual(cost(0, 192));
    expect(oneNode('LayerNormalization', [x, 'float32[4]']).cost).toEqual(cost(0, 192));
    const attributes = { num_groups: attr.int(2) };
    expect(oneNode('GroupNormalization', [x, ...vectors(2, 6)], { opset: 21, attributes }).cost).toEqual(
      cost(0, 0),
    );
    expect(oneNode('Dropout', [x]).cost).toEqual(cost(0, 0));
  });
});

describe('normalizations as layers', () => {
  const layerOf = (opType: string, inputs: string[]): unknown => {
    const { layer } = oneNode(opType, inputs, { opset: 23, attributes: { num_groups: attr.int(2) } });
    return (
      layer && [layer.type, ...layer.parameters.map(({ name, input, kind }) => `${kind} ${name} ${input}`)]
    );
  };

  it('BatchNormalization has two parameters and two buffers, and is named by rank', () => {
    const norm = (input: string): unknown =>
      layerOf('BatchNormalization', [input, ...vectors(4, 6, 'const ')]);
    expect(norm(X)).toEqual([
      'BatchNorm2d',
      'parameter weight 1',
      'parameter bias 2',
      'buffer running_mean 3',
      'buffer running_var 4',
    ]);
    for (const [input, type] of [
      ['float32[2,6]', 'BatchNorm1d'],
      ['float32[2,6,8]', 'BatchNorm1d'],
      ['float32[2,6,8,8,8]', 'BatchNorm3d'],
    ] as const) {
      expect(norm(input)).toContain(type);
    }
  });

  it('the others have weight and bias', () => {
    const affine = ['parameter weight 1', 'parameter bias 2'];
    expect(layerOf('InstanceNormalization', [X, ...vectors(2, 6, 'const ')])).toEqual([
      'InstanceNorm2d',
      ...affine,
    ]);
    expect(layerOf('LayerNormalization', [X, ...vectors(2, 8, 'const ')])).toEqual(['LayerNorm', ...affine]);
    expect(layerOf('GroupNormalization', [X, ...vectors(2, 6, 'const ')])).toEqual(['GroupNorm', ...affine]);
    expect(layerOf('RMSNormalization', [X, ...vectors(1, 8, 'const ')])).toEqual([
      'RMSNorm',
      'parameter weight 1',
    ]);
    expect(layerOf('LayerNormalization', [X, ...vectors(2, 8)])).toBeNull();
  });
});
