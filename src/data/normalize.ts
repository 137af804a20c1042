import { ArgumentError, ShapeError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { planesOf } from './image-shape.ts';
import { asBatched, type Transform } from './transform.ts';

/** Mean and standard deviation of each channel, of values in [0, 1]. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** MNIST's training images, as PyTorch's examples have it. */
export const MNIST_NORMALIZATION: Normalization = { mean: [0.1307], std: [0.3081] };
/** Fashion-MNIST's training images. */
export const FASHION_MNIST_NORMALIZATION: Normalization = { mean: [0.286], std: [0.353] };
/** CIFAR-10's training images. */
export const CIFAR10_NORMALIZATION: Normalization = {
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.247, 0.2435, 0.2616],
};
/** ImageNet's training images, which torchvision's models were trained with. */
export const IMAGENET_NORMALIZATION: Normalization = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** Throws ArgumentError where mean and deviation are not as many as `channels`, or a deviation is not above 0. */
export function checkNormalization(caller: string, { mean, std }: Normalization, channels?: number): void {
  const count = channels ?? mean.length;
  if (mean.length !== count || std.length !== count || count === 0) {
    throw new ArgumentError(
      `${caller}: expected a mean and a std per channel${channels === undefined ? '' : ` (${channels})`}, got ${mean.length} and ${std.length}`,
    );
  }
  const wrong = [...mean, ...std.map((value) => (value > 0 ? value : Number.NaN))].some(
    (value) => !Number.isFinite(value),
  );
  if (wrong) {
    throw new ArgumentError(
      `${caller}: expected finite means and stds above 0, got mean [${mean.join(', ')}] and std [${std.join(', ')}]`,
    );
  }
}

/** `(x - mean) / std` in float32, each step rounded as PyTorch rounds it. */
export const normalized = (x: number, mean: number, std: number): number =>
  Math.fround(Math.fround(x - Math.fround(mean)) / Math.fround(std));

/**
 * `(x - mean) / std` of each channel (torchvision's `Normalize`, to the bit). On float32[C, H, W] and float32[N, C, H, W]. Throws ArgumentError where a
 * deviation is not above 0, ShapeError where the image has another number of channels.
 *
 * @param mean One number per channel, or one for all.
 * @param std As `mean`.
 */
export function normalize(mean: number | readonly number[], std: number | readonly number[]): Transform {
  const means = typeof mean === 'number' ? [mean] : mean;
  const stds = typeof std === 'number' ? [std] : std;
  const all = typeof mean === 'number' && typeof std === 'number';
  const count = Math.max(means.length, stds.length);
  const spread = (values: readonly number[]): readonly number[] =>
    values.length === 1 ? new Array<number>(count).fill(values[0]!) : values;
  const perChannel: Normalization = { mean: spread(means), std: spread(stds) };
  checkNormalization('normalize', perChannel);
  return asBatched((input) => {
    const { data, planes, channels, height, width } = planesOf('normalize', input, true);
    if (!all && channels !== count) {
      throw new ShapeError(`normalize: ${input} has ${channels} channels, mean and std have ${count}`);
    }
    const out = new Float32Array(data.length);
    const pixels = height * width;
    for (let plane = 0; plane < planes; plane++) {
      const channel = all ? 0 : plane % channels;
      const m = Math.fround(perChannel.mean[channel]!);
      const s = Math.fround(perChannel.std[channel]!);
      const end = (plane + 1) * pixels;
      for (let i = plane * pixels; i < end; i++) out[i] = Math.fround(data[i]! - m) / s;
    }
    return new Tensor('float32', input.shape, out);
  });
}
