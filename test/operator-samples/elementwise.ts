import { attr } from '../../src/ir/index.ts';
import { at, filled, floats, ints, type Samples } from './sample.ts';

const float = (first: number) =>
  at(
    [first, 9, 13, 22].filter((o) => o >= first),
    ['float32[n=2, 3]'],
  );
const pair = (first: number, dtype = 'float32') =>
  at(
    [9, 13, 14, 21].filter((opset) => opset >= first),
    [`${dtype}[n=2, 3, 1]`, `${dtype}[3, 4]`],
  );
const whole = (first: number, a: number[], b: number[]) => [
  ...pair(first),
  ...at([13, 21], [ints(...a), ints(...b)]),
];

/** Arithmetic, comparison and logic. */
export const ELEMENTWISE: Samples = {
  Add: [...whole(7, [1, -2, 3], [4]), ...at([13], ['float32[n=2, 1]', 'float32[n=2, 5]'])],
  Sub: whole(7, [1, -2, 3], [4, 5, 6]),
  Mul: whole(7, [1, -2, 3], [4, 5, -6]),
  Div: whole(7, [7, -7, 8, -9], [2, 2, -3, 3]),
  Pow: [...whole(7, [1, 2, 3], [2, 3, 4]), ...at([12, 13, 15], ['float32[n=2, 3]', ints(2)])],
  Mod: [
    ...at([10, 13], [ints(7, -7, 7, -7), ints(3, 3, -3, -3)]),
    ...at([10, 13], [ints(7, -7, 7, -7), ints(3, 3, -3, -3)], { fmod: 1 }),
    ...at([13], ['float32[n=2, 3]', 'float32[3]'], { fmod: 1 }),
  ],
  Max: [
    ...at([9, 12, 13], ['float32[n=2, 3, 1]', 'float32[3, 4]', 'float32[1]']),
    ...at([13], [ints(1, 5), ints(3, 2)]),
  ],
  Min: [
    ...at([9, 12, 13], ['float32[n=2, 3, 1]', 'float32[3, 4]', 'float32[1]']),
    ...at([13], [ints(1, 5), ints(3, 2)]),
  ],
  Mean: at([9, 13], ['float32[n=2, 3, 1]', 'float32[3, 4]']),
  Sum: at([9, 13], ['float32[n=2, 3, 1]', 'float32[3, 4]', 'float32[4]']),
  Where: [
    ...at([9, 16], ['bool[n=2, 1]', 'float32[1, 3]', 'float32[4, 1, 1]']),
    ...at([9, 16], [filled('bool', [1], 1), ints(3, 4), ints(5, 6)]),
  ],
  Clip: [
    ...at([9, 10], ['float32[n=2, 3]'], { min: attr.float(-1), max: attr.float(1) }),
    ...at([11, 12, 13, 21], ['float32[n=2, 3]', filled('float32', [], 0), null]),
    ...at([12, 13], [ints(-5, 3, 9), filled('int64', [], 0), filled('int64', [], 5)]),
  ],
  Abs: [...float(6), ...at([13], [ints(-3, 4)])],
  Neg: [...float(6), ...at([13], [ints(-3, 4)])],
  Sqrt: [...float(6), ...at([13], [floats(4, 2)])],
  Reciprocal: [...float(6), ...at([13], [floats(4, 3)])],
  Floor: [...float(6), ...at([13], [floats(-1.5, 2.5)])],
  Ceil: [...float(6), ...at([13], [floats(-1.5, 2.5)])],
  Round: [...at([11, 22], ['float32[n=2, 3]']), ...at([11], [floats(-1.5, 2.5, 0.5, 3.2)])],
  Sign: [...float(9), ...at([13], [ints(-3, 0, 4)])],
  Exp: float(6),
  Log: float(6),
  Erf: float(9),
  Sin: float(7),
  Cos: float(7),
  Tan: float(7),
  Asin: float(7),
  Acos: float(7),
  Atan: float(7),
  Sinh: float(9),
  Cosh: float(9),
  Asinh: float(9),
  Acosh: float(9),
  Atanh: float(9),
  Equal: [...whole(11, [1, 2, 3], [3, 2, 1]), ...at([9, 11, 19], ['int64[n=2, 1]', 'int64[4]'])],
  Greater: whole(9, [1, 2, 3], [3, 2, 1]),
  GreaterOrEqual: whole(12, [1, 2, 3], [3, 2, 1]),
  Less: whole(9, [1, 2, 3], [3, 2, 1]),
  LessOrEqual: whole(12, [1, 2, 3], [3, 2, 1]),
  And: [...pair(7, 'bool'), ...at([13], [filled('bool', [2], 1), filled('bool', [1], 0)])],
  Or: [...pair(7, 'bool'), ...at([13], [filled('bool', [2], 1), filled('bool', [1], 0)])],
  Xor: [...pair(7, 'bool'), ...at([13], [filled('bool', [2], 1), filled('bool', [1], 0)])],
  Not: [...at([9, 13], ['bool[n=2, 3]']), ...at([13], [filled('bool', [2], 1)])],
  IsNaN: at([9, 13, 20], ['float32[n=2, 3]']),
  IsInf: at([10, 20], ['float32[n=2, 3]']),
  BitShift: [
    ...at([11], ['uint8[n=2, 3]', 'uint8[3]'], { direction: 'LEFT' }),
    ...at([11], [filled('uint8', [2], 200), filled('uint8', [2], 2)], { direction: 'RIGHT' }),
  ],
  BitwiseAnd: [...at([18], ['int32[n=2, 3]', 'int32[3]']), ...at([18], [ints(6, -5), ints(3, 12)])],
  BitwiseOr: [...at([18], ['int32[n=2, 3]', 'int32[3]']), ...at([18], [ints(6, -5), ints(3, 12)])],
  BitwiseXor: [...at([18], ['int32[n=2, 3]', 'int32[3]']), ...at([18], [ints(6, -5), ints(3, 12)])],
  BitwiseNot: at([18], ['int32[n=2, 3]']),
};

/** Casts and quantization. */
export const CAST: Samples = {
  Cast: [
    ...at([9, 13, 19, 21], ['float32[n=2, 3]'], { to: 7 }),
    ...at([13], [floats(-1.5, 2.7, 0)], { to: 7 }),
    ...at([13], [floats(-1.5, 2.7, 0)], { to: 9 }),
    ...at([13], [ints(3, 0)], { to: 1 }),
    ...at([13], ['float32[n=2, 3]'], { to: 10 }),
  ],
  CastLike: at([15, 19, 21], ['float32[n=2, 3]', 'int32[1]']),
  QuantizeLinear: [
    ...at([10, 13, 19, 21], ['float32[n=2, 3]', filled('float32', [], 0.1), filled('int8', [], 0)]),
    ...at([13, 21], ['float32[n=2, 3]', floats(0.1, 0.2, 0.3)], { axis: 1 }),
    ...at([21], ['float32[n=2, 3]', filled('float32', [], 0.1)], { output_dtype: 3 }),
  ],
  DequantizeLinear: [
    ...at([10, 13, 19, 21], ['int8[n=2, 3]', filled('float32', [], 0.1), filled('int8', [], 0)]),
    ...at([13, 21], ['uint8[n=2, 3]', floats(0.1, 0.2, 0.3)], { axis: 1 }),
  ],
  DynamicQuantizeLinear: at([11, 21], ['float32[n=2, 3]'], {}, { outputs: 3 }),
};
