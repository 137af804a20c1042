import { ArgumentError } from '../core/errors.ts';

/** Anchors of a YOLOv5: for each map width and height of each anchor in pixels, one after the other: `[[10, 13, 16, 30, 33, 23], …]`. */
export type Anchors = readonly (readonly number[])[];

/** Anchors fitted to COCO by Ultralytics, in pixels; three for each of three maps. */
export const COCO_ANCHORS: Anchors = [
  [10, 13, 16, 30, 33, 23],
  [30, 61, 62, 45, 59, 119],
  [116, 90, 156, 198, 373, 326],
];

/** Pixels of the image per cell of each of YOLOv5's three maps. */
export const YOLOV5_STRIDES: readonly number[] = [8, 16, 32];

/**
 * Checks anchors and strides of a detector: one list of positive numbers, two for each anchor, and one stride for each of its maps. Throws ArgumentError that says for whom.
 */
export function checkAnchors(reader: string, anchors: Anchors, strides: readonly number[]): void {
  if (anchors.length === 0 || anchors.length !== strides.length) {
    throw new ArgumentError(
      `${reader}: expects anchors and a stride for each map, got ${anchors.length} lists of anchors and ${strides.length} strides`,
    );
  }
  const count = anchors[0]!.length;
  for (const [map, sizes] of anchors.entries()) {
    const isList = sizes.length === count && count > 0 && count % 2 === 0;
    if (!isList || !sizes.every((size) => Number.isFinite(size) && size > 0)) {
      throw new ArgumentError(
        `${reader}: anchors of map ${map} expect widths and heights above 0 in pixels, as many for each map, got [${sizes.join(', ')}]`,
      );
    }
  }
  for (const stride of strides) {
    if (!Number.isSafeInteger(stride) || stride < 1) {
      throw new ArgumentError(
        `${reader}: strides expect whole numbers of pixels of at least 1, got ${stride}`,
      );
    }
  }
}
