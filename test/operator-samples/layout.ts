import { attr } from '../../src/ir/index.ts';
import { at, filled, floats, ints, type Samples } from './sample.ts';

const dataDependent = 'how many there are follows from the data';

/** Operators that move elements. */
export const LAYOUT: Samples = {
  Reshape: [
    ...at([9, 13, 14, 19, 21], ['float32[n=2, 3, 4]', ints(0, -1)]),
    ...at([13], ['float32[n=2, 3, 4]', ints(-1, 6)]),
    ...at([13], ['float32[n=2, 3, 4]', ints(-1, 0, 2, 2)]),
    ...at([14, 21], ['float32[0, 3]', ints(3, 0)], { allowzero: 1 }),
    ...at([13], [ints(1, 2, 3, 4), ints(2, 2)]),
  ],
  Transpose: [
    ...at([9, 13, 21], ['float32[n=2, 3, 4]']),
    ...at([13], ['float32[n=2, 3, 4]'], { perm: [2, 0, 1] }),
    ...at([13], [filled('int64', [2, 3], 5)], { perm: [1, 0] }),
  ],
  Flatten: [
    ...at([9, 13, 21], ['float32[n=2, 3, 4]']),
    ...at([11], ['float32[n=2, 3, 4]'], { axis: -1 }),
    ...at([9, 13], ['float32[n=2, 3, 4]'], { axis: 0 }),
    ...at([13], ['float32[n=2, 3, 4]'], { axis: 3 }),
  ],
  Concat: [
    ...at([9, 11, 13], ['float32[n=2, 3]', 'float32[n=2, 4]'], { axis: 1 }),
    ...at([11, 13], ['float32[n=2, 3]', 'float32[m=5, 3]'], { axis: -2 }),
    ...at([13], [ints(1, 2), ints(3)], { axis: 0 }),
  ],
  Split: [
    ...at([9, 11], ['float32[n=2, 6]'], { axis: 1, split: [1, 2, 3] }, { outputs: 3 }),
    ...at([9, 11, 13], ['float32[n=2, 6]'], { axis: 1 }, { outputs: 3 }),
    ...at([13, 18, 21], ['float32[n=2, 6]', ints(2, 4)], { axis: -1 }, { outputs: 2 }),
    ...at([18, 21], ['float32[n=2, 7]'], { axis: 1, num_outputs: 3 }, { outputs: 3 }),
    ...at([18], ['float32[n=6, 7]'], { axis: 0, num_outputs: 3 }, { outputs: 3 }),
    ...at([13], [ints(1, 2, 3, 4), ints(3, 1)], { axis: 0 }, { outputs: 2 }),
  ],
  Squeeze: [
    ...at([9, 11], ['float32[n=2, 1, 3, 1]'], { axes: [1, 3] }),
    ...at([11], ['float32[n=2, 1, 3, 1]'], { axes: [-1] }),
    ...at([13, 21], ['float32[n=2, 1, 3, 1]', ints(1, -1)]),
    ...at([9, 13], ['float32[2, 1, 3, 1]']),
  ],
  Unsqueeze: [
    ...at([9, 11], ['float32[n=2, 3]'], { axes: [0, 3] }),
    ...at([11], ['float32[n=2, 3]'], { axes: [-1] }),
    ...at([13, 21], ['float32[n=2, 3]', ints(-1, 1)]),
  ],
  Expand: [
    ...at([9, 13], ['float32[n=2, 1, 3]', ints(4, 1, 5, 1)]),
    ...at([13], ['float32[n=2, 1, 3]', ints(2, 5, 3)]),
    ...at([13], [ints(7), ints(3)]),
  ],
  Tile: [...at([9, 13], ['float32[n=2, 3]', ints(3, 2)]), ...at([13], [ints(1, 2), ints(3)])],
  Identity: at([9, 13, 14, 16, 21], ['float32[n=2, 3]']),
  SpaceToDepth: at([9, 13], ['float32[n=2, 3, 4, 6]'], { blocksize: 2 }),
  DepthToSpace: [
    ...at([9, 11, 13], ['float32[n=2, 12, 2, w=3]'], { blocksize: 2 }),
    ...at([11, 13], ['float32[n=2, 12, 2, 3]'], { blocksize: 2, mode: 'CRD' }),
  ],
  ReverseSequence: [
    ...at([10], ['float32[4, n=3]', 'int64[n=3]']),
    ...at([10], ['float32[4, n=3, 5]', 'int64[n=3]']),
  ],
  Shape: [
    ...at([9, 13, 15, 19, 21], ['float32[n=2, 3, 4]']),
    ...at([15, 21], ['float32[n=2, 3, 4]'], { start: 1 }),
    ...at([15], ['float32[n=2, 3, 4]'], { start: -2, end: -1 }),
    ...at([15], ['float32[n=2, 3, 4]'], { start: -9, end: 9 }),
    ...at([15], ['float32[n=2, 3, 4]'], { start: 2, end: 1 }),
  ],
  Size: at([9, 13, 21], ['float32[n=2, 3, 4]']),
};

