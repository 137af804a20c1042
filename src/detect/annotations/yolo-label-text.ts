import { type Box, clipBox, type ImageSize, normalized } from '../box.ts';
import type { AnnotatedObject } from './annotated-image.ts';

/** Options of `yoloLabelText`. */
export interface YoloLabelTextOptions {
  /** Keep objects that are marked difficult. Default false. */
  readonly difficult?: boolean;
  /** Keep boxes around crowds. Default false. */
  readonly crowd?: boolean;
}

/** A label file, and what of the objects did not go into it. */
export interface YoloLabelText {
  /** `class x y width height` in shares of the image, a line for each box; empty where there is none. */
  readonly text: string;
  /** Boxes in the text. */
  readonly boxes: number;
  /** Boxes of them that were cut off at the edges of the image. */
  readonly clipped: number;
  /** Boxes that were left out: nothing of them lies in the image, or they have no width or height. */
  readonly empty: number;
  /** Objects that were left out for their mark. */
  readonly difficult: number;
  readonly crowd: number;
  /** Names of the objects that are of none of the classes, each as often as it occurs. */
  readonly otherClasses: readonly string[];
}

/** Digits behind the point: a ten-thousandth of a pixel in images of 10,000. */
const DIGITS = 8;

const written = (share: number): string => String(Number(share.toFixed(DIGITS)));

/** Smaller ones, in pixels, are what rounding leaves of nothing. */
const LEAST_SIDE = 1e-3;

/**
 * Objects of an image as a label file of YOLO. Boxes are cut off at the edges, as YOLO's readers want them; objects that are difficult or crowds are left out, and so are those of other classes.
 *
 * @param size Size of the image the boxes were drawn on, in pixels.
 * @param classes Number of each class, by name.
 */
export function yoloLabelText(
  objects: readonly AnnotatedObject[],
  size: ImageSize,
  classes: ReadonlyMap<string, number>,
  options: YoloLabelTextOptions = {},
): YoloLabelText {
  const lines: string[] = [];
  const otherClasses: string[] = [];
  const counts = { clipped: 0, empty: 0, difficult: 0, crowd: 0 };
  for (const { name, box, mark } of objects) {
    if (mark !== null && options[mark] !== true) {
      counts[mark]++;
      continue;
    }
    const label = classes.get(name);
    if (label === undefined) {
      otherClasses.push(name);
      continue;
    }
    const inside = clipBox(box, size);
    if (isEmpty(box) || isEmpty(inside)) {
      counts.empty++;
      continue;
    }
    if (inside.some((value, corner) => value !== box[corner])) counts.clipped++;
    lines.push(`${[label, ...normalized(inside, size).map(written)].join(' ')}\n`);
  }
  return { text: lines.join(''), boxes: lines.length, ...counts, otherClasses };
}

const isEmpty = ([left, top, right, bottom]: Box): boolean =>
  !(right - left >= LEAST_SIDE && bottom - top >= LEAST_SIDE);
