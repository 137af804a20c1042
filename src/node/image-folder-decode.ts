import { EngineError, FormatError } from '../core/errors.ts';
import { Generator } from '../core/random.ts';
import { Tensor } from '../core/tensor.ts';
import { centerCrop, compose, resize, toFloat } from '../data/index.ts';

/** The package, without which no image is decoded; it is loaded when the first one is. */
export type Sharp = typeof import('sharp').default;

/**
 * What files may be, whatever their names say: formats of pixels. SVG and PDF are drawings, which may name other files.
 * Source: `format` of sharp's metadata; AVIF is a kind of HEIF.
 */
const FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'];

/** Loads sharp. Throws EngineError, which says what to install, where it is not there. */
export async function loadSharp(
  caller: string,
  load: () => Promise<{ default: Sharp }> = () => import('sharp'),
): Promise<Sharp> {
  try {
    return (await load()).default;
  } catch (error) {
    throw new EngineError(
      `${caller}: images are decoded by the package 'sharp', which cannot be loaded; run \`npm install sharp\` (0.34 or newer)`,
      { cause: error },
    );
  }
}

/** How an image is to come out. */
export interface DecodeOptions {
  readonly height: number;
  readonly width: number;
  /** 'cover': fill the size and cut off what stands over; 'contain': fit in and leave black edges; 'fill': stretch. */
  readonly fit: 'cover' | 'contain' | 'fill';
  readonly channels: 1 | 3;
}

/**
 * Height and width of an image as it is to be seen, out of its header. Throws FormatError where that is not the header of an image of pixels, sharp's own error where
 * it cannot be read.
 */
export async function readImageSize(sharp: Sharp, path: string): Promise<{ height: number; width: number }> {
  const { format, autoOrient } = await sharp(path).metadata();
  if (!FORMATS.includes(format)) {
    throw new FormatError('image', `the format is ${format}; expected one of ${FORMATS.join(', ')}`);
  }
  return autoOrient;
}

/**
 * An image file as float32[channels, height, width] in [0, 1]: turned as EXIF says, without transparency, of an animation the first picture. Throws as
 * `readImageSize`, and where the pixels are damaged or cut off.
 *
 * Sharp shrinks, in its own threads, by a triangle filter as PIL's bilinear (not to the bit). Enlarging is done here, as PyTorch does it: libvips moves the image
 * by half a pixel then.
 */
export async function decodeImage(sharp: Sharp, path: string, options: DecodeOptions): Promise<Tensor> {
  const { height, width, fit, channels } = options;
  const there = await readImageSize(sharp, path);
  const scaled = fitted(there, options);
  const enlarges = scaled.height > there.height || scaled.width > there.width;
  const image = sharp(path, { failOn: 'error', autoOrient: true });
  if (!enlarges) image.resize({ height, width, fit, kernel: 'linear', background: '#000' });
  const { data, info } = await image
    .removeAlpha()
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const pixels = new Tensor('uint8', [info.height, info.width, info.channels], new Uint8Array(data));
  if (!enlarges) return toFloat()(pixels, NO_DRAWS);
  const resized = resize([scaled.height, scaled.width], { antialias: true });
  return compose(toFloat(), resized, centerCrop([height, width]))(pixels, NO_DRAWS);
}

/** None of these transforms draws. */
const NO_DRAWS = /* @__PURE__ */ new Generator(0);

/** The size an image is scaled to, before it is cut off or gets its edges. */
function fitted(
  { height, width }: { readonly height: number; readonly width: number },
  options: DecodeOptions,
): { height: number; width: number } {
  if (options.fit === 'fill') return { height: options.height, width: options.width };
  const ratios = [options.height / height, options.width / width];
  const scale = options.fit === 'cover' ? Math.max(...ratios) : Math.min(...ratios);
  return {
    height: Math.max(1, Math.round(height * scale)),
    width: Math.max(1, Math.round(width * scale)),
  };
}

/** The bytes of an image as they are: uint8[height, width, channels]. Throws as `decodeImage`. */
export async function decodePixels(sharp: Sharp, path: string): Promise<Tensor> {
  await readImageSize(sharp, path);
  const { data, info } = await sharp(path, { failOn: 'error' })
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return new Tensor('uint8', [info.height, info.width, info.channels], new Uint8Array(data));
}
