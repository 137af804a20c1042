import { Tensor } from '../../../core/tensor.ts';
import type { Box } from '../../box.ts';
import type { DetectionSample } from '../../dataset.ts';

/** A black image in which a box of whole pixels is white. */
export function painted(height: number, width: number, box: Box, label = 0): DetectionSample {
  const data = new Uint8Array(height * width * 3);
  for (let y = box[1]; y < box[3]; y++) data.fill(255, (y * width + box[0]) * 3, (y * width + box[2]) * 3);
  return { image: new Tensor('uint8', [height, width, 3], data), labels: [{ label, box }] };
}

/** The box around all pixels that are more white than black or grey; null where there are none. */
export function whiteBox({ shape, data }: Tensor): Box | null {
  const [height = 0, width = 0] = shape;
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if ((data as Uint8Array)[(y * width + x) * 3]! < 150) continue;
      [left, top] = [Math.min(left, x), Math.min(top, y)];
      [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
    }
  }
  return right === 0 ? null : [left, top, right, bottom];
}

/** Largest difference between the corners of two boxes. */
export const apart = (a: Box, b: Box): number => Math.max(...a.map((value, at) => Math.abs(value - b[at]!)));
