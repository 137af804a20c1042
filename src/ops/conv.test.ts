import { describe, expect, it } from 'vitest';
import { type OneNodeOptions, oneNode } from '../../test/one-node.ts';
import { ShapeError } from '../core/errors.ts';
import { type Attribute, attr } from '../ir/index.ts';

const ints = (...values: number[]): Attribute => attr.ints(values);

type Case = [inputs: (string | null)[], attributes: Record<string, Attribute>, output: string];

// Shapes as onnxruntime 1.30 computes them.
const CONV: Case[] = [
  [['float32[2,3,8,8]', 'float32[4,3,3,3]'], {}, 'float32[2, 4, 6, 6]'],
  [
    ['float32[2,3,8,8]', 'float32[4,3,3,3]', 'float32[4]'],
    { kernel_shape: ints(3, 3), pads: ints(1, 1, 1, 1) },
    'float32[2, 4, 8, 8]',
  ],
  [
    ['float32[1,3,9,7]', 'float32[4,3,3,2]'],
    { strides: ints(2, 3), pads: ints(0, 1, 2, 0) },
    'float32[1, 4, 5, 3]',
  ],
  [
    ['float32[1,6,9,9]', 'float32[4,3,3,3]'],
    { group: attr.int(2), dilations: ints(2, 3) },
    'float32[1, 4, 5, 3]',
  ],
  [
    ['float32[1,4,9,9]', 'float32[4,1,3,3]'],
    { group: attr.int(4), auto_pad: attr.string('SAME_UPPER'), strides: ints(2, 2) },
    'float32[1, 4, 5, 5]',
  ],
  // Some exporters write empty lists for what they leave out.
  [
    ['float32[1,2,9]', 'float32[4,2,4]'],
    { kernel_shape: ints(), pads: ints(), strides: ints() },
    'float32[1, 4, 6]',
  ],
  [['float32[1,2,9]', 'float32[4,2,4]'], { auto_pad: attr.string('SAME_LOWER') }, 'float32[1, 4, 9]'],
  [
    ['float32[1,2,9]', 'float32[4,2,4]'],
    { auto_pad: attr.string('VALID'), strides: ints(2) },
    'float32[1, 4, 3]',
  ],
  [['float32[1,2,4,5,6]', 'float32[3,2,1,2,3]'], {}, 'float32[1, 3, 4, 4, 4]'],
  [['float16[1,2,9]', 'float16[4,2,4]'], {}, 'float16[1, 4, 6]'],
  [
    ['float32[batch,3,height,8]', 'float32[4,3,3,3]'],
    { strides: ints(2, 2) },
    'float32[batch, 4, floor((height + 1)/2) - 1, 3]',
  ],
  [
    ['float32[batch,3,height,width]', 'float32[4,3,3,3]'],
    { pads: ints(1, 1, 1, 1) },
    'float32[batch, 4, height, width]',
  ],
  [['float32[?,?,8,8]', 'float32[?,?,?,3]'], {}, 'float32[?, ?, ?, 6]'],
  [['float32[?,?,8,8]', 'float32[?,?,?,?]'], { kernel_shape: ints(3, 3) }, 'float32[?, ?, 6, 6]'],
];

const TRANSPOSED: Case[] = [
  [['float32[1,4,5,5]', 'float32[4,3,2,2]'], { strides: ints(2, 2) }, 'float32[1, 3, 10, 10]'],
  [
    ['float32[1,4,5,5]', 'float32[4,3,3,3]', 'float32[3]'],
    { strides: ints(2, 2), pads: ints(1, 1, 1, 1), output_padding: ints(1, 0) },
    'float32[1, 3, 10, 9]',
  ],
  [['float32[1,4,5]', 'float32[4,3,3]'], { group: attr.int(2), dilations: ints(2) }, 'float32[1, 6, 9]'],
  [
    ['float32[1,4,5]', 'float32[4,3,4]'],
    { auto_pad: attr.string('SAME_UPPER'), strides: ints(3) },
    'float32[1, 3, 15]',
  ],
  // A kernel below the stride leaves less than stride * size.
  [
    ['float32[1,4,5]', 'float32[4,3,2]'],
    { auto_pad: attr.string('SAME_UPPER'), strides: ints(3) },
    'float32[1, 3, 14]',
  ],
  [['float32[1,4,5]', 'float32[4,3,4]'], { strides: ints(3), output_shape: ints(15) }, 'float32[1, 3, 15]'],
  [['float32[1,4,4,5,6]', 'float32[4,3,2,2,2]'], {}, 'float32[1, 3, 5, 6, 7]'],
  [
    ['float32[batch,4,height,5]', 'float32[4,3,2,2]'],
    { strides: ints(2, 2) },
    'float32[batch, 3, 2*height, 10]',
  ],
];

