import { attr } from '../../src/ir/index.ts';
import { at, floats, type Samples } from './sample.ts';

const float = (...opsets: number[]) => at(opsets, ['float32[n=2, 3]']);

/** Activations. */
export const ACTIVATION: Samples = {
  Relu: float(9, 13, 14, 21),
  LeakyRelu: at([9, 16], ['float32[n=2, 3]'], { alpha: attr.float(0.1) }),
  PRelu: at([9, 16], ['float32[n=2, 3]', floats(0.1, 0.2, 0.3)]),
  Elu: float(9, 21),
  Celu: float(12),
  Selu: float(9, 21),
  Gelu: [...float(20), ...at([20], ['float32[n=2, 3]'], { approximate: 'tanh' })],
  Sigmoid: float(9, 13),
  HardSigmoid: float(9, 21),
  HardSwish: float(14, 21),
  Mish: float(18, 21),
  Swish: float(24),
  Softplus: float(9, 21),
  Softsign: float(9, 21),
  Tanh: float(9, 13),
  ThresholdedRelu: float(10, 21),
  Shrink: float(9),
  Softmax: [
    ...float(9, 11, 13),
    ...at([11, 13], ['float32[n=2, 3, 4]']),
    ...at([9, 11, 13], ['float32[n=2, 3, 4]'], { axis: 1 }),
  ],
  LogSoftmax: float(9, 11, 13),
  Hardmax: float(9, 11, 13),
  Dropout: [...float(9, 10, 12, 13, 21), ...at([9, 10, 12, 13], ['float32[n=2, 3]'], {}, { outputs: 2 })],
};
