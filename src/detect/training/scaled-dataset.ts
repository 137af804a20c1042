import { ArgumentError } from '../../core/errors.ts';
import type { ImageSize } from '../box.ts';
import type { DetectionDataset, DetectionSample } from '../dataset.ts';
import { pixelsOf } from '../pixels.ts';
import type { Interpolation } from '../resize-pixels.ts';
import { scaleToLongest, sizeAtLongest } from '../scale-to-longest.ts';

/** How images are scaled. */
export interface ImageScale {
  /** Pixels of the longer side. */
  readonly longest: number;
  /** How larger images are made smaller; smaller ones are enlarged by 'linear'. YOLOv5 trains with 'linear' and judges with 'area'. Default 'linear'. */
  readonly shrinking?: Interpolation;
}

/** Images of which all have a longer side of one length. */
export interface ScaledDataset extends DetectionDataset, Required<ImageScale> {
  /** Images need not be decoded each time. */
  readonly isCached: boolean;
}

/** Images decoded side by side. The memory that more would take is that of whole photographs. */
const AT_ONCE = 8;

/** Whether a data set was made by `scaledDataset` or one of the caches. */
export const isScaled = (dataset: DetectionDataset): dataset is ScaledDataset =>
  'longest' in dataset && 'shrinking' in dataset && 'isCached' in dataset;

/**
 * A data set with its images scaled, and boxes with them. At most eight images are decoded at a time.
 *
 * Throws ArgumentError for a length that is none.
 */
export function scaledDataset(dataset: DetectionDataset, scale: ImageScale): ScaledDataset {
  const { longest, shrinking = 'linear' } = scale;
  if (!Number.isSafeInteger(longest) || longest < 1) {
    throw new ArgumentError(`scaledDataset: longest expects a whole number of at least 1, got ${longest}`);
  }
  const get = atMost(AT_ONCE, async (index: number): Promise<DetectionSample | null> => {
    const sample = await dataset.get(index);
    return sample === null ? null : scaledSample(sample, longest, shrinking);
  });
  const sizes = dataset.sizes.map((size) => sizeAtLongest(size, longest));
  const labels = dataset.labels?.map((own, index) => scaledLabels(own, dataset.sizes[index]!, sizes[index]!));
  return {
    length: dataset.length,
    names: dataset.names,
    sizes,
    ...(labels === undefined ? {} : { labels }),
    longest,
    shrinking,
    isCached: false,
    get,
  };
}

function scaledSample(sample: DetectionSample, longest: number, shrinking: Interpolation): DetectionSample {
  const image = scaleToLongest(sample.image, longest, shrinking);
  const from = pixelsOf('scaledDataset', sample.image);
  return { image, labels: scaledLabels(sample.labels, from, pixelsOf('scaledDataset', image)) };
}

/** Boxes in an image of one size as boxes in the same image of another. */
export const scaledLabels = (
  labels: DetectionSample['labels'],
  from: ImageSize,
  to: ImageSize,
): DetectionSample['labels'] => {
  const [across, down] = [to.width / from.width, to.height / from.height];
  return labels.map(({ box: [x1, y1, x2, y2], label }) => ({
    label,
    box: [x1 * across, y1 * down, x2 * across, y2 * down],
  }));
};

/** The same function, of which at most `most` calls run at a time; others wait in the order in which they came. */
function atMost<A, R>(most: number, call: (argument: A) => Promise<R>): (argument: A) => Promise<R> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (argument) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await call(argument);
    } finally {
      // The place is handed on, or given back.
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

/** Bytes that the images of a data set take. */
export const pixelBytes = (dataset: DetectionDataset): number =>
  dataset.sizes.reduce((sum, { height, width }) => sum + height * width * 3, 0);

/** A scaled data set that keeps its images in memory once they were asked for, and what cannot be read too. */
export function cachedInMemory(dataset: ScaledDataset): ScaledDataset {
  const kept = new Map<number, Promise<DetectionSample | null>>();
  return {
    length: dataset.length,
    names: dataset.names,
    sizes: dataset.sizes,
    ...(dataset.labels === undefined ? {} : { labels: dataset.labels }),
    longest: dataset.longest,
    shrinking: dataset.shrinking,
    isCached: true,
    get: (index) => {
      const there = kept.get(index);
      if (there !== undefined) return there;
      const sample = dataset.get(index);
      kept.set(index, sample);
      // An error is no answer: the next call tries again.
      sample.catch(() => kept.delete(index));
      return sample;
    },
  };
}