/** Operators that choose by position. */
export const INDEXING: Samples = {
  Gather: [
    ...at([9, 11, 13], ['float32[n=2, 3, 4]', ints(0, 2)], { axis: 1 }),
    ...at([11, 13], ['float32[n=2, 3, 4]', filled('int64', [], -1)], { axis: -1 }),
    ...at([13], ['float32[5, 4]', 'int64[n=2, 3]']),
    ...at([13], [ints(5, 6, 7), ints(-1, 0)]),
  ],
  GatherElements: at([11, 13], ['float32[n=2, 3]', 'int64[n=2, 2]'], { axis: 1 }),
  GatherND: [
    ...at([11, 12, 13], ['float32[n=2, 3, 4]', 'int64[5, 2]']),
    ...at([12, 13], ['float32[n=2, 3, 4]', 'int64[n=2, 1]'], { batch_dims: 1 }),
  ],
  Slice: [
    ...at([9], ['float32[n=4, 10]'], { starts: [1, -3], ends: [2147483647, 9223372036854], axes: [0, 1] }),
    ...at([9], ['float32[n=4, 10]'], { starts: [0, 2], ends: [2, -1] }),
    ...at([10, 11, 13], ['float32[n=4, 10]', ints(1, 8), ints(100, 0), ints(0, 1), ints(1, -3)]),
    ...at([10, 13], ['float32[n=4, 10]', ints(-1), ints(-(2 ** 31)), ints(1), ints(-1)]),
    ...at([13], ['float32[n=4, 10]', ints(-1), ints(-(2 ** 40)), ints(0), ints(-2)]),
    ...at([13], ['float32[n=4, 10]', ints(-7), ints(-2), ints(0), ints(1)]),
    ...at([13], ['float32[n=4, 10]', ints(0), ints(3)]),
    ...at([13], ['float32[n=5, 10]', ints(1), ints(2 ** 50), ints(0), ints(2)]),
    ...at([13], [ints(1, 2, 3, 4, 5), ints(3), ints(-100), ints(0), ints(-2)]),
    ...at([13], [ints(1, 2, 3, 4, 5), ints(9), ints(9), ints(0)]),
  ],
  Pad: [
    ...at([9, 10], ['float32[n=2, 3]'], { pads: [0, 1, 2, 3] }),
    ...at([11, 13, 18, 19, 21], ['float32[n=2, 3]', ints(0, 1, 2, -1)]),
    ...at([11, 13], ['float32[n=2, 4]', ints(0, 1, 0, 1)], { mode: 'reflect' }),
    ...at([18, 21], ['float32[n=2, 3]', ints(1, 2), filled('float32', [], 0), ints(-1)]),
    ...at([19], ['float32[n=2, 3]', ints(0, 1, 0, 1)], { mode: 'wrap' }),
  ],
  Scatter: at([9, 10], ['float32[n=2, 3]', 'int64[1, 2]', 'float32[1, 2]'], { axis: 1 }),
  ScatterElements: at([11, 13, 16, 18], ['float32[n=2, 3]', 'int64[1, 2]', 'float32[1, 2]'], { axis: 1 }),
  ScatterND: at([11, 13, 16, 18], ['float32[n=2, 3]', 'int64[1, 1]', 'float32[1, 3]']),
  OneHot: [
    ...at([9, 11], ['int64[n=2, 3]', filled('int64', [], 5), floats(0, 1)]),
    ...at([11], ['int64[n=2, 3]', ints(5), floats(0, 1)], { axis: 0 }),
  ],
  NonZero: [
    ...at([9, 13], ['float32[n=2, 3]'], {}, { dataDependent }),
    ...at([13], [ints(0, 2, 0, 3)]),
    ...at([13], [filled('int64', [2, 2], 1)]),
  ],
  Compress: [
    ...at([9, 11], ['float32[n=2, 3]', filled('bool', [2], 1)], { axis: 1 }),
    ...at([9, 11], ['float32[n=2, 3]', filled('bool', [2], 1)]),
    ...at([11], ['float32[n=2, 3]', 'bool[3]'], { axis: 1 }, { dataDependent }),
  ],
  Trilu: at([14], ['float32[n=2, 3, 4]'], { upper: 0 }),
  TopK: [
    ...at([9], ['float32[n=2, 5]'], { k: 3 }, { outputs: 2 }),
    ...at([10, 11, 21], ['float32[n=2, 5]', ints(3)], { axis: -1 }, { outputs: 2 }),
  ],
  Unique: [
    ...at([11], ['float32[n=2, 3]'], {}, { outputs: 4, dataDependent }),
    ...at([11], ['float32[n=2, 3]'], { axis: 0 }, { outputs: 4, dataDependent }),
  ],
  EyeLike: [...at([9], ['float32[n=2, 3]']), ...at([9], ['float32[n=2, 3]'], { dtype: 7 })],
  NonMaxSuppression: at(
    [10, 11],
    ['float32[1, b=6, 4]', 'float32[1, 2, b=6]', ints(3)],
    {},
    { dataDependent },
  ),
  GridSample: [
    ...at([16], ['float32[n=2, 3, 4, 5]', 'float32[n=2, 6, 7, 2]'], { mode: 'bilinear' }),
    ...at([20], ['float32[n=2, 3, 4, 5, 6]', 'float32[n=2, 6, 7, 8, 3]']),
  ],
  CenterCropPad: [
    ...at([18], ['float32[n=2, 3, 10]', ints(5, 7)], { axes: [1, 2] }),
    ...at([18], ['float32[4, 10]', ints(5, 7)]),
  ],
};

