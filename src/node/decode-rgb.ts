import { Tensor } from '../core/tensor.ts';
import { loadSharp, readImageSize } from './image-folder-decode.ts';

/**
 * The pixels of an image file: uint8[height, width, 3], RGB, turned as EXIF says, without transparency, of an animation the first picture. Colour profiles are not applied: so does OpenCV, which YOLOv5 reads images
 * with.
 *
 * Throws EngineError where the package `sharp` is not installed, FormatError for a file that is no image of pixels, sharp's own error where it cannot be read or is damaged.
 */
export async function readImage(path: string): Promise<Tensor> {
  const sharp = await loadSharp('readImage');
  await readImageSize(sharp, path);
  const { data, info } = await sharp(path, { failOn: 'error', autoOrient: true, ignoreIcc: true })
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return new Tensor('uint8', [info.height, info.width, info.channels], new Uint8Array(data));
}
