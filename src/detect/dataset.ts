import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { ImageSize, LabelledBox } from './box.ts';
import { pixelsOf } from './pixels.ts';

/** An image with the boxes that are in it. */
export interface DetectionSample {
  /** uint8[height, width, 3] (RGB). */
  readonly image: Tensor;
  /** In pixels of the image. */
  readonly labels: readonly LabelledBox[];
}

/** Images with labelled boxes. */
export interface DetectionDataset {
  readonly length: number;
  /** Names of the classes. */
  readonly names: readonly string[];
  /** Size of each image. */
  readonly sizes: readonly ImageSize[];
  /** Boxes of each image in its pixels, where they are known without reading it. */
  readonly labels?: readonly (readonly LabelledBox[])[];
  /** The image at `index`; null where its pixels cannot be read. Throws ArgumentError where there is none. */
  get(index: number): Promise<DetectionSample | null>;
}

/** Images in memory as a data set. Throws ShapeError for images that are not uint8[height, width, 3]. */
export function detectionDataset(
  samples: readonly DetectionSample[],
  names: readonly string[],
): DetectionDataset {
  const sizes = samples.map(({ image }) => {
    const { height, width } = pixelsOf('detectionDataset', image);
    return { height, width };
  });
  return {
    length: samples.length,
    names,
    sizes,
    labels: samples.map(({ labels }) => labels),
    get: async (index) => {
      const sample = samples[index];
      if (sample !== undefined) return sample;
      throw new ArgumentError(`detectionDataset: there is no image ${index}, there are ${samples.length}`);
    },
  };
}