describe('shapes of convolutions', () => {
  it.each(CONV)('Conv of %j with %o', (inputs, attributes, output) => {
    expect(oneNode('Conv', inputs, { attributes }).types).toEqual([output]);
  });

  it.each(TRANSPOSED)('ConvTranspose of %j with %o', (inputs, attributes, output) => {
    expect(oneNode('ConvTranspose', inputs, { attributes }).types).toEqual([output]);
  });

  it('of integers are int32, of quantized tensors like their zero point', () => {
    expect(oneNode('ConvInteger', ['uint8[1,2,5,5]', 'int8[3,2,3,3]']).types).toEqual(['int32[1, 3, 3, 3]']);
    const quantized = [
      'uint8[1,2,5,5]',
      'float32[]',
      'uint8[]',
      'int8[3,2,3,3]',
      'float32[3]',
      'int8[3]',
      'float32[]',
      'int8[]',
      'int32[3]',
    ];
    expect(oneNode('QLinearConv', quantized).types).toEqual(['int8[1, 3, 3, 3]']);
  });
});

describe('errors of convolutions', () => {
  const X = 'float32[1,64,56,56]';
  it.each<[string, string[], Record<string, Attribute>, string]>([
    [
      'Conv',
      [X, 'float32[8,32,3,3]'],
      {},
      'weight expects 32 input channels, got 64; prune both sides of the connection together (input0 float32[1, 64, 56, 56]; input1 float32[8, 32, 3, 3])',
    ],
    [
      'Conv',
      [X, 'float32[8,16,3,3]'],
      { group: attr.int(2) },
      'weight expects 32 input channels (2 groups of 16), got 64',
    ],
    [
      'Conv',
      [X, 'float32[7,32,3,3]'],
      { group: attr.int(2) },
      'weight expects a number of filters that 2 groups divide, got 7',
    ],
    ['Conv', [X, 'float32[8,64,3,3]'], { group: attr.int(0) }, 'group expects a number of at least 1, got 0'],
    ['Conv', [X, 'float32[8,64,3]'], {}, 'weight expects 4 dimensions as the input, got 3'],
    ['Conv', ['float32[1,64]', 'float32[8,64]'], {}, 'the input expects at least 3 dimensions, got 2'],
    [
      'Conv',
      [X, 'float32[8,64,3,3]'],
      { kernel_shape: ints(3, 5) },
      'kernel_shape [3, 5] does not agree with a weight of kernel [3, 3]',
    ],
    ['Conv', [X, 'float32[8,64,3,3]', 'float32[9]'], {}, 'bias expects shape [8], got [9]'],
    [
      'Conv',
      [X, 'float64[8,64,3,3]'],
      {},
      'input 1 expects float32 as input 0, got float64; put a Cast before it',
    ],
    [
      'Conv',
      ['int32[1,64,56,56]', 'int32[8,64,3,3]'],
      {},
      'input 0 expects floating-point elements, got int32; put a Cast before it',
    ],
    ['Conv', [X], {}, 'input 1 is required and missing'],
    ['ConvTranspose', [X, 'float32[32,8,3,3]'], {}, 'weight expects 32 input channels, got 64'],
    [
      'ConvTranspose',
      [X, 'float32[64,8,3,3]'],
      { group: attr.int(3) },
      'weight expects a number of input channels that 3 groups divide, got 64',
    ],
    [
      'ConvTranspose',
      [X, 'float32[64,8,3,3]'],
      { output_padding: ints(1) },
      'output_padding expects 2 numbers, got 1',
    ],
    [
      'ConvTranspose',
      [X, 'float32[64,8,3,3]'],
      { output_padding: ints(1, 0) },
      'output_padding expects numbers below the stride or the dilation (1), got 1',
    ],
    [
      'ConvTranspose',
      [X, 'float32[64,8,3,3]'],
      { output_shape: ints(1, 2, 3) },
      'output_shape expects 2 spatial sizes, got 3 numbers',
    ],
    [
      'ConvTranspose',
      ['float32[1,4,1]', 'float32[4,8,3]'],
      { pads: ints(2, 2) },
      'pads of 2 and 2 leave -1 elements along spatial axis 0; use smaller pads',
    ],
    [
      'ConvInteger',
      ['float32[1,2,5,5]', 'int8[3,2,3,3]'],
      {},
      'input 0 expects int8 or uint8, got float32; quantize it first',
    ],
  ])('%s of %j with %o: %s', (opType, inputs, attributes, message) => {
    const build = (): unknown => oneNode(opType, inputs, { attributes });
    expect(build).toThrow(ShapeError);
    expect(build).toThrow(`${opType} 'node': ${message}`);
  });
});

