import { ArgumentError } from '../../core/errors.ts';
import { Tensor } from '../../core/tensor.ts';
import type { Variable } from '../../nn/index.ts';
import type { TargetGrid, TargetMatch } from './assign-targets.ts';
import type { BoxVariables } from './complete-iou.ts';

/**
 * Columns of a row, one a match: its place in the map seen as `[cells, numbers]`, the box (4), the anchor's size (2), the class, the weight of its box and class in the map's mean, and of its overlap in the
 * mean of the objectness.
 */
const COLUMNS = [1, 2, 2, 2, 1, 1, 1];
const ROW = COLUMNS.reduce((sum, count) => sum + count, 0);

/** Rows of a map, at least, where nothing is said. */
export const ROWS_PER_IMAGE = 64;

/** Places that float32 counts without a gap. */
const MOST_PLACES = 2 ** 24;

/** What is matched on one map. */
export interface MapMatches {
  readonly grid: TargetGrid;
  readonly matches: readonly TargetMatch[];
  /** Factor of the map's objectness. */
  readonly balance: number;
}

/** Packed targets as parts of a graph: all maps' rows one under the other. Rows that fill up weigh nothing. */
export interface UnpackedTargets {
  /** Places in each map: int64 `[rows]` each. */
  readonly places: readonly Variable[];
  readonly boxes: BoxVariables;
  /** Sizes of the anchors in cells, `[n, 2]`. */
  readonly anchors: Variable;
  /** Classes, `[n, 1]` of float32. */
  readonly labels: Variable;
  /** `[n, 1]`; they sum up to 1 for each map that has matches. */
  readonly weights: Variable;
  /** `[n, 1]`; 0 where another match of the same place comes later. */
  readonly objectness: Variable;
}

const powerOfTwo = (least: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, least)));

/**
 * Matches of a batch of so many images as one tensor, float32 `[maps, rows, 10]`. Rows are a power of two, at least `rowsPerImage` an image: what is left over is filled with rows that weigh nothing. Throws
 * ArgumentError where a map has more places than float32 counts.
 */
export function packMatches(
  images: number,
  maps: readonly MapMatches[],
  rowsPerImage = ROWS_PER_IMAGE,
): Tensor {
  const most = Math.max(...maps.map(({ matches }) => matches.length));
  const rows = powerOfTwo(Math.max(most, rowsPerImage * images));
  // Ones are sizes that nothing divides by 0 with.
  const packed = new Float32Array(maps.length * rows * ROW).fill(1);
  maps.forEach(({ grid, matches, balance }, map) => {
    const cells = grid.height * grid.width;
    const perImage = (cells * grid.anchors.length) / 2;
    if (images * perImage > MOST_PLACES) {
      throw new ArgumentError(
        `YoloLoss: map ${map} has ${images * perImage} places in a batch, at most ${MOST_PLACES} can be told apart; use a smaller batch`,
      );
    }
    const places = matches.map(
      ({ image, anchor, row, column }) => image * perImage + anchor * cells + row * grid.width + column,
    );
    const last = new Map(places.map((place, index) => [place, index]));
    for (let index = 0; index < rows; index++) {
      const at = (map * rows + index) * ROW;
      const match = matches[index];
      if (!match) {
        packed[at] = 0;
        packed.fill(0, at + ROW - 3, at + ROW);
        continue;
      }
      const place = places[index]!;
      const { anchor, box, label } = match;
      packed.set([place, ...box, ...grid.anchors.slice(2 * anchor, 2 * anchor + 2), label], at);
      packed[at + ROW - 2] = 1 / matches.length;
      packed[at + ROW - 1] = last.get(place) === index ? balance / (images * perImage) : 0;
    }
  });
  return new Tensor('float32', [maps.length, rows, ROW], packed);
}

/** Takes packed targets apart. Throws ArgumentError where the shape is not one that `packMatches` gives for so many maps. */
export function unpackTargets(packed: Variable, maps: number): UnpackedTargets {
  const [count, rows, row] = packed.shape;
  if (packed.dtype !== 'float32' || count !== maps || typeof rows !== 'number' || row !== ROW) {
    throw new ArgumentError(
      `YoloLoss: expects a target float32[${maps}, rows, ${ROW}] made by its pack(), got ${packed.dtype}[${packed.shape.join(', ')}]`,
    );
  }
  const all = packed.view(maps * rows, ROW);
  const [place, centre, size, anchors, labels, weights, objectness] = all.split(COLUMNS, 1) as [
    Variable,
    Variable,
    Variable,
    Variable,
    Variable,
    Variable,
    Variable,
  ];
  return {
    places: place
      .view(maps * rows)
      .to('int64')
      .chunk(maps),
    boxes: { centre, size },
    anchors,
    labels,
    weights,
    objectness,
  };
}
