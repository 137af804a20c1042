import { sizeOf } from '../core/tensor.ts';
import { ACTIVATION_CHANNELS } from './activation-channels.ts';
import {
  celuGrad,
  eluGrad,
  geluGrad,
  hardSigmoidGrad,
  hardSwishGrad,
  leakyReluGrad,
  logSoftmaxGrad,
  mishGrad,
  preluGrad,
  reluGrad,
  seluGrad,
  shrinkGrad,
  sigmoidGrad,
  softmaxGrad,
  softplusGrad,
  softsignGrad,
  swishGrad,
  tanhGrad,
  thresholdedReluGrad,
} from './activation-grad.ts';
import { upgradeAlongAxis } from './activation-upgrade.ts';
import { axisOf } from './broadcast.ts';
import { cost, free, inputShape, perOutput } from './cost.ts';
import { differ, expectFloat, expectSameDtype } from './expect.ts';
import { noChannelsRule, noGradRule } from './later.ts';
import { channelLayout, makeLayer, statedShape } from './layer.ts';
import {
  type CostRule,
  type GradRule,
  type InferContext,
  type InferRule,
  LATEST_OPSET,
  type Operator,
  type Unsupported,
  type UpgradeRule,
  unsupported,
} from './operator.ts';
import { withRules } from './with-rules.ts';

/** Floating-point in, the same type out. */
export const sameFloat: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  expectFloat(ctx, 0);
  return [{ dtype, shape }];
};

/** What an activation says beside its name; the rest is that of an elementwise function without parameters that thop does not count. */
interface ActivationFacts {
  readonly infer?: InferRule;
  readonly cost?: CostRule;
  readonly grad?: GradRule | Unsupported;
  readonly upgrade?: UpgradeRule;
  readonly domain?: string;
  readonly last?: number;
  readonly steering?: readonly number[];
  readonly shapeInput?: number;
}

/** The entry of an elementwise function of one floating-point input. */
export const activation = (
  opType: string,
  first: number,
  summary: string,
  facts: ActivationFacts = {},
): Operator => ({
  domain: facts.domain ?? '',
  opType,
  opsets: [first, facts.last ?? LATEST_OPSET],
  summary,
  infer: facts.infer ?? sameFloat,
  cost: facts.cost ?? free,
  grad: facts.grad ?? noGradRule,
  channels: noChannelsRule,
  ...(facts.upgrade ? { upgrade: facts.upgrade } : {}),
  ...(facts.steering ? { steering: facts.steering } : {}),
  ...(facts.shapeInput === undefined ? {} : { shapeInput: facts.shapeInput }),
  layer: null,
});

/** Relu takes integers too from opset 14 on. */
const sameNumeric: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  if (dtype === 'bool' || dtype === 'string')
    throw ctx.error(`input 0 expects numbers, got ${dtype}; put a Cast before it`);
  return [{ dtype, shape }];
};

/** Softmax and its kin; the axis alone decides nothing about shapes, but a wrong one is an error. */
const alongAxis: InferRule = (ctx) => {
  const { dtype, shape } = ctx.input(0);
  expectFloat(ctx, 0);
  const axis = ctx.node.int('axis', ctx.opset < 13 ? 1 : -1);
  // Before opset 13 the input was made a matrix at `axis`, which may then be the rank.
  if (!(ctx.opset < 13 && axis === shape.length)) axisOf(ctx, axis, shape.length);
  return [{ dtype, shape }];
};

/** thop 0.1.1: per row of `n`, n exponentials, n - 1 additions and n divisions. 0.0.31 has no rule for nn.Softmax. */
const softmaxCost: CostRule = (ctx) => {
  const shape = inputShape(ctx, 0);
  const elements = sizeOf(shape);
  const axis = ctx.node.int('axis', ctx.opset < 13 ? 1 : -1);
  const split = axis < 0 ? axis + shape.length : axis;
  const features = ctx.opset < 13 ? sizeOf(shape.slice(split)) : (shape[split] ?? 1);
  const rows = features === 0 ? 0 : elements / features;
  return cost(0, 0, 3 * elements - rows);
};

