import { Tensor } from '../core/tensor.ts';
import type { Value } from '../ir/index.ts';
import { backAlong } from './back-along.ts';
import type { Expressions } from './expressions.ts';
import type { GradContext, GradRule, Unsupported } from './operator.ts';
import { unsupported } from './operator.ts';

/** How one axis is resampled. */
interface AxisResize {
  readonly from: number;
  readonly to: number;
  /** Output size by input size, as the node states or implies it. */
  readonly scale: number;
  readonly mode: string;
  readonly coordinates: string;
  readonly nearest: string;
  readonly cubicA: number;
  readonly excludeOutside: boolean;
}

/**
 * Place in the input of element `index` of the output, in steps of single precision, as the engine takes them: they decide ties. Source: ONNX, Resize,
 * coordinate_transformation_mode.
 */
function placeOf(index: number, { from, to, scale, coordinates }: AxisResize): number {
  const single = Math.fround;
  const middle = single(single(index + 0.5) / scale);
  switch (coordinates) {
    case 'asymmetric':
      return single(index / scale);
    case 'align_corners':
      return to === 1 ? 0 : single((index * (from - 1)) / (to - 1));
    case 'pytorch_half_pixel':
      return to > 1 ? single(middle - 0.5) : 0;
    case 'tf_half_pixel_for_nn':
      return middle;
    case 'half_pixel_symmetric': {
      const adjustment = single(to / single(scale * from));
      const offset = single((from / 2) * single(1 - adjustment));
      // The one place where it computes in double precision.
      return single(offset + (index + 0.5) / scale - 0.5);
    }
    default:
      return single(middle - 0.5);
  }
}

/** onnxruntime takes what is less than a millionth off a half for one. */
const isHalf = (x: number): boolean => Math.abs(x - Math.floor(x) - 0.5) < 1e-6;

const ROUND: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => (isHalf(x) ? Math.floor(x) : Math.round(x)),
  round_prefer_ceil: (x) => (isHalf(x) ? Math.ceil(x) : Math.round(x)),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** Keys' cubic convolution with coefficient a, at a distance. */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
}

/** The matrix `[to, from]` that resampling along an axis is. */
function matrixOf(axis: AxisResize): Float32Array {
  const { from, to, mode } = axis;
  const matrix = new Float32Array(from * to);
  const add = (row: number, column: number, weight: number): void => {
    matrix[row * from + Math.min(Math.max(column, 0), from - 1)]! += weight;
  };
  for (let row = 0; row < to; row++) {
    const place = placeOf(row, axis);
    const floor = Math.floor(place);
    if (mode === 'nearest') {
      add(row, ROUND[axis.nearest]!(place), 1);
    } else if (mode === 'linear') {
      const inside = Math.min(Math.max(place, 0), from - 1);
      const left = Math.floor(inside);
      add(row, left, 1 - (inside - left));
      add(row, left + 1, inside - left);
    } else {
      const taps = [-1, 0, 1, 2].map((offset) => ({
        column: floor + offset,
        weight: cubic(place - floor - offset, axis.cubicA),
      }));
      const used = taps.filter(({ column }) => !axis.excludeOutside || (column >= 0 && column < from));
      const sum = axis.excludeOutside ? used.reduce((total, { weight }) => total + weight, 0) : 1;
      for (const { column, weight } of used) add(row, column, weight / sum);
    }
  }
  return matrix;
}

/** The gradient brought back along one axis: the transposed matrix times it. */
function along(make: Expressions, grad: Value, axis: number, resize: AxisResize): Value {
  const sizes = make.shape(grad);
  const repeats = resize.to / resize.from;
  const matrix = matrixOf(resize);
  const isRepeat =
    Number.isInteger(repeats) &&
    resize.mode === 'nearest' &&
    matrix.every(
      (weight, i) => weight === Number(Math.floor(Math.floor(i / resize.from) / repeats) === i % resize.from),
    );
  if (isRepeat) {
    // Each element was written out some times over: these are summed.
    const split = [...sizes.slice(0, axis), resize.from, repeats, ...sizes.slice(axis + 1)];
    return make.reduceSum(make.reshape(grad, split), [axis + 1], false);
  }
  return backAlong(make, grad, axis, new Tensor('float32', [resize.to, resize.from], matrix));
}

/** The one scale of all axes that a policy of keeping the aspect ratio chooses; undefined where sizes are as they are stated. */
function commonScale(ctx: GradContext, axes: readonly number[]): number | undefined {
  const policy = ctx.node.string('keep_aspect_ratio_policy', 'stretch');
  if (policy === 'stretch') return undefined;
  const wanted = ctx.numbers(3);
  if (!wanted) throw ctx.unsupported('sizes must be constants where the aspect ratio is kept');
  const sizes = ctx.shape(ctx.input(0));
  const ratios = axes.map((axis, index) => Math.fround(wanted[index]! / sizes[axis]!));
  return policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
}

const resizeGrad: GradRule = (ctx: GradContext) => {
  const { make, node } = ctx;
  const mode = node.string('mode', 'nearest');
  const coordinates = node.string('coordinate_transformation_mode', 'half_pixel');
  if (node.int('antialias', 0) !== 0)
    throw ctx.unsupported('antialias has no gradient rule; resize without it');
  if (coordinates === 'tf_crop_and_resize')
    throw ctx.unsupported('tf_crop_and_resize has no gradient rule; crop with Slice');
  const sizes = ctx.shape(ctx.input(0));
  const resized = ctx.shape(ctx.grad);
  const axes = (node.ints('axes') ?? sizes.map((_, axis) => axis)).map((axis) =>
    axis < 0 ? axis + sizes.length : axis,
  );
  const scales = node.inputs[2] && ctx.shape(node.inputs[2])[0] !== 0 ? ctx.numbers(2) : undefined;
  if (node.inputs[2] && ctx.shape(node.inputs[2])[0] !== 0 && !scales)
    throw ctx.unsupported('scales must be constants');
  const common = scales ? undefined : commonScale(ctx, axes);
  let gradient = ctx.grad;
  axes.forEach((axis, index) => {
    const [from, to] = [sizes[axis]!, resized[axis]!];
    const scale = scales?.[index] ?? common ?? Math.fround(to / from);
    if (from === to && scale === 1) return;
    gradient = along(make, gradient, axis, {
      from,
      to,
      scale,
      mode,
      coordinates,
      nearest: node.string('nearest_mode', 'round_prefer_floor'),
      cubicA: node.float('cubic_coeff_a', -0.75),
      excludeOutside: node.int('exclude_outside', 0) !== 0,
    });
  });
  return [gradient];
};

/** Gradient rules of resampling, which is a product with a matrix along each axis. */
export const RESIZE_GRADS: Readonly<Record<string, GradRule | Unsupported>> = {
  Resize: resizeGrad,
  Upsample: unsupported('it is the old name of Resize, which upgradeOpset gives it'),
};
