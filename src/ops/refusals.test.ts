import { describe, expect, it } from 'vitest';
import { filled, floats, graphOf, ints, type Sample } from '../../test/operator-samples/sample.ts';
import { ShapeError } from '../core/errors.ts';
import { attr } from '../ir/index.ts';
import { inferShapes } from './index.ts';

type Refusal = readonly [
  opType: string,
  opset: number,
  inputs: Sample['inputs'],
  attributes: Sample['attributes'],
  message: string,
  outputs?: number,
];

const scalar = (value: number) => filled('int64', [], value);

const REFUSALS: readonly Refusal[] = [
  ['Add', 13, ['float32[2, 3]', 'float32[4]'], {}, '[2, 3] and [4] do not broadcast: axis 1 is 3 and 4'],
  ['Add', 13, ['float32[2]', 'int64[2]'], {}, 'input 1 expects float32 as input 0, got int64'],
  ['Mod', 13, ['float32[2]', 'float32[2]'], {}, 'float32 operands need fmod = 1'],
  ['And', 13, ['float32[2]', 'bool[2]'], {}, 'expects bool, got float32'],
  ['BitwiseAnd', 18, ['float32[2]', 'float32[2]'], {}, 'expects integers, got float32'],
  ['Where', 13, ['int64[2]', 'float32[2]', 'float32[2]'], {}, 'condition expects bool, got int64'],
  ['Neg', 13, ['bool[2]'], {}, 'input 0 expects numbers, got bool'],
  ['Sqrt', 13, ['int64[2]'], {}, 'input 0 expects floating-point elements, got int64'],
  ['Cast', 13, ['int64[2]'], {}, "attribute 'to' is required and missing"],
  ['Cast', 13, ['int64[2]'], { to: 99 }, "attribute 'to' is 99, which is no ONNX element type"],
  [
    'QuantizeLinear',
    13,
    ['float32[2, 3]', floats(1, 2)],
    { axis: 1 },
    'scale expects 3 elements as axis 1 has, got 2',
  ],
  [
    'DequantizeLinear',
    21,
    ['int8[2, 3, 4]', 'float32[2, 3]'],
    {},
    'scale expects 0, 1 or 3 dimensions, got 2',
  ],
  ['Reshape', 13, ['float32[2, 3]', ints(4, -1)], {}, '6 elements do not fit into shape [4, -1]'],
  ['Reshape', 13, ['float32[2, 3]', ints(4, 2)], {}, '6 elements do not fit into shape [4, 2]'],
  ['Reshape', 13, ['float32[2, 3]', ints(-1, -1)], {}, 'leaves more than one dimension open'],
  ['Reshape', 13, ['float32[2]', ints(2, 0)], {}, 'copies axis 1, which the input does not have'],
  ['Reshape', 13, ['float32[2]', 'int64[1, 1]'], {}, 'input 1 expects one dimension, got 2'],
  ['Transpose', 13, ['float32[2, 3]'], { perm: [0] }, 'perm [0] expects 2 axes'],
  ['Transpose', 13, ['float32[2, 3]'], { perm: [0, 0] }, 'axes [0, 0] name an axis twice'],
  ['Flatten', 13, ['float32[2, 3]'], { axis: 4 }, 'axis 4 is out of range for 2 dimensions'],
  ['Concat', 13, ['float32[]', 'float32[]'], { axis: 0 }, 'scalars cannot be joined'],
  [
    'Concat',
    13,
    ['float32[2, 3]', 'float32[4, 5]'],
    { axis: 0 },
    'input 1 [4, 5] and input 0 [2, 3] may differ only on axis 0',
  ],
  ['Split', 13, ['float32[5]'], { axis: 0 }, '5 cannot be split evenly into 2', 2],
  ['Split', 13, ['float32[5]', ints(2, 2)], {}, 'split sizes [2, 2] add up to 4, but axis 0 has 5', 2],
  ['Split', 13, ['float32[5]', ints(5)], {}, 'split names 1 sizes for 2 outputs', 2],
  ['Split', 18, ['float32[5]'], { num_outputs: 3 }, 'num_outputs is 3, but the node has 2 outputs', 2],
  ['Squeeze', 13, ['float32[2, 3]', ints(1)], {}, 'axis 1 has size 3; only 1 can be squeezed'],
  ['Unsqueeze', 13, ['float32[2]'], {}, 'axes are required and missing'],
  ['Tile', 13, ['float32[2]', ints(1, 2)], {}, 'repeats expects 1 numbers, got 2'],
  ['SpaceToDepth', 13, ['float32[1, 1, 2, 2]'], {}, 'blocksize expects a whole number above 0, got 0'],
  [
    'DepthToSpace',
    13,
    ['float32[1, 3, 2, 2]'],
    { blocksize: 2 },
    '3 channels are no multiple of blocksize² = 4',
  ],
  ['Gather', 13, ['float32[2]', 'float32[2]'], {}, 'indices expect int64 or int32, got float32'],
  ['Gather', 13, ['float32[2]', ints(2)], {}, 'index 2 is out of range for axis 0 of size 2'],
  ['GatherElements', 13, ['float32[2]', 'int64[2, 2]'], {}, 'indices expect 1 dimensions, got 2'],
  ['GatherND', 13, ['float32[2]', scalar(0)], {}, 'indices expect at least 1 dimension, got a scalar'],
  [
    'GatherND',
    13,
    ['float32[2]', 'int64[3, 2]'],
    {},
    'indices name 2 axes after 0 batch axes, but the data has 1',
  ],
  ['Slice', 13, ['float32[4]', ints(0), ints(4), ints(0), ints(0)], {}, 'a step of a slice is 0'],
  ['Slice', 13, ['float32[4]', ints(0, 1), ints(4), ints(0)], {}, 'starts expects 1 elements, got 2'],
  [
    'Slice',
    9,
    ['float32[4]'],
    { starts: [0], ends: [1, 2] },
    'starts, ends and axes have 1, 2 and 1 elements',
  ],
  ['Pad', 13, ['float32[4]', ints(1)], {}, 'pads expects 2 numbers, got 1'],
  ['CenterCropPad', 18, ['float32[4]', ints(1, 2)], {}, 'shape expects 1 numbers, got 2'],
  ['TopK', 13, ['float32[4]', ints(5)], {}, 'k is 5, but axis 0 has 4 elements', 2],
  ['EyeLike', 13, ['float32[4]'], {}, 'input expects 2 dimensions, got 1'],
  ['GridSample', 16, ['float32[1, 1, 2, 2]', 'float32[1, 2]'], {}, 'grid expects 4 dimensions, got 2'],
  [
    'GridSample',
    16,
    ['float32[1, 1, 2, 2]', 'float32[1, 2, 2, 3]'],
    {},
    'grid expects 2 coordinates on its last axis, got 3',
  ],
  ['GridSample', 16, ['float32[1, 1, 2, 2]', 'float32[3, 2, 2, 2]'], {}, 'grid expects batch 1, got 3'],
  ['Resize', 13, ['float32[1, 1]', null, floats(1), null], {}, 'scales expects 2 numbers, got 1'],
  ['Resize', 13, ['float32[1, 1]', null, null, ints(1)], {}, 'sizes expects 2 numbers, got 1'],
  ['Resize', 13, ['float32[1, 1]', null, null, null], {}, 'expects scales or sizes, got neither'],
  ['Range', 13, [scalar(0), scalar(1), scalar(0)], {}, 'delta is 0'],
  ['Constant', 13, [], {}, 'expects one of the attributes value, value_float, value_ints, …; has none'],
  ['RandomNormal', 13, [], {}, "attribute 'shape' is required and missing"],
  ['If', 13, ['bool[]'], { then_branch: attr.int(1) }, "attribute 'then_branch' expects a graph, got int"],
];

describe('operators refuse inputs that do not fit', () => {
  for (const [opType, opset, inputs, attributes, message, outputs = 1] of REFUSALS) {
    it(`${opType}: ${message}`, () => {
      const { graph } = graphOf(opType, '', { opset, inputs, attributes, outputs });
      const refused = (): unknown => inferShapes(graph);
      expect(refused).toThrow(message);
      expect(refused).toThrow(`${opType} 'node': `);
      expect(refused).toThrow(ShapeError);
    });
  }
});
