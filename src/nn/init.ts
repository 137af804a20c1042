import { ArgumentError } from '../core/errors.ts';
import { defaultGenerator, type Generator } from '../core/random.ts';
import { sizeOf, type Tensor } from '../core/tensor.ts';
import { Parameter } from './parameter.ts';

/**
 * PyTorch's `torch.nn.init`: fills float32 tensors in place. With the same seed the elements equal PyTorch's byte for byte: bounds are
 * computed in float64, as Python does, and numbers are drawn in PyTorch's order.
 */

/** What can be filled; a pruned parameter's original elements are, and its mask is put over them anew. */
export type InitTarget = Parameter | Tensor;

/** Functions a gain is known for. */
export type Nonlinearity =
  | 'linear'
  | 'conv1d'
  | 'conv2d'
  | 'conv3d'
  | 'conv_transpose1d'
  | 'conv_transpose2d'
  | 'conv_transpose3d'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  | 'leaky_relu'
  | 'selu';

/** Which side of a layer keeps its variance: the forward pass (`fan_in`) or the backward pass (`fan_out`). */
export type FanMode = 'fan_in' | 'fan_out';

/** Options of the Kaiming initializations. */
export interface KaimingOptions {
  /** Negative slope of the leaky ReLU behind the layer; 0 by default. */
  readonly a?: number;
  /** Default `fan_in`. */
  readonly mode?: FanMode;
  /** Default `leaky_relu`. */
  readonly nonlinearity?: Nonlinearity;
  readonly generator?: Generator;
}

const tensorOf = (target: InitTarget): Tensor => (target instanceof Parameter ? target.orig : target);

/** True while `skipInit` makes a network: nothing is drawn. */
let skips = false;

/**
 * Makes a network without drawing its weights, for one that is about to be filled: they are zeros, and the generator is where it was. `make` must not wait for anything. Source: `torch.nn.utils.skip_init`.
 */
export function skipInit<T>(make: () => T): T {
  const before = skips;
  skips = true;
  try {
    return make();
  } finally {
    skips = before;
  }
}

/** Fills with random numbers. */
function draw<T extends InitTarget>(caller: string, target: T, drawn: (count: number) => Float32Array): T {
  return skips ? target : fill(caller, target, drawn);
}

function fill<T extends InitTarget>(caller: string, target: T, of: (count: number) => Float32Array): T {
  const tensor = tensorOf(target);
  if (tensor.dtype !== 'float32')
    throw new ArgumentError(`${caller}: expects a float32 tensor, got ${tensor}`);
  tensor.setData(of(tensor.size));
  if (target instanceof Parameter) target.refresh();
  return target;
}

/** Fan-in and fan-out of a weight `[out, in, ...kernel]`. Throws ArgumentError where it has fewer than two dimensions. */
function fans(caller: string, target: InitTarget): { fanIn: number; fanOut: number } {
  const { shape } = tensorOf(target);
  const [outputs, inputs] = shape;
  if (outputs === undefined || inputs === undefined) {
    throw new ArgumentError(
      `${caller}: fan in and fan out can not be computed for a tensor with fewer than 2 dimensions, got [${shape.join(', ')}]`,
    );
  }
  const window = sizeOf(shape.slice(2));
  return { fanIn: inputs * window, fanOut: outputs * window };
}

/**
 * Fan-in of a weight `[out, in, ...kernel]`: the inputs of one output, `in × kernel`. Throws ArgumentError where it has fewer than two
 * dimensions.
 */
export const fanInOf = (target: InitTarget): number => fans('fanInOf', target).fanIn;

/**
 * The factor by which a nonlinearity asks for larger weights. `param` is the negative slope of `leaky_relu`, 0.01 by default. Throws
 * ArgumentError for an unknown name.
 */
export function calculateGain(nonlinearity: Nonlinearity, param = 0.01): number {
  switch (nonlinearity) {
    case 'tanh':
      return 5 / 3;
    case 'relu':
      return Math.sqrt(2);
    case 'leaky_relu':
      return Math.sqrt(2 / (1 + param ** 2));
    case 'selu':
      return 3 / 4;
    case 'linear':
    case 'conv1d':
    case 'conv2d':
    case 'conv3d':
    case 'conv_transpose1d':
    case 'conv_transpose2d':
    case 'conv_transpose3d':
    case 'sigmoid':
      return 1;
    default:
      throw new ArgumentError(`calculateGain: unsupported nonlinearity '${String(nonlinearity)}'`);
  }
}

/** Fills with numbers uniform in [a, b); 0 and 1 by default. */
export const uniform_ = <T extends InitTarget>(
  target: T,
  a = 0,
  b = 1,
  generator: Generator = defaultGenerator,
): T => draw('uniform_', target, (count) => generator.uniform(count, a, b));

/** Fills with normally distributed numbers; mean 0 and standard deviation 1 by default. */
export const normal_ = <T extends InitTarget>(
  target: T,
  mean = 0,
  std = 1,
  generator: Generator = defaultGenerator,
): T => draw('normal_', target, (count) => generator.normal(count, mean, std));

/** Fills with one value. */
export const constant_ = <T extends InitTarget>(target: T, value: number): T =>
  fill('constant_', target, (count) => new Float32Array(count).fill(value));

/** Fills with zeros. */
export const zeros_ = <T extends InitTarget>(target: T): T => constant_(target, 0);