/** The slope is broadcast to the input: dimensions align at the end, each 1 or the input's. */
function inferPRelu(ctx: InferContext): ReturnType<InferRule> {
  const { dtype, shape } = ctx.input(0);
  const slope = ctx.input(1).shape;
  expectSameDtype(ctx, 0, 1);
  // Before opset 7 one slope per channel was written as a vector.
  const perChannel = ctx.opset < 7 && slope.length === 1 && !differ(slope[0], shape[1]);
  const offset = shape.length - slope.length;
  const fits = offset >= 0 && slope.every((dim, axis) => dim === 1 || !differ(dim, shape[axis + offset]));
  if (!perChannel && !fits) {
    throw ctx.error(
      `slope [${slope.map((dim) => dim ?? '?').join(', ')}] cannot be broadcast to the input; one slope per channel has shape [channels${', 1'.repeat(Math.max(0, shape.length - 2))}]`,
    );
  }
  return [{ dtype, shape }];
}

/** Activations. */
export const ACTIVATION: readonly Operator[] = withRules(
  [
    activation('Relu', 1, 'max(0, x).', { grad: reluGrad, infer: sameNumeric }),
    // thop: one operation per element in 0.0.31, none in 0.1.1.
    activation('LeakyRelu', 1, 'x where x >= 0, else alpha * x.', {
      grad: leakyReluGrad,
      cost: perOutput(1, 0),
    }),
    {
      // thop: no rule in 0.0.31, one operation per element in 0.1.1.
      ...activation('PRelu', 1, 'x where x >= 0, else slope * x with a slope that is learnt.', {
        infer: inferPRelu,
        grad: preluGrad,
        cost: perOutput(0, 1),
      }),
      layer: (node, isConstant) => {
        const axis = statedShape(node, 1)?.findIndex((dim) => dim !== 1) ?? -1;
        return makeLayer(isConstant, 'PReLU', [['weight', 1, axis < 0 ? undefined : channelLayout(axis)]]);
      },
    },
    activation('Elu', 1, 'x where x >= 0, else alpha * (exp(x) - 1).', { grad: eluGrad }),
    activation('Celu', 12, 'max(0, x) + min(0, alpha * (exp(x / alpha) - 1)).', { grad: celuGrad }),
    activation('Selu', 1, 'Elu scaled so that activations normalize themselves.', { grad: seluGrad }),
    activation('Gelu', 20, 'x times the normal distribution function of x, exact or by tanh.', {
      grad: geluGrad,
    }),
    activation('Sigmoid', 1, '1 / (1 + exp(-x)).', { grad: sigmoidGrad }),
    activation('HardSigmoid', 1, 'max(0, min(1, alpha * x + beta)).', { grad: hardSigmoidGrad }),
    activation('HardSwish', 14, 'x * max(0, min(1, x / 6 + 1 / 2)).', { grad: hardSwishGrad }),
    activation('Mish', 18, 'x * tanh(log(1 + exp(x))).', { grad: mishGrad }),
    activation('Swish', 24, 'x * sigmoid(alpha * x).', { grad: swishGrad(1) }),
    activation('Softplus', 1, 'log(1 + exp(x)).', { grad: softplusGrad }),
    activation('Softsign', 1, 'x / (1 + |x|).', { grad: softsignGrad }),
    activation('Tanh', 1, 'Hyperbolic tangent.', { grad: tanhGrad }),
    activation('ThresholdedRelu', 10, 'x where x > alpha, else 0.', { grad: thresholdedReluGrad }),
    activation('Shrink', 9, 'x moved towards 0 by bias where |x| > lambd, else 0.', {
      grad: shrinkGrad,
      infer: sameNumeric,
    }),
    activation('Softmax', 1, 'exp(x) divided by its sum along an axis.', {
      grad: softmaxGrad,
      infer: alongAxis,
      cost: softmaxCost,
      upgrade: upgradeAlongAxis,
    }),
    activation('LogSoftmax', 1, 'Logarithm of Softmax.', {
      grad: logSoftmaxGrad,
      infer: alongAxis,
      upgrade: upgradeAlongAxis,
    }),
    activation('Hardmax', 1, '1 at the largest element along an axis, 0 elsewhere.', {
      infer: alongAxis,
      upgrade: upgradeAlongAxis,
      grad: unsupported(
        'the result is constant wherever it is differentiable, so its gradient is 0 everywhere',
      ),
    }),
  ],
  { channels: ACTIVATION_CHANNELS },
);
