import { ArgumentError } from '../../core/errors.ts';
import { Tensor } from '../../core/tensor.ts';
import { type Box, clipBox, type LabelledBox } from '../box.ts';
import type { DetectionSample } from '../dataset.ts';
import { LETTERBOX_GREY } from '../letterbox.ts';
import { type Pixels, pixelsOf } from '../pixels.ts';

const CHANNELS = 3;

/**
 * Four images around a point of a grey square: top left, top right, bottom left, bottom right, each with a corner at the point; what does not fit is cut off, and so are boxes. Boxes may be empty
 * afterwards: `applyPerspective` drops them. Source: `load_mosaic` of YOLOv5's dataloaders.py.
 *
 * @param samples Four.
 * @param centre Where they meet, in whole pixels.
 * @param side Of the square, in pixels.
 * @param canvas Memory of side * side * 3 bytes for the image; new by default.
 *
 * Throws ArgumentError for another number of samples or memory that does not fit, ShapeError for images that are none.
 */
export function mosaic(
  samples: readonly DetectionSample[],
  [centreX, centreY]: readonly [x: number, y: number],
  side: number,
  canvas: Uint8Array = new Uint8Array(side * side * CHANNELS),
): DetectionSample {
  if (samples.length !== 4) throw new ArgumentError(`mosaic: expected 4 samples, got ${samples.length}`);
  if (canvas.length !== side * side * CHANNELS) {
    throw new ArgumentError(
      `mosaic: expected ${side * side * CHANNELS} bytes for the image, got ${canvas.length}`,
    );
  }
  canvas.fill(LETTERBOX_GREY);
  const labels: LabelledBox[] = [];
  samples.forEach((sample, place) => {
    const pixels = pixelsOf('mosaic', sample.image);
    const left = place % 2 === 0 ? centreX - pixels.width : centreX;
    const top = place < 2 ? centreY - pixels.height : centreY;
    const isLeft = place % 2 === 0;
    const isTop = place < 2;
    paste(pixels, canvas, side, left, top, {
      left: isLeft ? 0 : centreX,
      right: isLeft ? centreX : side,
      top: isTop ? 0 : centreY,
      bottom: isTop ? centreY : side,
    });
    for (const { box, label } of sample.labels) {
      const [x1, y1, x2, y2] = box;
      const moved: Box = [x1 + left, y1 + top, x2 + left, y2 + top];
      labels.push({ label, box: clipBox(moved, { height: side, width: side }) });
    }
  });
  return { image: new Tensor('uint8', [side, side, CHANNELS], canvas), labels };
}

interface Part {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Copies what of an image, whose corner is put at (left, top), lies in a part of the canvas. */
function paste(
  { data, height, width }: Pixels,
  canvas: Uint8Array,
  side: number,
  left: number,
  top: number,
  part: Part,
): void {
  const firstX = Math.max(left, part.left);
  const lastX = Math.min(left + width, part.right);
  const firstY = Math.max(top, part.top);
  const lastY = Math.min(top + height, part.bottom);
  if (lastX <= firstX) return;
  for (let y = firstY; y < lastY; y++) {
    const from = ((y - top) * width + firstX - left) * CHANNELS;
    canvas.set(data.subarray(from, from + (lastX - firstX) * CHANNELS), (y * side + firstX) * CHANNELS);
  }
}
