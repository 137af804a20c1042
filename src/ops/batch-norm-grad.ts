import type { GradRule } from './operator.ts';

/**
 * BatchNormalization by given statistics: `y = (x - mean) scale / √(variance + ε) + bias`, channel by channel. In training the statistics are values that were computed from
 * x, and their gradients flow on.
 */
export const batchNormGrad: GradRule = (ctx) => {
  const { node, make, grad, shape } = ctx;
  if (node.int('training_mode', 0) !== 0) {
    throw ctx.unsupported(
      'training_mode 1 cannot be run by onnxruntime; take the node without it, training adds the statistics',
    );
  }
  const sizes = shape(ctx.input(0));
  const axes = sizes.map((_, axis) => axis).filter((axis) => axis !== 1);
  const spread = sizes.map((size, axis) => (axis === 1 ? size : 1));
  const [scale, mean, variance] = [ctx.input(1), ctx.input(3), ctx.input(4)];
  const epsilon = node.float('epsilon', 1e-5);
  const deviation = make.sqrt(make.add(variance, epsilon));
  const factor = make.div(scale, deviation);
  const sums = ctx.needs(2) || ctx.needs(3) ? make.reduceSum(grad, axes, false) : null;
  const centred = isZeros(mean.initializer)
    ? ctx.input(0)
    : make.sub(ctx.input(0), make.reshape(mean, spread));
  // Σ grad (x - mean), which both scale and variance need.
  const products = ctx.needs(1) || ctx.needs(4) ? make.reduceSum(make.mul(grad, centred), axes, false) : null;
  return [
    ctx.needs(0) ? make.mul(grad, make.reshape(factor, spread)) : null,
    ctx.needs(1) && products ? make.div(products, deviation) : null,
    ctx.needs(2) ? sums : null,
    ctx.needs(3) && sums ? make.neg(make.mul(sums, factor)) : null,
    ctx.needs(4) && products
      ? make.mul(make.div(make.mul(products, factor), make.add(variance, epsilon)), -0.5)
      : null,
  ];
};

const isZeros = (tensor: { readonly size: number; toNumbers(): readonly number[] } | null): boolean =>
  tensor?.toNumbers().every((x) => x === 0) ?? false;

/** Dropout: the identity in inference; in training mode the gradient goes where the mask, its second output, let through. */
export const dropoutGrad: GradRule = (ctx) => {
  const { make, grad } = ctx;
  const training = ctx.numbers(2)?.[0] ?? 0;
  if (ctx.node.inputs[2] && !ctx.numbers(2)) throw ctx.unsupported('training_mode must be a constant');
  if (training === 0) return [grad];
  const ratio = ctx.numbers(1)?.[0] ?? 0.5;
  return [make.mul(grad, make.mul(make.cast(ctx.output(1), make.dtype(grad)), 1 / (1 - ratio)))];
};