describe('cost of convolutions', () => {
  const options: OneNodeOptions = { attributes: { group: attr.int(2), pads: ints(1, 1, 1, 1) } };
  it('is the weights of one filter for each output element; thop 0.0.31 adds the bias', () => {
    const macs = 2 * 6 * 8 * 8 * (2 * 3 * 3);
    const shapes = ['float32[2,4,8,8]', 'float32[6,2,3,3]'];
    expect(oneNode('Conv', shapes, options).cost).toEqual({ macs, 'thop@0.0.31': macs, 'thop@0.1.1': macs });
    expect(oneNode('Conv', [...shapes, 'float32[6]'], options).cost).toEqual({
      macs,
      'thop@0.0.31': macs + 2 * 6 * 8 * 8,
      'thop@0.1.1': macs,
    });
  });

  it('of a transposed one is the weights of an input channel for each input element; thop counts by the output', () => {
    const { cost } = oneNode('ConvTranspose', ['float32[1,4,5,5]', 'float32[4,3,2,2]', 'float32[3]'], {
      attributes: { strides: ints(2, 2) },
    });
    const thop = 3 * 10 * 10 * (4 * 2 * 2);
    expect(cost).toEqual({
      macs: 4 * 5 * 5 * (3 * 2 * 2),
      'thop@0.0.31': thop + 3 * 10 * 10,
      'thop@0.1.1': thop,
    });
  });

  it('of quantized ones is not counted by thop', () => {
    const { cost } = oneNode('ConvInteger', ['uint8[1,2,5,5]', 'int8[3,2,3,3]']);
    expect(cost).toEqual({ macs: 3 * 3 * 3 * (2 * 3 * 3), 'thop@0.0.31': 0, 'thop@0.1.1': 0 });
  });
});

describe('convolutions as layers', () => {
  it('are named by rank, with the axes of the weight', () => {
    expect(
      oneNode('Conv', ['float32[1,6,9]', 'const float32[4,3,3]', 'const float32[4]'], {
        attributes: { group: attr.int(2) },
      }).layer,
    ).toEqual({
      type: 'Conv1d',
      parameters: [
        {
          name: 'weight',
          input: 1,
          kind: 'parameter',
          layout: { output: 0, input: 1, kernel: [2], groups: 2 },
        },
        { name: 'bias', input: 2, kind: 'parameter' },
      ],
    });
    expect(oneNode('ConvTranspose', ['float32[1,4,5,5]', 'const float32[4,3,2,2]']).layer).toEqual({
      type: 'ConvTranspose2d',
      parameters: [
        {
          name: 'weight',
          input: 1,
          kind: 'parameter',
          layout: { output: 1, input: 0, kernel: [2, 3], groups: 1 },
        },
      ],
    });
    expect(oneNode('Conv', ['float32[1,3,5,5,5]', 'const float32[4,3,2,2,2]']).layer?.type).toBe('Conv3d');
  });

  it('are none where the weight is computed', () => {
    expect(oneNode('Conv', ['float32[1,6,9]', 'float32[4,6,3]']).layer).toBeNull();
  });
});