/** Reductions. */
const reduction = (inputFrom: number) => [
  ...at(
    [9, 11, 13].filter((o) => o < inputFrom),
    ['float32[n=2, 3, 4]'],
    { axes: [1, 2] },
  ),
  ...at(
    [11, 13].filter((o) => o < inputFrom),
    ['float32[n=2, 3, 4]'],
    { axes: [-1], keepdims: 0 },
  ),
  ...at([9, 13, 18], ['float32[n=2, 3, 4]']),
  ...at([9, 18], ['float32[n=2, 3, 4]'], { keepdims: 0 }),
  ...at(
    [13, 18, 21].filter((o) => o >= inputFrom),
    ['float32[n=2, 3, 4]', ints(0, -1)],
    { keepdims: 0 },
  ),
  ...at([18, 21], ['float32[n=2, 3, 4]'], { noop_with_empty_axes: 1 }),
  ...at([18], ['float32[n=2, 3, 4]', ints()], { noop_with_empty_axes: 1 }),
  ...at([18], ['float32[n=2, 3, 4]', ints()]),
];
const folding = (inputFrom: number) => [
  ...reduction(inputFrom),
  ...at([18], [ints(3, 5, 2)]),
  ...at([18], [filled('int64', [2, 3], 3), ints(1)], { keepdims: 0 }),
];
const argument = [
  ...at([9, 11, 12, 13], ['float32[n=2, 3, 4]'], { axis: 1 }),
  ...at([11, 13], ['float32[n=2, 3, 4]'], { axis: -1, keepdims: 0 }),
  ...at([13], ['float32[n=2, 3, 4]'], { axis: 1, keepdims: 0 }),
];

export const REDUCE: Samples = {
  ReduceSum: folding(13),
  ReduceMean: reduction(18),
  ReduceMax: folding(18),
  ReduceMin: folding(18),
  ReduceProd: folding(18),
  ReduceL1: reduction(18),
  ReduceL2: reduction(18),
  ReduceLogSum: reduction(18),
  ReduceLogSumExp: reduction(18),
  ReduceSumSquare: reduction(18),
  ArgMax: argument,
  ArgMin: argument,
  CumSum: at([11, 14], ['float32[n=2, 3]', filled('int64', [], 1)]),
};

const none = floats();

/** Resampling. */
export const RESIZE: Samples = {
  Resize: [
    ...at([10], ['float32[n=2, 3, 4, 5]', floats(1, 1, 2, 1.5)], { mode: 'nearest' }),
    ...at([11, 13, 18, 19], ['float32[n=2, 3, h=4, 5]', none, floats(1, 1, 2, 0.7)], { mode: 'nearest' }),
    ...at([13, 18], ['float32[1, 1, 10, 10]', none, floats(1, 1, 0.7, 1.1)], { mode: 'linear' }),
    ...at([11, 13, 19], ['float32[n=2, 3, 4, 5]', none, none, ints(2, 3, 7, 9)], { mode: 'nearest' }),
    ...at([18, 19], ['float32[n=2, 3, 4, 5]', null, null, ints(7, 9)], { axes: [2, 3], mode: 'linear' }),
    ...at([18], ['float32[1, 3, 4, 5]', null, floats(2, 3)], { axes: [3, 2] }),
    ...at([18, 19], ['float32[1, 3, 4, 5]', null, null, ints(7, 8)], {
      axes: [2, 3],
      keep_aspect_ratio_policy: 'not_larger',
    }),
    ...at([18], ['float32[1, 3, 4, 5]', null, null, ints(7, 8)], {
      axes: [2, 3],
      keep_aspect_ratio_policy: 'not_smaller',
    }),
  ],
  Upsample: [
    ...at([7, 8], ['float32[n=2, 3, 4, 5]'], { scales: attr.floats([1, 1, 2, 2.5]), mode: 'nearest' }),
    ...at([9], ['float32[n=2, 3, 4, 5]', floats(1, 1, 2, 2)], { mode: 'linear' }),
  ],
};
