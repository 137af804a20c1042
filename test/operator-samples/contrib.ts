import { attr } from '../../src/ir/index.ts';
import { at, filled, type Samples } from './sample.ts';

const weight = (...shape: number[]) => filled('float32', shape, 0.1);
const zero = filled('uint8', [], 0);
const one = weight();
const epsilon = { epsilon: attr.float(1e-5) };

/** onnxruntime's own operators. */
export const CONTRIB: Samples = {
  'com.microsoft:FusedConv': at([1], ['float32[n=2, 4, h=9, 8]', weight(6, 4, 3, 3), weight(6)], {
    activation: 'Relu',
    strides: [2, 2],
  }),
  'com.microsoft:FusedGemm': at([1], ['float32[n=2, 3]', weight(4, 3), weight(4)], {
    transB: 1,
    activation: 'Relu',
  }),
  'com.microsoft:FusedMatMul': [
    ...at([1], ['float32[n=2, 3, 4]', 'float32[n=2, 5, 4]'], { transB: 1 }),
    ...at([1], ['float32[n=2, 3, 4]', 'float32[n=2, 3, 5]'], { transA: 1 }),
  ],
  'com.microsoft:Gelu': at([1], ['float32[n=2, 3]']),
  'com.microsoft:QuickGelu': at([1], ['float32[n=2, 3]']),
  'com.microsoft:FastGelu': at([1], ['float32[n=2, 3]']),
  'com.microsoft:BiasGelu': at([1], ['float32[n=2, 3]', weight(3)]),
  'com.microsoft:SkipLayerNormalization': at(
    [1],
    ['float32[n=2, 3, 8]', 'float32[n=2, 3, 8]', weight(8), weight(8)],
    epsilon,
  ),
  'com.microsoft:SkipSimplifiedLayerNormalization': at(
    [1],
    ['float32[n=2, 3, 8]', 'float32[n=2, 3, 8]', weight(8)],
    epsilon,
  ),
  'com.microsoft:Attention': at([1], ['float32[n=2, t=3, 8]', weight(8, 24), weight(24)], { num_heads: 2 }),
  'com.microsoft:MultiHeadAttention': [
    ...at([1], ['float32[n=2, t=3, 8]', 'float32[n=2, s=5, 8]', 'float32[n=2, s=5, 8]'], { num_heads: 2 }),
    ...at([1], ['float32[n=2, t=3, 8]', 'float32[n=2, s=5, 8]', 'float32[n=2, s=5, 8]', weight(24)], {
      num_heads: 2,
    }),
  ],
  'com.microsoft:QLinearAdd': at([1], ['uint8[n=2, 3]', one, zero, 'uint8[3]', one, zero, one, zero]),
  'com.microsoft:QLinearMul': at([1], ['uint8[n=2, 3]', one, zero, 'uint8[3]', one, zero, one, zero]),
  'com.microsoft:QLinearSigmoid': at([1], ['uint8[n=2, 3]', one, zero, one, zero]),
  'com.microsoft:QLinearLeakyRelu': at([1], ['uint8[n=2, 3]', one, zero, one, zero], {
    alpha: attr.float(0.1),
  }),
  'com.microsoft:QLinearGlobalAveragePool': [
    ...at([1], ['uint8[n=2, 3, 4, 5]', one, zero, one, zero]),
    ...at([1], ['uint8[n=2, 4, 5, 3]', one, zero, one, zero], { channels_last: 1 }),
  ],
  'com.microsoft:DynamicQuantizeMatMul': at([1], ['float32[n=2, 3]', filled('uint8', [3, 4], 1), one, zero]),
  'com.microsoft:MatMulIntegerToFloat': at([1], ['uint8[n=2, 3]', filled('uint8', [3, 4], 1), one, one]),
  'com.microsoft.nchwc:ReorderInput': {
    notRun:
      'its layout depends on the processor; src/runtime/blocked-convolutions.test.ts compares it with Conv where there are kernels',
  },
  'com.microsoft.nchwc:Conv': {
    notRun:
      'its layout depends on the processor; src/runtime/blocked-convolutions.test.ts compares it with Conv where there are kernels',
  },
  'com.microsoft.nchwc:ReorderOutput': {
    notRun:
      'its layout depends on the processor; src/runtime/blocked-convolutions.test.ts compares it with Conv where there are kernels',
  },
};
