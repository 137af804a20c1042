import { attr } from '../../src/ir/index.ts';
import { at, filled, ints, type Samples } from './sample.ts';

const weight = (...shape: number[]) => filled('float32', shape, 0.1);
const zero = (dtype: 'uint8' | 'int8') => filled(dtype, [], 0);
const one = weight();

/** Convolutions. */
export const CONV: Samples = {
  Conv: [
    ...at([9, 11, 21], ['float32[n=2, 4, h=9, 8]', weight(6, 2, 3, 3), weight(6)], {
      group: 2,
      strides: [2, 1],
      pads: [1, 0, 1, 2],
    }),
    ...at([11], ['float32[n=2, 4, h=9, 8]', weight(6, 4, 3, 2)], { auto_pad: 'SAME_UPPER', strides: [2, 3] }),
    ...at([11], ['float32[n=2, 4, h=9, 8]', weight(6, 4, 3, 2)], { auto_pad: 'VALID', dilations: [2, 2] }),
    ...at([11], ['float32[n=2, 4, t=9]', weight(6, 4, 3)]),
    ...at([11], ['float32[n=2, 4, 5, 6, 7]', weight(6, 4, 3, 3, 3)]),
  ],
  ConvTranspose: [
    ...at([9, 11], ['float32[n=2, 4, h=5, 6]', weight(4, 3, 3, 3)], {
      group: 2,
      strides: [2, 2],
      pads: [1, 1, 1, 1],
      output_padding: [1, 0],
    }),
    ...at([11], ['float32[n=2, 4, 5, 6]', weight(4, 3, 3, 3)], { strides: [2, 2], output_shape: [10, 12] }),
    ...at([11], ['float32[n=2, 4, 5, 6]', weight(4, 3, 3, 3)], { strides: [2, 2], auto_pad: 'SAME_UPPER' }),
    ...at([11], ['float32[n=2, 4, 5, 6]', weight(4, 3, 3, 3)], { dilations: [2, 1] }),
    ...at([11], ['float32[n=2, 4, 5, 6]', weight(4, 3, 3, 3), weight(6)], { group: 2 }),
  ],
  ConvInteger: at([10], ['uint8[n=2, 4, 5, 6]', filled('uint8', [3, 4, 3, 3], 1)]),
  QLinearConv: at(
    [10],
    [
      'uint8[n=2, 4, 5, 6]',
      one,
      zero('uint8'),
      filled('uint8', [3, 4, 3, 3], 1),
      one,
      zero('uint8'),
      one,
      zero('uint8'),
    ],
  ),
};

/** Matrix products. */
export const LINEAR: Samples = {
  Gemm: [
    ...at([9, 11, 13], ['float32[n=2, 3]', weight(4, 3), weight(4)], { transB: 1 }),
    ...at([11, 13], ['float32[3, n=2]', weight(3, 4)], { transA: 1 }),
  ],
  MatMul: [
    ...at([9, 13], ['float32[n=2, 3, 4]', weight(4, 5)]),
    ...at([9, 13], ['float32[n=2, 1, 3, 4]', 'float32[6, 4, 5]']),
    ...at([13], ['float32[4]', 'float32[n=2, 4, 5]']),
    ...at([13], ['float32[n=2, 4]', weight(4)]),
    ...at([13], ['float32[4]', weight(4)]),
  ],
  Einsum: [
    ...at([12], ['float32[n=2, 3, 4]', 'float32[n=2, 4, 5]'], { equation: 'bij,bjk->bik' }),
    ...at([12], ['float32[n=2, 3, 4]'], { equation: '...ij->...ji' }),
    ...at([12], ['float32[n=2, 3]', 'float32[3, 4]'], { equation: 'ij,jk' }),
    ...at([12], ['float32[3, 3, n=2]'], { equation: 'iij->ij' }),
  ],
  MatMulInteger: at([10], ['uint8[n=2, 3]', filled('uint8', [3, 4], 1)]),
  QLinearMatMul: at(
    [10, 21],
    ['uint8[n=2, 3]', one, zero('uint8'), filled('uint8', [3, 4], 1), one, zero('uint8'), one, zero('uint8')],
  ),
};