/** Fills with ones. */
export const ones_ = <T extends InitTarget>(target: T): T => constant_(target, 1);

/** `[-bound, bound)` with `bound = gain √(6 / (fanIn + fanOut))` (Glorot and Bengio 2010). Throws ArgumentError below two dimensions. */
export function xavierUniform_<T extends InitTarget>(
  target: T,
  gain = 1,
  generator: Generator = defaultGenerator,
): T {
  const { fanIn, fanOut } = fans('xavierUniform_', target);
  const std = gain * Math.sqrt(2 / (fanIn + fanOut));
  const bound = Math.sqrt(3) * std;
  return uniform_(target, -bound, bound, generator);
}

/** Normal with `std = gain √(2 / (fanIn + fanOut))` (Glorot and Bengio 2010). Throws ArgumentError below two dimensions. */
export function xavierNormal_<T extends InitTarget>(
  target: T,
  gain = 1,
  generator: Generator = defaultGenerator,
): T {
  const { fanIn, fanOut } = fans('xavierNormal_', target);
  return normal_(target, 0, gain * Math.sqrt(2 / (fanIn + fanOut)), generator);
}

function kaimingStd(caller: string, target: InitTarget, options: KaimingOptions): number {
  const { fanIn, fanOut } = fans(caller, target);
  const fan = options.mode === 'fan_out' ? fanOut : fanIn;
  return calculateGain(options.nonlinearity ?? 'leaky_relu', options.a ?? 0) / Math.sqrt(fan);
}

/** `[-bound, bound)` with `bound = gain √(3 / fan)` (He et al. 2015). Throws ArgumentError below two dimensions. */
export function kaimingUniform_<T extends InitTarget>(target: T, options: KaimingOptions = {}): T {
  if (tensorOf(target).size === 0) return target;
  const bound = Math.sqrt(3) * kaimingStd('kaimingUniform_', target, options);
  return uniform_(target, -bound, bound, options.generator);
}

/** Normal with `std = gain / √fan` (He et al. 2015). Throws ArgumentError below two dimensions. */
export function kaimingNormal_<T extends InitTarget>(target: T, options: KaimingOptions = {}): T {
  if (tensorOf(target).size === 0) return target;
  return normal_(target, 0, kaimingStd('kaimingNormal_', target, options), options.generator);
}

/** Share of the normal distribution from which `truncNormal_` draws normal numbers and rejects; below it rejects uniform ones. */
const LARGE_SHARE = 0.3;

/** Abramowitz and Stegun 7.1.26, |error| < 1.5e-7: it only decides which way of drawing is taken. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

const normalCdf = (x: number): number => (1 + erf(x / Math.SQRT2)) / 2;

/**
 * Fills with normally distributed numbers of [a, b], drawing anew what lies outside; -2 and 2 by default. As PyTorch 2.13 draws (earlier
 * versions inverted the distribution function, and give other numbers). Throws ArgumentError where a >= b or std <= 0.
 */
export function truncNormal_<T extends InitTarget>(
  target: T,
  mean = 0,
  std = 1,
  a = -2,
  b = 2,
  generator: Generator = defaultGenerator,
): T {
  if (!(a < b) || !(std > 0)) {
    throw new ArgumentError(`truncNormal_: expects a < b and std > 0, got a=${a}, b=${b}, std=${std}`);
  }
  const share = normalCdf((b - mean) / std) - normalCdf((a - mean) / std);
  return draw('truncNormal_', target, (count) =>
    share > LARGE_SHARE
      ? rejectNormal(count, mean, std, a, b, generator)
      : rejectUniform(count, mean, std, a, b, generator),
  );
}

/** Each round draws for all elements, also for those that are settled: that is PyTorch's order of draws. */
function rejectNormal(
  count: number,
  mean: number,
  std: number,
  a: number,
  b: number,
  generator: Generator,
): Float32Array {
  const low = Math.fround(a);
  const high = Math.fround(b);
  const result = generator.normal(count, mean, std);
  const outside = (value: number): boolean => value < low || value > high;
  while (result.some(outside)) {
    const again = generator.normal(count, mean, std);
    for (let i = 0; i < count; i++) if (outside(result[i]!)) result[i] = again[i]!;
  }
  return result;
}

/** Accepts a uniform candidate x with probability exp(-((x - mean) / std)² / 2) over the highest density in [a, b]. */
function rejectUniform(
  count: number,
  mean: number,
  std: number,
  a: number,
  b: number,
  generator: Generator,
): Float32Array {
  const f = Math.fround;
  const mode = Math.max(a, Math.min(mean, b));
  const logPeak = f(-0.5 * ((mode - mean) / std) ** 2);
  const logDensity = (x: number): number => {
    const z = f(f(x - f(mean)) / f(std));
    return f(f(f(z * z) * -0.5) - logPeak);
  };
  const result = new Float32Array(count);
  const pending = new Uint8Array(count).fill(1);
  let left = count;
  while (left > 0) {
    const candidates = generator.uniform(count, a, b);
    const chances = generator.rand(count);
    for (let i = 0; i < count; i++) {
      if (pending[i] === 0) continue;
      result[i] = candidates[i]!;
      if (f(Math.log(chances[i]!)) > logDensity(candidates[i]!)) continue;
      pending[i] = 0;
      left--;
    }
  }
  return result;
}
