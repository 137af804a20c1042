import { Tensor } from '../../src/core/tensor.ts';
import { attr } from '../../src/ir/index.ts';
import { at, filled, ints, type Samples } from './sample.ts';

/** Operators that make tensors. */
export const CONSTANT: Samples = {
  Constant: [
    ...at([9, 11, 13, 21], [], { value: attr.tensor(ints(1, 2)) }),
    ...at([12, 13], [], { value_float: attr.float(1.5) }),
    ...at([12], [], { value_floats: attr.floats([1.5, 2]) }),
    ...at([12], [], { value_int: 3 }),
    ...at([12], [], { value_ints: [3, 4] }),
    ...at([12], [], { value_string: 'text' }),
    ...at([12], [], { value_strings: attr.strings(['a', 'b']) }),
  ],
  ConstantOfShape: [
    ...at([9, 20, 21], [ints(2, 3)]),
    ...at([9], [ints(2, 3)], { value: attr.tensor(new Tensor('int64', [1], BigInt64Array.of(7n))) }),
    ...at([9], ['int64[2]'], {}, { dataDependent: 'the shape is data' }),
  ],
  Range: [
    ...at([11], [filled('int64', [], 3), filled('int64', [], 11), filled('int64', [], 3)]),
    ...at([11], [filled('int64', [], 9), filled('int64', [], 1), filled('int64', [], -3)]),
    ...at([11], [filled('float32', [], 0), filled('float32', [], 1), filled('float32', [], 0.25)]),
    ...at([11], [filled('int64', [], 9), filled('int64', [], 1), filled('int64', [], 1)]),
  ],
  RandomNormal: at([9, 21], [], { shape: [2, 3] }),
  RandomNormalLike: [...at([9, 21], ['float32[n=2, 3]']), ...at([9], ['float32[n=2, 3]'], { dtype: 11 })],
  RandomUniform: [...at([9, 21], [], { shape: [2, 3] }), ...at([9], [], { shape: [2, 3], dtype: 11 })],
  RandomUniformLike: at([9, 21], ['float32[n=2, 3]']),
  Bernoulli: [...at([15], ['float32[n=2, 3]']), ...at([15], ['float32[n=2, 3]'], { dtype: 9 })],
  Multinomial: [
    ...at([9], ['float32[n=2, 3]'], { sample_size: 5 }),
    ...at([9], ['float32[n=2, 3]'], { dtype: 7 }),
  ],
};
