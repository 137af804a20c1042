import { ArgumentError } from '../core/errors.ts';
import { roundHalfEven } from '../core/numeric.ts';
import { Tensor } from '../core/tensor.ts';
import { type Size, sizeOfImage } from '../data/index.ts';
import { type Box, clipBox, type ImageSize } from './box.ts';
import { pixelsOf } from './pixels.ts';
import { resizePixels } from './resize-pixels.ts';

/** Grey that edges are filled with. */
export const LETTERBOX_GREY = 114;

/** Options of `letterbox`, of the same meaning as in YOLOv5. */
export interface LetterboxOptions {
  /** [height, width] to fit into, or one number for both; default 640. */
  readonly size?: Size;
  /** Edges only up to the next multiple of the stride, so that the result may be smaller than `size`. Default true. */
  readonly auto?: boolean;
  /** Stretch to the size, without edges; where `auto` is false. Default false. */
  readonly scaleFill?: boolean;
  /** Enlarge smaller images too. Default true. */
  readonly scaleup?: boolean;
  /** Default 32. */
  readonly stride?: number;
  /** Red, green and blue of the edges; default 114 each. */
  readonly color?: readonly [number, number, number];
}

/** Where an image came to lie in another. */
export interface Placement {
  /** Pixels of the result per pixel of the image, across and down. */
  readonly ratio: readonly [x: number, y: number];
  /** Width of the left edge and height of the top edge before rounding; halves where they differ by one from the right and the bottom. */
  readonly pad: readonly [x: number, y: number];
}

/** An image with edges. */
export interface Letterboxed extends Placement {
  /** uint8[height, width, 3]. */
  readonly image: Tensor;
}

/**
 * Fits an image into a size with its aspect ratio kept, and fills the rest with grey on both sides. Source: YOLOv5's `letterbox`, with the same rounding.
 *
 * @param image uint8[height, width, 3].
 *
 * Throws ShapeError for another tensor, ArgumentError for a size, stride or colour that is none.
 */
export function letterbox(image: Tensor, options: LetterboxOptions = {}): Letterboxed {
  const { size = 640, auto = true, scaleFill = false, scaleup = true, stride = 32 } = options;
  const { color = [LETTERBOX_GREY, LETTERBOX_GREY, LETTERBOX_GREY] } = options;
  const { height, width } = pixelsOf('letterbox', image);
  const [toHeight, toWidth] = sizeOfImage('letterbox', size);
  if (!Number.isSafeInteger(stride) || stride < 1) {
    throw new ArgumentError(`letterbox: expected a stride of at least 1, got ${stride}`);
  }
  if (color.length !== 3 || color.some((level) => !Number.isInteger(level) || level < 0 || level > 255)) {
    throw new ArgumentError(
      `letterbox: expected a colour of three levels 0 to 255, got [${color.join(', ')}]`,
    );
  }
  const fit = Math.min(toHeight / height, toWidth / width);
  const scale = scaleup ? fit : Math.min(fit, 1);
  // An image of extreme proportions keeps a row.
  let inner = {
    height: Math.max(1, roundHalfEven(height * scale)),
    width: Math.max(1, roundHalfEven(width * scale)),
  };
  let ratio: [number, number] = [scale, scale];
  let [padX, padY] = [toWidth - inner.width, toHeight - inner.height];
  if (auto) [padX, padY] = [padX % stride, padY % stride];
  else if (scaleFill) {
    [padX, padY] = [0, 0];
    inner = { height: toHeight, width: toWidth };
    ratio = [toWidth / width, toHeight / height];
  }
  padX /= 2;
  padY /= 2;
  const edges = {
    left: roundHalfEven(padX - 0.1),
    right: roundHalfEven(padX + 0.1),
    top: roundHalfEven(padY - 0.1),
    bottom: roundHalfEven(padY + 0.1),
  };
  const resized =
    inner.height === height && inner.width === width
      ? image
      : resizePixels(image, [inner.height, inner.width], 'linear');
  return { image: withEdges(resized, edges, color), ratio, pad: [padX, padY] };
}

interface Edges {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

function withEdges(
  image: Tensor,
  { left, right, top, bottom }: Edges,
  color: readonly [number, number, number],
): Tensor {
  const { data, height, width } = pixelsOf('letterbox', image);
  const [toHeight, toWidth] = [height + top + bottom, width + left + right];
  const out = new Uint8Array(toHeight * toWidth * 3);
  const [red, green, blue] = color;
  if (red === green && green === blue) out.fill(red);
  else for (let at = 0; at < out.length; at += 3) out.set(color, at);
  for (let y = 0; y < height; y++) {
    out.set(data.subarray(y * width * 3, (y + 1) * width * 3), ((y + top) * toWidth + left) * 3);
  }
  return new Tensor('uint8', [toHeight, toWidth, 3], out);
}

/**
 * Boxes of a letterboxed image as boxes of the image it was made of, cut off at its edges. Source: YOLOv5's `scale_boxes`.
 *
 * @param from Size of the letterboxed image.
 * @param to Size of the image.
 * @param placement What `letterbox` gave; without it the scale is that of the side that fits tighter, and the image lies in the middle.
 */
export function scaleBoxes(
  boxes: readonly Box[],
  from: ImageSize,
  to: ImageSize,
  placement: Placement = centred(from, to),
): Box[] {
  const { ratio, pad } = placement;
  return boxes.map(([x1, y1, x2, y2]) =>
    clipBox(
      [
        (x1 - pad[0]) / ratio[0],
        (y1 - pad[1]) / ratio[1],
        (x2 - pad[0]) / ratio[0],
        (y2 - pad[1]) / ratio[1],
      ],
      to,
    ),
  );
}

function centred(from: ImageSize, to: ImageSize): Placement {
  const scale = Math.min(from.height / to.height, from.width / to.width);
  return {
    ratio: [scale, scale],
    pad: [(from.width - to.width * scale) / 2, (from.height - to.height * scale) / 2],
  };
}
