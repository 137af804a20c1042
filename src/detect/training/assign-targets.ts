import type { CenterBox } from '../box.ts';

/** Labels of one image: each row a class, then centre x, centre y, width and height in shares of the image, one after the other. */
export type FlatLabels = ArrayLike<number>;

/** Numbers of a label. */
export const LABEL_SIZE = 5;

/** One of a detector's maps, as targets are assigned to it. */
export interface TargetGrid {
  /** Widths and heights of its anchors in cells, one after the other. */
  readonly anchors: readonly number[];
  /** Cells. */
  readonly height: number;
  readonly width: number;
}

/** A place of a map that is to find a box. */
export interface TargetMatch {
  readonly image: number;
  readonly anchor: number;
  readonly row: number;
  readonly column: number;
  /** In cells; its centre is counted from the corner of the cell, -0.5 to 1.5. */
  readonly box: CenterBox;
  readonly label: number;
}

/** The cell that a centre lies in, and its four neighbours by the direction in which they lie, in shares of a cell. */
const OFFSETS = [
  [0, 0],
  [0.5, 0],
  [0, 0.5],
  [-0.5, 0],
  [0, -0.5],
] as const;

const { fround } = Math;

/**
 * Which places of a map are to find the boxes of a batch. An anchor takes a box where neither width nor height differ by a factor of `anchorThreshold` or more; then the cell that the centre lies in
 * answers for it, and the two neighbours that are nearest to the centre. In float32, and in the order in which YOLOv5 has them: of matches of one place the last one counts for its objectness.
 *
 * Source: `ComputeLoss.build_targets` of YOLOv5 v7.0.
 */
export function assignTargets(
  images: readonly FlatLabels[],
  grid: TargetGrid,
  anchorThreshold: number,
): TargetMatch[] {
  const anchored = anchoredLabels(images, grid, fround(anchorThreshold));
  return OFFSETS.flatMap(([offsetX, offsetY]) =>
    anchored
      .filter(({ x, y }) => isNear(x, offsetX, grid.width) && isNear(y, offsetY, grid.height))
      .map(({ image, anchor, label, x, y, width, height }): TargetMatch => {
        const column = cellOf(x, offsetX, grid.width);
        const row = cellOf(y, offsetY, grid.height);
        return {
          image,
          anchor,
          row,
          column,
          box: [fround(x - column), fround(y - row), width, height],
          label,
        };
      }),
  );
}

/** A label in cells, and an anchor that takes it. */
interface AnchoredLabel {
  readonly image: number;
  readonly anchor: number;
  readonly label: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function anchoredLabels(images: readonly FlatLabels[], grid: TargetGrid, threshold: number): AnchoredLabel[] {
  const found: AnchoredLabel[] = [];
  for (let anchor = 0; anchor < grid.anchors.length / 2; anchor++) {
    const anchorWidth = fround(grid.anchors[2 * anchor]!);
    const anchorHeight = fround(grid.anchors[2 * anchor + 1]!);
    images.forEach((labels, image) => {
      for (let at = 0; at < labels.length; at += LABEL_SIZE) {
        const width = fround(fround(labels[at + 3]!) * grid.width);
        const height = fround(fround(labels[at + 4]!) * grid.height);
        if (!(ratio(width, anchorWidth) < threshold && ratio(height, anchorHeight) < threshold)) continue;
        const x = fround(fround(labels[at + 1]!) * grid.width);
        const y = fround(fround(labels[at + 2]!) * grid.height);
        found.push({ image, anchor, label: labels[at]!, x, y, width, height });
      }
    });
  }
  return found;
}

/** How many times one length is the other, at least 1. */
function ratio(length: number, anchor: number): number {
  const quotient = fround(length / anchor);
  return Math.max(quotient, fround(1 / quotient));
}

/** Whether the neighbour in that direction is one that answers: it exists, and the centre lies in the half of the cell on its side. */
function isNear(centre: number, offset: number, size: number): boolean {
  if (offset === 0) return true;
  const fromEdge = offset > 0 ? centre : fround(size - centre);
  return fromEdge % 1 < 0.5 && fromEdge > 1;
}

/** Centres on the far edge, and beyond, belong to the last cell. */
const cellOf = (centre: number, offset: number, size: number): number =>
  Math.min(Math.max(Math.trunc(fround(centre - offset)), 0), size - 1);
