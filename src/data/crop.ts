import { ArgumentError, ShapeError } from '../core/errors.ts';
import { roundHalfEven } from '../core/numeric.ts';
import { Tensor } from '../core/tensor.ts';
import { type Planes, planesOf, type Size, sizeOfImage } from './image-shape.ts';
import { asBatched, type Transform } from './transform.ts';

/**
 * Pixels to add at the edges, in torchvision's order: one number for all, [left and right, top and bottom], or [left, top, right,
 * bottom].
 */
export type Padding =
  | number
  | readonly [leftRight: number, topBottom: number]
  | readonly [left: number, top: number, right: number, bottom: number];

/** Options of `pad`. */
export interface PadOptions {
  /** Value of the added pixels. Default 0. */
  readonly fill?: number;
}

/** Options of `randomCrop`. */
export interface RandomCropOptions extends PadOptions {
  /** Added before the crop is drawn. Default 0. */
  readonly padding?: Padding;
}

interface Window {
  /** Of the window's first row and column in the image; negative before it. */
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** The part of an image in a window; what lies outside of the image is `fill`. */
function cutOut(image: Planes, { top, left, height, width }: Window, fill: number): Tensor {
  const { data, planes, outer } = image;
  const out = new Float32Array(planes * height * width);
  if (fill !== 0) out.fill(fill);
  const begin = Math.max(0, left);
  const end = Math.min(image.width, left + width);
  const firstRow = Math.max(0, -top);
  const lastRow = Math.min(height, image.height - top);
  if (begin < end) {
    for (let plane = 0; plane < planes; plane++) {
      for (let row = firstRow; row < lastRow; row++) {
        const from = (plane * image.height + top + row) * image.width;
        out.set(data.subarray(from + begin, from + end), (plane * height + row) * width + begin - left);
      }
    }
  }
  return new Tensor('float32', [...outer, height, width], out);
}

function sidesOf(caller: string, padding: Padding): readonly [number, number, number, number] {
  const given = typeof padding === 'number' ? [padding, padding] : padding;
  const [left, top, right = left, bottom = top] = given as readonly [number, number, number?, number?];
  const sides = [left, top, right, bottom] as const;
  if (![2, 4].includes(given.length) || !sides.every((side) => Number.isSafeInteger(side) && side >= 0)) {
    throw new ArgumentError(
      `${caller}: expected a padding of one, two or four whole numbers >= 0, got [${given.join(', ')}]`,
    );
  }
  return sides;
}

/**
 * Adds pixels at the edges (torchvision's `Pad`, constant). On float32[C, H, W] and float32[N, C, H, W]. Throws ArgumentError for paddings that are none,
 * ShapeError for other tensors.
 */
export function pad(padding: Padding, options: PadOptions = {}): Transform {
  const [left, top, right, bottom] = sidesOf('pad', padding);
  const { fill = 0 } = options;
  return asBatched((input) => {
    const image = planesOf('pad', input, true);
    const height = image.height + top + bottom;
    const width = image.width + left + right;
    return cutOut(image, { top: -top, left: -left, height, width }, fill);
  });
}

/**
 * Cuts out the middle (torchvision's `CenterCrop`); images that are too small get zeros around them first. On float32[C, H, W] and float32[N, C, H, W].
 * Throws ArgumentError for sizes that are none, ShapeError for other tensors.
 */
export function centerCrop(size: Size): Transform {
  const [height, width] = sizeOfImage('centerCrop', size);
  return asBatched((input) => {
    const image = planesOf('centerCrop', input, true);
    // Half a pixel goes to the even side, as Python rounds; of an odd padding the smaller half comes first.
    const before = (there: number, wanted: number): number =>
      there >= wanted ? roundHalfEven((there - wanted) / 2) : -Math.floor((wanted - there) / 2);
    const top = before(image.height, height);
    const left = before(image.width, width);
    return cutOut(image, { top, left, height, width }, 0);
  });
}

/**
 * Cuts out a part at random (torchvision's `RandomCrop`, the same draws): a row and a column, or nothing where the image has the size. On
 * float32[C, H, W]. Throws ArgumentError for sizes and paddings that are none, ShapeError where the padded image is smaller than the crop.
 *
 * @example
 * randomCrop(32, { padding: 4 }) // as CIFAR's images are augmented
 */
export function randomCrop(size: Size, options: RandomCropOptions = {}): Transform {
  const [height, width] = sizeOfImage('randomCrop', size);
  const { padding = 0, fill = 0 } = options;
  const [padLeft, padTop, padRight, padBottom] = sidesOf('randomCrop', padding);
  return (input, random) => {
    const image = planesOf('randomCrop', input, false);
    const paddedHeight = image.height + padTop + padBottom;
    const paddedWidth = image.width + padLeft + padRight;
    if (paddedHeight < height || paddedWidth < width) {
      throw new ShapeError(
        `randomCrop: ${input} is ${paddedHeight}x${paddedWidth} with its padding, smaller than the crop of ${height}x${width}; resize it first or pad more`,
      );
    }
    const isWhole = paddedHeight === height && paddedWidth === width;
    const row = isWhole ? 0 : random.randint(1, 0, paddedHeight - height + 1)[0]!;
    const column = isWhole ? 0 : random.randint(1, 0, paddedWidth - width + 1)[0]!;
    return cutOut(image, { top: row - padTop, left: column - padLeft, height, width }, fill);
  };
}

/**
 * Mirrors an image left to right with probability `p` (torchvision's `RandomHorizontalFlip`, the same draw). On float32[C, H, W]. Throws
 * ArgumentError where p is not in [0, 1], ShapeError for other tensors.
 */
export function randomHorizontalFlip(p = 0.5): Transform {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`randomHorizontalFlip: expected p in [0, 1], got ${p}`);
  return (input, random) => {
    const { data, width } = planesOf('randomHorizontalFlip', input, false);
    if (random.rand(1)[0]! >= p) return input;
    const out = data.slice();
    for (let start = 0; start < out.length; start += width) out.subarray(start, start + width).reverse();
    return new Tensor('float32', input.shape, out);
  };
}
