import { ArgumentError, ShapeError } from '../core/errors.ts';
import { Tensor } from '../core/tensor.ts';
import { asBatched, type Transform } from './transform.ts';

/** Options of `toFloat`. */
export interface ToFloatOptions {
  /** Where the channels are: 'hwc', as decoders give pixels, or 'chw'. Default 'hwc'. Images of two axes have none. */
  readonly layout?: 'hwc' | 'chw';
}

/** x / 255 of each byte, rounded once to float32. */
const UNIT = /* @__PURE__ */ Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/**
 * Bytes to floats: uint8[H, W, C] or uint8[H, W] becomes float32[C, H, W] in [0, 1], and uint8[N, H, W, C] float32[N, C, H, W] (torchvision's
 * `ToTensor`). Throws ShapeError for other tensors, ArgumentError for another layout.
 */
export function toFloat(options: ToFloatOptions = {}): Transform {
  const { layout = 'hwc' } = options;
  if (layout !== 'hwc' && layout !== 'chw') {
    throw new ArgumentError(`toFloat: expected the layout 'hwc' or 'chw', got '${String(layout)}'`);
  }
  return asBatched((input) => {
    const rank = input.shape.length;
    const { data } = input;
    if (input.dtype !== 'uint8' || !(data instanceof Uint8Array) || rank < 2 || rank > 4) {
      throw new ShapeError(
        `toFloat: expected uint8[H, W], uint8[${layout === 'hwc' ? 'H, W, C' : 'C, H, W'}] or a batch of those, got ${input}`,
      );
    }
    const out = new Float32Array(data.length);
    if (rank === 2 || layout === 'chw') {
      for (let i = 0; i < data.length; i++) out[i] = UNIT[data[i]!]!;
      return new Tensor('float32', rank === 2 ? [1, ...input.shape] : input.shape, out);
    }
    const [height, width, channels] = input.shape.slice(-3) as [number, number, number];
    const outer = input.shape.slice(0, -3);
    const pixels = height * width;
    for (let start = 0; start < data.length; start += pixels * channels) {
      for (let channel = 0; channel < channels; channel++) {
        let from = start + channel;
        const to = start + channel * pixels;
        for (let i = 0; i < pixels; i++, from += channels) out[to + i] = UNIT[data[from]!]!;
      }
    }
    return new Tensor('float32', [...outer, channels, height, width], out);
  });
}
