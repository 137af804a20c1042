import { ShapeError } from '../../core/errors.ts';
import { Tensor } from '../../core/tensor.ts';
import type { ImageSize } from '../box.ts';
import { LETTERBOX_GREY } from '../letterbox.ts';
import { pixelsOf } from '../pixels.ts';

/** A projective map of the plane in homogeneous coordinates, row by row: (x, y) goes to (m0 x + m1 y + m2, m3 x + m4 y + m5) / (m6 x + m7 y + m8). */
export type Matrix = readonly [number, number, number, number, number, number, number, number, number];

/** a b: first b, then a. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  const entry = (row: number, column: number): number =>
    a[row * 3]! * b[column]! + a[row * 3 + 1]! * b[column + 3]! + a[row * 3 + 2]! * b[column + 6]!;
  return [
    entry(0, 0),
    entry(0, 1),
    entry(0, 2),
    entry(1, 0),
    entry(1, 1),
    entry(1, 2),
    entry(2, 0),
    entry(2, 1),
    entry(2, 2),
  ];
}

/** The inverse times the determinant, which is the same projective map where the determinant is positive. Null where there is none. */
function inverse([a, b, c, d, e, f, g, h, i]: Matrix): Matrix | null {
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  if (!Number.isFinite(determinant) || determinant === 0) return null;
  const entry = (cofactor: number): number => cofactor / determinant;
  return [
    entry(e * i - f * h),
    entry(c * h - b * i),
    entry(b * f - c * e),
    entry(f * g - d * i),
    entry(a * i - c * g),
    entry(c * d - a * f),
    entry(d * h - e * g),
    entry(b * g - a * h),
    entry(a * e - b * d),
  ];
}

/** What weights of neighbouring pixels add up to, along an axis: products of two and a level fit into 31 bits. */
const UNIT = 2048;
const SHIFT = 22;
const HALF = 1 << (SHIFT - 1);
const CHANNELS = 3;

/**
 * The image that is seen when each place of a given one goes where a matrix says: bilinear between pixels, grey (114) around it. Pixel (x, y) is the square from (x, y) to (x + 1, y + 1), as boxes have it, so
 * that boxes and pixels go the same way; OpenCV's `warpAffine` and `warpPerspective`, which YOLOv5 uses, have centres of pixels at whole numbers and are off by up to half a pixel when they scale.
 *
 * @param image uint8[height, width, 3].
 * @param to Size of the result.
 *
 * Throws ShapeError for another tensor, or where the matrix has no inverse.
 */
export function warpPixels(image: Tensor, matrix: Matrix, to: ImageSize): Tensor {
  const { data, height, width } = pixelsOf('warpPixels', image);
  const back = inverse(matrix);
  if (back === null) {
    throw new ShapeError(`warpPixels: expected a matrix that has an inverse, got [${matrix.join(', ')}]`);
  }
  const out = new Uint8Array(to.height * to.width * CHANNELS);
  const isAffine = back[6] === 0 && back[7] === 0;
  for (let y = 0; y < to.height; y++) {
    // Of the centre of the row's first pixel; the half that is taken off at the end makes centres of pixels whole numbers.
    let u = back[0] * 0.5 + back[1] * (y + 0.5) + back[2];
    let v = back[3] * 0.5 + back[4] * (y + 0.5) + back[5];
    let w = back[6] * 0.5 + back[7] * (y + 0.5) + back[8];
    const [stepU, stepV, stepW] = isAffine ? [back[0] / w, back[3] / w, 0] : [back[0], back[3], back[6]];
    if (isAffine) {
      u /= w;
      v /= w;
      w = 1;
    }
    for (let x = 0, at = y * to.width * CHANNELS; x < to.width; x++, at += CHANNELS) {
      const fromX = (isAffine ? u : u / w) - 0.5;
      const fromY = (isAffine ? v : v / w) - 0.5;
      u += stepU;
      v += stepV;
      if (fromX >= 0 && fromY >= 0 && fromX < width - 1 && fromY < height - 1 && w > 0) {
        const [left, top] = [fromX | 0, fromY | 0];
        const right = ((fromX - left) * UNIT) | 0;
        const below = ((fromY - top) * UNIT) | 0;
        const d = right * below;
        const b = right * UNIT - d;
        const c = below * UNIT - d;
        const a = UNIT * UNIT - b - c - d;
        const first = (top * width + left) * CHANNELS;
        const second = first + width * CHANNELS;
        out[at] =
          (data[first]! * a + data[first + 3]! * b + data[second]! * c + data[second + 3]! * d + HALF) >>
          SHIFT;
        out[at + 1] =
          (data[first + 1]! * a +
            data[first + 4]! * b +
            data[second + 1]! * c +
            data[second + 4]! * d +
            HALF) >>
          SHIFT;
        out[at + 2] =
          (data[first + 2]! * a +
            data[first + 5]! * b +
            data[second + 2]! * c +
            data[second + 5]! * d +
            HALF) >>
          SHIFT;
      } else if (fromX > -1 && fromY > -1 && fromX < width && fromY < height && w > 0) {
        atEdge(data, height, width, fromX, fromY, out, at);
      } else {
        out[at] = LETTERBOX_GREY;
        out[at + 1] = LETTERBOX_GREY;
        out[at + 2] = LETTERBOX_GREY;
      }
      w += stepW;
    }
  }
  return new Tensor('uint8', [to.height, to.width, CHANNELS], out);
}

/** A pixel between others and the grey around. */
function atEdge(
  data: Uint8Array,
  height: number,
  width: number,
  x: number,
  y: number,
  out: Uint8Array,
  at: number,
): void {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, below] = [x - left, y - top];
  for (let channel = 0; channel < CHANNELS; channel++) {
    const level = (row: number, column: number): number =>
      row < 0 || column < 0 || row >= height || column >= width
        ? LETTERBOX_GREY
        : data[(row * width + column) * CHANNELS + channel]!;
    const above = level(top, left) * (1 - right) + level(top, left + 1) * right;
    const under = level(top + 1, left) * (1 - right) + level(top + 1, left + 1) * right;
    out[at + channel] = Math.round(above * (1 - below) + under * below);
  }
}
