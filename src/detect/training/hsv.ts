import type { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import { pixelsOf } from '../pixels.ts';
import type { DetectorHyperparameters } from './hyperparameters.ts';

/** By which hue, saturation and value are multiplied. */
export type HsvGains = readonly [hue: number, saturation: number, value: number];

/** OpenCV's hues of bytes: half degrees. */
const HUES = 180;
/** Hues of a sixth of the circle. */
const SECTOR = HUES / 6;
/** Bits behind the point in OpenCV's tables. */
const SHIFT = 12;

/** range / i in 2^-12ths. Source: `RGB2HSV_b` of OpenCV's color_hsv. */
const table = (range: number): Int32Array =>
  Int32Array.from({ length: 256 }, (_, i) => (i === 0 ? 0 : Math.round((range * 2 ** SHIFT) / i)));

const BY_VALUE = /* @__PURE__ */ table(255);
const BY_SPREAD = /* @__PURE__ */ table(SECTOR);

const HALF = 1 << (SHIFT - 1);

/**
 * Hue (0 to 179, in steps of two degrees), saturation and value (0 to 255) of a colour of bytes, as OpenCV's COLOR_RGB2HSV computes them, in one number: hue * 65536 + saturation * 256 + value.
 */
export function rgbToHsv(red: number, green: number, blue: number): number {
  const value = red > green ? (red > blue ? red : blue) : green > blue ? green : blue;
  const least = red < green ? (red < blue ? red : blue) : green < blue ? green : blue;
  const spread = value - least;
  const saturation = (spread * BY_VALUE[value]! + HALF) >> SHIFT;
  const side =
    value === red ? green - blue : value === green ? blue - red + 2 * spread : red - green + 4 * spread;
  const hue = (side * BY_SPREAD[spread]! + HALF) >> SHIFT;
  return ((hue < 0 ? hue + HUES : hue) << 16) | (saturation << 8) | value;
}

/** The colour of a hue (0 to 179), saturation and value (0 to 255), in one number: red * 65536 + green * 256 + blue. Source: `HSV2RGB_simple` of OpenCV's color_hsv; halves go up, where its float32 may fall on either side. */
export function hsvToRgb(hue: number, saturation: number, value: number): number {
  const sector = (hue / SECTOR) | 0;
  const part = hue - sector * SECTOR;
  // value * (1 - saturation * x), with saturation in 255ths and x in 30ths.
  const p = (value * (255 - saturation)) / 255;
  const q = (value * (255 * SECTOR - saturation * part)) / (255 * SECTOR);
  const t = (value * (255 * SECTOR - saturation * (SECTOR - part))) / (255 * SECTOR);
  const [low, falling, rising] = [(p + 0.5) | 0, (q + 0.5) | 0, (t + 0.5) | 0];
  switch (sector) {
    case 0:
      return (value << 16) | (rising << 8) | low;
    case 1:
      return (falling << 16) | (value << 8) | low;
    case 2:
      return (low << 16) | (value << 8) | rising;
    case 3:
      return (low << 16) | (falling << 8) | value;
    case 4:
      return (rising << 16) | (low << 8) | value;
    default:
      return (value << 16) | (low << 8) | falling;
  }
}

/**
 * Multiplies hue (around the circle), saturation and value (up to 255) of every pixel, cut down to whole numbers. Source: `augment_hsv` of YOLOv5's augmentations.py.
 *
 * @param image uint8[height, width, 3], RGB; left as it is.
 *
 * Throws ShapeError for another tensor.
 */
export function multiplyHsv(image: Tensor, [hue, saturation, value]: HsvGains): Tensor {
  const { data } = pixelsOf('multiplyHsv', image);
  const hues = Uint8Array.from({ length: 256 }, (_, x) => (((x * hue) % HUES) + HUES) % HUES);
  const saturations = Uint8Array.from({ length: 256 }, (_, x) => Math.min(Math.max(x * saturation, 0), 255));
  const values = Uint8Array.from({ length: 256 }, (_, x) => Math.min(Math.max(x * value, 0), 255));
  const out = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 3) {
    const hsv = rgbToHsv(data[at]!, data[at + 1]!, data[at + 2]!);
    const rgb = hsvToRgb(hues[hsv >> 16]!, saturations[(hsv >> 8) & 255]!, values[hsv & 255]!);
    out[at] = rgb >> 16;
    out[at + 1] = rgb >> 8;
    out[at + 2] = rgb;
  }
  return new Tensor('uint8', image.shape, out);
}

/** Changes hue, saturation and value by shares drawn from +- `hsvH`, `hsvS` and `hsvV`; three draws. Throws ShapeError for a tensor that is no image. */
export function randomHsv(
  image: Tensor,
  { hsvH, hsvS, hsvV }: Pick<DetectorHyperparameters, 'hsvH' | 'hsvS' | 'hsvV'>,
  random: Generator,
): Tensor {
  const [hue, saturation, value] = random.uniform(3, -1, 1) as Float32Array & [number, number, number];
  if (hsvH === 0 && hsvS === 0 && hsvV === 0) return image;
  return multiplyHsv(image, [1 + hue * hsvH, 1 + saturation * hsvS, 1 + value * hsvV]);
}
