import { Tensor } from '../../core/tensor.ts';
import type { Box } from '../box.ts';
import type { DetectionSample } from '../dataset.ts';
import { pixelsOf } from '../pixels.ts';

const CHANNELS = 3;

/** An image and its boxes mirrored left to right. Throws ShapeError for an image that is none. */
export function flipLeftRight({ image, labels }: DetectionSample): DetectionSample {
  const { data, height, width } = pixelsOf('flipLeftRight', image);
  const out = new Uint8Array(data.length);
  const length = width * CHANNELS;
  for (let y = 0; y < height; y++) {
    for (let from = y * length, to = from + length - CHANNELS; to >= y * length; from += 3, to -= 3) {
      out[to] = data[from]!;
      out[to + 1] = data[from + 1]!;
      out[to + 2] = data[from + 2]!;
    }
  }
  const mirrored = ([x1, y1, x2, y2]: Box): Box => [width - x2, y1, width - x1, y2];
  return {
    image: new Tensor('uint8', image.shape, out),
    labels: labels.map(({ box, label }) => ({ label, box: mirrored(box) })),
  };
}

/** An image and its boxes upside down, mirrored. Throws ShapeError for an image that is none. */
export function flipUpDown({ image, labels }: DetectionSample): DetectionSample {
  const { data, height, width } = pixelsOf('flipUpDown', image);
  const out = new Uint8Array(data.length);
  const length = width * CHANNELS;
  for (let y = 0; y < height; y++) {
    out.set(data.subarray(y * length, (y + 1) * length), (height - 1 - y) * length);
  }
  const mirrored = ([x1, y1, x2, y2]: Box): Box => [x1, height - y2, x2, height - y1];
  return {
    image: new Tensor('uint8', image.shape, out),
    labels: labels.map(({ box, label }) => ({ label, box: mirrored(box) })),
  };
}
