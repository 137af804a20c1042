import { ArgumentError } from '../core/errors.ts';
import { roundHalfEven } from '../core/numeric.ts';
import { Tensor } from '../core/tensor.ts';
import { type Size, sizeOfImage } from '../data/index.ts';
import { pixelsOf } from './pixels.ts';

/** How pixels between pixels are made. */
export type Interpolation = 'linear' | 'area';

const CHANNELS = 3;

/**
 * Makes an image of another size as OpenCV does, which is what YOLOv5 was trained and judged with: 'linear' is its INTER_LINEAR, 'area' its INTER_AREA.
 *
 * Sharp is not used here: it is not there in browsers, its filters grow with the scale, which INTER_LINEAR's do not, and confidences move by some hundredths with
 * another filter. Both are within one level of OpenCV 5.0: 'linear' computes in whole numbers as it does, and when it shrinks gives the same bytes. 'area' averages what a pixel
 * covers; where a side grows it is 'linear' here.
 *
 * @param image uint8[height, width, 3].
 * @param size [height, width], or one number for both.
 *
 * Throws ShapeError for another tensor, ArgumentError for a size that is none or another interpolation.
 */
export function resizePixels(image: Tensor, size: Size, interpolation: Interpolation = 'linear'): Tensor {
  const { data, height, width } = pixelsOf('resizePixels', image);
  const [toHeight, toWidth] = sizeOfImage('resizePixels', size);
  if (interpolation !== 'linear' && interpolation !== 'area') {
    throw new ArgumentError(
      `resizePixels: expected the interpolation 'linear' or 'area', got '${String(interpolation)}'`,
    );
  }
  if (toHeight === height && toWidth === width) return image.clone();
  // OpenCV averages squares of four pixels in either way.
  const isHalved = height === 2 * toHeight && width === 2 * toWidth;
  const grows = toHeight > height || toWidth > width;
  const out =
    isHalved || (interpolation === 'area' && !grows)
      ? averaged(data, height, width, toHeight, toWidth)
      : interpolated(data, height, width, toHeight, toWidth);
  return new Tensor('uint8', [toHeight, toWidth, CHANNELS], out);
}

/** Two neighbours of each place of an axis, and their weights in 2048ths. */
interface Pairs {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly weights: Int32Array;
}

/** Weights have 11 bits. Source: OpenCV's INTER_RESIZE_COEF_BITS. */
const UNIT = 2048;

function pairs(from: number, to: number): Pairs {
  const first = new Int32Array(to);
  const second = new Int32Array(to);
  const weights = new Int32Array(2 * to);
  const scale = 1 / (to / from);
  for (let i = 0; i < to; i++) {
    const place = Math.fround((i + 0.5) * scale - 0.5);
    const left = Math.floor(place);
    // Outside of the centres the last pixel goes on.
    const share = left < 0 || left >= from - 1 ? 0 : Math.fround(place - left);
    first[i] = Math.min(Math.max(left, 0), from - 1);
    second[i] = Math.min(first[i]! + 1, from - 1);
    weights[2 * i] = roundHalfEven(Math.fround(Math.fround(1 - share) * UNIT));
    weights[2 * i + 1] = roundHalfEven(Math.fround(share * UNIT));
  }
  return { first, second, weights };
}

function interpolated(
  data: Uint8Array,
  height: number,
  width: number,
  toHeight: number,
  toWidth: number,
): Uint8Array {
  const columns = pairs(width, toWidth);
  const rows = pairs(height, toHeight);
  const length = toWidth * CHANNELS;
  const out = new Uint8Array(toHeight * length);
  let [above, below] = [new Int32Array(length), new Int32Array(length)];
  let [rowAbove, rowBelow] = [-1, -1];
  const widthwise = (row: number, target: Int32Array): void => {
    const start = row * width * CHANNELS;
    for (let x = 0, at = 0; x < toWidth; x++) {
      const left = start + columns.first[x]! * CHANNELS;
      const right = start + columns.second[x]! * CHANNELS;
      const [a, b] = [columns.weights[2 * x]!, columns.weights[2 * x + 1]!];
      for (let channel = 0; channel < CHANNELS; channel++, at++)
        target[at] = data[left + channel]! * a + data[right + channel]! * b;
    }
  };
  for (let y = 0; y < toHeight; y++) {
    const [first, second] = [rows.first[y]!, rows.second[y]!];
    if (first === rowBelow) {
      [above, below] = [below, above];
      [rowAbove, rowBelow] = [rowBelow, -1];
    }
    if (first !== rowAbove) widthwise(first, above);
    if (second !== rowBelow) widthwise(second, below);
    [rowAbove, rowBelow] = [first, second];
    const [a, b] = [rows.weights[2 * y]!, rows.weights[2 * y + 1]!];
    const target = y * length;
    // The bits that OpenCV drops on the way, so that products fit into 32.
    for (let i = 0; i < length; i++)
      out[target + i] = (((a * (above[i]! >> 4)) >> 16) + ((b * (below[i]! >> 4)) >> 16) + 2) >> 2;
  }
  return out;
}

/** What each place of an axis covers: `count` pixels from `first` on, weighted. */
interface Cover {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** `most` for each place; they add up to 1. */
  readonly weights: Float64Array;
  readonly most: number;
}

function cover(from: number, to: number): Cover {
  const scale = from / to;
  const most = Math.ceil(scale) + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Float64Array(to * most);
  for (let i = 0; i < to; i++) {
    // In whole numbers: place i covers (i * from) / to to ((i + 1) * from) / to.
    const start = Math.floor((i * from) / to);
    const end = Math.ceil(((i + 1) * from) / to);
    first[i] = start;
    count[i] = end - start;
    for (let pixel = start; pixel < end; pixel++) {
      const share = Math.min(pixel + 1, (i + 1) * scale) - Math.max(pixel, i * scale);
      weights[i * most + pixel - start] = Math.max(0, share) / scale;
    }
  }
  return { first, count, weights, most };
}

function averaged(
  data: Uint8Array,
  height: number,
  width: number,
  toHeight: number,
  toWidth: number,
): Uint8Array {
  const columns = cover(width, toWidth);
  const rows = cover(height, toHeight);
  const length = toWidth * CHANNELS;
  const out = new Uint8Array(toHeight * length);
  const sums = new Float64Array(length);
  // Four pixels are added up in whole numbers, where halves go up.
  const rounded = height === 2 * toHeight && width === 2 * toWidth ? Math.round : roundHalfEven;
  for (let y = 0; y < toHeight; y++) {
    sums.fill(0);
    for (let tap = 0; tap < rows.count[y]!; tap++) {
      const weight = rows.weights[y * rows.most + tap]!;
      const start = (rows.first[y]! + tap) * width * CHANNELS;
      for (let x = 0; x < toWidth; x++) {
        for (let step = 0; step < columns.count[x]!; step++) {
          const share = weight * columns.weights[x * columns.most + step]!;
          const pixel = start + (columns.first[x]! + step) * CHANNELS;
          for (let channel = 0; channel < CHANNELS; channel++)
            sums[x * CHANNELS + channel] = sums[x * CHANNELS + channel]! + share * data[pixel + channel]!;
        }
      }
    }
    for (let i = 0; i < length; i++) out[y * length + i] = rounded(sums[i]!);
  }
  return out;
}