/** Normalizations. */
export const NORM: Samples = {
  BatchNormalization: at(
    [9, 14, 15, 21],
    ['float32[n=2, 3, 4, 5]', weight(3), weight(3), weight(3), weight(3)],
  ),
  InstanceNormalization: at([9, 21], ['float32[n=2, 3, 4, 5]', weight(3), weight(3)]),
  LayerNormalization: [
    ...at([17], ['float32[n=2, 3, 4]', weight(4), weight(4)]),
    ...at([17], ['float32[n=2, 3, 4]', weight(3, 4)], { axis: 1 }, { outputs: 3 }),
  ],
  GroupNormalization: [
    ...at([18, 20], ['float32[n=2, 4, 5]', weight(2), weight(2)], { num_groups: 2 }),
    ...at([21, 22], ['float32[n=2, 4, 5]', weight(4), weight(4)], { num_groups: 2 }),
  ],
  RMSNormalization: at([23], ['float32[n=2, 3, 4]', weight(4)]),
  LpNormalization: at([9, 21], ['float32[n=2, 3]'], { axis: 1 }),
  LRN: [
    ...at([9, 13], ['float32[n=2, 3, 4, 5]'], { size: 3 }),
    ...at([13], ['float32[n=2, 6, 4, 3]'], { size: 3, alpha: attr.float(2) }),
  ],
  MeanVarianceNormalization: at([9, 13], ['float32[n=2, 3, 4, 5]']),
};

const window = { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1] };

/** Pooling. */
export const POOL: Samples = {
  MaxPool: [
    ...at([9, 10, 11, 12, 21], ['float32[n=2, 3, h=9, 8]'], window),
    ...at([10, 12, 22], ['float32[n=2, 3, h=8, 8]'], { ...window, ceil_mode: 1 }),
    ...at([12], ['float32[n=2, 3, 9, 8]'], window, { outputs: 2 }),
    ...at([11], ['float32[n=2, 3, h=9, 8]'], {
      kernel_shape: [3, 3],
      strides: [2, 2],
      auto_pad: 'SAME_LOWER',
    }),
    ...at([11], ['float32[n=2, 3, 9, 8]'], { kernel_shape: [2, 2], dilations: [2, 2] }),
  ],
  AveragePool: [
    ...at([9, 10, 11, 19, 21], ['float32[n=2, 3, h=9, 8]'], window),
    ...at([10, 19, 22], ['float32[n=2, 3, 8, 8]'], { ...window, ceil_mode: 1 }),
  ],
  LpPool: at([9, 11, 18], ['float32[n=2, 3, h=9, 8]'], window),
  GlobalAveragePool: at([9, 21], ['float32[n=2, 3, h=4, 5]']),
  GlobalMaxPool: at([9, 21], ['float32[n=2, 3, 4, 5]']),
  GlobalLpPool: at([9, 21], ['float32[n=2, 3, 4, 5]']),
  MaxUnpool: [
    ...at([9, 11], ['float32[1, 1, 2, 2]', filled('int64', [1, 1, 2, 2], 0)], {
      kernel_shape: [2, 2],
      strides: [2, 2],
    }),
    ...at([11], ['float32[1, 1, 2, 2]', filled('int64', [1, 1, 2, 2], 0), ints(1, 1, 5, 5)], {
      kernel_shape: [2, 2],
      strides: [2, 2],
    }),
  ],
  MaxRoiPool: at([9], ['float32[1, 3, 8, 8]', filled('float32', [5, 5], 0)], { pooled_shape: [2, 3] }),
  RoiAlign: at([10, 16], ['float32[n=2, 3, 8, 8]', weight(5, 4), filled('int64', [5], 0)], {
    output_height: 2,
    output_width: 3,
  }),
};

const recurrent = (gates: number, outputs: number) => [
  // From states that are given, LSTM with peepholes.
  ...at(
    [14],
    [
      'float32[t=5, n=2, 3]',
      weight(1, gates * 4, 3),
      weight(1, gates * 4, 4),
      weight(1, 2 * gates * 4),
      null,
      'float32[1, n=2, 4]',
      ...(outputs === 3 ? ['float32[1, n=2, 4]', weight(1, 12)] : []),
    ],
    { hidden_size: 4 },
    { outputs },
  ),
  ...at(
    [9, 14],
    ['float32[t=5, n=2, 3]', weight(1, gates * 4, 3), weight(1, gates * 4, 4), weight(1, 2 * gates * 4)],
    { hidden_size: 4 },
    { outputs },
  ),
  ...at(
    [14],
    ['float32[t=5, n=2, 3]', weight(2, gates * 4, 3), weight(2, gates * 4, 4)],
    { hidden_size: 4, direction: 'bidirectional' },
    { outputs },
  ),
];

/** Recurrent layers. */
export const RECURRENT: Samples = {
  LSTM: recurrent(4, 3),
  GRU: recurrent(3, 2),
  RNN: recurrent(1, 2),
};
