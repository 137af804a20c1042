import { ArgumentError } from '../core/errors.ts';
import type { ImageSize } from './box.ts';

/** Options of `rectangularBatches`. */
export interface RectangularOptions {
  /** The longer side of a batch, but for `pad`. */
  readonly size: number;
  /** Sides are multiples of this. Default 32. */
  readonly stride?: number;
  /** Strides that are added before rounding up. Default 0.5, val.py's. */
  readonly pad?: number;
  /** Images that share a size. Default 32, val.py's. */
  readonly batchSize?: number;
}

/** Images that are made to one size. */
export interface RectangularBatch {
  /** Places in the data set. */
  readonly indices: readonly number[];
  readonly shape: readonly [height: number, width: number];
}

/**
 * Images in the order of their proportions, and the size that each batch of them is put into: as small as all of its images fit in where all are wide or all are high, a square otherwise. Source:
 * `LoadImagesAndLabels` of YOLOv5's dataloaders.py with `rect`.
 *
 * Throws ArgumentError for a size, stride or number of images that is none.
 */
export function rectangularBatches(
  sizes: readonly ImageSize[],
  options: RectangularOptions,
): RectangularBatch[] {
  const { size, stride = 32, pad = 0.5, batchSize = 32 } = options;
  for (const [name, value] of Object.entries({ size, stride, batchSize })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ArgumentError(
        `rectangularBatches: ${name} expects a whole number of at least 1, got ${value}`,
      );
    }
  }
  const ratio = (index: number): number => sizes[index]!.height / sizes[index]!.width;
  const order = Array.from(sizes.keys()).sort((a, b) => ratio(a) - ratio(b));
  const batches: RectangularBatch[] = [];
  for (let start = 0; start < order.length; start += batchSize) {
    const indices = order.slice(start, start + batchSize);
    const [least, most] = [ratio(indices[0]!), ratio(indices.at(-1)!)];
    const shares = most < 1 ? [most, 1] : least > 1 ? [1, 1 / least] : [1, 1];
    const side = (share: number): number => Math.ceil((share * size) / stride + pad) * stride;
    batches.push({ indices, shape: [side(shares[0]!), side(shares[1]!)] });
  }
  return batches;
}
