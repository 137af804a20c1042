import { ShapeError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { ImageSize } from './box.ts';

/** An image as decoders give it: rows of RGB. */
export interface Pixels extends ImageSize {
  readonly data: Uint8Array;
}

/** Looks into a decoded image, uint8[height, width, 3] (RGB). Throws ShapeError, which names the caller, for any other tensor. */
export function pixelsOf(caller: string, image: Tensor): Pixels {
  const [height = 0, width = 0, channels] = image.shape;
  const { data } = image;
  if (
    !(data instanceof Uint8Array) ||
    image.dtype !== 'uint8' ||
    image.shape.length !== 3 ||
    channels !== 3
  ) {
    throw new ShapeError(`${caller}: expected an image uint8[height, width, 3] (RGB), got ${image}`);
  }
  if (height === 0 || width === 0) throw new ShapeError(`${caller}: the image ${image} has no pixels`);
  return { data, height, width };
}
