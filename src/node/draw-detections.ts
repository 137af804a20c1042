import { extname } from 'node:path';
import { ArgumentError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Detection } from '../detect/index.ts';
import { type WriteOptions, writeFileAtomic } from './file.ts';
import { loadSharp } from './image-folder-decode.ts';

/** Endings of the files that `drawDetections` writes. */
export const DRAWN_EXTENSIONS: readonly string[] = ['.jpg', '.jpeg', '.png', '.webp'];

/** Options of `drawnImage`. */
export interface DrawnImageOptions {
  /** Name of a class; its number by default. */
  readonly nameOf?: (label: number) => string;
  /** Longest side of the drawing in pixels; larger images are made smaller before boxes are drawn. By default as the image. */
  readonly longest?: number;
  /** Of .jpg, 1 to 100; colours are kept at half the detail below 90. Default 92. */
  readonly quality?: number;
}

/** Options of `drawDetections`. */
export interface DrawDetectionsOptions extends WriteOptions, Pick<DrawnImageOptions, 'nameOf'> {}

/** An image as a file's bytes. */
export interface DrawnImage {
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Angle between the hues of neighbouring classes, the golden one: no two of many come close. */
const HUE_STEP = 137.508;
const SATURATION = 0.85;
const LIGHTNESS = 0.42;

/** Black or white, whichever stands out more on a colour of the hue. Source: relative luminance and contrast of WCAG 2.1. */
function readableOn(hue: number): string {
  const channel = (offset: number): number => {
    const place = (offset + hue / 30) % 12;
    const share = Math.max(-1, Math.min(place - 3, 9 - place, 1));
    const value = LIGHTNESS - SATURATION * Math.min(LIGHTNESS, 1 - LIGHTNESS) * share;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  const luminance = 0.2126 * channel(0) + 0.7152 * channel(8) + 0.0722 * channel(4);
  return 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 ? '#fff' : '#000';
}

const escaped = (text: string): string =>
  text.replace(/[<>&"']/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(/\p{Cc}/gu, ' ');

/**
 * Writes an image with the boxes that were found in it, each in the colour of its class with name and confidence. What is more confident lies above.
 *
 * @param image uint8[height, width, 3] (RGB).
 * @param path A .jpg, .png or .webp file.
 *
 * Throws ArgumentError for another ending, FileError where the file exists or cannot be written, EngineError where the package `sharp` is not installed.
 */
export async function drawDetections(
  image: Tensor,
  detections: readonly Detection[],
  path: string,
  options: DrawDetectionsOptions = {},
): Promise<void> {
  const format = extname(path).toLowerCase();
  if (!DRAWN_EXTENSIONS.includes(format)) {
    throw new ArgumentError(
      `drawDetections: expected a file that ends in ${DRAWN_EXTENSIONS.join(', ')}, got '${path}'`,
    );
  }
  const { bytes } = await drawnImage(image, detections, format.slice(1), options);
  writeFileAtomic(path, [bytes], options);
}

/**
 * The bytes of an image file with boxes drawn as by `drawDetections`. The format is jpg, jpeg, png or webp.
 *
 * @param image uint8[height, width, 3] (RGB).
 *
 * Throws ArgumentError for another image, EngineError where the package `sharp` is not installed.
 */
export async function drawnImage(
  image: Tensor,
  detections: readonly Detection[],
  format: string,
  options: DrawnImageOptions = {},
): Promise<DrawnImage> {
  const [height = 0, width = 0, channels] = image.shape;
  if (image.dtype !== 'uint8' || image.shape.length !== 3 || channels !== 3) {
    throw new ArgumentError(`drawDetections: expected an image uint8[height, width, 3], got ${image}`);
  }
  const { quality = 92 } = options;
  const sharp = await loadSharp('drawDetections');
  const scale = Math.min(1, (options.longest ?? Number.POSITIVE_INFINITY) / Math.max(height, width));
  const size = {
    height: Math.max(1, Math.round(height * scale)),
    width: Math.max(1, Math.round(width * scale)),
  };
  const scaled = detections.map((detection) => ({
    ...detection,
    box: detection.box.map((value) => value * scale) as [number, number, number, number],
  }));
  const overlay = Buffer.from(detectionsSvg(scaled, size, options.nameOf));
  let drawing = sharp(image.data as Uint8Array, { raw: { height, width, channels } });
  // The image is made smaller before it is drawn on, in whichever order sharp is told.
  if (scale < 1) drawing = drawing.resize({ ...size, fit: 'fill' });
  drawing = drawing.composite([{ input: overlay, left: 0, top: 0 }]);
  const encoded =
    format === 'png'
      ? drawing.png()
      : format === 'webp'
        ? drawing.webp({ quality: 90 })
        : drawing.jpeg({ quality, chromaSubsampling: quality < 90 ? '4:2:0' : '4:4:4' });
  return { bytes: await encoded.toBuffer(), ...size };
}

/** Boxes with their labels as SVG of the size of the image. */
export function detectionsSvg(
  detections: readonly Detection[],
  { height, width }: { readonly height: number; readonly width: number },
  nameOf: (label: number) => string = String,
): string {
  // As thick as can be seen when the image is shown as large as a page.
  const line = Math.max(1, Math.round((height + width) / 2 / 200));
  const font = Math.max(9, Math.round((height + width) / 2 / 40));
  const bar = Math.round(font * 1.3);
  const parts = [...detections]
    .sort((a, b) => a.confidence - b.confidence)
    .map(({ box, confidence, label }) => {
      const [x1, y1, x2, y2] = box.map((value) => Number(value.toFixed(2))) as [
        number,
        number,
        number,
        number,
      ];
      const hue = Math.round((label * HUE_STEP) % 360);
      const text = `${nameOf(label)} ${confidence.toFixed(2)}`;
      // Fonts differ; the text is made as wide as its bar.
      const textWidth = Math.round([...text].length * font * 0.56);
      const barWidth = textWidth + Math.round(font * 0.6);
      const x = Math.max(0, Math.min(x1, width - barWidth));
      // Above the box, or inside it where the image ends.
      const y = y1 >= bar ? y1 - bar : y1;
      const color = `hsl(${hue}, ${100 * SATURATION}%, ${100 * LIGHTNESS}%)`;
      return {
        frame: `<rect x="${x1}" y="${y1}" width="${Math.max(0, x2 - x1)}" height="${Math.max(0, y2 - y1)}" fill="none" stroke="${color}" stroke-width="${line}"/>`,
        name: [
          `<rect x="${x}" y="${y}" width="${barWidth}" height="${bar}" fill="${color}"/>`,
          `<text x="${x + Math.round(font * 0.3)}" y="${y + Math.round(font)}" textLength="${textWidth}" lengthAdjust="spacingAndGlyphs" font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="${font}" fill="${readableOn(hue)}">${escaped(text)}</text>`,
        ].join(''),
      };
    });
  // Names above all frames: no line crosses them.
  const drawn = [...parts.map(({ frame }) => frame), ...parts.map(({ name }) => name)].join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${drawn}</svg>`;
}
