import { toFloat32 } from '../core/float16.ts';
import { Tensor } from '../core/tensor.ts';
import type { Node } from '../ir/index.ts';
import { inferredWith } from './broadcast.ts';
import { dtypeAttribute } from './cast.ts';
import { CONSTANT_CHANNELS } from './constant-channels.ts';
import { entry } from './entry.ts';
import { inferredOf, MOST_KNOWN } from './infer-constant.ts';
import { notDifferentiable } from './later.ts';
import { shapeElements } from './layout.ts';
import type { InferRule, Operator } from './operator.ts';
import { range } from './slicing.ts';
import { withRules } from './with-rules.ts';

/** The tensor of a Constant node; null where it holds strings or a sparse tensor. */
function constantTensor(node: Node): Tensor | null {
  const tensor = node.tensor('value');
  if (tensor) return tensor;
  const float = node.float('value_float');
  if (float !== undefined) return Tensor.of(Float32Array.of(float), []);
  const floats = node.floats('value_floats');
  if (floats) return Tensor.of(Float32Array.from(floats));
  const int = node.int('value_int') ?? node.ints('value_ints');
  return int === undefined ? null : Tensor.int64(int);
}

/** The value stands in one of eight attributes. */
const constant: InferRule = (ctx) => {
  const { node } = ctx;
  const tensor = constantTensor(node);
  if (tensor) return [inferredOf(tensor)];
  const sparse = node.attributes.get('sparse_value');
  if (sparse?.kind === 'sparse-tensor') {
    return [{ dtype: sparse.value.values.dtype, shape: sparse.value.dims }];
  }
  if (node.attributes.has('value_string')) return [{ dtype: 'string', shape: [] }];
  const strings = node.attributes.get('value_strings');
  if (strings?.kind === 'strings') return [{ dtype: 'string', shape: [strings.value.length] }];
  throw ctx.error('expects one of the attributes value, value_float, value_ints, …; has none');
};

const constantOfShape: InferRule = (ctx) => {
  const shape = shapeElements(ctx, 0);
  if (!shape) return [null];
  const value = ctx.node.tensor('value');
  const dtype = value?.dtype ?? 'float32';
  const element = value ? inferredOf(value).known?.[0] : 0;
  const sizes = shape.map((dim) => (typeof dim === 'number' ? dim : Number.NaN));
  const count = sizes.reduce((product, size) => product * size, 1);
  const filled = element !== undefined && count <= MOST_KNOWN;
  return [inferredWith(dtype, shape, filled ? new Array(count).fill(element) : undefined)];
};

/** Random numbers of the shape of an attribute. */
const random: InferRule = (ctx) => {
  const shape = ctx.node.ints('shape');
  if (!shape) throw ctx.error("attribute 'shape' is required and missing");
  return [{ dtype: dtypeAttribute(ctx, 'dtype', 'float32'), shape }];
};

/** Random numbers of the shape of the input. */
const randomLike: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  return [{ dtype: dtypeAttribute(ctx, 'dtype', dtype), shape }];
};

/** Classes drawn by their log-probabilities: `[batch, sample_size]`. */
const multinomial: InferRule = (ctx) => [
  {
    dtype: dtypeAttribute(ctx, 'dtype', 'int32'),
    shape: [ctx.input(0).shape[0] ?? null, ctx.node.int('sample_size', 1)],
  },
];

const drawn = { nondeterministic: true, grad: notDifferentiable };

/** Operators that make tensors out of nothing but attributes and sizes. */
export const CONSTANT: readonly Operator[] = withRules(
  [
    entry('Constant', 1, 'A tensor given by an attribute.', constant, {
      grad: notDifferentiable,
      constant: constantTensor,
    }),
    entry('ConstantOfShape', 9, 'A tensor filled with one value.', constantOfShape, {
      grad: notDifferentiable,
      shapeInput: 0,
      fills: (node) => {
        const value = node.tensor('value');
        return value ? toFloat32(value).float32[0]! : 0;
      },
    }),
    entry('Range', 11, 'Numbers from start to limit in steps of delta.', range, {
      grad: notDifferentiable,
      steering: [0, 1, 2],
    }),
    entry('RandomNormal', 1, 'Normally distributed numbers.', random, drawn),
    entry(
      'RandomNormalLike',
      1,
      'Normally distributed numbers in the shape of the input.',
      randomLike,
      drawn,
    ),
    entry('RandomUniform', 1, 'Uniformly distributed numbers.', random, drawn),
    entry(
      'RandomUniformLike',
      1,
      'Uniformly distributed numbers in the shape of the input.',
      randomLike,
      drawn,
    ),
    entry('Bernoulli', 15, 'Zeros and ones drawn with the probabilities of the input.', randomLike, drawn),
    entry('Multinomial', 7, 'Classes drawn by their log-probabilities.', multinomial, drawn),
  ],
  { channels: CONSTANT_CHANNELS },
);
