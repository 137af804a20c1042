import type { Generator } from '../../core/random.ts';
import { type Box, clipBox, type ImageSize, type LabelledBox } from '../box.ts';
import type { DetectionSample } from '../dataset.ts';
import { pixelsOf } from '../pixels.ts';
import type { DetectorHyperparameters } from './hyperparameters.ts';
import { type Matrix, multiply, warpPixels } from './warp.ts';

/** How far images are moved at random. */
export type PerspectiveRanges = Pick<
  DetectorHyperparameters,
  'degrees' | 'translate' | 'scale' | 'shear' | 'perspective'
>;

/** A move of an image. */
export interface Perspective {
  readonly matrix: Matrix;
  /** By which lengths grow, but for shear and perspective. */
  readonly scale: number;
}

/**
 * Draws a move: the image's centre to the origin, perspective, rotation and scale, shear, then to about the middle of the result. Seven draws, also where ranges are 0. Source: `random_perspective` of
 * YOLOv5's augmentations.py.
 *
 * @param from Size of the image.
 * @param to Size of the result.
 */
export function drawPerspective(
  from: ImageSize,
  to: ImageSize,
  ranges: PerspectiveRanges,
  random: Generator,
): Perspective {
  const within = (range: number): number => random.uniform(1, -range, range)[0]!;
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  const centred: Matrix = [1, 0, -from.width / 2, 0, 1, -from.height / 2, 0, 0, 1];
  const tilted: Matrix = [1, 0, 0, 0, 1, 0, within(ranges.perspective), within(ranges.perspective), 1];
  const angle = radians(within(ranges.degrees));
  const scale = 1 + within(ranges.scale);
  const [cos, sin] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  const turned: Matrix = [cos, sin, 0, -sin, cos, 0, 0, 0, 1];
  const shearX = Math.tan(radians(within(ranges.shear)));
  const shearY = Math.tan(radians(within(ranges.shear)));
  const sheared: Matrix = [1, shearX, 0, shearY, 1, 0, 0, 0, 1];
  const moveX = (0.5 + within(ranges.translate)) * to.width;
  const moveY = (0.5 + within(ranges.translate)) * to.height;
  const moved: Matrix = [1, 0, moveX, 0, 1, moveY, 0, 0, 1];
  const matrix = [sheared, turned, tilted, centred].reduce(multiply, moved);
  return { matrix, scale };
}

/**
 * Moves an image and its boxes. A box becomes the one around its four corners, cut off at the edges; those of which too little is left are dropped (`isCandidate`).
 *
 * Throws ShapeError for an image that is none, or a matrix without an inverse.
 */
export function applyPerspective(
  { image, labels }: DetectionSample,
  { matrix, scale }: Perspective,
  to: ImageSize,
): DetectionSample {
  const moved: LabelledBox[] = [];
  for (const { box, label } of labels) {
    const around = boxAround(box, matrix);
    if (around === null) continue;
    const cut = clipBox(around, to);
    if (isCandidate(box, cut, scale)) moved.push({ label, box: cut });
  }
  return { image: warpPixels(image, matrix, to), labels: moved };
}

/** An image and its boxes moved at random into an image of size `to`, of its own size by default. Throws ShapeError for an image that is none. */
export function randomPerspective(
  sample: DetectionSample,
  ranges: PerspectiveRanges,
  random: Generator,
  to?: ImageSize,
): DetectionSample {
  const { height, width } = pixelsOf('randomPerspective', sample.image);
  const from = { height, width };
  return applyPerspective(sample, drawPerspective(from, to ?? from, ranges, random), to ?? from);
}

/** Null where a corner is behind the horizon. */
function boxAround([x1, y1, x2, y2]: Box, m: Matrix): Box | null {
  let [left, top, right, bottom] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, -1e9, -1e9];
  for (const [x, y] of [
    [x1, y1],
    [x2, y2],
    [x1, y2],
    [x2, y1],
  ] as const) {
    const depth = m[6] * x + m[7] * y + m[8];
    if (!(depth > 0)) return null;
    const [toX, toY] = [(m[0] * x + m[1] * y + m[2]) / depth, (m[3] * x + m[4] * y + m[5]) / depth];
    [left, top] = [Math.min(left, toX), Math.min(top, toY)];
    [right, bottom] = [Math.max(right, toX), Math.max(bottom, toY)];
  }
  return [left, top, right, bottom];
}

/** Boxes of less on a side are dropped, in pixels. */
const LEAST_SIDE = 2;
/** So are those longer in proportion, */
const MOST_RATIO = 100;
/** and those of which a smaller share is left. */
const LEAST_SHARE = 0.1;

/**
 * Whether a box is worth keeping after a move: more than two pixels on each side, less than a hundred times longer than wide, and more than a tenth of its area left. Source: `box_candidates` of YOLOv5's
 * augmentations.py.
 *
 * @param before The box before the move.
 * @param after The box after it, cut off at the edges.
 * @param scale By which the move lets lengths grow; default 1.
 */
export function isCandidate(before: Box, after: Box, scale = 1): boolean {
  const area = (before[2] - before[0]) * (before[3] - before[1]) * scale ** 2;
  const [width, height] = [after[2] - after[0], after[3] - after[1]];
  return (
    width > LEAST_SIDE &&
    height > LEAST_SIDE &&
    (width * height) / (area + 1e-16) > LEAST_SHARE &&
    Math.max(width / height, height / width) < MOST_RATIO
  );
}
