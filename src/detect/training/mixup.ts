import { ShapeError } from '../../core/errors.ts';
import type { Generator } from '../../core/random.ts';
import { Tensor } from '../../core/tensor.ts';
import type { DetectionSample } from '../dataset.ts';
import { pixelsOf } from '../pixels.ts';

/** Of n uniform numbers the k-th smallest has the distribution Beta(k, n + 1 - k): of 63 the middle one Beta(32, 32). */
const DRAWS = 63;

/** A share of about a half, of the distribution Beta(32, 32), out of 63 draws. */
export const drawMixupShare = (random: Generator): number => random.rand(DRAWS).sort()[(DRAWS - 1) / 2]!;

/**
 * Two images laid over each other, and the boxes of both. Source: `mixup` of YOLOv5's augmentations.py (Zhang et al. 2018).
 *
 * @param share Of the first, 0 to 1.
 *
 * Throws ShapeError where the images are none or differ in size.
 */
export function mixup(a: DetectionSample, b: DetectionSample, share: number): DetectionSample {
  const [first, second] = [pixelsOf('mixup', a.image), pixelsOf('mixup', b.image)];
  if (first.height !== second.height || first.width !== second.width) {
    throw new ShapeError(`mixup: expected two images of one size, got ${a.image} and ${b.image}`);
  }
  const out = new Uint8Array(first.data.length);
  for (let at = 0; at < out.length; at++) out[at] = first.data[at]! * share + second.data[at]! * (1 - share);
  return { image: new Tensor('uint8', a.image.shape, out), labels: [...a.labels, ...b.labels] };
}
