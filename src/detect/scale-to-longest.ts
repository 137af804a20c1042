import type { Tensor } from '../core/tensor.ts';
import type { ImageSize } from './box.ts';
import { pixelsOf } from './pixels.ts';
import { type Interpolation, resizePixels } from './resize-pixels.ts';

/** Size of an image whose longer side becomes `longest`: cut down to whole pixels, not rounded, as YOLOv5 7.0 does. */
export function sizeAtLongest({ height, width }: ImageSize, longest: number): ImageSize {
  const scale = longest / Math.max(height, width);
  const side = (length: number): number => Math.max(1, Math.trunc(length * scale));
  return scale === 1 ? { height, width } : { height: side(height), width: side(width) };
}

/**
 * An image scaled so that its longer side is `longest`; it may show the memory of the given one. Source: `load_image` of YOLOv5's dataloaders.py, which enlarges by 'linear', shrinks by
 * 'linear' for training and by 'area' for judging.
 *
 * @param image uint8[height, width, 3].
 *
 * Throws ShapeError for another tensor.
 */
export function scaleToLongest(image: Tensor, longest: number, shrinking: Interpolation): Tensor {
  const from = pixelsOf('scaleToLongest', image);
  const to = sizeAtLongest(from, longest);
  if (to.height === from.height && to.width === from.width) return image;
  const grows = longest > Math.max(from.height, from.width);
  return resizePixels(image, [to.height, to.width], grows ? 'linear' : shrinking);
}
